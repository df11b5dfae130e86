package datapath

import (
	"fmt"
	"testing"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Packets that come again and again, among others that differ from them in one
// field only, get the verdicts of policy.Eval and count exactly, while the
// lists change.
func TestRememberedVerdictsAgreeWithEval(t *testing.T) {
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
			k.bind(w.identities, pick(w, []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_ANY_HOP_LIMIT | bpf.AcliumHookFlagsHOOK_ANY_TRAFFIC_CLASS}), lists, nil)
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
	stay(t)
	k := newKernel(t)
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
		for slot := range uint32(32) {
			k.Table64kMap.Delete(slot)
		}
	}
	for name, c := range map[string]struct {
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
	} {
		port++ // a flow that was not seen before
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
