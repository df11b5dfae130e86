package kube_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// A world is a random choice of lists on overlapping pods, with what is known
// of the cluster.
type world struct {
	*rand.Rand
	direction policy.Direction
	families  policy.Family
	// ranges says that the cluster's address ranges are known, and hold; six
	// that this is so for IPv6 too.
	ranges, six bool
	lists       []policy.Policy
}

var clusterCIDR6 = netip.MustParsePrefix("fd00:1::/64")

func (w *world) pick(s ...string) string { return s[w.IntN(len(s))] }

// subject is a selector of the pods that lists stand on. They live in two
// namespaces and differ in two labels.
func (w *world) subject() policy.Selector {
	s := policy.Selector{
		{Key: "app", Op: policy.In, Values: []string{"subject"}},
		{Key: policy.NamespaceKey, Op: policy.In, Values: [][]string{{"dev"}, {"dev", "prod"}}[w.IntN(2)]},
	}
	if w.IntN(2) == 0 {
		s = append(s, policy.Term{Key: "tier", Op: policy.In, Values: []string{"one"}})
	}
	if w.IntN(3) == 0 {
		s = append(s, policy.Term{Key: "canary", Op: policy.Exists})
	}
	return s
}

func (w *world) ownEnd() policy.Peers {
	if w.IntN(3) > 0 {
		return policy.Everybody()
	}
	p := policy.Peers{Selectors: []policy.Selector{w.subject()}}
	if w.IntN(3) == 0 {
		p.Selectors = append(p.Selectors, policy.Selector{{Key: "tier", Op: policy.DoesNotExist}})
	}
	return p
}

func (w *world) peers(f policy.Family) policy.Peers {
	if f == policy.IPv6 && w.IntN(4) == 0 {
		a := netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", w.IntN(16)))
		return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(a, 122+w.IntN(7)))}}
	}
	p := randomPeers(w.Rand)
	if f == policy.IPv6 && len(p.Addresses) > 0 {
		return policy.Everybody()
	}
	return p
}

func (w *world) list(name string, f policy.Family) policy.Policy {
	p := policy.Policy{
		ACL: name, Direction: w.direction, Family: f, Stateful: true,
		Subject: policy.Subject{Name: "workload " + name, Selectors: []policy.Selector{w.subject()}},
	}
	if w.IntN(3) == 0 {
		p.Subject.Selectors = append(p.Subject.Selectors, w.subject())
	}
	denies := w.IntN(5)
	for i := range 1 + w.IntN(7) {
		r := policy.Rule{ID: policy.RuleID{ACL: name, Seq: uint32(10 * (i + 1))}, Action: policy.Permit, Match: policy.Match{
			Source: w.peers(f), Destination: w.ownEnd(), Services: []policy.Service{randomService(w.Rand)},
		}}
		if w.IntN(10) < denies {
			r.Action = policy.Deny
		}
		if w.direction == policy.Egress {
			r.Match.Source, r.Match.Destination = r.Match.Destination, r.Match.Source
		}
		p.Rules = append(p.Rules, r)
	}
	for i := range p.Rules {
		if w.IntN(8) == 0 {
			p.Rules[i].Action, p.Rules[i].Goto = policy.Next, i+1+w.IntN(len(p.Rules)-i)
		}
	}
	return p
}

func newWorld(r *rand.Rand, n int) *world {
	w := &world{Rand: r, direction: policy.Direction(1 + n%2), ranges: r.IntN(3) > 0, six: r.IntN(3) > 0}
	for i := range 1 + r.IntN(3) {
		f := []policy.Family{policy.IPv4, policy.IPv4, policy.IPv6, policy.Dual}[r.IntN(4)]
		w.families |= f
		w.lists = append(w.lists, w.list(string(rune('A'+i)), f))
	}
	return w
}

// end gives the other end of a packet. With known ranges pods alone have their
// addresses; without, anybody has any.
func (w *world) end(six bool) policy.Endpoint {
	e := ends(w.Rand)
	if !w.ranges && w.IntN(2) == 0 {
		e.Addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(w.IntN(16))})
	}
	if !six {
		return e
	}
	b := e.Addr.As4()
	e.Addr = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", b[3]))
	if e.Labels != nil && w.ranges && w.six {
		e.Addr = netip.MustParseAddr(fmt.Sprintf("fd00:1::%x", b[3]))
	}
	return e
}

func (w *world) packet() policy.Packet {
	p := randomPacket(w.Rand, policy.Ingress)
	six := w.IntN(3) == 0
	if p.Source = w.end(six); six {
		p.Destination.Addr = netip.MustParseAddr("fd00:1::c8")
		if p.Protocol == policy.ICMP {
			p.Protocol, p.ICMPType = policy.ICMPv6, 128
		}
	}
	l := map[string]string{"app": "subject", policy.NamespaceKey: w.pick("dev", "prod")}
	if tier := w.pick("", "one", "two"); tier != "" {
		l["tier"] = tier
	}
	if w.IntN(2) == 0 {
		l["canary"] = ""
	}
	p.Destination.Labels = l
	if w.direction == policy.Egress {
		p.Source, p.Destination = p.Destination, p.Source
	}
	return p
}

