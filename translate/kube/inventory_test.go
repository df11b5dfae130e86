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
	"aclium/translate/inventory"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// A site is a random legacy network with the cluster that it moves to. A pod
// has two addresses: the one that its workload had, which lists speak of, and
// the one that it has, which objects see.
type site struct {
	*rand.Rand
	inv     inventory.Inventory
	subject policy.Selector
	lists   []policy.Policy
	d       policy.Direction
}

// legacy are the addresses of the legacy network, by family.
var legacy = map[policy.Family]string{policy.IPv4: "10.1.0.%d", policy.IPv6: "fd00:1::%x"}

func legacyRange(f policy.Family, first, last int) policy.AddrRange {
	return policy.AddrRange{First: netip.MustParseAddr(fmt.Sprintf(legacy[f], first)), Last: netip.MustParseAddr(fmt.Sprintf(legacy[f], last))}
}

func newSite(r *rand.Rand, n int) *site {
	s := &site{Rand: r, d: policy.Direction(1 + n%2)}
	at := map[policy.Family]int{policy.IPv4: r.IntN(4), policy.IPv6: r.IntN(4)}
	for _, ns := range []string{"dev", "prod"} {
		for _, app := range []string{"subject", "web", "db"} {
			if r.IntN(4) == 0 {
				continue // these pods are of no workload
			}
			w := inventory.Workload{Name: ns + "-" + app, Selector: policy.Selector{
				{Key: policy.NamespaceKey, Op: policy.In, Values: []string{ns}}, {Key: "app", Op: policy.In, Values: []string{app}},
			}}
			for f := policy.IPv4; f <= policy.IPv6; f++ {
				for range r.IntN(3) {
					last := at[f] + r.IntN(3)
					w.Addresses = append(w.Addresses, legacyRange(f, at[f], last))
					at[f] = last + 1 + r.IntN(3)
				}
			}
			s.inv.Workloads = append(s.inv.Workloads, w)
		}
	}
	// The ranges may end inside the workloads' addresses.
	if r.IntN(8) > 0 {
		s.inv.ClusterCIDRs = append(s.inv.ClusterCIDRs, netip.MustParsePrefix("10.1.0.0/27"))
	}
	if r.IntN(8) > 0 {
		s.inv.ClusterCIDRs = append(s.inv.ClusterCIDRs, netip.MustParsePrefix("fd00:1::/124"))
	}
	s.subject = policy.Selector{{Key: policy.NamespaceKey, Op: policy.In, Values: []string{"dev"}}}
	if r.IntN(3) > 0 {
		s.subject = append(s.subject, policy.Term{Key: "app", Op: policy.In, Values: []string{"subject"}})
	}
	for i := range 1 + r.IntN(2) {
		s.lists = append(s.lists, s.list(string(rune('A'+i)), []policy.Family{policy.IPv4, policy.IPv4, policy.IPv6, policy.Dual}[r.IntN(4)]))
	}
	return s
}

// end gives one end of a line: on the subject's side mostly everybody.
func (s *site) end(f policy.Family, own bool) (p policy.Peers) {
	if own && s.IntN(3) > 0 || s.IntN(3) == 0 {
		return policy.Everybody()
	}
	for range 1 + s.IntN(2) {
		one := policy.Family(1 + s.IntN(2))
		if one&f == 0 {
			one = f
		}
		switch k := s.IntN(10); {
		case k < 5 && len(s.inv.Workloads) > 0:
			w := s.inv.Workloads[s.IntN(len(s.inv.Workloads))]
			for _, r := range w.Addresses {
				if r.First.Is4() == (one == policy.IPv4) {
					p.Addresses = append(p.Addresses, r)
				}
			}
		case k == 5:
			p.Selectors = append(p.Selectors, randomSelector(s.Rand))
		case k == 6:
			p.Addresses = append(p.Addresses, legacyRange(one, 0, 31+s.IntN(2)*32))
		case k == 7 && s.IntN(3) == 0:
			first := s.IntN(24)
			p.Addresses = append(p.Addresses, legacyRange(one, first, first+s.IntN(16)))
		default:
			first := 64 + s.IntN(8)
			p.Addresses = append(p.Addresses, legacyRange(one, first, first+s.IntN(8)))
		}
	}
	return p
}

