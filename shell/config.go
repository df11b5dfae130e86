package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	"aclium/grammar"
	"aclium/translate/policy"
)

// A typedLine is a line of configuration that was accepted.
type typedLine struct {
	pos  grammar.Position
	text string
}

const configBanner = "Enter configuration commands, one per line.  End with CNTL/Z.\n"

// configure enters configuration mode, with the candidate that is left from
// before or a fresh one.
func (s *Shell) configure(c *call) error {
	if s.edit != nil {
		return nil
	}
	if s.kept != nil {
		s.edit, s.kept = s.kept, nil
		s.edit.Mode = grammar.ModeGlobal
	} else {
		if err := s.refresh(c.ctx); err != nil {
			return err
		}
		s.base, s.baseRevision = s.running, s.revision
		s.edit = grammar.NewSession(s.base.Clone())
	}
	if !s.script {
		s.print(configBanner)
	}
	return nil
}

// configLine runs a line in a configuration mode.
func (s *Shell) configLine(ctx context.Context, pos grammar.Position, text string) error {
	first := cutWord(text)
	switch word := strings.ToLower(first.text); {
	case word == "do":
		return s.do(ctx, text, first)
	case word == "abort" && len(words(text)) == 1:
		return s.abort()
	case s.script && (word == "configure" || word == "enable"):
		return nil
	}
	return s.statement(ctx, pos, text)
}

// do runs an EXEC line; columns stay those of the line as typed.
func (s *Shell) do(ctx context.Context, text string, first word) error {
	rest := text[first.end:]
	if blank(rest) {
		return &grammar.LineError{Kind: grammar.Incomplete, Column: first.column + 2, Word: first.column, Msg: "unexpected end of line", Line: text}
	}
	return s.exec(ctx, rest, first.column-1+len([]rune(first.text)))
}

// abort drops the candidate and leaves configuration mode.
func (s *Shell) abort() error {
	s.edit, s.kept, s.typed = nil, nil, nil
	return nil
}

// statement applies a line to the candidate and puts in force what the line
// has completed.
func (s *Shell) statement(ctx context.Context, pos grammar.Position, text string) error {
	was := s.edit.Mode
	notices, err := s.edit.Line(pos, text)
	if err != nil {
		return err
	}
	s.tell(notices)
	switch {
	case s.edit.Ended:
		s.edit.Ended = false
		return s.leave(ctx)
	case isComment(text):
		return nil
	case s.script || !s.left(was, text):
		s.typed = append(s.typed, typedLine{pos, text})
		return nil
	}
	return s.completed(ctx, typedLine{pos, text})
}

// completed puts the block in force that a line has left, without what the
// line itself does: a list that it starts would be in force while it is empty,
// and an empty list permits everything.
func (s *Shell) completed(ctx context.Context, line typedLine) error {
	done := len(s.typed)
	if global, _ := inGlobal(line.text); !global.Ended {
		s.typed = append(s.typed, line)
	}
	candidate, _, err := s.replay(s.base, done)
	if err != nil {
		return err
	}
	return s.apply(ctx, candidate, done)
}

// left reports whether a line that was accepted in a mode has left its block:
// the mode is another, or the line has begun a block of the same kind.
func (s *Shell) left(was grammar.Mode, text string) bool {
	now := s.edit.Mode
	switch {
	case was == grammar.ModeGlobal:
		return false
	case was == now:
		global, err := inGlobal(text)
		return err == nil && global.Mode == was
	}
	return !policyMap(was) || !policyMap(now)
}

// policyMap reports whether a mode is part of a policy-map, whose classes are
// blocks in a block.
func policyMap(m grammar.Mode) bool {
	return m == grammar.ModePolicyMap || m == grammar.ModePolicyClass
}

// inGlobal tries a line in global configuration.
func inGlobal(text string) (*grammar.Session, error) {
	global := grammar.NewSession(&grammar.Config{})
	_, err := global.Line(grammar.Position{Line: 1, Column: 1}, text)
	return global, err
}

func isComment(text string) bool {
	return blank(text) || strings.HasPrefix(strings.TrimLeft(text, " \t"), "!")
}

// leave returns to EXEC mode and puts the candidate in force. A candidate that
// is refused is kept for the next "configure terminal".
func (s *Shell) leave(ctx context.Context) error {
	err := s.apply(ctx, s.edit.Config, len(s.typed))
	if len(s.typed) > 0 {
		s.kept = s.edit
	}
	s.edit = nil
	return err
}

// maxRebase is how often a change is made again on the configuration that
// somebody else has just put in force.
const maxRebase = 5

