package datapath

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// nameReflexives numbers the reflexive lists of lists, as a push does.
func (k *kernel) nameReflexives(lists []*policy.Policy) {
	k.Helper()
	var err error
	k.reflexives, err = reflexivesOf(&State{Ports: []Port{{Ingress: valuesOf(lists)}}}, k.reflexives)
	k.must(err)
	for half := range uint32(2) {
		k.must(k.ReflexiveMap.Put(half, k.reflexives.names()))
	}
}

func (k *kernel) evaluated(lists []*policy.Policy) uint64 {
	k.Helper()
	set, err := k.reflexives.evaluated(valuesOf(lists))
	k.must(err)
	return set
}

func valuesOf(lists []*policy.Policy) (values []policy.Policy) {
	for _, l := range lists {
		values = append(values, *l)
	}
	return values
}

// age makes all entries older, or younger. On a machine that has just started
// the test's clock reaches back before its zero, where every entry has ended.
func (k *kernel) age(by time.Duration) {
	k.Helper()
	var key bpf.AcliumEntryKey
	var e bpf.AcliumEntry
	aged := map[bpf.AcliumEntryKey]bpf.AcliumEntry{}
	all := k.EntryMap.Iterate()
	for all.Next(&key, &e) {
		e.Expires = uint64(max(0, int64(e.Expires)-int64(by)))
		aged[key] = e
	}
	k.must(all.Err())
	for key, e := range aged {
		k.must(k.EntryMap.Put(key, e))
	}
}

// reflexive gives a list some lines with reflect and evaluate. Timeouts end
// between two steps of the test's clock.
func (p *port) reflexive(l *policy.Policy) {
	for i := range l.Rules {
		r := &l.Rules[i]
		name := fmt.Sprint("R", p.IntN(3))
		what := p.IntN(4)
		if i == 0 { // where most packets come by
			what = p.IntN(2)
		}
		switch what {
		case 0:
			r.Action, r.Goto = policy.Permit, 0
			r.Reflect = &policy.Reflect{List: name, Timeout: time.Duration(14+4*p.IntN(12)) * time.Second}
			if p.one(2) {
				r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}, Fragments: p.one(8)}
			}
		case 1:
			r.Action, r.Goto = policy.Permit, 0
			r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}, Evaluate: name}
		}
	}
}

// tick is a step of the clock. What is left after both FINs is more than one.
const tick = 4 * time.Second

// filtered gives the lists of Cisco's example: sessions from the one side may be
// answered from the other.
func (p *port) filtered(generation int) (ingress, egress []*policy.Policy) {
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		l := p.list(fmt.Sprint(d, "-", generation), d, policy.Dual, 1)
		r := &l.Rules[0]
		r.Action, r.Goto, r.Uncounted = policy.Permit, 0, false
		r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
		if d == policy.Egress {
			r.Reflect = &policy.Reflect{List: "R0", Timeout: time.Duration(14+4*p.IntN(12)) * time.Second}
			egress = append(egress, l)
			continue
		}
		r.Match.Evaluate = "R0"
		ingress = append(ingress, l)
	}
	return ingress, egress
}

// TestReflexiveListsAgreeWithNode holds a node's interface with reflexive lists
// to policy.Node: random lists in both directions that replace each other,
// sessions with FIN and RST, fragments of all protocols, and time. The clock
// goes in ticks; timeouts end between two of them.
func TestReflexiveListsAgreeWithNode(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	by := map[string]int{}
	for seed := range uint64(40) {
		reflexiveSequence(k, seed, by)
	}
	t.Log(by)
	for _, what := range []string{"evaluate", "reflect", "expired", "drop", "other"} {
		if by[what] < 80 {
			t.Errorf("%s: only %d packets, so the test sees too little", what, by[what])
		}
	}
}

// A flight is a packet that was judged.
type flight struct {
	direction policy.Direction
	packet    policy.Packet
}

// answer gives what the other end might send.
func (f flight) answer(p *port) (policy.Direction, policy.Packet) {
	a := f.packet
	a.Source, a.Destination = a.Destination, a.Source
	a.SourcePort, a.DestinationPort = a.DestinationPort, a.SourcePort
	a.Inner, a.HopLimit = nil, uint8(1+p.IntN(255))
	switch {
	case a.Protocol == policy.TCP:
		a.Flags = pick(p.world, []uint8{policy.ACK, policy.ACK, policy.SYN | policy.ACK, policy.FIN | policy.ACK, policy.FIN | policy.ACK, policy.RST})
	case a.Protocol == policy.ICMP && a.ICMPType == 8:
		a.ICMPType = 0
	case a.Protocol == policy.ICMPv6 && a.ICMPType == 128:
		a.ICMPType = 129
	}
	return f.direction.Opposite(), a
}

