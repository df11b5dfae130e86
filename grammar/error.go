package grammar

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Position is a place in a file or in typed text. Line and Column are 1-based;
// Column counts runes. File is empty for typed text.
type Position struct {
	File         string
	Line, Column int
}

// IsValid reports whether the position is known.
func (p Position) IsValid() bool { return p.Line > 0 }

// String gives file:line:column, without what is unknown.
func (p Position) String() string {
	if !p.IsValid() {
		return cmp.Or(p.File, "-")
	}
	if p.File == "" {
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func (p Position) compare(q Position) int {
	return cmp.Or(strings.Compare(p.File, q.File), p.Line-q.Line, p.Column-q.Column)
}

// An Error is a problem at a place in the configuration.
type Error struct {
	Pos Position
	// Msg is lower case without a period and says what was wanted.
	Msg string
	// Text is the source line at Pos; empty when there is none to show.
	Text string
	// Whole says that the file is no configuration and nothing of it was read.
	Whole bool
}

// Error gives file:line:column and the message.
func (e *Error) Error() string { return e.Pos.String() + ": " + e.Msg }

// Render gives the message, the source line and a caret under the column, each
// ended by a newline. Tabs of the line are copied so that the caret lines up.
func (e *Error) Render() string {
	if e.Text == "" {
		return e.Error() + "\n"
	}
	text, before := excerpt(e.Text, e.Pos.Column)
	return e.Error() + "\n" + text + "\n" + blank(before) + "^\n"
}

// excerptRunes is how much of a source line an error shows on either side.
const excerptRunes = 100

// excerpt cuts a long line around a column and gives it with what stands
// before the caret.
func excerpt(text string, column int) (line, before string) {
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	at := min(max(column-1, 0), len(runes))
	from, to := max(at-excerptRunes, 0), min(at+excerptRunes, len(runes))
	for i, r := range runes[from:to] {
		if r != '\t' && (r < ' ' || r == 0x7f) {
			runes[from+i] = utf8.RuneError
		}
	}
	return string(runes[from:to]), string(runes[from:at])
}

func blank(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, s)
}

// An ErrorList holds the errors of a file.
type ErrorList []*Error

// Err gives the list as an error, sorted by position, or nil when it is empty.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	slices.SortStableFunc(l, func(a, b *Error) int { return a.Pos.compare(b.Pos) })
	return l
}

// Error gives the first error and the number of the others.
func (l ErrorList) Error() string {
	switch len(l) {
	case 0:
		return "no errors"
	case 1:
		return l[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", l[0], len(l)-1)
}

// Render writes every error with its source line and caret.
func (l ErrorList) Render(w io.Writer) error {
	for _, e := range l {
		if _, err := io.WriteString(w, e.Render()); err != nil {
			return err
		}
	}
	return nil
}

// State is what became of a line that is not simply part of the Config. The
// zero value is unset.
type State uint8

// The states of a Notice: configuration that has nothing to do with security;
// security configuration that is kept but not understood; a line that was
// stored in another form than typed; a line that looks like a mistake; a line
// that took the place of another; a line that removed something other than it
// says; a line that changed nothing.
const (
	Skipped State = iota + 1
	Unsupported
	Normalised
	Suspicious
	Replaced
	Removed
	NoEffect
)

// String gives the state in lower case.
func (s State) String() string {
	return [...]string{"unset", "skipped", "unsupported", "normalised", "suspicious", "replaced", "removed", "no-effect"}[s]
}

// A Notice is something that the user should know about an accepted line.
type Notice struct {
	Pos   Position
	State State
	// Msg is lower case without a period.
	Msg string
	// Text is the line; for skipped lines the kind of line, which is reported
	// once for each kind.
	Text string
	// Count is the number of lines of that kind; 1 for all other states.
	Count int
	// ACL and Seq name the entry that makes the line one without effect; ACL is
	// empty when there is none.
	ACL string
	Seq uint32
}

// String gives file:line:column, the state and the message.
func (n Notice) String() string { return fmt.Sprintf("%s: %s: %s", n.Pos, n.State, n.Msg) }

// ErrorKind is the kind of a LineError. The zero value is unset.
type ErrorKind uint8

// The kinds of errors, each with the text that IOS prints for it, and Semantic
// and Bare: a line that is well formed and refused for what it says.
const (
	Invalid    ErrorKind = iota + 1 // % Invalid input detected at '^' marker.
	Incomplete                      // % Incomplete command.
	Ambiguous                       // % Ambiguous command:  "LINE"
	Semantic                        // Msg is what IOS prints behind "% "
	Bare                            // Msg is what IOS prints, without "% "
)

// A LineError is why a line was refused. The Config is as it was before.
type LineError struct {
	Kind ErrorKind
	// Column is where IOS puts the caret: the first character of the line
	// that no valid word shares. 1-based, in runes of the line as typed; 0
	// when the error has no place.
	Column int
	// Word is the 1-based column at which the refused word starts.
	Word int
	// Msg says what was wanted; for Semantic it is IOS's own text without the
	// leading "% ".
	Msg string
	// Hint is a suggestion such as "did you mean WEB?", or empty.
	Hint string
	// Line is the line as typed.
	Line string
}

// Error gives the message of the file form.
func (e *LineError) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + " (" + e.Hint + ")"
}

// IOS gives the lines that IOS prints for the error, below a prompt of the
// given width in columns, each ended by a newline.
func (e *LineError) IOS(promptWidth int) string {
	switch e.Kind {
	case Incomplete:
		return "% Incomplete command.\n\n"
	case Ambiguous:
		return fmt.Sprintf("%% Ambiguous command:  %q\n", strings.TrimSpace(e.Line))
	case Bare:
		return e.Msg + "\n"
	case Semantic:
		return "% " + e.Msg + "\n"
	}
	return strings.Repeat(" ", promptWidth+max(e.Column-1, 0)) + "^\n% Invalid input detected at '^' marker.\n\n"
}
