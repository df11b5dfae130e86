package datapath

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

// A keeper pushes states that have much in common, some of which fail, and now
// and then begins anew. Of what is kept from push to push nothing may be stale.
type keeper struct {
	*bench
	*rand.Rand
	d     *Datapath
	state State // what has to be in force
	pool  [][]policy.Rule
	lines int
	next  uint32 // identity
	done  int    // pushes that came into force
	above int    // tables that live one class above their own
}

// TestNothingKeptIsStale compares each table that packets meet with one that is
// compiled from nothing but the state in force and what the kernel's maps say
// that its numbers mean.
func TestNothingKeptIsStale(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			k := &keeper{bench: newBench(t), Rand: rand.New(rand.NewPCG(seed, 9)), next: 400}
			k.d = k.open(Options{})
			defer func() { k.d.Close() }()
			k.state = k.bench.state()
			k.apply(k.d, k.state)
			const pushes = 40
			for range pushes {
				k.push()
				k.check()
			}
			if k.above == 0 {
				t.Error("no table lived above its class, so the test sees too little")
			}
			if k.done < pushes/2 || k.done == pushes {
				t.Errorf("%d of %d pushes came into force, so the test sees too little", k.done, pushes)
			}
		})
	}
}

func (k *keeper) one(in int) bool { return k.IntN(in) == 0 }

// push applies the next state, or fails to.
func (k *keeper) push() {
	k.t.Helper()
	next := k.another()
	var ready func() error
	mend := func() {}
	switch k.IntN(12) {
	case 0:
		ready = func() error { return errors.New("the disk is full") }
	case 1:
		mend = k.cannotWrite(k.d, []string{"address_map", "ipcache_map", "settings_map", "reflexive_map", "window_map"}[k.IntN(5)])
	case 2:
		real := k.d.hooks.driver
		k.d.hooks.driver = stuck{real}
		mend = func() { k.d.hooks.driver = real }
	case 3:
		if err := k.d.Close(); err != nil {
			k.t.Fatal(err)
		}
		k.d = k.open(Options{})
	case 4:
		next.Ports = append(slices.Clone(next.Ports), Port{Interface: "gone"})
	}
	err := k.d.ApplyWhen(next, ready)
	mend()
	if err == nil || errors.As(err, new(*Unfinished)) {
		k.state = next
		k.done++
	}
}

// another gives a state that shares most slices with the one in force.
func (k *keeper) another() State {
	next := k.state
	next.Ports = slices.Clone(next.Ports)
	for range 1 + k.IntN(2) {
		switch k.IntN(12) {
		case 8, 9, 10, 11:
			k.resize(&next)
		case 0, 1, 2:
			k.relist(&next)
		case 3, 4:
			k.relabel(&next)
		case 5:
			k.reorder(&next)
		case 6:
			next.Addresses = map[netip.Prefix]Address{}
			for p, a := range k.state.Addresses {
				next.Addresses[p] = a
			}
			next.Addresses[netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(k.IntN(3)), byte(k.IntN(3))}), 24+8*k.IntN(2)).Masked()] = Address{Identity: next.Identities[k.IntN(len(next.Identities))].ID}
		case 7:
			next.Services = []Service{{Addr: netip.MustParseAddr("10.200.0.1"), Protocol: policy.UDP, Port: uint16(50 + k.IntN(3)), Backends: []netip.AddrPort{netip.MustParseAddrPort(addrB + ":53")}}}
		}
	}
	return next
}

