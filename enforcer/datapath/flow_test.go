package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/testns"
	"aclium/translate/policy"
)

// Packets that come again and again, among others that differ from them in one
// field only, get the verdicts of policy.Eval and count exactly, while the
// lists change.
func TestRememberedVerdictsAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for seed := range uint64(12) {
		w := newWorld(1000 + seed)
		k.populate(w)
		k.lines = map[counterOf]uint32{}
		k.must(clearCounters(k))
		want := expected{}
		var pool []policy.Packet
		for range 20 {
			p := w.packet(w.family(policy.Dual))
			pool = append(pool, p, variant(w, p), variant(w, p), variant(w, p))
		}
		for generation := range 4 {
			lists := []*policy.Policy{w.list(fmt.Sprint("A", seed, generation), policy.Ingress, policy.Dual, 1+w.IntN(20))}
			for range w.IntN(3) {
				lists = append(lists, w.list(fmt.Sprint("B", seed, generation, len(lists)), policy.Ingress, policy.Dual, 1+w.IntN(4)))
			}
			k.bind(w.identities(), pick(w, []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_ANY_HOP_LIMIT | bpf.AcliumHookFlagsHOOK_ANY_TRAFFIC_CLASS}), lists, nil)
			for range 6 * len(pool) {
				p := pick(w, pool)
				o := frameOptions{payload: w.IntN(20)}
				verdict := want.judge(lists, &p, l3Length(&p, o))
				if got := k.run(k.TcIngress, frame(&p, o), skBuff{}); got != verdict {
					k.Fatalf("seed %d: got %d, want %d: %+v", seed, got, verdict, p)
				}
			}
		}
		want.compare(k)
	}
}

// variant changes one field of a packet.
func variant(w *world, p policy.Packet) policy.Packet {
	switch w.IntN(6) {
	case 0:
		p.Source = w.endpoint(w.near(p.Source.Addr))
	case 1:
		p.Destination = w.endpoint(w.near(p.Destination.Addr))
	case 2:
		if policy.HasPorts(p.Protocol) && p.Fragment != policy.Later {
			p.SourcePort ^= 1
		}
		p.ICMPType ^= uint8(b2u(p.Protocol == policy.ICMP && p.Fragment != policy.Later))
	case 3:
		if policy.HasPorts(p.Protocol) && p.Fragment != policy.Later {
			p.DestinationPort ^= 1
		}
		p.ICMPCode ^= uint8(b2u(p.Protocol == policy.ICMP && p.Fragment != policy.Later))
	case 4:
		if p.Protocol == policy.TCP && p.Fragment != policy.Later {
			p.Flags ^= 1 << w.IntN(6)
		}
	case 5:
		if p.Fragment == policy.Later {
			p = policy.Packet{Source: p.Source, Destination: p.Destination, Protocol: 47}
		} else {
			p = policy.Packet{Source: p.Source, Destination: p.Destination, Protocol: p.Protocol, Fragment: policy.Later}
		}
	}
	return p
}

// judge adds what the lists in series count, and gives their verdict.
func (e expected) judge(lists []*policy.Policy, p *policy.Packet, bytes uint64) int {
	for _, l := range lists {
		if l.Family&p.Family() == 0 {
			continue
		}
		action, line := l.Eval(p)
		if line == policy.Implicit || !l.Rules[line].Uncounted {
			e.add(l.ACL, line, bytes)
		}
		if action != policy.Permit {
			return drop
		}
	}
	return permit
}

