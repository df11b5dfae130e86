package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

func denyAll() []*policy.Policy {
	return []*policy.Policy{listOf(simple(policy.Deny, policy.Everybody(), policy.Everybody()))}
}

func permitAll() []*policy.Policy {
	return []*policy.Policy{listOf(simple(policy.Permit, policy.Everybody(), policy.Everybody()))}
}

func tcpPacket(src, dst string) policy.Packet {
	return policy.Packet{
		Source: policy.Endpoint{Addr: netip.MustParseAddr(src)}, Destination: policy.Endpoint{Addr: netip.MustParseAddr(dst)},
		Protocol: policy.TCP, SourcePort: 40000, DestinationPort: 80, Flags: policy.SYN,
	}
}

// someFrames are whole frames of every kind that the parser takes apart.
func someFrames() map[string][]byte {
	four, six := tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("2001:db8::1", "2001:db8::2")
	first4, first6 := four, six
	first4.Fragment, first6.Fragment = policy.First, policy.First
	echo := policy.Packet{Source: four.Source, Destination: four.Destination, Protocol: policy.ICMP, ICMPType: 3, Inner: &four}
	chain := slices.Repeat([]uint8{60}, 8)
	return map[string][]byte{
		"tcp":        frame(&four, frameOptions{}),
		"tcp6":       frame(&six, frameOptions{}),
		"options":    frame(&four, frameOptions{ipOptions: 40}),
		"vlan":       frame(&four, frameOptions{tags: []uint16{0x8100}}),
		"two tags":   frame(&six, frameOptions{tags: []uint16{0x88a8, 0x8100}}),
		"extensions": frame(&six, frameOptions{extensions: []uint8{0, 43, 60, 51}}),
		"long chain": frame(&six, frameOptions{extensions: chain}),
		"first":      frame(&first4, frameOptions{}),
		"first6":     frame(&first6, frameOptions{}),
		"error":      frame(&echo, frameOptions{}),
	}
}

// Nothing that is cut off passes, neither a list that denies everything nor
// one that permits everything. The kernel refuses to run some lengths itself
// (it wants a whole IP header behind an IP EtherType); the tagged frames have
// them all.
func TestTruncatedFramesAreDropped(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for _, flags := range []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_POD | bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED} {
		for name, data := range someFrames() {
			k.bind(nil, flags, permitAll(), permitAll())
			if got := k.run(k.TcIngress, data, skBuff{}); got != permit {
				t.Errorf("%s: the whole frame got %d, want permit", name, got)
			}
			k.truncate(name, data[:len(data)-1])
			k.bind(nil, flags, denyAll(), denyAll())
			k.truncate(name+", deny all", data)
		}
	}
}

// truncate wants every shorter form of the frame to be dropped.
func (k *kernel) truncate(name string, data []byte) {
	k.Helper()
	tagged, ran := data[12] != 0x08 && data[12] != 0x86 || data[13] == 0xa8, 0
	for n := 15; n <= len(data); n++ {
		ret, err := k.TcIngress.Run(&ebpf.RunOptions{Data: data[:n], Context: skBuff{Ifindex: loopback}})
		if errors.Is(err, unix.EINVAL) && !tagged && n < 14+40 {
			continue
		}
		k.must(err)
		ran++
		if got := int(int32(ret)); got != drop {
			k.Errorf("%s, %d bytes: got %d, want drop", name, n, got)
		}
	}
	if ran == 0 {
		k.Errorf("%s: no length was run", name)
	}
}

