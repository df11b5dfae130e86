package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// mall is a pod's port whose pod sends to services, with peers enough to stand
// behind them.
type mall struct {
	*port
	vips     map[policy.Family][]netip.Addr
	services []Service
}

func newMall(seed uint64) *mall {
	m := &mall{port: newPort(seed)}
	parse := netip.MustParseAddr
	m.vips = map[policy.Family][]netip.Addr{
		policy.IPv4: {parse("10.96.0.1"), parse("10.96.0.2")}, policy.IPv6: {parse("2001:db8:96::1"), parse("2001:db8:96::2")},
	}
	for i := range 4 {
		id := Identity{ID: uint32(310 + i), Labels: map[string]string{"app": fmt.Sprint("a", i%3), fmt.Sprint("k", i): "v"}}
		m.ids = append(m.ids, id)
		for f, a := range map[policy.Family]netip.Addr{policy.IPv4: parse(fmt.Sprint("10.0.2.", 1+i)), policy.IPv6: parse(fmt.Sprint("2001:db8:2::", 1+i))} {
			m.owners[a] = id
			m.peers[f] = append(m.peers[f], a)
		}
	}
	m.Addrs4 = slices.Concat(m.Addrs4, m.peers[policy.IPv4], m.vips[policy.IPv4], m.vips[policy.IPv4])
	m.Addrs6 = slices.Concat(m.Addrs6, m.peers[policy.IPv6], m.vips[policy.IPv6], m.vips[policy.IPv6])
	return m
}

// restock makes other services.
func (m *mall) restock() {
	m.services = nil
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		for _, vip := range m.vips[f] {
			for _, protocol := range []uint8{policy.TCP, policy.UDP} {
				if m.one(4) {
					continue
				}
				s := Service{Addr: vip, Protocol: protocol, Port: pick(m.world, []uint16{80, 81})}
				for range m.IntN(6) {
					b := netip.AddrPortFrom(pick(m.world, slices.Concat(m.peers[f], m.hosts[f], m.pods[f])), pick(m.world, []uint16{80, 81, 8080}))
					if !slices.Contains(s.Backends, b) {
						s.Backends = append(s.Backends, b)
					}
				}
				m.services = append(m.services, s)
			}
		}
	}
}

// aim turns most lines of a list to one peer or one service.
func (m *mall) aim(l *policy.Policy) {
	for i := range l.Rules {
		r := &l.Rules[i]
		f := m.family(l.Family)
		var to policy.Peers
		switch m.IntN(6) {
		case 0:
			continue
		case 1, 5:
			to.Selectors = []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{fmt.Sprint("a", m.IntN(3))}}}}
		case 2:
			a := pick(m.world, m.vips[f])
			to.Addresses = []policy.AddrRange{{First: a, Last: a}}
		case 3:
			to.Addresses = []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(pick(m.world, m.peers[f]), 24))}
		case 4:
			to = m.world.peers(f)
		}
		r.Match.Source, r.Match.Destination, r.Match.Fragments = policy.Everybody(), to, false
		r.Match.Services = []policy.Service{policy.AnyService()}
		if m.one(3) {
			r.Match.Services[0].DestinationPorts = policy.NewRanges(policy.Range{First: 80, Last: pick(m.world, []uint16{80, 8080})})
		}
	}
}

// behind is policy.Services by what stands in the test's own list.
func (m *mall) behind(services []Service) policy.Services {
	return func(addr netip.Addr, protocol uint8, number uint16) ([]policy.Backend, bool) {
		for _, s := range services {
			if s.Addr != addr || s.Protocol != protocol || s.Port != number {
				continue
			}
			var out []policy.Backend
			for _, b := range s.Backends {
				out = append(out, policy.Backend{Endpoint: m.end(b.Addr()), Port: b.Port()})
			}
			return out, true
		}
		return nil, false
	}
}

// step gives packets of the port, most of them between the pod and a service.
func (m *mall) step() (policy.Direction, policy.Packet) {
	d, packet := m.port.step()
	if m.one(4) || packet.Inner != nil {
		return d, packet
	}
	vip := policy.Endpoint{Addr: pick(m.world, m.vips[packet.Family()])}
	if d == policy.Egress {
		packet.Destination = vip
	} else {
		packet.Source, packet.Local = vip, false
	}
	return d, packet
}

// put writes services as a push does: a set that no hook names.
func (k *kernel) put(services []Service) {
	k.Helper()
	d := &Datapath{maps: k.collection(), set: k.services}
	p := &push{state: &State{Services: services}}
	k.must(d.prepareServices(p))
	k.must(d.writeServices(p))
	k.services = p.set
}

// hall is one sequence of packets, judged by both.
type hall struct {
	*kernel
	*mall
	gate            *policy.Gate
	ingress, egress []*policy.Policy
	flags           bpf.AcliumHookFlags
	counted         map[policy.RuleID]counterOf
	want            expected
	reasons         map[policy.Reason]int
}