func (s *site) list(name string, f policy.Family) policy.Policy {
	p := policy.Policy{ACL: name, Direction: s.d, Family: f, Stateful: true, Subject: policy.Subject{Name: "workload S", Selectors: []policy.Selector{s.subject}}}
	denies := s.IntN(5)
	for i := range 1 + s.IntN(8) {
		r := policy.Rule{ID: policy.RuleID{ACL: name, Seq: uint32(10 * (i + 1))}, Action: policy.Permit, Match: policy.Match{
			Source: s.end(f, false), Destination: s.end(f, true), Services: []policy.Service{randomService(s.Rand)},
		}}
		if s.IntN(10) < denies {
			r.Action = policy.Deny
		}
		if s.d == policy.Egress {
			r.Match.Source, r.Match.Destination = r.Match.Destination, r.Match.Source
		}
		p.Rules = append(p.Rules, r)
	}
	if denies > 1 {
		p.Rules = append(p.Rules, policy.Rule{ID: policy.RuleID{ACL: name, Seq: 1000}, Action: policy.Permit, Match: policy.Match{
			Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()},
		}})
	}
	return p
}

// inside reports whether an address is the cluster's or a workload's.
func (s *site) inside(a netip.Addr) (ranges, claimed bool) {
	for _, p := range s.inv.ClusterCIDRs {
		ranges = ranges || p.Contains(a)
	}
	for _, w := range s.inv.Workloads {
		claimed = claimed || slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.Has(a) })
	}
	return ranges, claimed
}

// who gives a pod or an outsider: as the list knows it, and as objects see it.
// False when the inventory leaves it no address.
func (s *site) who(f policy.Family, labels map[string]string) (listed, seen policy.Endpoint, ok bool) {
	known := slices.ContainsFunc(s.inv.ClusterCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == (f == policy.IPv4) })
	var pool []netip.Addr
	for i := range s.inv.Workloads {
		w := &s.inv.Workloads[i]
		if labels == nil || !w.Selector.Matches(labels) {
			continue
		}
		for _, r := range w.Addresses {
			for a := r.First; r.Has(a) && a.Is4() == (f == policy.IPv4); a = a.Next() {
				pool = append(pool, a)
			}
		}
	}
	if labels != nil && !known && len(s.inv.ClusterCIDRs) > 0 && !s.claims(f) {
		return listed, seen, false // a cluster of the other family
	}
	if len(pool) == 0 {
		for n := range 80 {
			a := netip.MustParseAddr(fmt.Sprintf(legacy[f], n))
			if ranges, claimed := s.inside(a); !claimed && (ranges == (labels != nil) || labels != nil && !known) {
				pool = append(pool, a)
			}
		}
	}
	if len(pool) == 0 {
		return listed, seen, false
	}
	listed = policy.Endpoint{Labels: labels, Addr: pool[s.IntN(len(pool))]}
	seen = listed
	if labels != nil {
		// Pods have any of the cluster's addresses, or any at all.
		n := s.IntN(80)
		if known {
			n = s.IntN(16)
		}
		seen.Addr = netip.MustParseAddr(fmt.Sprintf(legacy[f], n))
	}
	return listed, seen, true
}

// claims reports whether a workload has addresses of the family.
func (s *site) claims(f policy.Family) bool {
	return slices.ContainsFunc(s.inv.Workloads, func(w inventory.Workload) bool {
		return slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.First.Is4() == (f == policy.IPv4) })
	})
}

func (s *site) labels() map[string]string {
	pick := func(of ...string) string { return of[s.IntN(len(of))] }
	l := map[string]string{policy.NamespaceKey: pick("dev", "prod")}
	if app := pick("subject", "web", "db", "fresh", ""); app != "" {
		l["app"] = app
	}
	if tier := pick("", "one", "two"); tier != "" {
		l["tier"] = tier
	}
	return l
}

