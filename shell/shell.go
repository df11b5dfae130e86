package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"aclium/grammar"
	"aclium/translate/policy"
)

var (
	// ErrExit ends a session: "exit" was typed in EXEC mode.
	ErrExit = errors.New("exit")
	// ErrConflict is what an Applier wraps when the configuration in force is
	// not the revision that the change was made from.
	ErrConflict = errors.New("the configuration was changed by somebody else")
)

// Refused is what an Applier returns when the configuration itself is at fault
// and nothing else.
type Refused struct{ Err error }

// Error gives the reason.
func (r Refused) Error() string { return r.Err.Error() }

// Unwrap gives the reason.
func (r Refused) Unwrap() error { return r.Err }

// An Unfinished is the error of an Applier that put the configuration in force
// and could not do all that follows.
type Unfinished struct{ Err error }

func (u Unfinished) Error() string { return u.Err.Error() }

// Unwrap gives what failed.
func (u Unfinished) Unwrap() error { return u.Err }

// An Applier holds the configuration in force. It lives outside the shell, so
// that two shells see one configuration.
type Applier interface {
	// Load gives the text of the configuration in force and its revision.
	Load(ctx context.Context) (source string, revision uint64, err error)
	// Apply puts a configuration in force as a whole, if the one in force is
	// still the given revision, and gives the revision that it became. After
	// an error the old configuration is in force, unless that is an Unfinished.
	// It wraps ErrConflict when the revision is another, and is Refused when the
	// configuration is at fault.
	Apply(ctx context.Context, c *grammar.Config, revision uint64) (uint64, []policy.Finding, error)
}

// A CounterReader reads and clears the counters of access-lists.
type CounterReader interface {
	Counters(ctx context.Context) ([]policy.Counter, error)
	// Clear sets the counters of one list to zero, or of all lists when acl is "".
	Clear(ctx context.Context, acl string) error
}

// An EventReader calls f with every packet that a line with "log" decides,
// until ctx ends.
type EventReader interface {
	Events(ctx context.Context, f func(policy.Event)) error
	// Log gives the newest events, oldest first.
	Log(ctx context.Context) ([]policy.Event, error)
}

// A Console is the terminal of a person. Without one nothing is asked, paged
// or coloured.
type Console interface {
	// Ask prints the question and reads a line.
	Ask(ctx context.Context, question string) (string, error)
	// Key reads one key press.
	Key(ctx context.Context) (byte, error)
	// Size gives the window in characters; zero when unknown.
	Size() (rows, columns int)
}

// Options are what a Shell works with.
type Options struct {
	// Out takes what the shell prints.
	Out io.Writer
	// Applier is required.
	Applier Applier
	// Offline says that the Applier enforces and saves nothing.
	Offline bool
	// Counters and Events may be nil.
	Counters CounterReader
	Events   EventReader
	// Agent may be nil, too.
	Agent AgentReader
	// Console is nil unless a person types.
	Console Console
	// Color allows colour on the console.
	Color bool
	// JSON prints the rows of shows as JSON, as "| json" does.
	JSON bool
	// Privileged starts the session behind "enable".
	Privileged bool
	// Host is shown until the configuration names another; User and Version
	// may be empty.
	Host, User, Version string
	// Now tells the time; time.Now when nil.
	Now func() time.Time
}

// A Shell is one session. Its methods must not run concurrently, but for
// Watch, which runs beside them.
type Shell struct {
	o          Options
	commands   []command
	privileged bool
	started    time.Time

	// running is what is enforced, source its text.
	running  *grammar.Config
	source   string
	revision uint64
	// changed is when this session last changed the configuration.
	changed time.Time

	// edit is the candidate and the mode; nil in EXEC mode, where kept is the
	// candidate that could not be put in force.
	edit, kept *grammar.Session
	// typed holds the accepted lines that are not in force; base is the
	// configuration that they were typed on.
	typed        []typedLine
	base         *grammar.Config
	baseRevision uint64
	// script puts off every apply to the end of configuration mode.
	script bool
	// checking runs nothing but the changes of mode. inexact and trouble are
	// what the exit status of a script tells.
	checking, inexact bool
	trouble           error
	// told holds the findings that the user has read.
	told map[string]bool

	histories [2]history
	length    int
	width     int
	log       *logView
	// notes takes remarks of ours: Out, or for a script its stderr.
	notes io.Writer
}

