package ruleset

import (
	"encoding/binary"
	"math"
	"net/netip"

	"aclium/translate/policy"
)

// A Walk gives the verdict of a list by walking its rules in order, as
// policy.Policy.Eval does and with the same words, but leaves out the rules
// that a glance at the addresses and the destination port rules out. It is
// safe for concurrent use.
type Walk struct {
	policy                  *policy.Policy
	boxes                   []box
	bySource, byDestination index
	// all are the rules for packets of IPv6.
	all index
}

// index holds rules by the first 16 bits of an IPv4 address that they can
// match, in order; wide are those that can match very many.
type index struct {
	narrow [][]int32
	wide   []int32
}

func (x *index) add(rule int, s span) {
	first, last := s.first>>48, s.last>>48
	if last-first > 256 || x.narrow == nil {
		x.wide = append(x.wide, int32(rule))
		return
	}
	for v := first; v <= last; v++ {
		x.narrow[v] = append(x.narrow[v], int32(rule))
	}
}

// candidates gives two ordered lists that together hold every rule that can
// match.
func (x *index) candidates(v uint64) candidates {
	if x.narrow == nil {
		return candidates{x.wide, nil}
	}
	return candidates{x.wide, x.narrow[v>>48]}
}

// candidates are two ordered lists of rules.
type candidates [2][]int32

func (c *candidates) len() int { return len(c[0]) + len(c[1]) }

// take removes the earliest rule of both lists; -1 when there is none.
func (c *candidates) take() int {
	from := &c[0]
	if len(c[0]) == 0 || len(c[1]) > 0 && c[1][0] < c[0][0] {
		from = &c[1]
	}
	if len(*from) == 0 {
		return -1
	}
	rule := (*from)[0]
	*from = (*from)[1:]
	return int(rule)
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
	w := &Walk{policy: p, boxes: make([]box, len(p.Rules))}
	w.bySource.narrow, w.byDestination.narrow = make([][]int32, 1<<16), make([][]int32, 1<<16)
	for i := range p.Rules {
		m := &p.Rules[i].Match
		b := box{source: spanOf(&m.Source), destination: spanOf(&m.Destination)}
		b.firstPort, b.lastPort, b.firstProto, b.lastProto = boundsOf(m.Services)
		w.boxes[i] = b
		w.all.add(i, b.source)
		w.bySource.add(i, b.source)
		w.byDestination.add(i, b.destination)
	}
	return w
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

// Eval gives what policy.Policy.Eval gives.
func (w *Walk) Eval(p *policy.Packet) (policy.Action, int) {
	if p.Fragment == policy.Later {
		return w.policy.Eval(p)
	}
	from, to := top(p.Source.Addr), top(p.Destination.Addr)
	rules := w.all.candidates(0)
	if p.Source.Addr.Is4() {
		rules = w.bySource.candidates(from)
		if others := w.byDestination.candidates(to); others.len() < rules.len() {
			rules = others
		}
	}
	next := 0
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
