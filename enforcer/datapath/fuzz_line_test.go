package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// flavour says what the lists of a scenario may hold beside what every list
// has. Without a clock of its own a scenario has none of it.
type flavour struct {
	timed, reflexive, policed, services, named bool
}

func flavourOf(p *port, steered bool) flavour {
	f := flavour{steered && p.one(2), steered && p.one(2), steered && p.one(3), steered && p.one(2), false}
	f.named = steered && !f.timed && !p.one(3) // what is judged again with the hour needs names that do not run out
	return f
}

// longLines is how many lines a long list has at least: most have more rules
// than a short table.
const longLines = 40

// draw gives n lists of a direction, in series.
func (at *site) draw(d policy.Direction, generation, n int) (lists []*policy.Policy) {
	w := at.port.world
	longest := 8
	if !at.pod {
		longest = 16
	}
	for i := range n {
		name := fmt.Sprint(at.ifindex, "-", d, i, "-", generation)
		lines, family := 1+w.IntN(longest), pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual, policy.Dual})
		long := n == 1 && !at.pod && w.one(8)
		if generation == changes-1 && (at.pod || n > 1) {
			long = w.one(2)
		}
		plain := long && w.one(2)
		if long {
			lines = longLines + w.IntN(40)
		}
		if plain {
			family = policy.IPv4
		}
		l := w.list(name, d, family, lines)
		l.Subject.AllowSpoofed = at.flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED != 0
		l.Subject.NoHostPermit = at.flags&bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT != 0
		if at.pod && d == policy.Egress && at.flavour.services && w.one(2) {
			at.mall.aim(l)
		}
		if plain {
			forgetIdentities(l)
		}
		enrich(w, l)
		at.season(l)
		if at.flavour.reflexive && !at.pod && generation%2 == 1 {
			answered(l)
		}
		lists = append(lists, l)
	}
	return lists
}

// forgetIdentities leaves what can be looked up without an index.
func forgetIdentities(l *policy.Policy) {
	for i := range l.Rules {
		for _, peers := range []*policy.Peers{&l.Rules[i].Match.Source, &l.Rules[i].Match.Destination} {
			peers.Selectors, peers.Entities = nil, nil
		}
	}
}

// enrich leaves few lines empty, makes more of them permits, and lets some look
// at the traffic class and the hop limit.
func enrich(w *world, l *policy.Policy) {
	for i := range l.Rules {
		m := &l.Rules[i].Match
		if len(m.Services) == 0 && !w.one(8) {
			m.Services = append(m.Services, w.service())
		}
		for _, peers := range []*policy.Peers{&m.Source, &m.Destination} {
			peers.Addresses = slices.DeleteFunc(peers.Addresses, func(r policy.AddrRange) bool { return r.First.Is4In6() || r.Last.Is4In6() })
			if peers.Empty() && !w.one(8) {
				*peers = policy.Everybody()
			}
		}
		if w.one(3) && l.Rules[i].Action == policy.Deny {
			l.Rules[i].Action = policy.Permit
		}
		if w.one(10) {
			m.TrafficClass = someBytes(w)
		}
		if w.one(10) {
			m.HopLimit = someBytes(w)
		}
	}
}

// someBytes gives a range of bytes, or those with a bit.
func someBytes(w *world) *policy.ByteSet {
	first, span, bit := uint8(w.IntN(256)), uint8(w.IntN(200)), uint8(1)<<w.IntN(8)
	set := policy.BytesWhere(func(v uint8) bool { return v-first <= span })
	if w.one(2) {
		set = policy.BytesWhere(func(v uint8) bool { return v&bit != 0 })
	}
	return &set
}

// season gives lines what the scenario's flavour has.
func (at *site) season(l *policy.Policy) {
	w := at.port.world
	for i := range l.Rules {
		r := &l.Rules[i]
		if at.flavour.timed && w.one(3) {
			r.Match.Time = at.port.hourSchedule()
		}
		if at.flavour.reflexive && (!at.pod || w.one(16)) {
			at.reflex(l, r)
		}
		if at.flavour.policed && r.Action == policy.Permit && w.one(2) {
			r.Police = pick(w, at.classes)
		}
		if at.flavour.named && at.pod && w.one(2) {
			askNames(w, r)
		}
		r.Log = w.one(24)
	}
}

// answered makes a list one of Cisco's example: what the one direction lets out
// behind its other lines is answered in the other one before them.
func answered(l *policy.Policy) {
	any := policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
	first, last := &l.Rules[0], &l.Rules[len(l.Rules)-1]
	if l.Direction == policy.Egress {
		last.Action, last.Goto, last.Match, last.Reflect = policy.Permit, 0, any, &policy.Reflect{List: "R0", Timeout: 20 * time.Second}
		return
	}
	any.Evaluate = "R0"
	first.Action, first.Goto, first.Match, first.Reflect = policy.Permit, 0, any, nil
}

// reflex makes some lines reflect and some evaluate.
func (at *site) reflex(l *policy.Policy, r *policy.Rule) {
	w := at.port.world
	name := fmt.Sprint("R", w.IntN(3))
	reflects := l.Direction == policy.Egress
	if w.one(2) {
		reflects = !reflects
	}
	if !w.one(3) {
		return
	}
	r.Action, r.Goto = policy.Permit, 0
	if !reflects {
		r.Match.Evaluate = name
		if w.one(2) { // as "evaluate" is typed, without a match of its own
			r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}, Evaluate: name}
		}
		return
	}
	r.Reflect = &policy.Reflect{List: name, Timeout: time.Duration(1+w.IntN(40))*time.Second + time.Duration(w.IntN(1000))*time.Millisecond}
}

