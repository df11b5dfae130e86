package datapath

import (
	"net/netip"
	"slices"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// fuzzPatterns are what lines ask for by "fqdn"; a set of them is the identity
// firstNamed and the set's bits. fuzzNames fit some of them, or none.
var (
	fuzzPatterns = []string{"a.example", "*.example", "b.test"}
	fuzzNames    = []string{"a.example", "c.example", "b.test", "d.other", "a.b.test"}
)

const firstNamed = 5000

// naming is what the DNS has told of addresses.
type naming struct {
	addrs []netip.Addr // that may have names
	names map[netip.Addr]fuzzName
}

// A fuzzName is a name of an address, and when it runs out.
type fuzzName struct {
	name    string
	expires time.Duration
}

// newNaming adds addresses of the world that may have names. Those of pods may
// as well, in vain.
func newNaming(s *scenario) *naming {
	n := &naming{names: map[netip.Addr]fuzzName{}, addrs: slices.Concat(s.port.pods[policy.IPv4], s.port.pods[policy.IPv6])}
	for i := range 4 {
		a4, a6 := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0xff, 15: byte(i)})
		s.port.Addrs4, s.port.Addrs6 = append(s.port.Addrs4, a4), append(s.port.Addrs6, a6)
		n.addrs = append(n.addrs, a4, a6)
	}
	for set := 1; set < 1<<len(fuzzPatterns); set++ {
		id := Identity{ID: uint32(firstNamed + set)}
		for i, p := range fuzzPatterns {
			if set>>i&1 == 1 {
				id.FQDNs = append(id.FQDNs, p)
			}
		}
		s.port.ids = append(s.port.ids, id)
	}
	return n
}

// end is who an address is, with the name that it has at the time.
func (s *scenario) end(a netip.Addr) policy.Endpoint {
	e := s.port.end(a)
	if s.naming == nil {
		return e
	}
	if n, known := s.naming.names[a]; known && s.clock.now < n.expires {
		e.Names = []string{n.name}
	}
	return e
}

// learn gives addresses other names, some of which run out soon.
func (s *scenario) learn() {
	s.Helper()
	empty(s, s.NameMap, new(bpf.AcliumIpAddr), nil)
	clear(s.naming.names)
	for _, a := range s.naming.addrs {
		if s.port.one(4) {
			continue
		}
		n := fuzzName{pick(s.port.world, fuzzNames), s.clock.now + 1000*time.Hour}
		if s.port.one(3) {
			n.expires = s.clock.now + time.Duration(s.port.Int64N(int64(10*time.Minute)))
		}
		s.naming.names[a] = n
		s.writeName(a, n)
	}
}

// lapse has some names run out at once. Connections of before go on by them.
func (s *scenario) lapse() {
	s.Helper()
	for _, a := range s.naming.addrs {
		if n, known := s.naming.names[a]; known && s.port.one(2) {
			n.expires = min(n.expires, s.clock.now)
			s.naming.names[a] = n
			s.writeName(a, n)
		}
	}
}

// lapsed gives the number of names that have run out.
func (n *naming) lapsed(now time.Duration) (count int) {
	if n == nil {
		return 0
	}
	for _, one := range n.names {
		if now >= one.expires {
			count++
		}
	}
	return count
}

func (s *scenario) writeName(a netip.Addr, n fuzzName) {
	s.Helper()
	set := uint32(0)
	for i, p := range fuzzPatterns {
		if policy.MatchName(p, n.name) {
			set |= 1 << i
		}
	}
	if set == 0 {
		return
	}
	id := firstNamed + set
	s.must(s.NameMap.Put(keyOf(a), bpf.AcliumNameValue{
		Expires: uint64(fuzzEpoch.Add(n.expires).UnixNano()), Identity: [2]uint32{id, id}, Lingering: [2]uint32{id, id}}))
}

// rename has names run out or be learned between two lists. What a connection
// is judged by then are the names since it began: those that began without one
// that is known by then are forgotten before.
func (s *scenario) rename(change int) {
	s.Helper()
	if s.naming == nil {
		return
	}
	if change%2 == 0 {
		s.forget()
		s.learn()
		return
	}
	if s.naming.lapsed(s.clock.now) > 0 {
		s.forget()
		return
	}
	s.lapse()
}

// askNames has a permit ask for names.
func askNames(w *world, r *policy.Rule) {
	if r.Action != policy.Permit {
		return
	}
	peers := &r.Match.Source
	if w.one(2) {
		peers = &r.Match.Destination
	}
	if w.one(2) {
		*peers = policy.Peers{}
	}
	if !peers.Any {
		peers.FQDNs = append(peers.FQDNs, pick(w, fuzzPatterns))
	}
}
