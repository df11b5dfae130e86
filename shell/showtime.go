package shell

import (
	"fmt"

	"aclium/grammar"
)

// showTimeRanges prints each time-range with its state and the lines that use
// it, exactly as IOS does.
func (s *Shell) showTimeRanges(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for _, r := range s.running.TimeRanges() {
		if c.arg() != "" && r.Name != c.arg() {
			continue
		}
		fmt.Fprintf(c.out, "time-range entry: %s %s\n", r.Name, s.stateOf(&r))
		for _, line := range r.Lines {
			fmt.Fprintf(c.out, "   %s\n", line)
		}
		for _, family := range s.usersOf(r.Name) {
			fmt.Fprintf(c.out, "   used in: %s ACL entry\n", family)
		}
	}
	return nil
}

// usersOf gives "IP" or "IPv6" for each line that names the time-range.
func (s *Shell) usersOf(name string) (out []string) {
	for _, a := range s.running.ACLs {
		family := "IP"
		if a.Kind.IsIPv6() {
			family = "IPv6"
		}
		for _, e := range a.Entries {
			if e.ACE != nil && e.ACE.TimeRange.Text == name {
				out = append(out, family)
			}
		}
	}
	return out
}

// stateOf judges the range by the clock of the configuration.
func (s *Shell) stateOf(r *grammar.TimeRange) string {
	if r.Active(s.wallClock()) {
		return "(active)"
	}
	return "(inactive)"
}

// rangeState gives the state of a line's time-range; nothing for a line without
// one. A range that is not defined is always active.
func (s *Shell) rangeState(a *grammar.ACE) string {
	if a.TimeRange.Text == "" {
		return ""
	}
	for _, r := range s.running.TimeRanges() {
		if r.Name == a.TimeRange.Text {
			return s.stateOf(&r)
		}
	}
	return "(active)"
}

func (s *Shell) timeRangeNames() (all []grammar.Completion) {
	for _, r := range s.running.TimeRanges() {
		all = append(all, grammar.Completion{Token: r.Name, Help: s.stateOf(&r), Kind: grammar.Defined})
	}
	return all
}
