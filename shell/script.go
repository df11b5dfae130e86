package shell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"aclium/grammar"
	"aclium/translate/policy"
)

// ErrFailed is what Script and File return when a line is at fault or a line
// cannot be enforced as it is written; what is wrong is printed already. Any
// other error is trouble that is not the fault of a line.
var ErrFailed = errors.New("lines are at fault")

// A Line is one line of a script. Its position has no file when it comes from
// a pipe or the command line.
type Line struct {
	Pos  grammar.Position
	Text string
}

// maxLine is the number of bytes of the longest line that is accepted.
const maxLine = 64 << 10

// ReadLines reads the lines of a script. Text that nobody typed, such as a
// binary file, is refused with the place of its first strange byte.
func ReadLines(name string, r io.Reader) ([]Line, error) {
	var lines []Line
	in := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		text, err := in.ReadSlice('\n')
		pos := grammar.Position{File: name, Line: n, Column: 1}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, &grammar.Error{Pos: pos, Msg: fmt.Sprintf("the line is longer than %d bytes", maxLine)}
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read %s: %w", nameOf(name), err)
		}
		line := strings.TrimRight(string(text), "\r\n")
		if at := strings.IndexFunc(line, strange); at >= 0 {
			pos.Column = utf8.RuneCountInString(line[:at]) + 1
			return nil, &grammar.Error{Pos: pos, Msg: "this is not text"}
		}
		if line != "" {
			lines = append(lines, Line{pos, line})
		}
		if err == io.EOF {
			return lines, nil
		}
	}
}

// strange reports whether a rune has no place in a configuration. ^C may
// delimit a banner; ^Z ends configuration.
func strange(r rune) bool {
	return r == utf8.RuneError || r == 0x7f || r < ' ' && !strings.ContainsRune("\t\r\f\x03\x1a\x1b\b", r)
}

func nameOf(file string) string {
	if file == "" {
		return "the input"
	}
	return file
}

// Script runs lines as if they were typed in privileged EXEC mode, without
// prompts. All lines are checked first: when one is bad nothing is run.
// Configuration is put in force as a whole where configuration mode ends.
// What is wrong with a line is printed to errOut with its place.
func (s *Shell) Script(ctx context.Context, lines []Line, errOut io.Writer) error {
	s.begin(errOut)
	if !s.dry().runAll(ctx, lines, errOut) {
		return ErrFailed
	}
	if !s.runAll(ctx, lines, errOut) {
		return s.failure()
	}
	return s.finish()
}

// begin turns the session into one without a person.
func (s *Shell) begin(errOut io.Writer) {
	s.script, s.privileged, s.notes = true, true, errOut
}

// finish tells findings by the exit status.
func (s *Shell) finish() error {
	if s.inexact {
		return ErrFailed
	}
	return nil
}

func (s *Shell) failure() error {
	if s.trouble != nil {
		return s.trouble
	}
	return ErrFailed
}

// dry gives a session that checks lines and changes nothing.
func (s *Shell) dry() *Shell {
	d := *s
	d.checking, d.notes, d.told = true, io.Discard, map[string]bool{}
	d.o.Out = io.Discard
	if d.edit != nil {
		d.edit = grammar.NewSession(s.edit.Config.Clone())
	}
	return &d
}

// runAll runs the lines and leaves configuration mode at their end. A check
// goes on after an error, a run does not.
func (s *Shell) runAll(ctx context.Context, lines []Line, errOut io.Writer) bool {
	good := true
	for _, line := range lines {
		err := s.line(ctx, line.Pos, line.Text)
		if errors.Is(err, ErrExit) {
			break
		}
		if err == nil {
			continue
		}
		s.blame(errOut, line, err)
		if good = false; !s.checking {
			return false
		}
	}
	if s.edit == nil {
		return good
	}
	if err := s.leave(ctx); err != nil {
		s.blame(errOut, Line{}, err)
		return false
	}
	return good
}

