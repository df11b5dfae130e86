package ruleset

import (
	"encoding/binary"
	"math"
	"net/netip"

	"aclium/translate/policy"
)

// A Walk gives the verdict of a list by walking its rules in order, as
// policy.Policy.Eval does and with the same words, but leaves out the rules
// that a glance at addresses, destination port and protocol rules out. It is
// safe for concurrent use.
type Walk struct {
	policy *policy.Policy
	boxes  []box
	// IPv4 rules stand in the first list that they are narrow enough for: by
	// the first 16 bits of the source, of the destination, or in wide, where
	// all rules of IPv6 stand.
	bySource, byDestination [][]int32
	wide                    []int32
}

// box bounds what a rule matches. The bounds are inclusive.
type box struct {
	source, destination   span
	firstPort, lastPort   uint16
	firstProto, lastProto uint8
}

// span is an interval of the first 64 bits of an address; IPv4 has its 32 bits
// at the top. Both families share it: a rule that is wrongly let through is
// refused by its own Matches.
type span struct{ first, last uint64 }

func (s span) has(v uint64) bool { return s.first <= v && v <= s.last }

// NewWalk reads the list, which must not change any more.
func NewWalk(p *policy.Policy) *Walk {
	w := &Walk{policy: p, boxes: make([]box, len(p.Rules)), bySource: make([][]int32, 1<<16), byDestination: make([][]int32, 1<<16)}
	for i := range p.Rules {
		m := &p.Rules[i].Match
		b := box{source: spanOf(&m.Source), destination: spanOf(&m.Destination)}
		b.firstPort, b.lastPort, b.firstProto, b.lastProto = boundsOf(m.Services)
		w.boxes[i] = b
		switch {
		case p.Family == policy.IPv4 && b.source.narrow():
			file(w.bySource, b.source, i)
		case p.Family == policy.IPv4 && b.destination.narrow():
			file(w.byDestination, b.destination, i)
		default:
			w.wide = append(w.wide, int32(i))
		}
	}
	return w
}

// narrow reports whether the span lies in a few blocks of 16 bits.
func (s span) narrow() bool { return s.last>>48-s.first>>48 < 256 }

func file(index [][]int32, s span, rule int) {
	for v := s.first >> 48; v <= s.last>>48; v++ {
		index[v] = append(index[v], int32(rule))
	}
}

// candidates are three ordered lists of rules.
type candidates [3][]int32

// take removes the earliest rule of the lists; -1 when there is none.
func (c *candidates) take() int {
	from, rule := -1, int32(math.MaxInt32)
	for i := range c {
		if len(c[i]) > 0 && c[i][0] < rule {
			from, rule = i, c[i][0]
		}
	}
	if from < 0 {
		return -1
	}
	c[from] = c[from][1:]
	return int(rule)
}

func spanOf(s *policy.Peers) span {
	if len(s.Addresses) == 0 || s.Any || len(s.Masked)+len(s.Selectors)+len(s.Entities)+len(s.Outside)+len(s.FQDNs) > 0 {
		return span{0, math.MaxUint64}
	}
	out := span{math.MaxUint64, 0}
	for _, r := range s.Addresses {
		out.first, out.last = min(out.first, top(r.First)), max(out.last, top(r.Last))
	}
	return out
}

func top(a netip.Addr) uint64 {
	if b := a.AsSlice(); len(b) == 4 {
		return uint64(binary.BigEndian.Uint32(b)) << 32
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:])
}

// boundsOf bounds the destination ports and the protocols. A packet without
// ports stands at port 0, which only services of every port may match; later
// fragments match others as well and are not looked at here.
func boundsOf(services []policy.Service) (firstPort, lastPort uint16, firstProto, lastProto uint8) {
	firstPort, firstProto = 65535, 255
	for i := range services {
		s := &services[i]
		for _, r := range s.DestinationPorts {
			firstPort, lastPort = min(firstPort, r.First), max(lastPort, r.Last)
		}
		for v := range 256 {
			if s.Protocols.Has(uint8(v)) {
				firstProto, lastProto = min(firstProto, uint8(v)), max(lastProto, uint8(v))
			}
		}
	}
	return
}

// Eval gives what policy.Policy.Eval gives, for a packet of the list's family.
func (w *Walk) Eval(p *policy.Packet) (policy.Action, int) {
	if p.Fragment == policy.Later {
		return w.policy.Eval(p)
	}
	from, to := top(p.Source.Addr), top(p.Destination.Addr)
	rules, next := candidates{w.wide, w.bySource[from>>48], w.byDestination[to>>48]}, 0
	for i := rules.take(); i >= 0; i = rules.take() {
		if i < next || !w.boxes[i].has(from, to, p) {
			continue
		}
		r := &w.policy.Rules[i]
		if !r.Matches(p) {
			continue
		}
		if r.Action != policy.Next {
			return r.Action, i
		}
		next = r.Goto
	}
	return policy.Deny, policy.Implicit
}

func (b *box) has(from, to uint64, p *policy.Packet) bool {
	return b.destination.has(to) && b.source.has(from) && b.firstPort <= p.DestinationPort && p.DestinationPort <= b.lastPort &&
		b.firstProto <= p.Protocol && p.Protocol <= b.lastProto
}
