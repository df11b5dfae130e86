package policy

import "time"

// A Node is the reference for one interface of a node itself: the lists of
// both directions as a router reads them. It says what the kernel program must
// do there, in the plainest way.
//
// Every packet walks the lists of its direction, in series, and there are no
// connections. Later fragments are judged by what they show, as Rule.Matches
// says. What a list permits by "reflect" makes an entry in the reflexive lists
// that the interfaces of a node share, and "evaluate" permits what an entry
// fits; a packet that one list of the series denies makes and renews none. The
// implicit permits of an IPv6 list are rules of it, and what no list governs
// passes.
type Node struct {
	lists   map[Direction][]*Policy
	entries *Reflexive
}

// NewNode gives an interface with its lists. The entries may be shared with
// other interfaces.
func NewNode(ingress, egress []*Policy, entries *Reflexive) *Node {
	n := &Node{entries: entries}
	n.Replace(ingress, egress)
	return n
}

// Replace puts other lists in place at once. As on a router the reflexive
// entries stay.
func (n *Node) Replace(ingress, egress []*Policy) {
	n.lists = map[Direction][]*Policy{Ingress: ingress, Egress: egress}
}

// Judge decides a packet that travels in the direction at the given time, which
// must not run backwards and is the one that timeouts count by; schedules look
// at Packet.At.
func (n *Node) Judge(d Direction, p *Packet, now time.Duration) Decision {
	decision := Decision{Accept: true, Reason: Unfiltered}
	var admitted []*Rule
	for _, list := range n.lists[d] {
		if list.Family&p.Family() == 0 {
			continue
		}
		action, line := list.eval(p, func(name string) bool { return n.entries.Has(name, p, now) })
		decision.Reason = ByLine
		decision.Lines = append(decision.Lines, list.ID(line))
		if action != Permit {
			decision.Accept = false
			return decision
		}
		admitted = append(admitted, &list.Rules[line])
	}
	for _, r := range admitted {
		if name := r.Match.Evaluate; name != "" {
			n.entries.use(name, p, now)
		}
		if r.Reflect != nil {
			n.entries.reflect(r.Reflect, p, now)
		}
	}
	return decision
}
