package datapath

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

// Lists whose lines differ in little that trees can divide by: what slots hold
// are long lists of rules, which are tried two at a time and entered in the
// middle by "go on at". Verdicts and counters are those of Eval.
func TestRandomDenseListsAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	lead, err := taiLead()
	k.must(err)
	direct, deep, permitted := 0, 0, 0
	const seeds = 40
	for seed := range uint64(seeds) {
		w := newDenseWorld(seed)
		list := w.lines(fmt.Sprint("S", seed))
		if w.flags(k, list)&bpf.AcliumTableConstTABLE_DIRECT != 0 {
			direct++
		}
		d, p := w.judge(k, list, lead)
		deep, permitted = deep+d, permitted+p
	}
	if direct < seeds/3 || permitted < 50*seeds || deep < 50*seeds {
		t.Errorf("%d of %d lists are direct, %d packets permitted, %d decided behind line 50: this says little", direct, seeds, permitted, deep)
	}
}

// flags numbers the list's time windows and gives the flags of its table.
func (w *denseWorld) flags(k *kernel, list *policy.Policy) bpf.AcliumTableConst {
	k.Helper()
	var err error
	k.must(list.Validate())
	k.windows, err = windowsOf(&State{Ports: []Port{{Ingress: []policy.Policy{*list}}}}, nil)
	k.must(err)
	table, err := classifier.Compile(list, nil, classifier.Numbers{Counter: func(int) uint32 { return 1 }, Window: k.windows.number})
	k.must(err)
	return bpf.AcliumTableConst(headerOf(table.Bytes).Flags)
}

// denseWorld draws lists over few ends.
type denseWorld struct {
	*world
	family policy.Family
	peers  [2][]policy.Peers
	addrs  []netip.Addr
	hours  []*policy.Schedule
}

func newDenseWorld(seed uint64) *denseWorld {
	w := &denseWorld{world: newWorld(9000 + seed), family: policy.IPv4}
	if w.one(8) {
		w.family = policy.IPv6
	}
	w.addrs = append(ends(w.family), w.host(0), w.host(1), w.host(77), w.host(1023))
	for side := range w.peers {
		for range 1 + w.IntN(3) {
			w.peers[side] = append(w.peers[side], w.some())
		}
	}
	for n := range 4 {
		w.hours = append(w.hours, &policy.Schedule{Name: fmt.Sprint(n), Periods: []policy.Period{{Days: uint8(1 + w.IntN(127)), From: w.IntN(1440), Span: w.IntN(2000)}}})
	}
	return w
}

func (w *denseWorld) host(n int) netip.Addr {
	if w.family == policy.IPv6 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(n >> 8), 15: byte(n)})
	}
	return netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)})
}

func (w *denseWorld) some() (p policy.Peers) {
	switch w.IntN(6) {
	case 0:
		return policy.Everybody()
	case 1:
		a := pick(w.world, w.addrs)
		p.Addresses = []policy.AddrRange{{First: a, Last: a}}
	case 2: // a group of hundreds, with both ends of the space
		for n := 0; n < 1024; n += 1 + w.IntN(5) {
			p.Addresses = append(p.Addresses, policy.AddrRange{First: w.host(n), Last: w.host(n)})
		}
		for _, a := range ends(w.family) {
			p.Addresses = append(p.Addresses, policy.AddrRange{First: a, Last: a})
		}
	case 3:
		p.Masked = []policy.Masked{w.gapped()}
	case 4: // up to the last address
		first, last := w.addrs[w.last()], w.addrs[w.last()]
		for range w.IntN(20) {
			first = first.Prev()
		}
		p.Addresses = []policy.AddrRange{{First: first, Last: last}}
	default:
		a := pick(w.world, w.addrs)
		p.Addresses = []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(a, w.IntN(a.BitLen()+1)))}
	}
	return p
}

// last is which of ends is the largest address.
func (w *denseWorld) last() int {
	if w.family == policy.IPv6 {
		return 2
	}
	return 1
}

// gapped gives an address under a mask with a gap.
func (w *denseWorld) gapped() (m policy.Masked) {
	value := pick(w.world, w.addrs).AsSlice()
	wild := make([]byte, len(value))
	wild[len(wild)-1], wild[0] = byte(w.IntN(256)), byte(w.IntN(256))
	for i := range wild {
		value[i] &^= wild[i]
	}
	m.Addr, _ = netip.AddrFromSlice(value)
	m.Wildcard, _ = netip.AddrFromSlice(wild)
	return m
}

func (w *denseWorld) bytes(n, of int) *policy.ByteSet {
	var values []uint8
	for range n {
		values = append(values, uint8(w.IntN(of)))
	}
	set := policy.Bytes(values...)
	return &set
}