// A verdict is remembered from a flow's second packet on, and holds for its own
// generation only. That it is remembered shows where the table is gone: asked
// again, it is a fault.
func TestVerdictIsRemembered(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	k := newKernel(t)
	k.cpu = cpu
	const peer = "10.0.0.2"
	port := uint16(40000)
	plain, logged := permitAll(), permitAll()
	logged[0].Rules[0].Log = true
	send := func(to string, hopLimit, tos byte) int {
		p := tcpPacket("10.0.0.1", to)
		p.SourcePort = port
		data := frame(&p, frameOptions{})
		data[22], data[15] = hopLimit, tos
		return k.run(k.TcIngress, data, skBuff{})
	}
	lose := func() {
		k.loseTables()
	}
	for name, c := range map[string]struct {
		born   uint64 // a datapath's first generation is a time
		flags  bpf.AcliumHookFlags
		list   []*policy.Policy
		warm   int
		change func()
		to     string
		hop    byte
		tos    byte
		want   int
	}{
		"twice":               {list: plain, warm: 2, to: peer, hop: 64, want: permit},
		"once":                {list: plain, warm: 1, to: peer, hop: 64, want: drop},
		"another flow":        {list: plain, warm: 2, to: "10.0.0.3", hop: 64, want: drop},
		"another hop limit":   {list: plain, warm: 2, to: peer, hop: 63, want: drop},
		"another class":       {list: plain, warm: 2, to: peer, hop: 64, tos: 4, want: drop},
		"any hop limit":       {flags: bpf.AcliumHookFlagsHOOK_ANY_HOP_LIMIT, list: plain, warm: 2, to: peer, hop: 63, want: permit},
		"any class":           {flags: bpf.AcliumHookFlagsHOOK_ANY_TRAFFIC_CLASS, list: plain, warm: 2, to: peer, hop: 64, tos: 4, want: permit},
		"not to remember":     {flags: bpf.AcliumHookFlagsHOOK_NO_CACHE, list: plain, warm: 5, to: peer, hop: 64, want: drop},
		"a line with log":     {list: logged, warm: 5, to: peer, hop: 64, want: drop},
		"the next generation": {list: plain, warm: 5, change: func() { k.bind(nil, 0, plain, nil) }, to: peer, hop: 64, want: drop},
		"after two months":    {born: uint64(60 * 24 * time.Hour), list: plain, warm: 2, to: peer, hop: 64, want: permit},
	} {
		port++ // a flow that was not seen before
		k.generation = max(k.generation, c.born|1)
		k.bind(nil, c.flags, c.list, nil)
		for range c.warm {
			if got := send(peer, 64, 0); got != permit {
				t.Fatalf("%s: warming got %d", name, got)
			}
		}
		if c.change != nil {
			c.change()
		}
		lose()
		if got := send(c.to, c.hop, c.tos); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// A list that denies one flow and permits its neighbour, which differs in one
// field, keeps them apart however often they come.
func TestRememberedVerdictsDifferInEachField(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	base := tcpPacket("10.0.0.1", "10.0.0.2")
	icmp := policy.Packet{Source: base.Source, Destination: base.Destination, Protocol: policy.ICMP, ICMPType: 8}
	with := func(p policy.Packet, f func(*policy.Packet)) policy.Packet { f(&p); return p }
	ports := func(s, d uint16) policy.Service {
		x := policy.ServiceOf(policy.Bytes(policy.TCP))
		x.SourcePorts, x.DestinationPorts = policy.NewRanges(policy.Range{First: s, Last: 65535}), policy.NewRanges(policy.Range{First: d, Last: 65535})
		return x
	}
	types := func(first uint16) policy.Service {
		x := policy.ServiceOf(policy.Bytes(policy.ICMP))
		x.ICMP = policy.NewRanges(policy.Range{First: first, Last: 65535})
		return x
	}
	flags := policy.ServiceOf(policy.Bytes(policy.TCP))
	flags.Flags = policy.BytesWhere(func(v uint8) bool { return v&policy.ACK != 0 })
	host := func(a string) policy.Peers {
		return policy.Peers{Addresses: []policy.AddrRange{{First: netip.MustParseAddr(a), Last: netip.MustParseAddr(a)}}}
	}
	all := policy.Everybody()
	for name, c := range map[string]struct {
		deny              policy.Rule
		permitted, denied policy.Packet
	}{
		"flags":            {simple(policy.Deny, all, all, flags), base, with(base, func(p *policy.Packet) { p.Flags |= policy.ACK })},
		"source port":      {simple(policy.Deny, all, all, ports(40001, 0)), base, with(base, func(p *policy.Packet) { p.SourcePort++ })},
		"destination port": {simple(policy.Deny, all, all, ports(0, 81)), base, with(base, func(p *policy.Packet) { p.DestinationPort++ })},
		"protocol":         {simple(policy.Deny, all, all, policy.ServiceOf(policy.Bytes(policy.UDP))), base, with(base, func(p *policy.Packet) { p.Protocol, p.Flags = policy.UDP, 0 })},
		"type":             {simple(policy.Deny, all, all, types(9<<8)), icmp, with(icmp, func(p *policy.Packet) { p.ICMPType++ })},
		"code":             {simple(policy.Deny, all, all, types(8<<8|1)), icmp, with(icmp, func(p *policy.Packet) { p.ICMPCode++ })},
		"source":           {simple(policy.Deny, host("10.0.0.3"), all), base, with(base, func(p *policy.Packet) { p.Source.Addr = netip.MustParseAddr("10.0.0.3") })},
		"destination":      {simple(policy.Deny, all, host("10.0.0.3")), base, with(base, func(p *policy.Packet) { p.Destination.Addr = netip.MustParseAddr("10.0.0.3") })},
	} {
		list := listOf(c.deny, simple(policy.Permit, all, all))
		k.bind(nil, 0, []*policy.Policy{list}, nil)
		for range 6 {
			a := k.run(k.TcIngress, frame(&c.permitted, frameOptions{}), skBuff{})
			b := k.run(k.TcIngress, frame(&c.denied, frameOptions{}), skBuff{})
			if a != permit || b != drop {
				t.Errorf("%s: got %d and %d, want permit and drop", name, a, b)
			}
		}
	}
}

// A hook whose packets never come twice hardly asks for remembered verdicts any
// more; a flow that then comes often is noticed, and asked for every time.
func TestVainQuestionsEndAndBeginAgain(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	k := newKernel(t)
	k.cpu = cpu
	send := func(n int) int {
		p := tcpPacket("10.0.0.1", fmt.Sprintf("10.1.%d.%d", n>>8, n&255))
		return k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
	}
	flood := func() {
		k.bind(nil, 0, permitAll(), nil)
		for n := range 6000 {
			if got := send(n); got != permit {
				t.Fatalf("packet %d: got %d", n, got)
			}
		}
	}
	often := func(times int) (permitted []bool) {
		for range times {
			permitted = append(permitted, send(65535) == permit)
		}
		return permitted
	}

	flood()
	often(4) // would do if it were asked each time
	k.loseTables()
	if permitted := often(1); permitted[0] {
		t.Error("a flow was remembered at once where nothing ever was")
	}

	flood()
	often(64)
	k.loseTables()
	permitted := often(200)
	first := slices.Index(permitted, true)
	if first < 0 || first > 7 {
		t.Fatalf("a flow that came often was found at packet %d, want one of the first 8", first)
	}
	if last := slices.Index(permitted[first:], false); last >= 0 {
		t.Errorf("it was not asked for again at packet %d", first+last)
	}
}

// Two devices whose hooks are remembered in the same place keep their lists
// apart, packet after packet of one flow.
func TestDevicesThatShareAPlace(t *testing.T) {
	t.Parallel()
	testns.New(t)
	const other = loopback + 64 // there are places for 64 devices, with two hooks each
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "other", Index: other}, PeerName: "end"}); err != nil {
		t.Fatal(err)
	}
	k := newKernel(t)
	all := policy.Everybody()
	k.bind(nil, 0, []*policy.Policy{listOf(simple(policy.Deny, all, all))}, nil)
	hook := bpf.AcliumHook{Families: uint32(policy.IPv4), Count: 1}
	hook.Tables[0] = k.upload(permitAll()[0], nil)
	k.must(k.HookMap.Put(hookKey{other, attachPoint(false, policy.Ingress)}.in(byte(k.generation&1)), hook))
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	for n := range 100 {
		for ifindex, want := range map[uint32]int{loopback: drop, other: permit} {
			ret, err := k.TcIngress.Run(&ebpf.RunOptions{Data: frame(&p, frameOptions{}), Context: skBuff{Ifindex: ifindex}, Repeat: 1})
			k.must(err)
			if got := int(int32(ret)); got != want {
				t.Fatalf("packet %d on device %d: got %d, want %d", n, ifindex, got, want)
			}
		}
	}
}