// packets gives one packet as the lists and as the objects see it.
func (s *site) packets() (listed, seen policy.Packet, ok bool) {
	f := policy.Family(1 + s.IntN(2))
	if governed := s.lists[0].Family; s.IntN(8) > 0 && governed != policy.Dual {
		f = governed
	}
	subject := s.labels()
	for !s.subject.Matches(subject) {
		subject = s.labels()
	}
	var peer map[string]string
	if s.IntN(2) == 0 {
		peer = s.labels()
	}
	listed = randomPacket(s.Rand, policy.Ingress)
	if f == policy.IPv6 && listed.Protocol == policy.ICMP {
		listed.Protocol, listed.ICMPType = policy.ICMPv6, 128
	}
	seen = listed
	var ok1, ok2 bool
	listed.Source, seen.Source, ok1 = s.who(f, peer)
	listed.Destination, seen.Destination, ok2 = s.who(f, subject)
	if s.d == policy.Egress {
		listed.Source, listed.Destination = listed.Destination, listed.Source
		seen.Source, seen.Destination = seen.Destination, seen.Source
	}
	return listed, seen, ok1 && ok2
}

// verdict judges by all lists, on the legacy addresses. lines are the lines
// that decided.
func (s *site) verdict(p *policy.Packet) (permitted bool, lines []policy.RuleID) {
	permitted = true
	for i := range s.lists {
		if l := &s.lists[i]; l.Family&p.Family() != 0 {
			action, line := l.Eval(p)
			permitted = permitted && action == policy.Permit
			lines = append(lines, l.ID(line))
		}
	}
	return permitted, lines
}

// excused reports whether a finding says that a packet does not pass.
func (s *site) excused(findings []policy.Finding, p *policy.Packet, lines []policy.RuleID) bool {
	peer := &p.Source
	if s.d == policy.Egress {
		peer = &p.Destination
	}
	return slices.ContainsFunc(findings, func(f policy.Finding) bool {
		said := f.State == policy.Narrower || f.State == policy.Refused
		return said && (f.ID.Seq != 0 && slices.Contains(lines, f.ID) ||
			strings.Contains(f.Reason, "no IPv6 list") && p.Family() == policy.IPv6 ||
			strings.Contains(f.Reason, "no IPv4 list") && p.Family() == policy.IPv4 ||
			strings.Contains(f.Reason, "permit different pods") && peer.Labels != nil ||
			strings.Contains(f.Reason, "by labels what the other permits by addresses") && peer.Labels != nil ||
			strings.Contains(f.Reason, "addresses match no pods") && peer.Labels != nil)
	})
}

// TestInventoryObjectsAgreeWithTheLists: on pods that had other addresses the
// objects permit what the lists permit on the addresses that the pods had.
func TestInventoryObjectsAgreeWithTheLists(t *testing.T) {
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, 4))
			packets, permitted, excused, refusals := 0, 0, 0, 0
			for n := range 200 {
				s := newSite(r, n)
				ordered, findings := translate.Order(s.lists, translate.OrderOptions{Target: target, Inventory: &s.inv})
				objects, err := kube.Encode(target.Name, ordered)
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.State == policy.Refused && f.ID.Seq == 0 }) {
					refusals++
					continue
				}
				allows := reader(t, target.Name, objects, s.d)
				for range 60 {
					listed, seen, ok := s.packets()
					if !ok {
						continue
					}
					want, lines := s.verdict(&listed)
					got := allows(&seen)
					packets++
					switch {
					case got && want:
						permitted++
					case got:
						s.fail(t, n, &listed, &seen, "wider", objects, findings)
					case want && !s.excused(findings, &listed, lines):
						s.fail(t, n, &listed, &seen, "narrower in silence", objects, findings)
					case want:
						excused++
					}
				}
			}
			t.Logf("%d packets: %d permitted, %d narrower as said; %d of 200 sites refused", packets, permitted, excused, refusals)
			if permitted*10 < packets*3 || refusals > 100 {
				t.Errorf("too few packets say something")
			}
		})
	}
}

func (s *site) fail(t *testing.T, n int, listed, seen *policy.Packet, what string, objects []kube.Object, findings []policy.Finding) {
	t.Helper()
	text, _ := kube.YAML(objects)
	lists, _ := json.Marshal(s.lists)
	inv, _ := json.MarshalIndent(s.inv, "", " ")
	a, _ := json.Marshal(listed)
	b, _ := json.Marshal(seen)
	t.Fatalf("site %d: %s:\n%s\n%s\n%s\n%s\n%s\n%+v", n, what, a, b, inv, lists, text, findings)
}
