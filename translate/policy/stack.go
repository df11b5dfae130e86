package policy

import "slices"

// A Stack is what several policies mean together: tiers that are asked one
// after the other. A packet that no tier decides passes.
//
//	lists of a configuration   Series
//	NetworkPolicy, Cilium      Union
//	ClusterNetworkPolicy       Ordered (admin), then Union, then Ordered (baseline)
//	Calico                     Ordered for each of its tiers
type Stack []Tier

// A Tier is a set of policies that decide together. Policies that do not
// select a packet's subject, or are of the other direction or family, have no
// say.
type Tier struct {
	// Name is the tier's name where its kind of object has one.
	Name     string      `json:"name,omitempty"`
	Combine  Combination `json:"combine"`
	Policies []Policy    `json:"policies"`
}

// Combination says how the policies of a tier decide. The zero value is
// invalid.
type Combination uint8

// The combinations.
const (
	// Series asks every policy: one that does not permit denies the packet,
	// and what all permit goes on to the next tier.
	Series Combination = iota + 1
	// Union denies what a Deny rule of any policy matches, else permits what
	// a Permit rule of any policy matches, else denies, unless all policies
	// that have a say are Open.
	Union
	// Ordered asks the rules of all policies in order: Permit and Deny are
	// final, Next leaves the tier, whatever its Goto. What no rule decides is
	// denied, unless all policies that have a say are Open.
	Ordered
)

var combinationNames = []string{"", "series", "union", "ordered"}

// String gives the combination's word.
func (c Combination) String() string { return nameOf(combinationNames, uint8(c)) }

// MarshalText writes the combination's word.
func (c Combination) MarshalText() ([]byte, error) {
	return marshalName(combinationNames, uint8(c), "combination")
}

// UnmarshalText reads a combination's word.
func (c *Combination) UnmarshalText(b []byte) error {
	return unmarshalName(combinationNames, b, (*uint8)(c), "combination")
}

// Policies gives the policies of all tiers, in order.
func (s Stack) Policies() (out []Policy) {
	for i := range s {
		out = append(out, s[i].Policies...)
	}
	return out
}

// Judge decides a packet that opens a connection, at the end where its subject
// stands: the destination for Ingress, the source for Egress. It says nothing
// of the packet's other end, of replies, or of what always passes (a node to
// its own pods). The RuleID is that of the line that decided, the last one
// asked in a series; it is zero when nothing had a say.
func (s Stack) Judge(d Direction, p *Packet) (Action, RuleID) {
	var last RuleID
	for i := range s {
		action, id, asked := s[i].judge(d, p)
		if asked {
			last = id
		}
		if action != Next {
			return action, last
		}
	}
	return Permit, last
}

// Allows reports whether a packet that opens a connection passes both of its
// ends.
func (s Stack) Allows(p *Packet) bool {
	out, _ := s.Judge(Egress, p)
	in, _ := s.Judge(Ingress, p)
	return out == Permit && in == Permit
}

// judge gives Next when the tier leaves the packet to those behind it.
func (t *Tier) judge(d Direction, p *Packet) (a Action, id RuleID, asked bool) {
	var have []*Policy
	for i := range t.Policies {
		if q := &t.Policies[i]; q.hasSay(d, p) {
			have = append(have, q)
		}
	}
	if len(have) == 0 {
		return Next, RuleID{}, false
	}
	switch t.Combine {
	case Series:
		a, id = series(have, p)
	case Union:
		a, id = union(have, p)
	case Ordered:
		a, id = ordered(have, p)
	default:
		a = Deny
	}
	return a, id, true
}

// hasSay reports whether the policy filters the packet.
func (p *Policy) hasSay(d Direction, packet *Packet) bool {
	subject := &packet.Destination
	if d == Egress {
		subject = &packet.Source
	}
	return p.Direction == d && p.Family&packet.Family() != 0 && p.Subject.Selects(subject)
}

func series(have []*Policy, p *Packet) (Action, RuleID) {
	var id RuleID
	for _, q := range have {
		action, line := q.Eval(p)
		if id = q.ID(line); action != Permit {
			return Deny, id
		}
	}
	return Next, id
}

func union(have []*Policy, p *Packet) (Action, RuleID) {
	for _, action := range []Action{Deny, Permit} {
		for _, q := range have {
			for i := range q.Rules {
				if r := &q.Rules[i]; r.Action == action && r.Matches(p) {
					return action, r.ID
				}
			}
		}
	}
	return undecided(have)
}

func ordered(have []*Policy, p *Packet) (Action, RuleID) {
	for _, q := range have {
		for i := range q.Rules {
			if r := &q.Rules[i]; r.Matches(p) {
				return r.Action, r.ID
			}
		}
	}
	return undecided(have)
}

// undecided is the end of a tier.
func undecided(have []*Policy) (Action, RuleID) {
	if i := slices.IndexFunc(have, func(q *Policy) bool { return !q.Open }); i >= 0 {
		return Deny, RuleID{ACL: have[i].ACL}
	}
	return Next, RuleID{}
}