// blame prints what is wrong with a line. Trouble that is not the line's fault
// is kept for the caller.
func (s *Shell) blame(errOut io.Writer, line Line, err error) {
	var bad *grammar.LineError
	var user userError
	var refused Refused
	switch {
	case blameAll(errOut, err):
	case errors.As(err, &bad):
		line.Pos.Column = max(bad.Word, 1)
		blameLine(errOut, &grammar.Error{Pos: line.Pos, Msg: strings.ReplaceAll(bad.Error(), "\n% ", "; "), Text: line.Text})
	case errors.As(err, &user) || errors.As(err, &refused):
		blameLine(errOut, &grammar.Error{Pos: line.Pos, Msg: strings.TrimPrefix(err.Error(), "% ")})
	case line.Pos.Line > 0:
		s.trouble = fmt.Errorf("%s: %w", placeOf(line.Pos), err)
	default:
		s.trouble = err
	}
}

// blameLine prints an error with its place and, where it has one, the line.
func blameLine(errOut io.Writer, e *grammar.Error) {
	if e.Pos.Line == 0 {
		fmt.Fprintln(errOut, e.Msg)
		return
	}
	fmt.Fprintf(errOut, "%s: %s", placeOf(e.Pos), strings.TrimPrefix(e.Render(), e.Pos.String()+": "))
}

// placeOf names a line of a file, or of what has no name.
func placeOf(pos grammar.Position) string {
	if pos.File == "" {
		return fmt.Sprintf("line %d", pos.Line)
	}
	return pos.String()
}

// blameAll prints errors of the configuration, each with its own place.
func blameAll(errOut io.Writer, err error) bool {
	var list grammar.ErrorList
	if !errors.As(err, &list) {
		return false
	}
	for _, e := range list {
		blameLine(errOut, e)
	}
	return true
}

// File merges a configuration file into the configuration in force: all of it
// at once, or nothing when a line is bad. A file that starts with EXEC
// commands ("enable", "configure terminal") is run as a script.
func (s *Shell) File(ctx context.Context, name string, r io.Reader, errOut io.Writer) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if !isScript(text) {
		s.begin(errOut)
		return s.merge(ctx, name, text, errOut)
	}
	lines, err := ReadLines(name, bytes.NewReader(text))
	if err != nil {
		return s.unreadable(err, errOut)
	}
	return s.Script(ctx, lines, errOut)
}

// merge puts the configuration in force with a file merged into it, on
// whatever is in force by then.
func (s *Shell) merge(ctx context.Context, name string, text []byte, errOut io.Writer) error {
	for try := 0; ; try++ {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		next := s.running.Clone()
		notices, err := next.Merge(name, bytes.NewReader(text))
		if err != nil {
			s.blame(errOut, Line{}, err)
			return ErrFailed
		}
		revision, findings, err := s.o.Applier.Apply(ctx, next, s.revision)
		if errors.Is(err, ErrConflict) && try < maxRebase {
			continue
		}
		s.tell(notices)
		s.report(findings)
		if err = s.warnUnfinished(err); err != nil {
			s.blame(errOut, Line{}, err)
			return s.failure()
		}
		if err := s.applied(next, revision, 0); err != nil {
			return err
		}
		return s.finish()
	}
}

func (s *Shell) unreadable(err error, errOut io.Writer) error {
	var bad *grammar.Error
	if !errors.As(err, &bad) {
		return err
	}
	blameLine(errOut, bad)
	return ErrFailed
}

// isScript reports whether the first line that says something is an EXEC one.
func isScript(text []byte) bool {
	for line := range bytes.Lines(text) {
		first := strings.ToLower(cutWord(strings.TrimRight(string(line), "\r\n")).text)
		if first == "" || first[0] == '!' {
			continue
		}
		return len(first) >= 2 && strings.HasPrefix("enable", first) || len(first) >= 4 && strings.HasPrefix("configure", first)
	}
	return false
}

// noteInexact remembers that a line is not enforced as it is written.
func (s *Shell) noteInexact(f policy.Finding) {
	switch f.State {
	case policy.Narrower, policy.Refused, policy.Wider, policy.Faulty:
		s.inexact = true
	}
}
