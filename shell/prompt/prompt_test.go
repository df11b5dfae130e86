package prompt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"aclium/grammar"
	"aclium/shell"
	"aclium/translate/policy"
)

// TestMain runs the shell on a terminal when a test starts itself as a child.
func TestMain(m *testing.M) {
	if os.Getenv("ACLIUM_PROMPT_CHILD") != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// memory keeps a configuration and enforces nothing. It counts the lines of
// what was applied.
type memory struct {
	source   string
	revision uint64
}

func (m *memory) Load(context.Context) (string, uint64, error) { return m.source, m.revision, nil }

func (m *memory) Apply(_ context.Context, c *grammar.Config, _ uint64) (uint64, []policy.Finding, error) {
	var text strings.Builder
	err := c.Print(&text)
	m.source, m.revision = text.String(), m.revision+1
	return m.revision, nil, err
}

func child() {
	t, err := Open(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	ctx := context.Background()
	s, err := shell.New(ctx, shell.Options{Out: t, Console: t, Applier: &memory{}, Host: "R1", Privileged: true})
	if err == nil {
		err = t.Run(ctx, s)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	fmt.Println("bye")
}

// A screen is a child on a pty, with a terminal that draws what it prints.
type screen struct {
	t    *testing.T
	pty  *os.File
	tty  *os.File
	cmd  *exec.Cmd
	done chan error

	mu  sync.Mutex
	raw bytes.Buffer
	vt  vt10x.Terminal
}

func start(t *testing.T, rows, columns uint16, env ...string) *screen {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminal:", err)
	}
	pty.Setsize(p, &pty.Winsize{Rows: rows, Cols: columns})
	s := &screen{t: t, pty: p, tty: tty, done: make(chan error, 1), vt: vt10x.New(vt10x.WithSize(80, 24))}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), append([]string{"ACLIUM_PROMPT_CHILD=1", "TERM=xterm"}, env...)...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.draw()
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { s.cmd.Process.Kill(); p.Close(); tty.Close() })
	s.wait("R1#")
	return s
}

