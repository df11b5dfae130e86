package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// port is the world as one pod's port sees it: a pod, a few peers, its node,
// and few enough flows that packets meet connections.
type port struct {
	*world
	pods, peers, hosts map[policy.Family][]netip.Addr
	ids                []Identity
	owners             map[netip.Addr]Identity
	nets               map[netip.Prefix]Identity // of addresses without an owner; the longest counts
}

func newPort(seed uint64) *port {
	p := &port{world: newWorld(seed), owners: map[netip.Addr]Identity{}}
	parse := netip.MustParseAddr
	p.pods = map[policy.Family][]netip.Addr{policy.IPv4: {parse("10.0.1.5")}, policy.IPv6: {parse("2001:db8::5")}}
	p.peers = map[policy.Family][]netip.Addr{
		policy.IPv4: {parse("10.0.1.9"), parse("192.0.2.1")}, policy.IPv6: {parse("2001:db8::9"), parse("2001:db8:1::1")},
	}
	p.hosts = map[policy.Family][]netip.Addr{policy.IPv4: {parse("10.0.1.1")}, policy.IPv6: {parse("2001:db8::1")}}
	p.Addrs4 = slices.Concat(p.pods[policy.IPv4], p.peers[policy.IPv4], p.hosts[policy.IPv4])
	p.Addrs6 = slices.Concat(p.pods[policy.IPv6], p.peers[policy.IPv6], p.hosts[policy.IPv6])
	p.ids = []Identity{
		{ID: 1, Entity: policy.Host},
		{ID: 300, Labels: map[string]string{"app": "a1", policy.NamespaceKey: "ns0"}},
		{ID: 301, Labels: map[string]string{"app": "a2", "k1": "v"}},
	}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		p.owners[p.hosts[f][0]], p.owners[p.pods[f][0]], p.owners[p.peers[f][0]] = p.ids[0], p.ids[1], p.ids[2]
	}
	return p
}

func (p *port) end(a netip.Addr) policy.Endpoint {
	id, known := p.owners[a]
	longest := -1
	for net, one := range p.nets {
		if !known && net.Contains(a) && net.Bits() > longest {
			id, longest = one, net.Bits()
		}
	}
	return policy.Endpoint{Addr: a, Labels: id.Labels, Entity: id.Entity}
}

func (p *port) own(a netip.Addr) bool {
	return slices.Contains(p.pods[policy.IPv4], a) || slices.Contains(p.pods[policy.IPv6], a)
}

// lists gives up to two lists of a direction, named after their generation.
func (p *port) lists(d policy.Direction, generation int, flags bpf.AcliumHookFlags) []*policy.Policy {
	var lists []*policy.Policy
	for i := range p.IntN(3) {
		l := p.list(fmt.Sprint(d, i, "-", generation), d, pick(p.world, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual, policy.Dual}), 1+p.IntN(6))
		for j := range l.Rules {
			if p.one(2) && l.Rules[j].Action != policy.Next {
				l.Rules[j].Action = policy.Permit
			}
			if p.one(6) {
				l.Rules[j].Match.TrafficClass = someBytes(p.world)
			}
			if p.one(6) {
				l.Rules[j].Match.HopLimit = someBytes(p.world)
			}
			if p.one(4) {
				l.Rules[j].Match.Time = p.schedule()
			}
		}
		l.Subject.AllowSpoofed = flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED != 0
		l.Subject.NoHostPermit = flags&bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT != 0
		lists = append(lists, l)
	}
	return lists
}

// tuple gives a packet between the pod and somebody else, with its direction.
func (p *port) tuple(f policy.Family) (policy.Direction, policy.Packet) {
	other := pick(p.world, p.peers[f])
	if p.one(4) {
		other = p.hosts[f][0]
	}
	packet := policy.Packet{Source: p.end(other), Destination: p.end(p.pods[f][0]), Protocol: pick(p.world, []uint8{policy.TCP, policy.TCP, policy.UDP, policy.ICMP, policy.SCTP, 47, policy.IGMP})}
	d := policy.Ingress
	if p.one(2) {
		d, packet.Source, packet.Destination = policy.Egress, packet.Destination, packet.Source
	}
	if packet.Protocol == policy.ICMP && f == policy.IPv6 {
		packet.Protocol = policy.ICMPv6
	}
	p.fill(&packet)
	return d, packet
}