// alike gives services that no value of a node tells apart.
func (w *denseWorld) alike() policy.Service {
	s := policy.AnyService()
	switch w.IntN(6) {
	case 0:
		return w.service()
	case 1:
		s.Protocols = policy.Bytes(policy.TCP)
		bit := byte(1) << w.IntN(8)
		s.Flags = policy.BytesWhere(func(v uint8) bool { return v&bit != 0 })
	case 2:
		s.Protocols = policy.Bytes(policy.TCP, policy.UDP)
		p := uint16(w.IntN(3))
		s.SourcePorts = policy.NewRanges(policy.Range{First: p, Last: p}, policy.Range{First: 80 + p, Last: 65535})
	case 3: // more kinds than have numbers of their own
		s.Protocols = policy.Bytes(policy.TCP, policy.UDP, uint8(w.IntN(256)))
		s.Flags = *w.bytes(4, 64)
	}
	return s
}

func (w *denseWorld) lines(acl string) *policy.Policy {
	n := pick(w.world, []int{63, 64, 65, 66, 70, 100, 257, 500, 1500, 4200})
	list := &policy.Policy{ACL: acl, Direction: policy.Ingress, Family: w.family, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	if w.one(5) {
		list.Family = policy.Dual
	}
	jumps, timed := w.one(2), w.one(2)
	for i := range n {
		r := policy.Rule{ID: policy.RuleID{ACL: acl, Seq: uint32(10 * (i + 1))}, Action: policy.Permit + policy.Action(w.IntN(2)), Uncounted: w.one(12)}
		r.Match = policy.Match{Source: pick(w.world, w.peers[0]), Destination: pick(w.world, w.peers[1]), Fragments: w.one(20)}
		if jumps && w.one(4) {
			r.Action, r.Goto = policy.Next, i+1+w.IntN(min(n-i, 1+w.IntN(n)))
		}
		r.Match.Services = []policy.Service{w.alike()}
		if !w.one(40) {
			r.Match.TrafficClass = w.bytes(1+w.IntN(3), 64)
		}
		if w.one(5) {
			r.Match.HopLimit = w.bytes(3, 8)
		}
		if timed && w.one(6) {
			r.Match.Time = pick(w.world, w.hours)
		}
		list.Rules = append(list.Rules, r)
	}
	return list
}

func (w *denseWorld) packetFor(list *policy.Policy) policy.Packet {
	p := w.packet(w.family)
	p.TrafficClass, p.HopLimit = uint8(w.IntN(66)), uint8(1+w.IntN(9))
	p.Source.Addr, p.Destination.Addr = w.near(pick(w.world, w.addrs)), w.near(pick(w.world, w.addrs))
	r := &list.Rules[w.IntN(len(list.Rules))].Match
	for i, peers := range []*policy.Peers{&r.Source, &r.Destination} {
		if len(peers.Addresses) == 0 || w.one(4) {
			continue
		}
		a := pick(w.world, peers.Addresses)
		*[]*netip.Addr{&p.Source.Addr, &p.Destination.Addr}[i] = pick(w.world, []netip.Addr{a.First, a.Last})
	}
	p.Source.Labels, p.Source.Entity, p.Destination.Labels, p.Destination.Entity = nil, 0, nil, 0
	return p
}

func (w *denseWorld) judge(k *kernel, list *policy.Policy, lead time.Duration) (deep, permitted int) {
	k.Helper()
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	want := expected{}
	for turn := range 2 {
		at := time.Date(2026, 3, 1+w.IntN(7), w.IntN(24), w.IntN(60), 5, 0, time.UTC)
		table := k.windows.timetable(at, lead+time.Since(at))
		if turn == 1 { // past the horizon
			at, table.End = time.Time{}, 1
		}
		k.bind(nil, bpf.AcliumHookFlagsHOOK_TIMED, []*policy.Policy{list}, nil)
		k.must(k.WindowMap.Put(uint32(k.generation&1), table))
		for range 400 {
			p := w.packetFor(list)
			p.At = at
			verdict := want.judge([]*policy.Policy{list}, &p, l3Length(&p, frameOptions{}))
			if verdict == permit {
				permitted++
			}
			if _, line := list.Eval(&p); line > 50 {
				deep++
			}
			if got := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); got != verdict {
				_, line := list.Eval(&p)
				k.Fatalf("%s of %d lines: got %d, want %d by line %d: %+v", list.ACL, len(list.Rules), got, verdict, line, p)
			}
		}
	}
	want.compare(k)
	return deep, permitted
}