func newHall(k *kernel, seed uint64) *hall {
	k.Helper()
	h := &hall{kernel: k, mall: newMall(seed), counted: map[policy.RuleID]counterOf{}, want: expected{}, reasons: map[policy.Reason]int{}}
	empty(k, k.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(k, k.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	for a, id := range h.owners {
		k.place(a, id.ID, map[bool]uint32{true: loopback}[h.port.own(a)])
	}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	h.flags = bpf.AcliumHookFlagsHOOK_POD
	h.gate = policy.NewGate(nil, nil, h.port.own)
	return h
}

// change replaces the lists, or the services, or both.
func (h *hall) change(i int) {
	what := h.IntN(3)
	if i == 0 || what != 1 {
		h.ingress, h.egress = h.lists(policy.Ingress, i, h.flags), h.lists(policy.Egress, i, h.flags)
		if len(h.egress) == 0 {
			h.egress = []*policy.Policy{h.list(fmt.Sprint("only-", i), policy.Egress, policy.Dual, 5)}
		}
		for _, l := range h.egress {
			h.aim(l)
			if h.one(3) {
				lengthen(l)
			}
		}
		for _, l := range slices.Concat(h.ingress, h.egress) { // the hour is another test's
			for j := range l.Rules {
				l.Rules[j].Match.Time = nil
			}
		}
		h.gate.Replace(h.ingress, h.egress)
	}
	if i == 0 || what != 0 {
		h.restock()
		services := slices.Clone(h.mall.services)
		h.gate.SetServices(h.behind(services))
		h.put(services)
	}
	h.bind(h.ids, h.flags, h.ingress, h.egress)
	nameLines(h.counted, slices.Concat(h.ingress, h.egress))
}

// lengthen makes a list one that is looked up without an index: of IPv4 alone,
// with hosts before its lines that send nothing.
func lengthen(l *policy.Policy) {
	forgetIdentities(l)
	l.Family = policy.IPv4
	const hosts = 66
	first := make([]policy.Rule, hosts)
	for i := range first {
		first[i] = simple(policy.Permit, policy.Peers{Addresses: []policy.AddrRange{host4(i)}}, policy.Everybody())
		first[i].ID = policy.RuleID{ACL: l.ACL, Seq: uint32(10000 + i)}
	}
	for i := range l.Rules {
		r := &l.Rules[i]
		for _, p := range []*policy.Peers{&r.Match.Source, &r.Match.Destination} {
			p.Addresses = slices.DeleteFunc(p.Addresses, func(a policy.AddrRange) bool { return a.First.Is6() })
			p.Masked = slices.DeleteFunc(p.Masked, func(m policy.Masked) bool { return m.Addr.Is6() })
		}
		if r.Action == policy.Next {
			r.Goto += hosts
		}
	}
	l.Rules = append(first, l.Rules...)
}

func host4(i int) policy.AddrRange {
	a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	return policy.AddrRange{First: a, Last: a}
}

func (h *hall) judge(i int) {
	h.Helper()
	d, packet := h.step()
	o := h.dress(&packet)
	decision := h.gate.Judge(d, &packet, 0)
	h.reasons[decision.Reason]++
	for _, id := range decision.Lines {
		if c, ok := h.counted[id]; ok {
			h.want.add(c.acl, c.line, l3Length(&packet, o))
		}
	}
	ctx := skBuff{IngressIfindex: 7}
	if packet.Local {
		ctx.IngressIfindex = 0
	}
	verdict := map[bool]int{true: permit, false: drop}[decision.Accept]
	if got := h.run(h.programOf(d), frame(&packet, o), ctx); got != verdict {
		h.Fatalf("packet %d: got %d, want %+v: %v %+v\nservices %v", i, got, decision, d, packet, h.mall.services)
	}
}

func TestServicesAgreeWithGate(t *testing.T) {
	t.Parallel()
	k := newUnhurriedKernel(t)
	reasons, direct := map[policy.Reason]int{}, 0
	for seed := range uint64(60) {
		h := newHall(k, seed)
		mixed, none := k.dropped(bpf.AcliumDropReasonDROP_MIXED), k.dropped(bpf.AcliumDropReasonDROP_NO_BACKEND)
		for i := range 300 {
			if i%30 == 0 {
				h.change(i)
			}
			h.judge(i)
		}
		h.want.compare(k)
		mixed, none = k.dropped(bpf.AcliumDropReasonDROP_MIXED)-mixed, k.dropped(bpf.AcliumDropReasonDROP_NO_BACKEND)-none
		if int(mixed) != h.reasons[policy.MixedService] || int(none) != h.reasons[policy.NoBackend] {
			t.Errorf("seed %d: dropped %d as mixed and %d without backend, want %v", seed, mixed, none, h.reasons)
		}
		for r, n := range h.reasons {
			reasons[r] += n
		}
		for l := range k.direct {
			direct += int(b2u(k.direct[l]))
		}
		clear(k.direct)
	}
	if direct < 50 {
		t.Errorf("only %d lists were looked up without an index", direct)
	}
	for _, r := range []policy.Reason{policy.ByLine, policy.Connection, policy.Reply, policy.MixedService, policy.NoBackend} {
		if reasons[r] < 50 {
			t.Errorf("only %d packets were decided by %s, so the test sees too little", reasons[r], r)
		}
	}
	t.Log(reasons)
}

// collection is what a Datapath would have of the maps of services.
func (k *kernel) collection() *ebpf.Collection {
	return &ebpf.Collection{Maps: map[string]*ebpf.Map{"service_map": k.ServiceMap, "backend_map": k.BackendMap}}
}