// fill adds the fields behind the addresses.
func (p *port) fill(packet *policy.Packet) {
	switch {
	case policy.HasPorts(packet.Protocol):
		packet.SourcePort, packet.DestinationPort = pick(p.world, []uint16{80, 81}), pick(p.world, []uint16{80, 81})
	case packet.Protocol == policy.ICMP:
		packet.ICMPType, packet.ICMPCode = pick(p.world, []uint8{8, 8, 0, 0, 13, 14, 5}), uint8(p.IntN(2))
		packet.ICMPID = pick(p.world, []uint16{1, 8}) * b2u(packet.ICMPType != 5) // 8 is a type as well
	case packet.Protocol == policy.IGMP:
		packet.ICMPType, packet.ICMPCode = pick(p.world, []uint8{0x11, 0x16}), uint8(p.IntN(2))
	case packet.Protocol == policy.ICMPv6:
		packet.HopLimit = 255
		packet.ICMPType = pick(p.world, []uint8{128, 128, 129, 129, 135, 136, 140})
		packet.ICMPID = pick(p.world, []uint16{1, 128}) * b2u(packet.ICMPType < 130)
	}
	if packet.Protocol == policy.TCP {
		packet.Flags = pick(p.world, []uint8{policy.SYN, policy.SYN, policy.SYN | policy.ACK, policy.ACK, policy.ACK | policy.PSH, policy.FIN | policy.ACK, policy.RST})
	}
}

