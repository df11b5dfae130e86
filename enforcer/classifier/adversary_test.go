package classifier

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"aclium/translate/policy"
)

// adversary writes lists that are meant to be dear.
type adversary struct {
	*rand.Rand
	ids []Identity
}

func (a *adversary) ip() netip.Addr {
	v := a.Uint32()
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// masked has a discontiguous mask with n wildcard bits.
func (a *adversary) masked(n int) policy.Peers {
	var wild uint32
	for range n {
		wild |= 1 << a.IntN(32)
	}
	value := a.Uint32() &^ wild
	quad := func(v uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	return policy.Peers{Masked: []policy.Masked{{Addr: quad(value), Wildcard: quad(wild)}}}
}

func (a *adversary) span() policy.Peers {
	x, y := a.ip(), a.ip()
	if y.Less(x) {
		x, y = y, x
	}
	return policy.Peers{Addresses: []policy.AddrRange{{First: x, Last: y}}}
}

func (a *adversary) host() policy.Peers {
	x := a.ip()
	return policy.Peers{Addresses: []policy.AddrRange{{First: x, Last: x}}}
}

func (a *adversary) ports() policy.Ranges {
	x, y := uint16(a.Uint32()), uint16(a.Uint32())
	return policy.NewRanges(policy.Range{First: min(x, y), Last: max(x, y)})
}

func (a *adversary) service(source, destination bool) policy.Service {
	s := policy.ServiceOf(policy.Bytes(policy.TCP))
	if source {
		s.SourcePorts = a.ports()
	}
	if destination {
		s.DestinationPorts = a.ports()
	}
	return s
}

// populate makes n identities, each with labels of its own and shared ones.
func (a *adversary) populate(n int) {
	for i := range n {
		labels := map[string]string{"pod": fmt.Sprint(i)}
		for bit := range 12 {
			labels[fmt.Sprint("bit", bit)] = fmt.Sprint(i >> bit & 1)
		}
		a.ids = append(a.ids, Identity{ID: uint32(1000 + i), Labels: labels})
	}
}

// some selects a random part of the identities.
func (a *adversary) some() policy.Peers {
	var s policy.Selector
	for _, bit := range a.Perm(12)[:3] {
		s = append(s, policy.Term{Key: fmt.Sprint("bit", bit), Op: policy.In, Values: []string{fmt.Sprint(a.IntN(2))}})
	}
	s = append(s, policy.Term{Key: "pod", Op: policy.NotIn, Values: []string{fmt.Sprint(a.IntN(4096))}})
	return policy.Peers{Selectors: []policy.Selector{s}}
}

func (a *adversary) list(n int, line func(i int) (source, destination policy.Peers, service policy.Service)) *policy.Policy {
	p := &policy.Policy{ACL: "DEAR", Direction: policy.Ingress, Family: policy.IPv4, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	for i := range n {
		s, d, service := line(i)
		p.Rules = append(p.Rules, policy.Rule{
			ID: policy.RuleID{ACL: "DEAR", Seq: uint32(i + 1)}, Action: policy.Action(1 + i%2),
			Match: policy.Match{Source: s, Destination: d, Services: []policy.Service{service}},
		})
	}
	return p
}

func everyone() policy.Peers { return policy.Everybody() }

// dear are the lists, by what they are.
func (a *adversary) dear(small bool) map[string]*policy.Policy {
	many, most, ids, masks := 10000, 100000, 4096, 50
	if small {
		many, most, ids, masks = 2000, 8000, 512, 12
	}
	a.populate(ids)
	one := a.host()
	hosts := func(n int) (p policy.Peers) {
		for range n {
			p.Addresses = append(p.Addresses, a.host().Addresses...)
		}
		return p
	}
	return map[string]*policy.Policy{
		"port ranges on one key": a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return one, one, a.service(false, true) }),
		"both ports in ranges":   a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return one, one, a.service(true, true) }),
		"nested port ranges": a.list(many, func(i int) (s, d policy.Peers, v policy.Service) {
			v = policy.ServiceOf(policy.Bytes(policy.TCP))
			v.DestinationPorts = policy.NewRanges(policy.Range{First: uint16(i), Last: uint16(65535 - i)})
			return everyone(), everyone(), v
		}),
		"masks": a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return a.masked(8), everyone(), policy.AnyService() }),
		"wide masks, both ends": a.list(many, func(int) (s, d policy.Peers, v policy.Service) {
			return a.masked(24), a.masked(24), a.service(true, true)
		}),
		"host and mask":         a.list(most, func(int) (s, d policy.Peers, v policy.Service) { return a.host(), a.masked(12), policy.AnyService() }),
		"ranges in four fields": a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return a.span(), a.span(), a.service(true, true) }),
		"most ranges in four":   a.list(most, func(int) (s, d policy.Peers, v policy.Service) { return a.span(), a.span(), a.service(true, true) }),
		"identities":            a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return a.some(), everyone(), a.service(false, true) }),
		"identities on both":    a.list(many, func(int) (s, d policy.Peers, v policy.Service) { return a.some(), a.some(), a.service(false, true) }),
		"groups of a thousand": a.list(many/100, func(int) (s, d policy.Peers, v policy.Service) {
			return hosts(1000), hosts(1000), a.service(false, true)
		}),
		"groups of masks": a.list(100, func(int) (s, d policy.Peers, v policy.Service) {
			return a.manyMasked(masks), a.manyMasked(masks), policy.AnyService()
		}),
		"too many combinations": a.list(100, func(int) (s, d policy.Peers, v policy.Service) {
			return a.manyMasked(60), a.manyMasked(60), policy.AnyService()
		}),
	}
}

