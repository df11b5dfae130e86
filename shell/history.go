package shell

const defaultHistory = 20

// A history holds the last lines of EXEC or of configuration mode.
type history struct {
	lines []string
	size  int
}

func (h *history) add(line string) {
	if h.size == 0 || blank(line) {
		return
	}
	h.lines = append(h.lines, line)
	h.trim()
}

func (h *history) trim() { h.lines = h.lines[max(0, len(h.lines)-h.size):] }

func (s *Shell) historyNow() *history {
	if s.edit != nil {
		return &s.histories[1]
	}
	return &s.histories[0]
}

func (s *Shell) remember(line string) { s.historyNow().add(line) }

// History gives the lines that may be recalled in the session's mode, the
// oldest first. EXEC and configuration have their own.
func (s *Shell) History() []string { return s.historyNow().lines }
