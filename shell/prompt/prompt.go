package prompt

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	goprompt "github.com/c-bata/go-prompt"

	"aclium/shell"
)

// errNoKey tells go-prompt that nothing was typed; it must never wait in Read.
var errNoKey = errors.New("no key")

// parser is go-prompt's view of the terminal.
type parser struct{ t *Terminal }

func (p parser) Setup() error { p.t.keys.open(); return nil }

// TearDown is called before every command, where the terminal stays ours, and
// before go-prompt ends the process on a signal, where no line is running.
func (p parser) TearDown() error {
	p.t.keys.mu.Lock()
	running := p.t.keys.gated
	p.t.keys.mu.Unlock()
	if !running {
		p.t.Restore()
	}
	return nil
}

func (p parser) GetWinSize() *goprompt.WinSize {
	rows, columns := p.t.Size()
	return &goprompt.WinSize{Row: uint16(rows), Col: uint16(columns)}
}

func (p parser) Read() ([]byte, error) {
	key := p.t.keys.next()
	if key == nil {
		return nil, errNoKey
	}
	return key, nil
}

// A session is one run of a shell on the terminal.
type session struct {
	*Terminal
	ctx   context.Context
	shell *shell.Shell
	// closed is set when the shell has exited.
	closed bool
	// recalled is the history line that is shown, counted from the newest;
	// 0 for the line being typed, which is kept in typed meanwhile.
	recalled int
	typed    string
	killed   string
}

// Run lets a person type until the shell exits or the terminal hangs up. The
// terminal is as it was afterwards.
func (t *Terminal) Run(ctx context.Context, s *shell.Shell) error {
	if t.plain {
		return t.runPlain(ctx, s)
	}
	if err := t.makeRaw(); err != nil {
		return err
	}
	defer t.Restore()
	t.restoreOnSignal()
	go t.read()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go t.watch(watching, s)
	run := &session{Terminal: t, ctx: ctx, shell: s}
	goprompt.New(run.execute, noSuggestions, run.options()...).Run()
	return nil
}

func noSuggestions(goprompt.Document) []goprompt.Suggest { return nil }

func (r *session) options() []goprompt.Option {
	return []goprompt.Option{
		goprompt.OptionParser(parser{r.Terminal}),
		goprompt.OptionLivePrefix(r.prefix),
		goprompt.OptionPrefix(""),
		goprompt.OptionPrefixTextColor(goprompt.DefaultColor),
		goprompt.OptionMaxSuggestion(0),
		goprompt.OptionSetExitCheckerOnInput(func(string, bool) bool { return r.closed }),
		goprompt.OptionAddASCIICodeBind(r.bindings()...),
	}
}

// prefix gives nothing once the shell has exited, because go-prompt draws it
// once more then.
func (r *session) prefix() (string, bool) {
	if r.closed {
		return "", true
	}
	return r.shell.Prompt(), true
}

// execute runs a line and then every whole line that is waiting behind it.
func (r *session) execute(line string) {
	r.recalled, r.typed = 0, ""
	end, dropped := r.keys.ended()
	if dropped {
		r.closed = r.keys.hungUp()
		r.shell.End(r.ctx)
		return
	}
	r.run(line, end)
	for !r.closed {
		next, ok := r.keys.line()
		if !ok {
			break
		}
		r.print(r.shell.Prompt() + next + "\n")
		r.run(next, false)
	}
	r.showMessages()
}

// run runs one line; Ctrl-C stops it.
func (r *session) run(line string, end bool) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	r.keys.running(cancel)
	defer r.keys.running(nil)
	if line != "" || !end {
		r.closed = errors.Is(r.shell.Run(ctx, line), shell.ErrExit)
	}
	if end && !r.closed {
		r.shell.End(ctx)
	}
}

// watch shows the log lines that the shell was asked to show.
func (t *Terminal) watch(ctx context.Context, s *shell.Shell) {
	err := s.Watch(ctx, func(line string) {
		t.mu.Lock()
		t.messages = append(t.messages, line)
		t.mu.Unlock()
		t.keys.notify()
	})
	if err != nil && ctx.Err() == nil {
		t.mu.Lock()
		t.messages = append(t.messages, "% The log has ended: "+err.Error())
		t.mu.Unlock()
		t.keys.notify()
	}
}

func (t *Terminal) showMessages() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range t.messages {
		t.print(line + "\n")
	}
	t.messages = nil
}

// runPlain serves a terminal without escape sequences: the kernel edits the
// line, and "?" helps when it ends one.
func (t *Terminal) runPlain(ctx context.Context, s *shell.Shell) error {
	for {
		t.print(s.Prompt())
		line, err := t.plainLine()
		switch {
		case errors.Is(err, io.EOF):
			t.print("\n")
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(line, "?"):
			t.print(s.Help(strings.TrimSuffix(line, "?")))
			continue
		}
		if errors.Is(s.Run(ctx, line), shell.ErrExit) {
			return nil
		}
	}
}

// width gives the columns that text takes.
func width(text string) int { return utf8.RuneCountInString(text) }