func reflexiveSequence(k *kernel, seed uint64, by map[string]int) {
	k.Helper()
	p := newPort(seed)
	empty(k, k.EntryMap, new(bpf.AcliumEntryKey), nil)
	for a, id := range p.owners {
		k.place(a, id.ID, 0)
	}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	entries := policy.NewReflexive()
	node := policy.NewNode(nil, nil, entries)
	counted, rules, want := map[policy.RuleID]counterOf{}, map[policy.RuleID]*policy.Rule{}, expected{}
	var sent []flight
	now, began := time.Duration(0), time.Now()
	for i := range 400 {
		if i%80 == 0 {
			ingress, egress := p.lists(policy.Ingress, i, 0), p.lists(policy.Egress, i, 0)
			if seed%2 == 1 {
				ingress, egress = p.filtered(i)
			}
			all := slices.Concat(ingress, egress)
			for _, l := range all {
				if seed%2 == 0 {
					p.reflexive(l)
				}
				for j := range l.Rules {
					l.Rules[j].Match.Time = nil
					rules[l.Rules[j].ID] = &l.Rules[j]
				}
			}
			node.Replace(ingress, egress)
			k.nameReflexives(all)
			k.bind(p.ids, bpf.AcliumHookFlagsHOOK_NO_CACHE, ingress, egress)
			nameLines(counted, all)
		}
		if p.one(6) {
			before := entries.Len(now)
			now += tick
			k.age(tick - time.Since(began))
			began = time.Now()
			by["expired"] += before - entries.Len(now)
		}
		if late := time.Since(began); late > 200*time.Millisecond {
			k.age(-late) // the test's clock stands
			began = time.Now()
		}
		d, packet := p.step()
		if len(sent) > 0 && p.one(2) {
			d, packet = pick(p.world, sent).answer(p)
		}
		packet.Local = false
		o := p.dress(&packet)
		decision := node.Judge(d, &packet, now)
		if sent = append(sent, flight{d, packet}); len(sent) > 6 {
			sent = sent[1:]
		}
		for _, id := range decision.Lines {
			if c, ok := counted[id]; ok {
				want.add(c.acl, c.line, l3Length(&packet, o))
			}
			switch r := rules[id]; {
			case r == nil || !decision.Accept:
				by["drop"]++
			case r.Reflect != nil:
				by["reflect"]++
			case r.Match.Evaluate != "":
				by["evaluate"]++
			default:
				by["other"]++
			}
		}
		if got := k.run(k.programOf(d.Opposite()), frame(&packet, o), skBuff{IngressIfindex: 7}); got != verdictOf(decision.Accept) {
			k.Fatalf("seed %d, packet %d at %v: got %d, want %+v: %v %+v", seed, i, now, got, decision, d, packet)
		}
	}
	want.compare(k)
}

// TestReflexiveEndAgreesWithNode walks sessions over their end: what follows
// both FINs, from either side, does not renew the entry, and a new session on
// the same ports does.
func TestReflexiveEndAgreesWithNode(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	p := newPort(1)
	ingress, egress := p.filtered(0)
	node := policy.NewNode(ingress, egress, policy.NewReflexive())
	k.nameReflexives(slices.Concat(ingress, egress))
	k.bind(nil, bpf.AcliumHookFlagsHOOK_NO_CACHE, ingress, egress)
	syn := tcpPacket("10.0.0.1", "10.0.0.2")
	back := flight{policy.Egress, syn}
	_, answer := back.answer(p)
	now, began, passed, dropped := time.Duration(0), time.Now(), 0, 0
	for _, step := range []struct {
		after     time.Duration
		direction policy.Direction
		flags     uint8
	}{
		{0, policy.Ingress, policy.ACK}, {0, policy.Egress, policy.SYN}, {0, policy.Ingress, policy.SYN | policy.ACK},
		{0, policy.Egress, policy.FIN | policy.ACK}, {tick, policy.Ingress, policy.FIN | policy.ACK},
		{tick, policy.Ingress, policy.ACK}, {0, policy.Egress, policy.ACK}, {tick, policy.Ingress, policy.ACK},
		{0, policy.Egress, policy.SYN}, {2 * tick, policy.Ingress, policy.ACK}, {0, policy.Ingress, policy.RST}, {0, policy.Ingress, policy.ACK},
	} {
		now += step.after
		k.age(step.after - time.Since(began))
		began = time.Now()
		packet := syn
		if step.direction == policy.Ingress {
			packet = answer
		}
		packet.Flags = step.flags
		want := node.Judge(step.direction, &packet, now).Accept
		if got := k.run(k.programOf(step.direction.Opposite()), frame(&packet, frameOptions{}), skBuff{}); got != verdictOf(want) {
			t.Errorf("%+v: got %d, want %v", step, got, want)
		}
		if want {
			passed++
		} else {
			dropped++
		}
	}
	if passed != 9 || dropped != 3 {
		t.Errorf("%d passed and %d were dropped, want 9 and 3", passed, dropped)
	}
}