// Frames that lie about themselves are malformed, whatever the lists say.
func TestMalformedFramesAreDropped(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	four, six := tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("2001:db8::1", "2001:db8::2")
	mapped := tcpPacket("2001:db8::1", "2001:db8::2")
	change := func(p *policy.Packet, o frameOptions, f func([]byte)) []byte {
		b := frame(p, o)
		f(b)
		return b
	}
	later := four
	later.Fragment, later.FragmentID = policy.Later, 1
	cases := map[string][]byte{
		"three tags":               frame(&four, frameOptions{tags: []uint16{0x8100, 0x8100, 0x8100}}),
		"chain without end":        frame(&six, frameOptions{extensions: slices.Repeat([]uint8{60}, 9)}),
		"late hop-by-hop options":  frame(&six, frameOptions{extensions: []uint8{60, 0}}),
		"fragment of a fragment":   frame(&six, frameOptions{extensions: []uint8{44, 44}}),
		"version 5":                change(&four, frameOptions{}, func(b []byte) { b[14] = 0x55 }),
		"version 4 as IPv6":        change(&six, frameOptions{}, func(b []byte) { b[14] = 0x40 }),
		"header of 16 bytes":       change(&four, frameOptions{}, func(b []byte) { b[14] = 0x44 }),
		"header beyond the packet": change(&four, frameOptions{}, func(b []byte) { b[14] = 0x4f }),
		"length 0":                 change(&four, frameOptions{}, func(b []byte) { b[16], b[17] = 0, 0 }),
		"length too large":         change(&four, frameOptions{}, func(b []byte) { b[16] = 1 }),
		"length within TCP":        change(&four, frameOptions{}, func(b []byte) { b[17] = 39 }),
		"payload within TCP":       change(&six, frameOptions{}, func(b []byte) { b[19] = 19 }),
		"TCP header of 16 bytes":   change(&four, frameOptions{}, func(b []byte) { b[46] = 4 << 4 }),
		"TCP options cut off":      change(&four, frameOptions{}, func(b []byte) { b[46] = 6 << 4 }),
		"fragment over TCP flags":  change(&later, frameOptions{}, func(b []byte) { b[20], b[21] = 0, 1 }),
		"fragment over TCP window": change(&later, frameOptions{}, func(b []byte) { b[20], b[21] = 0, 2 }),
		"mapped IPv4":              change(&mapped, frameOptions{}, func(b []byte) { copy(b[22:], make([]byte, 10)); b[32], b[33] = 0xff, 0xff }),
	}
	for name, data := range cases {
		for _, flags := range []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_POD | bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED} {
			k.bind(nil, flags, permitAll(), permitAll())
			before := k.dropped(bpf.AcliumDropReasonDROP_MALFORMED)
			if got := k.run(k.TcIngress, data, skBuff{}); got != drop {
				t.Errorf("%s, flags %d: got %d, want drop", name, flags, got)
			}
			if n := k.dropped(bpf.AcliumDropReasonDROP_MALFORMED) - before; n != 1 {
				t.Errorf("%s, flags %d: counted %d as malformed, want 1", name, flags, n)
			}
		}
	}
}

func TestNonIP(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	ether := func(kind uint16) []byte { return append(make([]byte, 12), byte(kind>>8), byte(kind), 1, 2, 3, 4) }
	pod := bpf.AcliumHookFlagsHOOK_POD
	for name, c := range map[string]struct {
		want  int
		flags bpf.AcliumHookFlags
		frame []byte
	}{
		"ARP at a pod":       {permit, pod, ether(0x0806)},
		"ARP at a node":      {permit, 0, ether(0x0806)},
		"LLDP at a pod":      {drop, pod, ether(0x88cc)},
		"LLDP at a node":     {permit, 0, ether(0x88cc)},
		"802.3 at a pod":     {drop, pod, ether(0x0020)},
		"MPLS at a pod":      {drop, pod, ether(0x8847)},
		"ARP in a VLAN, pod": {permit, pod, append(append(make([]byte, 12), 0x81, 0, 0, 1, 8, 6), make([]byte, 28)...)},
	} {
		k.bind(nil, c.flags, denyAll(), denyAll())
		if got := k.run(k.TcIngress, c.frame, skBuff{}); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
	if n := k.dropped(bpf.AcliumDropReasonDROP_NON_IP); n != 3 {
		t.Errorf("counted %d drops of non-IP, want 3", n)
	}
}

// An ICMP error complains about what lies within its packet, not about what
// the link layer has put behind it.
func TestQuotationInThePadding(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED,
		[]*policy.Policy{listOf(simple(policy.Permit, policy.Everybody(), policy.Everybody(), policy.ServiceOf(policy.Bytes(47))))}, denyAll())
	for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"2001:db8::1", "2001:db8::2"}} {
		gre := tcpPacket(ends[0], ends[1])
		gre.Protocol = 47
		about := tcpPacket(ends[1], ends[0])
		about.Protocol, about.ICMPType, about.Inner = policy.ICMP, 3, &gre
		if gre.Family() == policy.IPv6 {
			about.Protocol, about.ICMPType = policy.ICMPv6, 1
		}
		k.run(k.TcEgress, frame(&gre, frameOptions{}), skBuff{IngressIfindex: 7})
		whole := frame(&about, frameOptions{})
		padded := frame(&about, frameOptions{})
		if gre.Family() == policy.IPv4 {
			padded[17] = 20 + 8 + 19
		} else {
			padded[19] = 8 + 39
		}
		for want, data := range map[int][]byte{permit: whole, drop: padded} {
			if got := k.run(k.TcIngress, data, skBuff{}); got != want {
				t.Errorf("%v: got %d, want %d", ends, got, want)
			}
		}
	}
}

