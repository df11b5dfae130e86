package trace

import (
	"fmt"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// A Verdict is what a list does with a packet.
type Verdict string

// The verdicts. Undecided says that a line needs to know what the packet does
// not say.
const (
	Permit    Verdict = "permit"
	Deny      Verdict = "deny"
	Undecided Verdict = "undecided"
)

// A Step is one line of a walk.
type Step struct {
	ID     policy.RuleID
	Source policy.Source
	Text   string
	// Action is what the line does with what it matches.
	Action Verdict
	// Mismatch says why the line does not match; empty for the line that
	// decides, and for one that cannot be decided.
	Mismatch string
	// Without says what is needed to decide the line; empty when nothing is.
	Without string
}

// A Result is the walk of a packet through a list.
type Result struct {
	Verdict Verdict
	// Implicit says that no line decided, but what stands behind the last one.
	Implicit bool
	// Steps ends with the line that decides, unless the verdict is implicit.
	Steps []Step
	// Note says what is special about the verdict; mostly empty.
	Note string
}

// Last gives the line that decided; nil when the verdict is implicit.
func (r *Result) Last() *Step {
	if r.Implicit || len(r.Steps) == 0 {
		return nil
	}
	return &r.Steps[len(r.Steps)-1]
}

// Walk asks the lines of a list in order. Stateful says that the list stands
// on a pod's port, where "established" permits nothing by itself. The error
// says that there is no such list, that the list does not filter the packet's
// family, or that the judges disagree, which is a fault.
func Walk(c *grammar.Config, acl string, stateful bool, p *Packet) (*Result, error) {
	a := c.ACL(acl)
	if err := fit(c, a, acl, p); err != nil {
		return nil, err
	}
	w := walker{meaning: translate.MeaningOf(c), packet: p, stateful: stateful, acl: a}
	r := &Result{}
	for _, e := range a.Entries {
		if e.ACE == nil {
			continue
		}
		step := w.step(e)
		r.Steps = append(r.Steps, step)
		if step.Mismatch == "" {
			if r.Verdict = step.Action; step.Without != "" {
				r.Verdict = Undecided
			}
			break
		}
	}
	if mistakes := w.meaning.Mistakes(); len(mistakes) > 0 {
		return nil, mistakes
	}
	if r.Verdict == "" {
		w.end(r)
	}
	return r, w.crossCheck(c, r)
}

// fit finds out whether the list can judge the packet at all.
func fit(c *grammar.Config, a *grammar.ACL, acl string, p *Packet) error {
	if a == nil {
		var names []string
		for _, l := range c.ACLs {
			names = append(names, l.Name)
		}
		hint := ""
		if name := translate.Closest(acl, names); name != "" {
			hint = fmt.Sprintf(" (did you mean %s?)", name)
		}
		return fmt.Errorf("access-list %s is not defined%s", acl, hint)
	}
	both := a.Dialect == grammar.ASA
	switch {
	case !a.Kind.FiltersPackets():
		return fmt.Errorf("access-list %s does not filter packets by their addresses", acl)
	case !both && a.Kind.IsIPv6() != p.Source.Addr.Is6():
		return fmt.Errorf("access-list %s is of the other family than the packet, which it does not filter", acl)
	}
	for _, s := range a.Other {
		if !s.Harmless {
			return fmt.Errorf("%s: access-list %s holds %q, which is not understood", s.Pos, acl, s.Words)
		}
	}
	return nil
}

type walker struct {
	meaning  *translate.Meaning
	packet   *Packet
	stateful bool
	acl      *grammar.ACL
}

func (w *walker) step(e *grammar.Entry) Step {
	s := Step{
		ID: policy.RuleID{ACL: w.acl.Name, Seq: e.Seq}, Text: e.ACE.String(), Action: Permit,
		Source: policy.Source{File: e.Pos.File, Line: e.Pos.Line, Column: e.Pos.Column},
	}
	if e.ACE.Action == grammar.Deny {
		s.Action = Deny
	}
	established := e.ACE.Flags != nil && e.ACE.Flags.Match == grammar.Established
	switch {
	case e.ACE.Inactive:
		s.Mismatch = "is inactive"
		return s
	case w.stateful && s.Action == Permit && established:
		s.Mismatch = "replies pass by their connection on a pod's port, and the line permits no new one"
		return s
	case w.stateful && e.ACE.Action == grammar.Evaluate:
		s.Mismatch = "replies pass by their connection on a pod's port, where no reflexive list is asked"
		return s
	case e.ACE.Action == grammar.Evaluate:
		s.Without = "the entries of reflexive list " + e.ACE.Reflect.Text
		return s
	}
	line := w.meaning.Line(e.ACE)
	rule := policy.Rule{Action: policy.Permit, Match: line.Match}
	if s.Action == Deny {
		rule.Action = policy.Deny
	}
	w.judge(&s, &rule, line)
	return s
}

// judge compares the rule with the packet. What is not known to differ may be
// the same.
func (w *walker) judge(s *Step, r *policy.Rule, line translate.Line) {
	doubt := need(line.Unsaid)
	loose := policy.Rule{Action: r.Action, Match: r.Match}
	if line.Partial {
		loose.Match = line.Outer
	}
	if what := w.packet.loosen(&loose.Match); what == "" {
		s.Mismatch, s.Without = Mismatch(r, &w.packet.Packet), doubt
	} else {
		if doubt == "" {
			doubt = what
		}
		s.Mismatch, s.Without = Mismatch(&loose, &w.packet.Packet), doubt
	}
	if s.Mismatch == "" {
		return
	}
	loosen := func(peers *policy.Peers, known bool, e *policy.Endpoint, side string) {
		if why := unknown(peers, known, e, side); why != "" && !peers.Has(e) {
			*peers = policy.Everybody()
			if doubt == "" {
				doubt = why
			}
		}
	}
	loosen(&loose.Match.Source, w.packet.SourceKnown, &w.packet.Source, "source")
	loosen(&loose.Match.Destination, w.packet.DestinationKnown, &w.packet.Destination, "destination")
	if s.Without = ""; doubt != "" && loose.Matches(&w.packet.Packet) {
		s.Mismatch, s.Without = "", doubt
	}
}

// need says what it takes to decide a line that no policy can hold.
func need(unsaid string) string {
	if what, ok := strings.CutSuffix(unsaid, " is not supported"); ok {
		return "its " + what
	}
	if unsaid == "" {
		return ""
	}
	return "more than a packet: " + unsaid
}

// unknown says what must be known of an end to compare it with the peers.
func unknown(p *policy.Peers, known bool, e *policy.Endpoint, side string) string {
	switch {
	case len(p.FQDNs) > 0 && e.Labels == nil:
		return "knowing the DNS names of " + e.Addr.String()
	case !known && len(p.Selectors)+len(p.Entities)+len(p.Outside) > 0:
		return fmt.Sprintf("knowing who has %s: --inventory, --%s-label or --%s-entity", e.Addr, side, side)
	}
	return ""
}

// end is what stands behind the last line.
func (w *walker) end(r *Result) {
	r.Verdict, r.Implicit = Deny, true
	p := &w.packet.Packet
	switch {
	case len(r.Steps) == 0:
		r.Verdict, r.Note = Permit, "an empty list permits everything"
	case w.acl.Kind == grammar.IPv6 && !w.stateful && p.Protocol == policy.ICMPv6 &&
		(p.Fragment == policy.Later || p.ICMPType == 135 || p.ICMPType == 136):
		r.Verdict, r.Note = Permit, "neighbour discovery is permitted before the implicit deny"
	}
}

// crossCheck holds the verdict against the walk over the text, which shares no
// code with the sets.
func (w *walker) crossCheck(c *grammar.Config, r *Result) error {
	plain := func(s Step) bool { return s.Without == "" }
	if w.acl.Dialect != grammar.IOS || r.Verdict == Undecided || !slices.ContainsFunc(r.Steps, plain) {
		return nil
	}
	permit, seq := linewalk.Verdict(c, w.acl.Name, w.stateful, &w.packet.Packet)
	want := uint32(0)
	if last := r.Last(); last != nil {
		want = last.ID.Seq
	}
	if permit != (r.Verdict == Permit) || seq != want {
		return fmt.Errorf("the judges disagree about %s: %s at line %d here, line %d and permit %v by the text; please report this",
			strings.TrimSpace(String(&w.packet.Packet)), r.Verdict, want, seq, permit)
	}
	return nil
}