func (s *screen) draw() {
	b := make([]byte, 4096)
	for {
		n, err := s.pty.Read(b)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.raw.Write(b[:n])
		s.vt.Write(b[:n])
		s.mu.Unlock()
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for line := range strings.Lines(s.vt.String()) {
		lines = append(lines, strings.TrimRight(line, " \n\x00"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (s *screen) sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

func (s *screen) send(text string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for a condition on the screen.
func (s *screen) until(what string, ok func(string) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok(s.text()) {
			return
		}
	}
	s.t.Fatalf("%s: the screen is\n%s", what, s.text())
}

// wait waits until the screen ends with text.
func (s *screen) wait(text string) {
	s.t.Helper()
	s.until("want "+text, func(screen string) bool { return strings.HasSuffix(screen, text) })
}

func (s *screen) exited() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("the shell does not end; the screen is\n" + s.text())
		return nil
	}
}

func (s *screen) termios() unix.Termios {
	t, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *t
}

func TestCommandInOneWriteRuns(t *testing.T) {
	s := start(t, 24, 80)
	s.send("show privilege\r")
	s.wait("R1#show privilege\nCurrent privilege level is 15\nR1#")
	s.send("sh priv\r\nexit\r")
	if err := s.exited(); err != nil {
		t.Error(err)
	}
	s.wait("R1#sh priv\nCurrent privilege level is 15\nR1#exit\nbye")
}

func TestHelpInTheMiddleOfALine(t *testing.T) {
	s := start(t, 24, 80)
	s.send("show pri terminal\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D?")
	s.until("help", func(screen string) bool {
		return strings.HasSuffix(screen, "R1#show pri terminal?\nprivilege\n\nR1#show pri terminal")
	})
	s.send("vilege\x0b\r")
	s.wait("R1#show privilege\nCurrent privilege level is 15\nR1#")
}

func TestTab(t *testing.T) {
	s := start(t, 24, 80)
	s.send("sh\tpri\t\r")
	s.wait("R1#sh\nR1#show pri\nR1#show privilege\nCurrent privilege level is 15\nR1#")
	s.send("x\t")
	s.until("bell", func(string) bool { return strings.HasSuffix(s.sent(), "\a") || strings.Contains(s.sent(), "\a") })
}

func TestEditingKeys(t *testing.T) {
	s := start(t, 24, 80)
	for _, keys := range []string{
		"how privilege\x01s\r",             // Ctrl-A
		"show nonsense\x17privilege\r",     // Ctrl-W
		"show clock\x15show privilege\r",   // Ctrl-U
		"privilege\x15show \x19\r",         // Ctrl-Y
		"show privielge\x1b[D\x1b[D\x14\r", // Ctrl-T swaps the two before the cursor
		"show privilege x\x1bb\x0b\r",      // Esc-B, Ctrl-K
		"\x04show privilege\r",             // Ctrl-D on an empty line does nothing
		"\x10\r",                           // Ctrl-P
		"\x1b[A\x1b[A\x1b[B\r",             // arrows
		"zzz\x03show privilege\r",          // Ctrl-C
	} {
		before := strings.Count(s.sent(), "Current privilege level is 15")
		s.send(keys)
		s.until(fmt.Sprintf("%q", keys), func(screen string) bool {
			return strings.Count(s.sent(), "Current privilege level is 15") == before+1 && strings.HasSuffix(screen, "R1#")
		})
	}
}

func TestTerminalIsRestored(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(*screen)
	}{
		{"exit", func(s *screen) { s.send("exit\r") }},
		{"SIGTERM", func(s *screen) { s.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGHUP", func(s *screen) { s.cmd.Process.Signal(syscall.SIGHUP) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			if end.name == "SIGHUP" && signal.Ignored(syscall.SIGHUP) {
				t.Skip("SIGHUP is ignored here, as under nohup")
			}
			s := start(t, 24, 80)
			if s.termios().Lflag&unix.ICANON != 0 {
				t.Fatal("the terminal is not raw while the shell runs")
			}
			end.do(s)
			s.exited()
			got := s.termios()
			for _, c := range []struct {
				name string
				on   bool
			}{
				{"icanon", got.Lflag&unix.ICANON != 0}, {"echo", got.Lflag&unix.ECHO != 0}, {"isig", got.Lflag&unix.ISIG != 0},
				{"icrnl", got.Iflag&unix.ICRNL != 0}, {"ixon", got.Iflag&unix.IXON != 0},
			} {
				if !c.on {
					t.Errorf("%s is off after the shell", c.name)
				}
			}
			s.until("bracketed paste is left on", func(string) bool {
				return strings.LastIndex(s.sent(), pasteOff) > strings.LastIndex(s.sent(), pasteOn)
			})
		})
	}
}

func TestWindowWithoutSize(t *testing.T) {
	s := start(t, 0, 0)
	s.send("show privilege\r")
	s.wait("R1#show privilege\nCurrent privilege level is 15\nR1#")
}

func TestDumbTerminal(t *testing.T) {
	s := start(t, 24, 80, "TERM=dumb")
	s.send("show pri?\n")
	s.wait("R1#show pri?\nprivilege\n\nR1#")
	s.send("show privilege\n")
	s.wait("R1#show privilege\nCurrent privilege level is 15\nR1#")
	if strings.Contains(s.sent(), "\x1b") {
		t.Errorf("escape sequences on a dumb terminal: %q", s.sent())
	}
	s.send("exit\n")
	if err := s.exited(); err != nil {
		t.Error(err)
	}
}

func TestPager(t *testing.T) {
	s := start(t, 24, 80)
	s.send("terminal length 5\rfind .\r")
	s.wait(" --More--")
	s.send("\r")
	s.until("one line more", func(string) bool { return strings.Count(s.sent(), " --More-- ") == 2 })
	s.send("q")
	s.wait("R1#")
	if !strings.Contains(s.sent(), "\b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\b") {
		t.Error("the pager is not rubbed out as clients expect")
	}
}

// A paste runs line by line in the order that it came in, marked or not.
func TestPasteRunsInOrder(t *testing.T) {
	const n = 2000
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "access-list 101 permit tcp any host 10.0.%d.%d eq 80\r", i/250, i%250+1)
	}
	for _, paste := range []string{lines.String(), pasteStart + lines.String() + pasteEnd} {
		s := start(t, 24, 80)
		s.send("terminal length 0\rconfigure terminal\r")
		s.wait("R1(config)#")
		go s.pty.WriteString(paste + "end\rshow running-config | include permit\rshow clock\r")
		s.until("the paste", func(string) bool { return strings.Contains(s.sent(), " UTC ") })
		_, shown, _ := strings.Cut(s.sent(), "show running-config | include permit")
		at := 0
		for i := range n {
			line := fmt.Sprintf("access-list 101 permit tcp any host 10.0.%d.%d eq www\r\n", i/250, i%250+1)
			next := strings.Index(shown[at:], line)
			if next < 0 {
				t.Fatalf("line %d is missing or out of order", i+1)
			}
			at += next + len(line)
		}
	}
}

func TestCtrlZRunsTheLineFirst(t *testing.T) {
	s := start(t, 24, 80)
	s.send("configure terminal\r")
	s.wait("R1(config)#")
	s.send("hostname R2\x1a")
	s.wait("R2#")
	s.send("configure terminal\rip access-list extended WEB\r")
	s.wait("R2(config-ext-nacl)#")
	s.send("permit ip any any\x03")
	s.until("Ctrl-C drops the line", func(screen string) bool { return strings.HasSuffix(screen, "\nR2#") })
	s.send("show access-lists\r")
	s.wait("R2#show access-lists\nExtended IP access list WEB\nR2#")
}

func TestHistoryOfEachMode(t *testing.T) {
	s := start(t, 24, 80)
	s.send("show privilege\rconfigure terminal\r")
	s.wait("R1(config)#")
	s.send("hostname R2\r\x10")
	s.wait("R2(config)#hostname R2")
	s.send("\x15end\r\x10\x10")
	s.wait("R2#show privilege")
}