// A device without a hook is not filtered; one whose table is gone drops.
func TestMissingHookAndTable(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	data := frame(&p, frameOptions{})
	if got := k.run(k.TcIngress, data, skBuff{}); got != permit {
		t.Errorf("without a hook: got %d, want permit", got)
	}
	for _, flags := range []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_POD | bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED} {
		k.bind(nil, flags, permitAll(), permitAll())
		k.loseTables()
		if got := k.run(k.TcIngress, data, skBuff{}); got != drop {
			t.Errorf("without its table, flags %d: got %d, want drop", flags, got)
		}
	}
	if n := k.dropped(bpf.AcliumDropReasonDROP_FAULT); n != 2 {
		t.Errorf("counted %d faults, want 2", n)
	}
}

// Only neighbour discovery that a receiver would accept passes unasked: IPv6,
// hop limit 255 (RFC 4861, 7.1).
func TestNeighbourDiscoveryIsNoLoophole(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	six, four := tcpPacket("fe80::1", "ff02::1"), tcpPacket("10.0.0.1", "10.0.0.2")
	for _, p := range []*policy.Packet{&six, &four} {
		p.Protocol, p.ICMPType, p.Flags = policy.ICMPv6, 135, 0
	}
	k.bind(nil, bpf.AcliumHookFlagsHOOK_POD, denyAll(), denyAll())
	routed := frame(&six, frameOptions{})
	routed[14+7] = 254
	for name, c := range map[string]struct {
		want  int
		frame []byte
	}{"neighbour": {permit, frame(&six, frameOptions{})}, "routed": {drop, routed}, "in IPv4": {drop, frame(&four, frameOptions{})}} {
		if got := k.run(k.TcEgress, c.frame, skBuff{}); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// A segmented packet counts as its segments with their headers.
func TestSegmentsAreCounted(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	k.bind(nil, 0, permitAll(), nil)
	k.run(k.TcIngress, frame(&p, frameOptions{payload: 900}), skBuff{GSOSegs: 3, GSOSize: 300})
	packets, bytes := k.count(k.CounterMap, k.counter("T", 0))
	if packets != 3 || bytes != 3*340 {
		t.Errorf("counted %d packets of %d bytes, want 3 of %d", packets, bytes, 3*340)
	}
}

// Connections end after policy's idle times; here these are short, and the
// packets carry the time.
func TestIdleTimes(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	constants := map[string]any{"clock_in_packet": true}
	for name, ms := range map[string]uint64{"tcp_open": 200, "tcp_idle": 900, "tcp_fin": 50, "udp_idle": 200, "icmp_len": 100, "seen_step": 1} {
		constants[name] = ms * uint64(time.Millisecond)
	}
	k.reload(constants)
	web := policy.ServiceOf(policy.Bytes(policy.TCP, policy.UDP, policy.ICMP))
	web.SourcePorts = policy.NewRanges(policy.Range{First: 40000, Last: 40000})
	k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED,
		[]*policy.Policy{listOf(simple(policy.Permit, policy.Everybody(), policy.Everybody(), web, policy.ServiceOf(policy.Bytes(policy.ICMP))))}, denyAll())
	packet := func(protocol, flags, icmp uint8) policy.Packet {
		p := tcpPacket("10.0.0.1", "10.0.0.2")
		p.Protocol, p.Flags, p.ICMPType = protocol, flags, icmp
		if protocol == policy.ICMP {
			p.ICMPID = 9
		}
		return p
	}
	back := func(p policy.Packet, flags, icmp uint8) policy.Packet {
		p.Source, p.Destination = p.Destination, p.Source
		p.SourcePort, p.DestinationPort, p.Flags, p.ICMPType = p.DestinationPort, p.SourcePort, flags, icmp
		return p
	}
	now := uint64(time.Hour)
	syn, udp, echo := packet(policy.TCP, policy.SYN, 0), packet(policy.UDP, 0, 0), packet(policy.ICMP, 0, 8)
	send := func(d policy.Direction, p policy.Packet) int {
		return k.run(k.programOf(d), frame(&p, frameOptions{}), skBuff{IngressIfindex: 7, Tstamp: now})
	}
	for _, c := range []struct {
		name        string
		open, reply policy.Packet
		established bool
		last        policy.Packet
		wait        time.Duration // ms
		want        int
	}{
		{"half open, early", syn, back(syn, policy.ACK, 0), false, syn, 199, permit},
		{"half open, late", syn, back(syn, policy.ACK, 0), false, syn, 202, drop},
		{"established, early", syn, back(syn, policy.ACK, 0), true, syn, 899, permit},
		{"established, late", syn, back(syn, policy.ACK, 0), true, syn, 902, drop},
		{"closing, early", syn, back(syn, policy.ACK, 0), true, packet(policy.TCP, policy.FIN|policy.ACK, 0), 49, permit},
		{"closing, late", syn, back(syn, policy.ACK, 0), true, packet(policy.TCP, policy.FIN|policy.ACK, 0), 52, drop},
		{"udp, early", udp, back(udp, 0, 0), false, udp, 199, permit},
		{"udp, late", udp, back(udp, 0, 0), false, udp, 202, drop},
		{"icmp, early", echo, back(echo, 0, 0), false, echo, 99, permit},
		{"icmp, late", echo, back(echo, 0, 0), false, echo, 102, drop},
	} {
		empty(t, k.ConnMap, new(bpf.AcliumConnKey), nil)
		if got := send(policy.Ingress, c.open); got != permit {
			t.Errorf("%s: the first packet got %d", c.name, got)
		}
		if c.established {
			send(policy.Egress, c.reply)
			if c.last.Flags != policy.SYN {
				send(policy.Ingress, c.last)
			}
		}
		now += uint64(c.wait * time.Millisecond)
		if got := send(policy.Egress, c.reply); got != c.want {
			t.Errorf("%s: the reply got %d, want %d", c.name, got, c.want)
		}
	}
}

// An ICMP query is judged again by the code that it had.
func TestQueryKeepsItsCode(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	echo := tcpPacket("10.0.0.1", "10.0.0.2")
	echo.Protocol, echo.Flags, echo.ICMPType, echo.ICMPCode, echo.ICMPID = policy.ICMP, 0, 8, 1, 9
	back := echo
	back.Source, back.Destination, back.ICMPType = echo.Destination, echo.Source, 0
	for code, want := range map[uint16]int{0: drop, 1: permit} {
		k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, permitAll(), denyAll())
		k.run(k.TcEgress, frame(&echo, frameOptions{}), skBuff{IngressIfindex: 7})
		s := policy.ServiceOf(policy.Bytes(policy.ICMP))
		s.ICMP = policy.NewRanges(policy.Range{First: 8<<8 | code, Last: 8<<8 | code})
		k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED,
			[]*policy.Policy{listOf(simple(policy.Permit, policy.Everybody(), policy.Everybody(), s))}, denyAll())
		if got := k.run(k.TcIngress, frame(&back, frameOptions{}), skBuff{}); got != want {
			t.Errorf("only code %d is permitted: the reply to code 1 got %d, want %d", code, got, want)
		}
	}
}