// apply puts a candidate in force that the first n typed lines made.
func (s *Shell) apply(ctx context.Context, candidate *grammar.Config, n int) error {
	if n == 0 {
		return nil
	}
	next := candidate.Clone()
	if s.checking {
		return s.applied(next, s.baseRevision, n)
	}
	revision, findings, err := s.o.Applier.Apply(ctx, next, s.baseRevision)
	for try := 0; errors.Is(err, ErrConflict) && try < maxRebase; try++ {
		if next, err = s.rebase(ctx, n); err == nil {
			revision, findings, err = s.o.Applier.Apply(ctx, next, s.baseRevision)
		}
	}
	s.report(findings)
	if err = s.warnUnfinished(err); err != nil {
		return s.notApplied(err)
	}
	return s.applied(next, revision, n)
}

// warnUnfinished tells of an error that leaves the configuration in force.
func (s *Shell) warnUnfinished(err error) error {
	if !errors.As(err, new(Unfinished)) {
		return err
	}
	s.warn("% " + upperFirst(strings.ReplaceAll(err.Error(), "\n", "; ")))
	return nil
}

func (s *Shell) applied(next *grammar.Config, revision uint64, n int) error {
	source := &strings.Builder{}
	if err := next.Print(source); err != nil {
		return err
	}
	s.running, s.source, s.revision = next, source.String(), revision
	s.base, s.baseRevision = next, revision
	s.typed = append([]typedLine(nil), s.typed[n:]...)
	s.changed = s.o.Now()
	return nil
}

// rebase makes the typed lines again on the configuration in force, and gives
// what the first n of them make of it.
func (s *Shell) rebase(ctx context.Context, n int) (*grammar.Config, error) {
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	candidate, edit, err := s.replay(s.running, n)
	if err != nil {
		return nil, err
	}
	if n == len(s.typed) {
		edit.Mode = s.edit.Mode
	}
	s.edit, s.base, s.baseRevision = edit, s.running, s.revision
	return candidate, nil
}

// replay types the lines again on a configuration. It gives what the first n
// make of it and the session behind all of them.
func (s *Shell) replay(on *grammar.Config, n int) (*grammar.Config, *grammar.Session, error) {
	edit := grammar.NewSession(on.Clone())
	var first *grammar.Config
	for i, line := range s.typed {
		if i == n {
			first = edit.Config.Clone()
		}
		if _, err := edit.Line(line.pos, line.text); err != nil {
			return nil, nil, fmt.Errorf("somebody else has changed the configuration so that %q does not fit: %w", strings.TrimSpace(line.text), err)
		}
	}
	if first == nil {
		first = edit.Config.Clone()
	}
	return first, edit, nil
}

// notApplied says what is in force and what became of the typed lines.
func (s *Shell) notApplied(err error) error {
	if s.script {
		return err
	}
	text := ""
	for _, reason := range reasons(err) {
		text += "%Error: " + strings.TrimPrefix(reason, "% ") + "\n"
	}
	text += "% The running configuration is unchanged. The lines typed since are kept: correct them in\n" +
		"% configuration mode and leave it again, or drop them with \"abort\""
	return userError(text)
}

// reasons gives what is wrong without places: typed lines have none that a
// person would know.
func reasons(err error) []string {
	var list grammar.ErrorList
	if !errors.As(err, &list) {
		return []string{err.Error()}
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Msg)
	}
	return all
}

// tell prints what the user should know about an accepted line.
func (s *Shell) tell(notices []grammar.Notice) {
	for _, n := range notices {
		s.inexact = s.inexact || n.State == grammar.Unsupported
		if s.script {
			s.warn(fmt.Sprintf("%s: %s: %s", placeOf(n.Pos), n.State, n.Msg))
		} else {
			s.warn("% " + upperFirst(n.Msg))
		}
	}
}

// report prints what became of the lines that are not enforced exactly, once.
func (s *Shell) report(findings []policy.Finding) {
	for _, f := range findings {
		s.noteInexact(f)
		if f.State == policy.Exact || f.State == 0 {
			continue
		}
		text := s.findingText(f)
		if !s.told[text] {
			s.told[text] = true
			s.warn(text)
		}
	}
}

// findingText names the line; in a script its place too.
func (s *Shell) findingText(f policy.Finding) string {
	where, mark := f.ID.ACL, "% "
	if f.ID.Seq != 0 {
		where = fmt.Sprintf("%s line %d", f.ID.ACL, f.ID.Seq)
	}
	if s.script && f.Source.Line > 0 {
		mark = placeOf(grammar.Position(f.Source)) + ": "
	}
	return fmt.Sprintf("%s%s: %s: %s", mark, where, f.State, f.Reason)
}

func (s *Shell) warn(text string) { io.WriteString(s.notes, s.paint(text)+"\n") }

// paint colours a remark of ours on a person's terminal.
func (s *Shell) paint(text string) string {
	if s.o.Console == nil || !s.o.Color {
		return text
	}
	c := color.New(color.FgYellow)
	c.EnableColor()
	return c.Sprint(text)
}