func (a *adversary) manyMasked(n int) (p policy.Peers) {
	for range n {
		p.Masked = append(p.Masked, a.masked(10).Masked...)
	}
	return p
}

// allocated gives what the process has allocated since its start, bytes.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// mostAllocated bounds what compiling a dear list of the short run allocates
// on its way, bytes; the dearest takes half of it.
const mostAllocated = 64 << 20

// Lists that are made to be dear are compiled in memory that does not grow with
// lines times identities, or refused with a number, and what comes out is exact.
// DEAR=1 in the environment makes them as long as docs/architecture.md tells.
func TestDearListsAreBounded(t *testing.T) {
	a := &adversary{Rand: rand.New(rand.NewPCG(7, 11))}
	long := os.Getenv("DEAR") != ""
	for name, list := range a.dear(!long) {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			start, before := time.Now(), allocated()
			table, err := Compile(list, a.ids, Numbers{Counter: byLine})
			took, bytes := time.Since(start), allocated()-before
			if name == "too many combinations" {
				if err == nil || !strings.Contains(err.Error(), "want 262144 at most") {
					t.Errorf("got %v, want a refusal with the limit", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !long && bytes > mostAllocated {
				t.Errorf("%d MiB allocated, want %d at most", bytes>>20, mostAllocated>>20)
			}
			work := a.compare(t, list, table)
			t.Logf("%6d lines: %v, %d MiB allocated, table of %d KiB, %d shapes, worst work %d", len(list.Rules), took, bytes>>20, len(table.Bytes)>>10, shapesOf(table), work)
		})
	}
}

// compare judges packets that lines are for, and gives the longest walk.
func (a *adversary) compare(t *testing.T, list *policy.Policy, table *Table) (worst int) {
	t.Helper()
	for range 200 {
		x := policy.Packet{Protocol: policy.TCP, SourcePort: uint16(a.Uint32()), DestinationPort: uint16(a.Uint32())}
		m := &list.Rules[a.IntN(len(list.Rules))].Match
		ids := [2]uint32{}
		for i, p := range []*policy.Peers{&m.Source, &m.Destination} {
			end := [2]*policy.Endpoint{&x.Source, &x.Destination}[i]
			*end, ids[i] = policy.Endpoint{Addr: a.ip(), Entity: policy.World}, strangers[0]
			switch {
			case len(p.Addresses) > 0:
				end.Addr = p.Addresses[a.IntN(len(p.Addresses))].First
			case len(p.Masked) > 0:
				end.Addr = p.Masked[a.IntN(len(p.Masked))].Addr
			case len(p.Selectors) > 0:
				id := &a.ids[a.IntN(len(a.ids))]
				*end, ids[i] = policy.Endpoint{Addr: end.Addr, Labels: id.Labels}, id.ID
			}
		}
		r := newReader(table.Bytes)
		action, line := r.lookup(&x, ids)
		if wantAction, wantLine := wanted(list, &x); action != wantAction || line != wantLine {
			t.Fatalf("got %v line %d, want %v line %d, packet %+v", action, line, wantAction, wantLine, x)
		}
		worst = max(worst, r.work)
	}
	return worst
}

// Selectors that are answered from the index hold whom they hold one by one.
func TestLabelIndexAgreesWithSelectors(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(seed)
		ids, err := newIdentities(w.identities())
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			p := w.Peers(policy.IPv4)
			var want []int32
			for i := range ids.list {
				if ids.list[i].In(&p) && !p.Any {
					want = append(want, int32(i))
				}
			}
			if got := ids.labels.members(&p); !p.Any && !slices.Equal(got, want) {
				t.Fatalf("seed %d: %+v holds %v, want %v", seed, p, got, want)
			}
		}
	}
}