func TestBigList(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	p, w := enterprise(10000)
	k.bind(w.identities(), 0, []*policy.Policy{p}, nil)
	want, lines := expected{}, map[int]bool{}
	for range 20000 {
		packet := w.hit(p)
		action, line := p.Eval(&packet)
		lines[line] = true
		want.add("T", line, l3Length(&packet, frameOptions{}))
		verdict := drop
		if action == policy.Permit {
			verdict = permit
		}
		if got := k.run(k.TcIngress, frame(&packet, frameOptions{}), skBuff{}); got != verdict {
			t.Fatalf("got %d, want %d: %+v", got, verdict, packet)
		}
	}
	want.compare(k)
	if len(lines) < 1000 {
		t.Errorf("only %d lines were met, so the test sees too little", len(lines))
	}
}

// The largest list, with the deciding line at its end and chains of Next and
// masked lines before it, so that the walk is as long as it can be.
func TestLongestWalk(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	everybody := policy.Everybody()
	masked := policy.Peers{Masked: []policy.Masked{{Addr: netip.MustParseAddr("10.0.0.0"), Wildcard: netip.MustParseAddr("0.255.0.255")}}}
	p := listOf()
	for i := range 262143 {
		r := simple(policy.Deny, masked, everybody)
		if i%2 == 1 {
			r = simple(policy.Next, everybody, everybody)
			r.Goto = i + 1
		}
		p.Rules = append(p.Rules, r)
	}
	p.Rules = append(p.Rules, simple(policy.Permit, everybody, everybody))
	k.bind(nil, 0, []*policy.Policy{p}, nil)
	miss, hit := tcpPacket("10.0.1.0", "10.0.0.2"), tcpPacket("10.1.0.9", "10.0.0.2")
	for name, c := range map[string]struct {
		want   int
		packet policy.Packet
	}{"the last line": {permit, miss}, "the first line": {drop, hit}} {
		if got := k.run(k.TcIngress, frame(&c.packet, frameOptions{}), skBuff{}); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
	if n, _ := k.count(k.CounterMap, k.counter("T", 0)); n != 1 {
		t.Errorf("line 0 counted %d, want 1", n)
	}
	if n := len(k.lines); n < 100000 {
		t.Errorf("%d lines have counters", n)
	}
}

func BenchmarkClassify(b *testing.B) {
	base := 0.0
	measure := func(b *testing.B, k *kernel, packets []policy.Packet) float64 {
		var total time.Duration
		for _, p := range packets {
			d, _, err := benchmark(k, frame(&p, frameOptions{}))
			k.must(err)
			total += d
		}
		return float64(total.Nanoseconds()) / float64(len(packets))
	}
	for _, n := range []int{0, 10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newKernel(b)
			p, w := enterprise(max(n, 1))
			var packets []policy.Packet
			for range 64 {
				packets = append(packets, w.hit(p))
			}
			if n > 0 {
				k.bind(w.identities(), 0, []*policy.Policy{p}, nil)
			}
			b.ResetTimer()
			ns := 0.0
			for b.Loop() {
				ns = measure(b, k, packets)
			}
			if n == 0 {
				base = ns
			}
			b.ReportMetric(ns-base, "ns/packet-net")
		})
	}
}

func benchmark(k *kernel, data []byte) (time.Duration, uint32, error) {
	const repeat = 2000
	ret, d, err := k.TcIngress.Benchmark(data, repeat, func() {})
	return d, ret, err
}
