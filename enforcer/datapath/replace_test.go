package datapath

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"aclium/translate/policy"
)

// long makes the tests that repeat a push repeat it as often as is claimed.
var long = flag.Bool("long", false, "repeat pushes as often as docs/performance.md claims: 1,000 and 10,000 times")

// Probes by their destination port. Both versions of the two lists permit
// portOpen and deny the others; a mixture would let one of them pass or stop
// the first:
//
//	portShut     each version denies it in one line and permits it in a later
//	             one, at other places in each
//	portCrossed  is permitted by the first list of version 1 and the second
//	portParted   list of version 2 alone; the other one the other way round
const (
	portOpen    = 5301
	portShut    = 5302
	portCrossed = 5303
	portParted  = 5304
)

func udpLine(acl string, action policy.Action, port uint16) policy.Rule {
	s := policy.ServiceOf(policy.Bytes(policy.UDP))
	s.DestinationPorts = policy.NewRanges(policy.Range{First: port, Last: port})
	return policy.Rule{
		ID: policy.RuleID{ACL: acl}, Text: fmt.Sprintf("%v udp any any eq %d", action, port), Action: action,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{s}},
	}
}

// stuffed puts the lines at the given places of a list of n lines. The other
// lines are about hosts that send nothing.
func stuffed(acl string, n int, lines map[int]policy.Rule) policy.Policy {
	p := policy.Policy{ACL: acl, Direction: policy.Ingress, Family: policy.IPv4, Stateful: true, Subject: udpPorts(acl).Subject}
	for i := range n {
		r, given := lines[i]
		if !given {
			a := netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})
			r = udpLine(acl, policy.Permit, uint16(1000+i))
			r.Text = fmt.Sprintf("permit udp host %s any eq %d", a, 1000+i)
			r.Match.Source = policy.Peers{Addresses: []policy.AddrRange{{First: a, Last: a}}}
		}
		r.ID.Seq = uint32(10 * (i + 1))
		p.Rules = append(p.Rules, r)
	}
	return p
}

// versions gives the two versions of the lists in series. Each line that
// decides a probe in the first list stands in both versions, so that its
// counter stays.
func versions(n int) [2][]policy.Policy {
	permit, deny := policy.Permit, policy.Deny
	one, two := func(a policy.Action, port uint16) policy.Rule { return udpLine("ONE", a, port) },
		func(a policy.Action, port uint16) policy.Rule { return udpLine("TWO", a, port) }
	return [2][]policy.Policy{{
		stuffed("ONE", n, map[int]policy.Rule{
			3: one(permit, portOpen), 5: one(deny, portShut), 6: one(permit, portCrossed),
			n - 20: one(deny, portOpen), n - 10: one(permit, portShut), n - 5: one(deny, portParted),
			n - 4: one(permit, portParted), n - 3: one(deny, portCrossed),
		}),
		stuffed("TWO", n, map[int]policy.Rule{
			0: two(deny, portCrossed), n / 2: two(permit, portOpen), n/2 + 1: two(permit, portParted), n - 1: two(permit, portShut),
		}),
	}, {
		stuffed("ONE", n, map[int]policy.Rule{
			n/2 - 1: one(deny, portShut), n / 2: one(permit, portOpen), n/2 + 5: one(permit, portShut), n - 30: one(deny, portOpen),
			n - 29: one(permit, portParted), n - 28: one(deny, portCrossed), n - 27: one(permit, portCrossed), n - 26: one(deny, portParted),
		}),
		stuffed("TWO", n, map[int]policy.Rule{
			7: two(permit, portShut), n / 3: two(permit, portOpen), n - 3: two(deny, portParted), n - 2: two(permit, portCrossed),
		}),
	}}
}

// probes sends stamped datagrams from pod a to pod b.
type probes struct {
	t                *testing.T
	to               *net.UDPConn // at portOpen
	from             map[int]*net.UDPConn
	sent, every, run uint64 // to portOpen; in all; bursts
}

func (x *bench) probes() *probes {
	p := &probes{t: x.t, from: map[int]*net.UDPConn{}}
	for _, port := range []int{portOpen, portShut, portCrossed, portParted} {
		l := x.link(addrA, addrB, port)
		p.from[port] = l.from
		if port == portOpen {
			p.to = l.to
			continue
		}
		go func() {
			// What arrives here, no list permits.
			if n, err := l.to.Read(make([]byte, 64)); err == nil {
				x.t.Errorf("a packet of %d bytes to port %d arrived", n, port)
			}
		}()
	}
	return p
}

// burst sends packets to every port and waits for those that are permitted,
// which must come one by one and in their order.
func (p *probes) burst() {
	const size = 16
	var stamp [8]byte
	for range size {
		for port, from := range p.from {
			if port == portOpen {
				binary.BigEndian.PutUint64(stamp[:], p.sent)
				p.sent++
			}
			p.every++
			if _, err := from.Write(stamp[:]); err != nil {
				p.t.Error(err)
			}
		}
	}
	p.to.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := p.sent - size; i < p.sent; i++ {
		if _, err := p.to.Read(stamp[:]); err != nil {
			p.t.Fatalf("probe %d of a flow that both versions permit: %v", i, err)
		} else if got := binary.BigEndian.Uint64(stamp[:]); got != i {
			p.t.Fatalf("probe %d arrived in place of %d", got, i)
		}
	}
	p.run++
}

// During replacements no packet is judged by neither table or by a mixture,
// and none is lost uncounted: on both ways to attach, on a pod's port and on a
// node's own interface.
func TestReplacementUnderTraffic(t *testing.T) {
	t.Parallel()
	for kind, pod := range map[string]bool{"pod": true, "node": false} {
		t.Run(kind, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o Options) { replaceUnderTraffic(t, o, pod) })
		})
	}
}

func replaceUnderTraffic(t *testing.T, o Options, pod bool) {
	x := newBench(t)
	d := x.open(o)
	defer d.Close()
	lines, replacements := 600, 25
	if *long {
		lines, replacements = 3000, 1000
	}
	var states [2]State
	for i, lists := range versions(lines) {
		states[i] = x.state(lists...)
		if !pod {
			for j := range lists {
				lists[j].Direction, lists[j].Stateful = policy.Egress, false
				lists[j].Subject = policy.Subject{Name: "interface " + x.b.Device, Interface: x.b.Device}
			}
			states[i].Ports = []Port{{Interface: x.b.Device, Egress: lists}}
		}
	}
	x.apply(d, states[0])
	p := x.probes()
	done := make(chan error, 1)
	go func() {
		done <- x.node.Enter(func() error {
			for i := range replacements {
				if err := d.Apply(states[(i+1)%2]); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	for busy := true; busy; p.burst() {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			busy = false
		default:
		}
	}
	counted := uint64(0)
	for line, n := range x.counts(d) {
		if line[:3] == "ONE" {
			counted += n
		}
	}
	if counted != p.every {
		t.Errorf("%d packets sent, %d counted on the first list", p.every, counted)
	}
	if p.run < uint64(replacements) {
		t.Errorf("only %d bursts met %d replacements", p.run, replacements)
	}
	t.Logf("%d packets met %d replacements of two lists of %d lines", p.every, replacements, lines)
}
