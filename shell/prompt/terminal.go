package prompt

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNoTerminal says that stdin or stdout is no terminal.
var ErrNoTerminal = errors.New("no terminal")

// The size of a window that does not tell, as of "ssh -tt" from cron.
const (
	defaultRows    = 24
	defaultColumns = 80
)

const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
)

// A Terminal is the terminal of the process. It is the shell's Console and
// what the shell prints to.
type Terminal struct {
	in, out *os.File
	saved   unix.Termios
	raw     bool
	plain   bool
	restore sync.Once
	keys    *keys

	mu       sync.Mutex
	messages []string
}

// Open gives the terminal behind two files. The error is ErrNoTerminal when
// one of them is something else.
func Open(in, out *os.File) (*Terminal, error) {
	saved, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return nil, ErrNoTerminal
	}
	if _, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS); err != nil {
		return nil, ErrNoTerminal
	}
	t := &Terminal{in: in, out: out, saved: *saved, keys: newKeys()}
	t.plain = os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" || !hasControllingTerminal()
	return t, nil
}

// hasControllingTerminal reports whether go-prompt can open /dev/tty; it
// panics when it cannot.
func hasControllingTerminal() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// Plain reports whether the terminal takes no escape sequences: the line is
// then edited by the kernel.
func (t *Terminal) Plain() bool { return t.plain }

// Write prints to the terminal.
func (t *Terminal) Write(b []byte) (int, error) { return t.out.Write(b) }

func (t *Terminal) print(text string) { io.WriteString(t.out, text) }

// Size gives the window in characters.
func (t *Terminal) Size() (rows, columns int) {
	w, err := unix.IoctlGetWinsize(int(t.out.Fd()), unix.TIOCGWINSZ)
	if err != nil || w.Row == 0 || w.Col == 0 {
		return defaultRows, defaultColumns
	}
	return int(w.Row), int(w.Col)
}

// makeRaw hands every key to us: no echo, no signals, no lines. Output stays
// processed, so that a newline is one.
func (t *Terminal) makeRaw() error {
	raw := t.saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &raw); err != nil {
		return err
	}
	t.raw = true
	t.print(pasteOn)
	return nil
}

// Restore gives the terminal back as it was. It may be called more than once.
func (t *Terminal) Restore() {
	t.restore.Do(func() {
		if t.raw {
			t.print(pasteOff)
			unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &t.saved)
		}
	})
}

// restoreOnSignal gives the terminal back before a signal ends the process. A
// signal that whoever started the process has it ignore, as nohup does, ends
// nothing.
func (t *Terminal) restoreOnSignal() {
	c := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	go func() {
		s := <-c
		t.Restore()
		signal.Reset(s)
		unix.Kill(os.Getpid(), s.(syscall.Signal))
	}()
}

// read feeds the keys until the terminal is gone.
func (t *Terminal) read() {
	defer t.keys.close()
	b := make([]byte, 64<<10)
	for {
		n, err := unix.Read(int(t.in.Fd()), b)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			poll := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}}
			unix.Poll(poll, -1)
			continue
		}
		if err != nil || n == 0 {
			return
		}
		t.keys.feed(b[:n])
	}
}

// Key reads one key press. An escape sequence counts as its first byte, and
// what follows is dropped.
func (t *Terminal) Key(ctx context.Context) (byte, error) {
	if t.plain {
		var b [1]byte
		_, err := t.in.Read(b[:])
		return b[0], err
	}
	return t.keys.wait(ctx)
}

// Ask prints a question and reads a line, which is echoed.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	t.print(question)
	if t.plain {
		return t.plainLine()
	}
	var answer []byte
	for {
		c, err := t.keys.wait(ctx)
		switch {
		case err != nil || c == 3:
			t.print("\n")
			return "", context.Canceled
		case c == '\r' || c == '\n':
			t.print("\n")
			return string(answer), nil
		case (c == 8 || c == 0x7f) && len(answer) > 0:
			answer = answer[:len(answer)-1]
			t.print("\b \b")
		case isText(c):
			answer = append(answer, c)
			t.print(string(c))
		}
	}
}

// plainLine reads a line that the kernel edits, a byte at a time so that
// nothing is read ahead of a question.
func (t *Terminal) plainLine() (string, error) {
	var line strings.Builder
	b := make([]byte, 1)
	for {
		n, err := t.in.Read(b)
		if n == 0 && err == nil {
			continue
		}
		if err != nil {
			return line.String(), err
		}
		if b[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(b[0])
	}
}
