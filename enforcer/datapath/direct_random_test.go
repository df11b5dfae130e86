package datapath

import (
	"fmt"
	"net/netip"
	"testing"
	"unsafe"

	"aclium/enforcer/bpf"
	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

// Random lists of few shapes, most of which are looked up without any index:
// verdicts and counters are those of Eval, whatever lines say beside hosts and
// ports, and where they go on at.
func TestRandomDirectListsAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	direct, permitted := 0, 0
	const seeds = 60
	for seed := range uint64(seeds) {
		w := newHostWorld(seed)
		list := w.lines(fmt.Sprint("S", seed))
		if list.Validate() != nil {
			continue
		}
		table, err := classifier.Compile(list, nil, classifier.Numbers{Counter: func(int) uint32 { return 1 }})
		k.must(err)
		if headerOf(table.Bytes).Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) != 0 {
			direct++
		}
		permitted += w.judge(k, list)
	}
	if direct < seeds/2 || permitted < 50*seeds {
		t.Errorf("%d of %d lists are direct, %d packets permitted: this says little", direct, seeds, permitted)
	}
}

func headerOf(table []byte) *bpf.AcliumTableHeader {
	return (*bpf.AcliumTableHeader)(unsafe.Pointer(&table[0]))
}

// hostWorld draws lists of hosts, small prefixes and single ports.
type hostWorld struct {
	*world
	hosts map[policy.Family][]netip.Addr
	forms []form
}

// form is what the lines of a list have in common, so that they have few
// shapes.
type form struct {
	bits [2]int // of the ends, from the end of the address: 0 is a host
	any  [2]bool
	port bool
}

func newHostWorld(seed uint64) *hostWorld {
	w := &hostWorld{world: newWorld(seed), hosts: map[policy.Family][]netip.Addr{}}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		w.hosts[f] = append(w.hosts[f], ends(f)...)
		for range 30 {
			w.hosts[f] = append(w.hosts[f], w.host(f))
		}
	}
	for _, a := range w.hosts[policy.IPv4] { // its twins
		b := a.As4()
		w.hosts[policy.IPv6] = append(w.hosts[policy.IPv6], netip.AddrFrom16([16]byte{12: b[0], b[1], b[2], b[3]}))
	}
	for range 1 + w.IntN(2) {
		f := form{bits: [2]int{pick(w.world, []int{0, 0, 4, 8}), pick(w.world, []int{0, 0, 4, 8})}, port: w.one(2)}
		f.any[w.IntN(2)] = w.one(3)
		w.forms = append(w.forms, f)
	}
	return w
}

func ends(f policy.Family) []netip.Addr {
	if f == policy.IPv6 {
		return []netip.Addr{netip.MustParseAddr("::"), netip.MustParseAddr("::1:0:0:0:0"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), netip.MustParseAddr("ffff:ffff:ffff:ffff::")}
	}
	return []netip.Addr{netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("127.255.255.255"), netip.MustParseAddr("128.0.0.0")}
}

func (w *hostWorld) host(f policy.Family) netip.Addr {
	if f == policy.IPv6 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(w.IntN(2)), 8: byte(w.IntN(2)), 14: byte(w.IntN(2)), 15: byte(w.IntN(64))})
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(w.IntN(3)), byte(w.IntN(64))})
}

func (w *hostWorld) peers(f policy.Family, any bool, bits int) policy.Peers {
	if any {
		return policy.Everybody()
	}
	var p policy.Peers
	for range 1 + w.IntN(8)/6 {
		a := pick(w.world, w.hosts[f])
		switch w.IntN(12) {
		case 0: // a run, as long as the prefix
			b := a
			for range w.IntN(20) {
				if n := b.Next(); n.IsValid() && !n.Is4In6() {
					b = n
				}
			}
			p.Addresses = append(p.Addresses, policy.AddrRange{First: a, Last: b})
		case 1:
			wild := make([]byte, a.BitLen()/8)
			value := a.AsSlice()
			wild[len(wild)-1] = byte(w.IntN(256))
			wild[len(wild)-2] = byte(w.IntN(4))
			for i := range wild {
				value[i] &^= wild[i]
			}
			m := policy.Masked{}
			m.Addr, _ = netip.AddrFromSlice(value)
			m.Wildcard, _ = netip.AddrFromSlice(wild)
			p.Masked = append(p.Masked, m)
		default:
			p.Addresses = append(p.Addresses, policy.PrefixRange(netip.PrefixFrom(a, a.BitLen()-bits)))
		}
	}
	return p
}