func b2u(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

// step gives the next packet of a sequence.
func (p *port) step() (policy.Direction, policy.Packet) {
	d, packet := p.plain()
	packet.TrafficClass = uint8(p.IntN(256))
	if packet.HopLimit == 0 {
		packet.HopLimit = uint8(1 + p.IntN(255))
	}
	return d, packet
}

// plain is step but for traffic class and hop limit.
func (p *port) plain() (policy.Direction, policy.Packet) {
	f := pick(p.world, []policy.Family{policy.IPv4, policy.IPv4, policy.IPv6})
	d, packet := p.tuple(f)
	switch p.IntN(12) {
	case 0:
		return p.icmpError(d, f)
	case 1:
		packet.Fragment, packet.FragmentID = policy.First, uint32(1+p.IntN(3))
	case 2:
		packet = policy.Packet{Source: packet.Source, Destination: packet.Destination, Protocol: packet.Protocol,
			Fragment: policy.Later, FragmentID: uint32(1 + p.IntN(3))}
	case 3:
		if d == policy.Egress {
			packet.Source = p.end(pick(p.world, p.peers[f]))
		}
	}
	packet.Local = d == policy.Ingress && p.one(2)
	return d, packet
}

// icmpError gives an error in direction d about a packet of either direction.
func (p *port) icmpError(d policy.Direction, f policy.Family) (policy.Direction, policy.Packet) {
	inner := new(policy.Packet)
	_, *inner = p.tuple(f)
	if inner.Protocol == policy.TCP {
		inner.Flags = 0
	}
	packet := policy.Packet{Protocol: policy.ICMP, HopLimit: 255, ICMPType: pick(p.world, []uint8{3, 4, 11, 12, 5}), ICMPCode: uint8(p.IntN(2)), Inner: inner}
	if f == policy.IPv6 {
		packet.Protocol, packet.ICMPType = policy.ICMPv6, pick(p.world, []uint8{1, 2, 3, 4, 100})
	}
	if p.one(8) {
		inner.Fragment, inner.FragmentID = policy.Later, 1
	}
	packet.Source, packet.Destination = p.end(pick(p.world, p.peers[f])), inner.Source
	if p.one(4) {
		packet.Destination = p.end(pick(p.world, append(p.peers[f], p.pods[f]...)))
	}
	if d == policy.Egress {
		packet.Source = p.end(p.pods[f][0])
	}
	return d, packet
}

func empty(t testing.TB, m *ebpf.Map, key, value any) {
	t.Helper()
	for m.NextKey(nil, key) == nil {
		if err := m.Delete(key); err != nil {
			t.Fatal(err)
		}
	}
}

// newUnhurriedKernel forgets no connection that its test has used: the packets
// of a sequence come at one moment, however long the machine takes for them.
// What ends when is TestIdleTimes's and the fuzzer's.
func newUnhurriedKernel(t *testing.T) *kernel {
	t.Helper()
	return newKernelWith(t, unhurried)
}

// unhurried lets connections live for a day without a packet.
func unhurried(spec *ebpf.CollectionSpec) {
	for _, name := range []string{"tcp_open", "tcp_idle", "tcp_fin", "udp_idle", "icmp_len"} {
		if err := spec.Variables[name].Set(uint64(24 * time.Hour)); err != nil {
			panic(err)
		}
	}
}

func TestPodPortAgreesWithGate(t *testing.T) {
	t.Parallel()
	k := newUnhurriedKernel(t)
	reasons := map[policy.Reason]int{}
	for seed := range uint64(60) {
		judgeSequence(k, seed, reasons)
	}
	for _, r := range []policy.Reason{policy.ByLine, policy.Connection, policy.Reply, policy.Unfiltered, policy.HostPermit, policy.Neighbour, policy.Spoofed, policy.Orphan} {
		if reasons[r] < 50 {
			t.Errorf("only %d packets were decided by %s, so the test sees too little", reasons[r], r)
		}
	}
	t.Log(reasons)
}

// programOf gives the program that a packet of a pod meets: the pod's egress
// is what its host device receives.
func (k *kernel) programOf(d policy.Direction) *ebpf.Program {
	if d == policy.Egress {
		return k.TcIngress
	}
	return k.TcEgress
}

// schedule gives one of few schedules, which change within a day.
func (p *port) schedule() *policy.Schedule {
	return &policy.Schedule{Name: "T", Periods: []policy.Period{{Days: 127, From: 60 * p.IntN(24), Span: 60 * p.IntN(12)}}}
}

// hourOf is the moment of a sequence, in the kernel and for the reference.
type hourOf struct {
	*kernel
	at      time.Time
	lasting string // the schedules that last
}

// moment moves the clock to another hour, or to none that is known. The kernel
// gets to know it where that changes a schedule, as epochs begin there alone.
func (c *hourOf) moment(p *port, lists []*policy.Policy) {
	if c.at = (time.Time{}); !p.one(5) {
		c.at = time.Date(2026, 3, 1, p.IntN(24), p.IntN(60), 0, 0, time.UTC)
	}
	lasting := ""
	for _, l := range lists {
		for i := range l.Rules {
			if s := l.Rules[i].Match.Time; s != nil {
				lasting += fmt.Sprint(c.at.IsZero(), !c.at.IsZero() && s.Active(c.at))
			}
		}
	}
	if lasting != c.lasting {
		c.moveTo(c.at)
	}
	c.lasting = lasting
}

func judgeSequence(k *kernel, seed uint64, reasons map[policy.Reason]int) {
	k.Helper()
	p := newPort(seed)
	empty(k, k.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(k, k.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	for a, id := range p.owners {
		ifindex := uint32(0)
		if p.own(a) {
			ifindex = loopback
		}
		k.place(a, id.ID, ifindex)
	}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	flags := bpf.AcliumHookFlagsHOOK_POD | pick(p.world, []bpf.AcliumHookFlags{0, 0, bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT})
	counted := map[policy.RuleID]counterOf{}
	want := expected{}
	gate := policy.NewGate(nil, nil, p.own)
	hour := hourOf{kernel: k}
	var all []*policy.Policy
	for i := range 300 {
		if i%60 == 0 {
			ingress, egress := p.lists(policy.Ingress, i, flags), p.lists(policy.Egress, i, flags)
			if len(ingress)+len(egress) == 0 {
				ingress = []*policy.Policy{p.list("only", policy.Ingress, policy.Dual, 3)}
				ingress[0].Subject.AllowSpoofed = flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED != 0
				ingress[0].Subject.NoHostPermit = flags&bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT != 0
				ingress[0].ACL = fmt.Sprint("only", i)
				for j := range ingress[0].Rules {
					ingress[0].Rules[j].ID.ACL = ingress[0].ACL
				}
			}
			gate.Replace(ingress, egress)
			all = slices.Concat(ingress, egress)
			k.windows = windowsOfLists(k, all)
			k.bind(p.ids, flags|bpf.AcliumHookFlagsHOOK_TIMED, ingress, egress)
			nameLines(counted, all)
			hour.lasting = "unknown"
		}
		if i%15 == 0 {
			hour.moment(p, all)
		}
		d, packet := p.step()
		packet.At = hour.at
		o := p.dress(&packet)
		decision := gate.Judge(d, &packet, 0)
		reasons[decision.Reason]++
		for _, id := range decision.Lines {
			if c, ok := counted[id]; ok {
				want.add(c.acl, c.line, l3Length(&packet, o))
			}
		}
		ctx := skBuff{IngressIfindex: 7}
		if packet.Local {
			ctx.IngressIfindex = 0
		}
		verdict := map[bool]int{true: permit, false: drop}[decision.Accept]
		if got := k.run(k.programOf(d), frame(&packet, o), ctx); got != verdict {
			k.Fatalf("seed %d, packet %d: got %d, want %+v: %v %+v inner %+v", seed, i, got, decision, d, packet, packet.Inner)
		}
	}
	want.compare(k)
}

// nameLines notes which RuleIDs have which counter; uncounted lines have none.
func nameLines(to map[policy.RuleID]counterOf, lists []*policy.Policy) {
	for _, l := range lists {
		to[policy.RuleID{ACL: l.ACL}] = counterOf{l.ACL, policy.Implicit}
		for i := range l.Rules {
			if !l.Rules[i].Uncounted {
				to[l.Rules[i].ID] = counterOf{l.ACL, i}
			}
		}
	}
}

// windowsOfLists numbers the schedules of lists.
func windowsOfLists(t testing.TB, lists []*policy.Policy) windows {
	t.Helper()
	var values []policy.Policy
	for _, l := range lists {
		values = append(values, *l)
	}
	w, err := windowsOf(&State{Ports: []Port{{Ingress: values}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