// bindAll puts the lists of all ports in force by one generation, as a push
// does.
func (s *scenario) bindAll() {
	s.Helper()
	all := s.allLists()
	s.setHours(all)
	s.nameReflexives(all)
	s.police(append(all, &policy.Policy{Rules: s.classRules()})...)
	s.generation++
	for _, at := range s.sites {
		at.bind()
	}
	if s.clock.table != nil {
		s.must(s.WindowMap.Put(uint32(s.generation&1), s.clock.table))
	}
	s.must(s.GenerationMap.Put(uint32(0), s.generation))
}

func (s *scenario) allLists() (all []*policy.Policy) {
	for _, at := range s.sites {
		all = append(append(all, at.judge.lists[policy.Ingress]...), at.judge.lists[policy.Egress]...)
	}
	return all
}

// classRules names every class, so that none is forgotten between two lists.
func (s *scenario) classRules() (rules []policy.Rule) {
	for _, class := range s.classes {
		rules = append(rules, policy.Rule{Police: class})
	}
	return rules
}

// bind writes the hooks of a port; a node's interface has none where no list is.
func (at *site) bind() {
	at.Helper()
	ingress, egress := at.judge.lists[policy.Ingress], at.judge.lists[policy.Egress]
	port := &Port{Pod: at.pod, Audit: at.audit, Ingress: valuesOf(ingress), Egress: valuesOf(egress)}
	flags := flagsOf(port, device{})
	at.timed = flags&bpf.AcliumHookFlagsHOOK_TIMED != 0
	for d, lists := range at.judge.lists {
		key := hookKey{at.ifindex, attachPoint(at.pod, d)}.in(byte(at.generation & 1))
		if !at.judge.hooked(d) {
			_ = at.HookMap.Delete(key) // there may be none
			continue
		}
		hook := bpf.AcliumHook{Flags: uint32(flags), Families: uint32(familiesOf(port)), Count: uint32(len(lists)), Services: at.services, Own: at.knownOwn}
		if !at.pod {
			hook.Evaluates = at.evaluated(lists)
		}
		for i, l := range lists {
			hook.Tables[i] = at.upload(l, at.port.ids)
		}
		at.must(at.HookMap.Put(key, hook))
	}
}

// plant makes an entry of a reflexive list that fits the packet, here and in
// the kernel.
func (s *scenario) plant(list string, p *policy.Packet) {
	s.Helper()
	const timeout = 100 * time.Second
	key := bpf.AcliumEntryKey{List: reflexiveKey(list), Saddr: keyOf(p.Source.Addr), Daddr: keyOf(p.Destination.Addr), Protocol: p.Protocol}
	back := policy.Packet{Source: p.Destination, Destination: p.Source, Protocol: p.Protocol, Flags: policy.SYN}
	switch {
	case policy.HasPorts(p.Protocol):
		key.Sport, key.Dport = p.SourcePort, p.DestinationPort
		back.SourcePort, back.DestinationPort = p.DestinationPort, p.SourcePort
	case hasTypes(p.Protocol):
		key.Dport, back.ICMPType = uint16(p.ICMPType), p.ICMPType
	}
	s.must(s.EntryMap.Put(key, bpf.AcliumEntry{Expires: s.clock.stamp() + uint64(timeout), Timeout: uint64(timeout)}))
	all := policy.Rule{ID: policy.RuleID{ACL: "all", Seq: 10}, Action: policy.Permit, Reflect: &policy.Reflect{List: list, Timeout: timeout},
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}}
	reflect := &policy.Policy{ACL: "all", Direction: policy.Egress, Family: policy.Dual, Rules: []policy.Rule{all}}
	policy.NewNode(nil, []*policy.Policy{reflect}, s.entries).Judge(policy.Egress, &back, s.clock.now)
}

func hasTypes(protocol uint8) bool {
	return protocol == policy.ICMP || protocol == policy.ICMPv6 || protocol == policy.IGMP
}

// plantable reports whether an entry can fit the packet: a later fragment shows
// no ports and types, and nothing is answered by an echo.
func plantable(p *policy.Packet) bool {
	if p.Fragment == policy.Later {
		return !policy.HasPorts(p.Protocol) && !hasTypes(p.Protocol)
	}
	return !echo(p.Protocol, p.ICMPType)
}

func echo(protocol, icmpType uint8) bool {
	return protocol == policy.ICMP && icmpType == 8 || protocol == policy.ICMPv6 && icmpType == 128
}

// toService turns the packet to a port of a service.
func (at *site) toService(p *policy.Packet) {
	w := at.port.world
	if len(at.mall.services) == 0 {
		return
	}
	s := pick(w, at.mall.services)
	if s.Addr.Is4() != p.Source.Addr.Is4() {
		return
	}
	p.Destination.Addr = s.Addr
	if w.one(4) {
		return
	}
	if !policy.HasPorts(p.Protocol) {
		p.Flags = policy.SYN
	}
	p.Protocol, p.DestinationPort = s.Protocol, s.Port
}

// isService reports whether the address is one of a service.
func (s *scenario) isService(a netip.Addr) bool {
	return s.mall != nil && (slices.Contains(s.mall.vips[policy.IPv4], a) || slices.Contains(s.mall.vips[policy.IPv6], a))
}