func (w *hostWorld) serviceOf(f form) policy.Service {
	s := policy.AnyService()
	if f.port {
		s.Protocols = policy.Bytes(pick(w.world, []uint8{policy.TCP, policy.UDP}))
		p := pick(w.world, []uint16{0, 22, 80, 65535})
		s.DestinationPorts = policy.NewRanges(policy.Range{First: p, Last: p})
		if w.one(8) {
			s.DestinationPorts = policy.NewRanges(policy.Range{First: 20, Last: 81})
		}
		return s
	}
	switch w.IntN(5) {
	case 0:
		return w.service()
	case 1:
		s.Protocols = policy.Bytes(policy.ICMP, policy.ICMPv6)
	}
	return s
}

func (w *hostWorld) lines(acl string) *policy.Policy {
	f := pick(w.world, []policy.Family{policy.IPv4, policy.IPv4, policy.IPv4, policy.IPv4, policy.IPv6, policy.Dual})
	p := w.list(acl, policy.Ingress, f, 65+w.IntN(235))
	jumps := w.one(2)
	for i := range p.Rules {
		r, x, family := &p.Rules[i], pick(w.world, w.forms), w.family(f)
		if r.Action == policy.Next && !jumps {
			r.Action, r.Goto = policy.Permit, 0
		}
		r.Match.Fragments = w.one(30)
		r.Match.Source, r.Match.Destination = w.peers(family, x.any[0], x.bits[0]), w.peers(family, x.any[1], x.bits[1])
		r.Match.Services = []policy.Service{w.serviceOf(x)}
		if w.one(8) {
			set := policy.BytesWhere(func(v uint8) bool { return v < 128 })
			r.Match.TrafficClass = &set
		}
	}
	return p
}

func (w *hostWorld) packetFor(list *policy.Policy) policy.Packet {
	f := w.family(list.Family)
	p := w.packet(f)
	p.TrafficClass = uint8(w.IntN(256))
	p.Source.Addr, p.Destination.Addr = w.near(pick(w.world, w.hosts[f])), w.near(pick(w.world, w.hosts[f]))
	r := &list.Rules[w.IntN(len(list.Rules))].Match
	for i, peers := range []*policy.Peers{&r.Source, &r.Destination} {
		if w.one(3) || len(peers.Addresses) == 0 || peers.Addresses[0].First.Is4() != (f == policy.IPv4) {
			continue
		}
		a := pick(w.world, []netip.Addr{peers.Addresses[0].First, peers.Addresses[0].Last})
		*[]*netip.Addr{&p.Source.Addr, &p.Destination.Addr}[i] = a
	}
	p.Source.Labels, p.Source.Entity, p.Destination.Labels, p.Destination.Entity = nil, 0, nil, 0
	return p
}

func (w *hostWorld) judge(k *kernel, list *policy.Policy) (permitted int) {
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	k.bind(nil, 0, []*policy.Policy{list}, nil)
	want := expected{}
	for range 600 {
		p := w.packetFor(list)
		o := frameOptions{}
		action, line := list.Eval(&p)
		if line == policy.Implicit || !list.Rules[line].Uncounted {
			want.add(list.ACL, line, l3Length(&p, o))
		}
		verdict := drop
		if action == policy.Permit {
			verdict = permit
			permitted++
		}
		if got := k.run(k.TcIngress, frame(&p, o), skBuff{}); got != verdict {
			k.Fatalf("%s: got %d, want %d by line %d: %+v", list.ACL, got, verdict, line, p)
		}
	}
	want.compare(k)
	return permitted
}