// relist puts lists on the devices; rules are those of another list as often
// as not, of another direction, family or subject.
func (k *keeper) relist(s *State) {
	list := func(device string, pod bool, d policy.Direction) (out []policy.Policy) {
		for range k.IntN(3) {
			p := policy.Policy{
				ACL: []string{"A", "B", "C"}[k.IntN(3)], Direction: d, Family: []policy.Family{policy.IPv4, policy.IPv6, policy.Dual}[k.IntN(3)], Stateful: pod,
				Subject: policy.Subject{Name: device, Interface: device}, Rules: k.rules(pod), Open: k.one(4),
			}
			if pod {
				p.Subject = policy.Subject{Name: "pods", Selectors: []policy.Selector{{}}}
			}
			if !slices.ContainsFunc(out, func(q policy.Policy) bool { return q.ACL == p.ACL }) {
				out = append(out, p)
			}
		}
		return out
	}
	ports := []Port{
		{Interface: k.a.Device, Ingress: list(k.a.Device, false, policy.Ingress), Egress: list(k.a.Device, false, policy.Egress)},
		{Interface: k.b.Device, Pod: true, Ingress: list("", true, policy.Ingress), Egress: list("", true, policy.Egress)},
	}
	for i := range ports { // one of the two mostly stays
		if at := slices.IndexFunc(s.Ports, func(p Port) bool { return p.Interface == ports[i].Interface }); at >= 0 && k.one(2) {
			ports[i] = s.Ports[at]
		}
	}
	s.Ports = slices.DeleteFunc(ports, func(p Port) bool { return len(p.Ingress)+len(p.Egress) == 0 })
}

// resize makes lists so long that their tables are of a larger class, or short
// again.
func (k *keeper) resize(s *State) {
	if len(s.Ports) == 0 {
		return
	}
	port := &s.Ports[k.IntN(len(s.Ports))]
	port.Ingress = slices.Clone(port.Ingress)
	for i := range port.Ingress {
		l := &port.Ingress[i]
		if len(l.Rules) > 300 {
			l.Rules = l.Rules[:k.IntN(300)]
			continue
		}
		l.Rules = slices.Clone(l.Rules)
		for range 900 {
			r := k.rule(port.Pod)
			r.Action = policy.Permit // names in others are refused
			l.Rules = append(l.Rules, r)
		}
	}
}

// reorder turns the series of a direction round.
func (k *keeper) reorder(s *State) {
	for i := range s.Ports {
		s.Ports[i].Ingress = slices.Clone(s.Ports[i].Ingress)
		slices.Reverse(s.Ports[i].Ingress)
	}
}

// relabel changes who identities are.
func (k *keeper) relabel(s *State) {
	s.Identities = slices.Clone(s.Identities)
	labels := map[string]string{"app": string(rune('a' + k.IntN(3)))}
	switch at := 2 + k.IntN(len(s.Identities)-2); k.IntN(4) {
	case 0:
		s.Identities[at] = Identity{ID: s.Identities[at].ID, Labels: labels}
	case 1:
		k.next++
		s.Identities = append(s.Identities, Identity{ID: k.next, FQDNs: []string{[]string{"*.test", "www.test"}[k.IntN(2)]}})
	case 2:
		k.next++
		s.Identities = append(s.Identities, Identity{ID: k.next, Labels: labels})
	default:
		if len(s.Identities) > 4 && at > 3 {
			s.Identities = slices.Delete(s.Identities, at, at+1)
		}
	}
}

// rules gives those of an earlier list, them with one line changed, or others.
func (k *keeper) rules(pod bool) []policy.Rule {
	old := slices.DeleteFunc(slices.Clone(k.pool), func(rules []policy.Rule) bool {
		return pod && slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Reflect != nil || r.Match.Evaluate != "" })
	})
	old = slices.DeleteFunc(old, func(rules []policy.Rule) bool {
		return !pod && slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Match.LooksAtNames() })
	})
	if len(old) > 0 && !k.one(3) {
		rules := old[len(old)-1-k.IntN(min(len(old), 6))]
		if len(rules) == 0 || k.one(2) {
			return rules
		}
		rules = slices.Clone(rules)
		rules[k.IntN(len(rules))] = k.rule(pod)
		k.pool = append(k.pool, rules)
		return rules
	}
	var rules []policy.Rule
	for range k.IntN(90)*k.IntN(2) + k.IntN(6) {
		rules = append(rules, k.rule(pod))
	}
	k.pool = append(k.pool, rules)
	return rules
}