// New gives a session in user EXEC mode with the configuration in force.
func New(ctx context.Context, o Options) (*Shell, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Shell{o: o, privileged: o.Privileged, started: o.Now(), length: -1, width: 80, told: map[string]bool{}, log: &logView{}, notes: o.Out}
	s.histories = [2]history{{size: defaultHistory}, {size: defaultHistory}}
	s.commands = execCommands()
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// refresh reads the configuration in force when it is not the one we know.
func (s *Shell) refresh(ctx context.Context) error {
	if s.checking {
		return nil
	}
	source, revision, err := s.o.Applier.Load(ctx)
	if err != nil {
		return err
	}
	if s.running != nil && revision == s.revision && source == s.source {
		return nil
	}
	running := &grammar.Config{}
	if source != "" {
		running, _, err = grammar.ParseDialect("running-config", strings.NewReader(source), grammar.IOS)
	}
	if err != nil {
		return fmt.Errorf("read the configuration in force: %w", err)
	}
	s.running, s.source, s.revision = running, source, revision
	return nil
}

// maxConfigHost is how much of the host name IOS shows in configuration mode.
const maxConfigHost = 20

// Prompt gives the prompt, such as "R1#" or "R1(config-ext-nacl)#".
func (s *Shell) Prompt() string {
	switch {
	case s.edit != nil:
		return cut(s.host(), maxConfigHost) + s.edit.Mode.Prompt()
	case s.privileged:
		return s.host() + "#"
	}
	return s.host() + ">"
}

func (s *Shell) host() string {
	if s.edit != nil && s.edit.Config.Hostname != "" {
		return s.edit.Config.Hostname
	}
	return cmp.Or(s.running.Hostname, s.o.Host, "Router")
}

func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}

// Configuring reports whether the session is in a configuration mode.
func (s *Shell) Configuring() bool { return s.edit != nil }

// Run runs one line and prints what IOS prints for it, errors included. The
// error is ErrExit when the session is over, else nil.
func (s *Shell) Run(ctx context.Context, text string) error {
	width := utf8.RuneCountInString(s.Prompt())
	s.remember(text)
	err := s.line(ctx, grammar.Position{Line: 1, Column: 1}, text)
	if errors.Is(err, ErrExit) {
		return ErrExit
	}
	if err != nil {
		s.print(s.screen(err, width))
	}
	return nil
}

// End leaves configuration mode, as Ctrl-Z does; in EXEC mode it does nothing.
func (s *Shell) End(ctx context.Context) {
	if s.edit == nil {
		return
	}
	if err := s.leave(ctx); err != nil {
		s.print(s.screen(err, 0))
	}
}

// line runs a line in the mode that the session is in.
func (s *Shell) line(ctx context.Context, pos grammar.Position, text string) error {
	if s.edit != nil {
		return s.configLine(ctx, pos, text)
	}
	if isComment(text) {
		return nil
	}
	return s.exec(ctx, text, 0)
}

func blank(text string) bool { return strings.Trim(text, " \t\r") == "" }

func (s *Shell) print(text string) { io.WriteString(s.o.Out, text) }

// A userError is a refusal in IOS's manner: its text starts with "%".
type userError string

func (e userError) Error() string { return string(e) }

func refusal(format string, args ...any) error { return userError("% " + fmt.Sprintf(format, args...)) }

// screen gives an error as a terminal shows it below a prompt of that width.
func (s *Shell) screen(err error, width int) string {
	var line *grammar.LineError
	var user userError
	switch {
	case errors.As(err, &line):
		return line.IOS(width) + s.hint(line)
	case errors.As(err, &user):
		return string(user) + "\n"
	}
	return "%Error: " + err.Error() + "\n"
}

// hint adds to IOS's words on a person's terminal only, after them.
func (s *Shell) hint(e *grammar.LineError) string {
	if s.o.Console == nil || e.Hint == "" {
		return ""
	}
	return s.paint("% "+upperFirst(e.Hint)) + "\n"
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
