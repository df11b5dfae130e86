package translate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"aclium/grammar"
	"aclium/translate/policy"
)

/*
What only a node looks at

TOS, TTL, types of IGMP, time-ranges and reflexive lists have no words in the
objects of a cluster. Policies carry them for the node that enforces the list
itself; sayable takes them out for every other target, as anything else that a
target cannot say: a permit is left out, a deny keeps its list out.
*/

// nodeOnly adds to a line's match what only a node looks at.
func (t *compiler) nodeOnly(n *line) {
	a := n.entry.ACE
	if a.DSCP != nil || a.Precedence != nil || a.TOS != nil {
		class := classOf(a)
		n.match.TrafficClass = &class
	}
	if a.TTL.Op != 0 {
		hops := policy.BytesWhere(func(v uint8) bool { return within(a.TTL.Ranges(255), uint32(v)) })
		n.match.HopLimit = &hops
	}
	if a.TimeRange.Text != "" {
		t.timed(n)
	}
}

// classOf gives the bytes that a line accepts: six bits of dscp, or three of
// precedence and four of tos (RFC 2474, RFC 1349).
func classOf(a *grammar.ACE) policy.ByteSet {
	fits := func(want *grammar.Value, v uint8) bool { return want == nil || want.Number == uint32(v) }
	return policy.BytesWhere(func(v uint8) bool {
		return fits(a.DSCP, v>>2) && fits(a.Precedence, v>>5) && fits(a.TOS, v>>1&15)
	})
}

func within(ranges [][2]uint32, v uint32) bool {
	return slices.ContainsFunc(ranges, func(r [2]uint32) bool { return r[0] <= v && v <= r[1] })
}

// igmpTypes are the types on the wire (IANA) that IOS has names for, by the
// index that it gives them.
var igmpTypes = []uint8{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1e, 0x1f, 0x22}

// igmpUnsaid says why the type of a line is not known.
func igmpUnsaid(a *grammar.ACE) string {
	switch {
	case a.IGMP == nil:
		return ""
	case a.Dialect != grammar.IOS:
		return "types of igmp are not supported"
	case int(a.IGMP.Number) >= len(igmpTypes):
		return "igmp type " + strconv.Itoa(int(a.IGMP.Number)) + " is the number of no message that is known"
	}
	return ""
}

// timed gives a line its schedule. A time-range that is not defined is always
// active in IOS.
func (t *compiler) timed(n *line) {
	name := n.entry.ACE.TimeRange
	ranges := t.config.TimeRanges()
	i := slices.IndexFunc(ranges, func(r grammar.TimeRange) bool { return r.Name == name.Text })
	if i < 0 {
		t.note(policy.RuleID{ACL: "time-range " + name.Text}, name.Pos, "time-range "+name.Text, policy.NoEffect,
			"time-range %s is not defined: the lines that name it are always active", name.Text)
		return
	}
	clock := t.config.Clock()
	if clock.Summer && n.unsaid == "" {
		n.unsaid = "time-range with clock summer-time is not supported"
	}
	n.match.Time = scheduleOf(&ranges[i], int(clock.Offset/time.Minute))
}

// scheduleOf gives a time-range read from a clock that many minutes ahead of
// UTC.
func scheduleOf(r *grammar.TimeRange, offset int) *policy.Schedule {
	s := &policy.Schedule{Name: r.Name, Offset: offset, Start: r.Start, End: r.End}
	for _, p := range r.Periods {
		period := policy.Period{From: p.From, Span: p.Span}
		for day, has := range p.Days {
			if has {
				period.Days |= 1 << day
			}
		}
		s.Periods = append(s.Periods, period)
	}
	return s
}

// reflexiveTimeout gives the timeout of a line's entries.
func (t *compiler) reflexiveTimeout(a *grammar.ACE) time.Duration {
	if a.ReflectTimeout != 0 {
		return time.Duration(a.ReflectTimeout) * time.Second
	}
	for _, s := range t.config.Other {
		if text, ok := strings.CutPrefix(s.Words, "ip reflexive-list timeout "); ok {
			if seconds, err := strconv.Atoi(text); err == nil {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return policy.ReflexiveIdle
}

// reflexive gives a line its part in a reflexive list. On a pod's port nothing
// is left of it: replies pass by their connection there. False when the line
// has no rule.
func (t *compiler) reflexive(r *policy.Rule, a *grammar.ACE, pos grammar.Position, stateful bool) bool {
	switch evaluates := a.Action == grammar.Evaluate; {
	case a.Reflect.Text == "":
	case stateful:
		t.note(r.ID, pos, r.Text, policy.NoEffect, "%s has nothing to do on a pod's port, where replies pass by their connection", map[bool]string{true: "evaluate", false: "reflect"}[evaluates])
		return !evaluates
	case evaluates:
		r.Action, r.Match = policy.Permit, everything()
		r.Match.Evaluate = a.Reflect.Text
	case a.Action == grammar.Permit:
		r.Reflect = &policy.Reflect{List: a.Reflect.Text, Timeout: t.reflexiveTimeout(a)}
	}
	return true
}

// objectsOnly gives the policies without what no object can say. Those that are
// refused for it keep others from their places.
func (o *orderer) objectsOnly(policies []policy.Policy) (out []policy.Policy) {
	for i := range policies {
		p, bad := policies[i], (*refusal)(nil)
		if len(p.Subject.Selectors) > 0 {
			p, bad = o.sayable(&policies[i])
		}
		if bad != nil {
			o.refused = map[*policy.Policy]bool{}
			o.refuse(*bad)
			p.Rules = nil
			o.options.Withheld = append(slices.Clone(o.options.Withheld), p)
			continue
		}
		out = append(out, p)
	}
	return out
}

// sayable gives the policy without the permits that no object of a cluster can
// say. A deny, a jump or a limit of that kind refuses the policy.
func (o *orderer) sayable(p *policy.Policy) (policy.Policy, *refusal) {
	beyond := func(r policy.Rule) bool { return len(r.Match.Services) > 0 && r.BeyondObject() != "" }
	if !slices.ContainsFunc(p.Rules, beyond) {
		return *p, nil
	}
	out := *p
	out.Rules = nil
	at, permits := make([]int, len(p.Rules)+1), false
	for i := range p.Rules {
		r := &p.Rules[i]
		at[i] = len(out.Rules)
		if !beyond(*r) {
			out.Rules = append(out.Rules, *r)
			permits = permits || r.Action == policy.Permit && len(r.Match.Services) > 0
			continue
		}
		why := r.BeyondObject() + " is not supported: only a node that enforces the list itself looks at it (-t enforcer)"
		// What is left out of a class with police would come to a later one.
		if r.Action != policy.Permit || r.Police != nil {
			return out, &refusal{p, r, why}
		}
		o.note(p, r, policy.Refused, "left out: %s", why)
	}
	at[len(p.Rules)] = len(out.Rules)
	for i := range out.Rules {
		if out.Rules[i].Action == policy.Next {
			out.Rules[i].Goto = at[out.Rules[i].Goto]
		}
	}
	if !permits {
		return out, &refusal{list: p, reason: "nothing of what the list permits can be said: the object would deny everything"}
	}
	return out, nil
}