func (k *keeper) rule(pod bool) policy.Rule {
	k.lines++
	r := policy.Rule{ID: policy.RuleID{ACL: "L", Seq: uint32(k.lines)}, Text: fmt.Sprint("line ", k.lines), Action: policy.Permit, Log: k.one(5), Uncounted: k.one(9)}
	peers := func() policy.Peers {
		switch k.IntN(4) {
		case 0:
			return policy.Everybody()
		case 1:
			a := netip.AddrFrom4([4]byte{10, byte(k.IntN(3)), byte(k.IntN(4)), 0})
			return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(a, 24))}}
		case 2:
			if pod {
				return policy.Peers{FQDNs: []string{[]string{"*.test", "WWW.test."}[k.IntN(2)]}}
			}
		}
		return policy.Peers{Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{string(rune('a' + k.IntN(3)))}}}}}
	}
	r.Match = policy.Match{Source: peers(), Destination: peers(), Services: []policy.Service{policy.AnyService()}}
	if k.one(4) {
		name := []string{"work", "night"}[k.IntN(2)]
		r.Match.Time = &policy.Schedule{Name: name, Periods: []policy.Period{{Days: uint8(1 + k.IntN(3)), From: 480, Span: 600}}}
	}
	switch {
	case k.one(3):
		r.Action = policy.Deny
	case k.one(4):
		r.Police = &policy.Police{Name: []string{"gold", "silver"}[k.IntN(2)], Rate: uint64(8000 * (1 + k.IntN(3))), Burst: 1500}
	case pod:
	case k.one(4):
		r.Reflect = &policy.Reflect{List: []string{"R", "S", "T"}[k.IntN(3)], Timeout: time.Minute}
	case k.one(4):
		r.Match.Evaluate = []string{"R", "S", "T"}[k.IntN(3)]
	}
	return r
}

// check compares what packets meet with the state.
func (k *keeper) check() {
	k.t.Helper()
	generation, err := k.d.generation()
	if err != nil {
		k.t.Fatal(err)
	}
	half := byte(generation & 1)
	live, err := k.d.readHooks(half)
	if err != nil {
		k.t.Fatal(err)
	}
	devices, err := findDevices(&k.state)
	if err != nil {
		k.t.Fatal(err)
	}
	numbers, counters := k.numbers(half), k.counterIDs()
	hooks := 0
	for _, port := range k.state.Ports {
		for d, lists := range map[policy.Direction][]policy.Policy{policy.Ingress: port.Ingress, policy.Egress: port.Egress} {
			if len(lists) > 0 || port.Pod && len(port.Ingress)+len(port.Egress) > 0 {
				hooks++
			}
			hook, stands := live[hookKey{devices[port.Interface].index, attachPoint(port.Pod, d)}]
			if int(hook.Count) != len(lists) || !stands && len(lists) > 0 {
				k.t.Fatalf("%s %v: %d lists stand, want %d", port.Interface, d, hook.Count, len(lists))
			}
			for i := range lists {
				k.same(&lists[i], hook.Tables[i], numbers, counters)
			}
		}
	}
	if hooks != len(live) {
		k.t.Fatalf("%d hooks stand, want %d", len(live), hooks)
	}
	k.slots(live)
	if have, err := k.d.readAddresses(); err != nil || !have.equal(bookOf(&k.state, devices)) {
		k.t.Fatalf("addresses differ: %v", err)
	} else if k.d.written != nil && !have.equal(*k.d.written) {
		k.t.Fatal("the addresses are not what is taken for written")
	}
}

// slots compares what is known of slots with the kernel's maps: what no hook
// refers to and no push will use is lost memory.
func (k *keeper) slots(hooks map[hookKey]bpf.AcliumHook) {
	k.t.Helper()
	filled, err := k.d.tables.lister.filled()
	if err != nil {
		k.t.Fatal(err)
	}
	known := 0
	for class, slots := range filled {
		for _, slot := range slots {
			at := place{uint32(class), slot}
			if k.d.tables.live[at] == k.d.tables.spare[at] {
				k.t.Fatalf("%v holds a map that is live and a spare, or neither", at)
			}
			known++
		}
	}
	if n := len(k.d.tables.live) + len(k.d.tables.spare); n != known {
		k.t.Fatalf("%d maps are known, %d are there", n, known)
	}
	for _, h := range hooks {
		for _, at := range h.Tables[:h.Count] {
			if !k.d.tables.live[place{at.Class, at.Slot}] {
				k.t.Fatalf("class %d, slot %d is not known to be live", at.Class, at.Slot)
			}
		}
	}
}