// verdict judges by all lists on the packet's pod: each must permit. lines are
// those that permitted.
func (w *world) verdict(p *policy.Packet) (permitted, bound bool, lines []policy.RuleID) {
	pod := &p.Destination
	if w.direction == policy.Egress {
		pod = &p.Source
	}
	permitted = true
	for i := range w.lists {
		l := &w.lists[i]
		if !l.Subject.Selects(pod) {
			continue
		}
		bound = true
		if l.Family&p.Family() == 0 {
			continue
		}
		action, line := l.Eval(p)
		permitted = permitted && action == policy.Permit
		lines = append(lines, l.ID(line))
	}
	return permitted, bound, lines
}

// excused reports whether a finding says that the packet does not pass.
func (w *world) excused(findings []policy.Finding, p *policy.Packet, lines []policy.RuleID) bool {
	peer := &p.Source
	if w.direction == policy.Egress {
		peer = &p.Destination
	}
	for _, f := range findings {
		switch {
		case p.Family() == policy.IPv6 && strings.Contains(f.Reason, "no range of the cluster is IPv6"):
			return true // the ranges say that there are no such packets
		case f.State != policy.Narrower && f.State != policy.Refused:
		case f.ID.Seq != 0 && slices.Contains(lines, f.ID):
			return true
		case strings.Contains(f.Reason, "no IPv6 list") && p.Family() == policy.IPv6,
			strings.Contains(f.Reason, "no IPv4 list") && p.Family() == policy.IPv4,
			strings.Contains(f.Reason, "permit different pods") && peer.Labels != nil,
			strings.Contains(f.Reason, "by labels what the other permits by addresses") && peer.Labels != nil,
			strings.Contains(f.Reason, "addresses match no pods") && peer.Labels != nil,
			strings.Contains(f.Reason, "addresses match no") && isNode(p):
			return true
		}
	}
	return false
}

// TestListsInSeries: objects of several lists on overlapping pods permit what
// all of them permit, for each pod and both families, whether or not the
// cluster's ranges are known.
func TestListsInSeries(t *testing.T) {
	for _, c := range []struct {
		target translate.Target
	}{{translate.NetworkPolicy}, {translate.Cilium}, {translate.CiliumClusterwide}, {translate.ClusterNetworkPolicy}, {translate.Calico}, {translate.Enforcer}} {
		t.Run(c.target.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 5))
			packets, permitted, excused, unfiltered := 0, 0, 0, 0
			for n := range 300 {
				w := newWorld(r, n)
				o := translate.OrderOptions{Target: c.target}
				if w.ranges {
					o.ClusterCIDRs = []netip.Prefix{clusterCIDR}
				}
				if w.ranges && w.six {
					o.ClusterCIDRs = append(o.ClusterCIDRs, clusterCIDR6)
				}
				ordered, findings := translate.Order(w.lists, o)
				objects, err := kube.Encode(c.target.Name, ordered)
				if err != nil {
					t.Fatal(err)
				}
				allows := reader(t, c.target.Name, objects, w.direction)
				refused := map[string]bool{}
				for _, f := range findings {
					if f.State == policy.Refused && f.ID.Seq == 0 {
						refused[f.ID.ACL] = true
					}
				}
				for range 60 {
					p := w.packet()
					want, bound, lines := w.verdict(&p)
					if slices.ContainsFunc(lines, func(id policy.RuleID) bool { return refused[id.ACL] }) || len(lines) == 0 && len(refused) > 0 {
						unfiltered++
						continue
					}
					got := allows(&p)
					packets++
					switch {
					case got && want:
						permitted++
					case got && !want:
						fail(t, w, n, &p, "wider", objects, findings)
					case want && (!bound || !w.excused(findings, &p, lines)):
						fail(t, w, n, &p, "narrower in silence", objects, findings)
					case want:
						excused++
					}
				}
			}
			t.Logf("%d packets: %d permitted, %d narrower as said; %d on pods of refused lists", packets, permitted, excused, unfiltered)
			if permitted*5 < packets || unfiltered > packets {
				t.Errorf("too few packets say something")
			}
		})
	}
}

func fail(t *testing.T, w *world, n int, p *policy.Packet, what string, objects []kube.Object, findings []policy.Finding) {
	t.Helper()
	text, _ := kube.YAML(objects)
	lists, _ := json.MarshalIndent(w.lists, "", " ")
	packet, _ := json.Marshal(p)
	t.Fatalf("world %d (ranges %v): %s: %s\n%s\n%s\n%+v", n, w.ranges, what, packet, lists, text, findings)
}