// same compares a table with the list that it is of.
func (k *keeper) same(l *policy.Policy, at bpf.AcliumTableRef, n classifier.Numbers, counters map[lineName]uint32) {
	k.t.Helper()
	n.Counter = func(line int) uint32 {
		if r := &l.Rules[line]; !r.Uncounted {
			return counters[nameOf(l, r.ID.ACL, r.Text, 1)]
		}
		return 0
	}
	want, err := classifier.Compile(l, k.state.Identities, n)
	if err != nil {
		k.t.Fatal(err)
	}
	var inner *ebpf.Map
	if err := k.d.tables.outer[at.Class].Lookup(at.Slot, &inner); err != nil {
		k.t.Fatal(err)
	}
	defer inner.Close()
	m, err := mapMemory(inner, 0, len(want.Bytes))
	if err != nil {
		k.t.Fatal(err)
	}
	defer m.unmap()
	if above := at.Class - uint32(want.Class); above > 1 {
		k.t.Fatalf("a table of class %d lives in class %d", want.Class, at.Class)
	} else if above == 1 {
		k.above++
	}
	if !bytes.Equal(m.part, want.Bytes) {
		k.t.Fatalf("the table of %q, %v, is not that of the list in force", l.ACL, l.Direction)
	}
	if implicit := counters[nameOf(l, l.ID(policy.Implicit).ACL, "", 0)]; at.Implicit != implicit || at.Families != uint32(l.Family) {
		k.t.Fatalf("list %q: families %d, counter %d; want %d, %d", l.ACL, at.Families, at.Implicit, l.Family, implicit)
	}
}

// counterIDs gives what the kernel's map says whose a counter is.
func (k *keeper) counterIDs() map[lineName]uint32 {
	c, out := k.d.lines.counters, map[lineName]uint32{}
	for id := uint32(1); id < uint32(len(c.chunks))*chunkSize; id++ {
		if name := c.name(id); name.Taken != 0 {
			out[name.Bytes] = id
		}
	}
	return out
}

// numbers gives what the kernel's maps say that numbers mean.
func (k *keeper) numbers(half byte) (n classifier.Numbers) {
	k.t.Helper()
	var timetable bpf.AcliumTimetable
	var names bpf.AcliumReflexiveLists
	for m, v := range map[string]any{"window_map": &timetable, "reflexive_map": &names} {
		if err := k.d.maps.Maps[m].Lookup(uint32(half), v); err != nil {
			k.t.Fatal(err)
		}
	}
	buckets, err := loadPolicers(k.d.maps.Maps["policer_map"])
	if err != nil {
		k.t.Fatal(err)
	}
	n.Policer = func(p *policy.Police) (uint16, error) {
		if number, ok := buckets.numbers[bucketKey{[16]byte(sum16(p.Name)), p.Rate, p.Burst * levelPerByte}]; ok {
			return number, nil
		}
		return 0, fmt.Errorf("no bucket of %+v", p)
	}
	n.List = func(name string) (uint8, error) {
		if i := slices.Index(names.Names[:], reflexiveKey(name)); i > 0 {
			return uint8(i), nil
		}
		return 0, fmt.Errorf("no reflexive list %s", name)
	}
	n.Window = func(s *policy.Schedule) (uint8, error) { return k.windowOf(s, &timetable) }
	return n
}

func sum16(text string) []byte { h := sha256.Sum256([]byte(text)); return h[:16] }

// windowOf asks the process for a number, and the kernel whether it is open
// when the schedule is.
func (k *keeper) windowOf(s *policy.Schedule, t *bpf.AcliumTimetable) (uint8, error) {
	n, err := k.d.windows.number(s)
	if err != nil {
		return 0, err
	}
	for i := range t.Count {
		e := &t.Epochs[i]
		at := time.Unix(0, int64(e.Start)-int64(k.d.lead))
		if open := e.Windows[n/64]>>(n%64)&1 != 0; open != s.Active(at) {
			return 0, fmt.Errorf("window %d of %s: open %v at %v", n, s.Name, open, at)
		}
	}
	if t.Count == 0 {
		return 0, fmt.Errorf("no timetable for %s", s.Name)
	}
	return n, nil
}
