package datapath

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"aclium/translate/policy"
)

/*
Which lines can decide a packet at all? The values of each field fall into
classes that the same rules match: the two ends, the traffic class, the hop
limit, and what lies behind the addresses. A packet is one class of each, and
what matches it is the AND of their rules. So all packets of a family are
tried by trying all combinations of classes, and for a given line only those
that it is in. The classes of addresses are those of the lists' edges, which
are all there are but where four discontiguous masks meet, or three and a range.
Entries of reflexive lists are one more field, since the test makes those that a
packet needs; the hour is none, because it is the same for all packets.
*/

// A ruleSet is a set of rules, or of services; its last numbers mark classes.
type ruleSet [8]uint64

func (b *ruleSet) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *ruleSet) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }

func (b *ruleSet) len() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

func (b ruleSet) and(c ruleSet) ruleSet {
	for i := range b {
		b[i] &= c[i]
	}
	return b
}

// A class is a set of values of one field, by one of them.
type class[T any] struct {
	value T
	in    ruleSet
}

// classes sorts values by what they are in.
func classes[T any](values []T, in func(T) ruleSet) (out []class[T]) {
	known := map[ruleSet]bool{}
	for _, v := range values {
		if b := in(v); !known[b] {
			known[b] = true
			out = append(out, class[T]{v, b})
		}
	}
	return out
}

// mostTries bounds the search for one line; few searches get there.
const mostTries = 1 << 17

// A reach knows the rules of lists in series.
type reach struct {
	lists []*policy.Policy
	rules []*policy.Rule
	there []bool // the rule exists at the hour
	dark  bool   // nobody knows the hour
	first []int  // rule of each list
	// services are those of all rules, with the rule that each is of.
	services []*policy.Service
	of       []int
	// unsure counts the searches that ended without an answer.
	unsure int
}

// newReach looks at lists at an hour, which is zero when it is not known.
func newReach(lists []*policy.Policy, at time.Time) *reach {
	r := &reach{lists: lists, dark: at.IsZero()}
	for _, l := range lists {
		r.first = append(r.first, len(r.rules))
		for i := range l.Rules {
			for j := range l.Rules[i].Match.Services {
				r.services = append(r.services, &l.Rules[i].Match.Services[j])
				r.of = append(r.of, len(r.rules))
			}
			r.rules = append(r.rules, &l.Rules[i])
			r.there = append(r.there, exists(&l.Rules[i], at))
		}
	}
	return r
}

// exists reports whether there is a rule at the hour: without one, permits of a
// time-range are absent, and all else of one is present.
func exists(r *policy.Rule, at time.Time) bool {
	if r.Match.Time == nil {
		return true
	}
	if at.IsZero() {
		return r.Action != policy.Permit
	}
	return r.Match.Time.Active(at)
}

// where gives the rules that the predicate accepts, of those that exist.
func (r *reach) where(accept func(*policy.Rule) bool) (b ruleSet) {
	for i, rule := range r.rules {
		if r.there[i] && accept(rule) {
			b.set(i)
		}
	}
	return b
}

// serving gives the services that the predicate accepts.
func (r *reach) serving(accept func(*policy.Service) bool) (b ruleSet) {
	for i, s := range r.services {
		if accept(s) {
			b.set(i)
		}
	}
	return b
}

// numbers gives every number at which a range of the field begins, or ends
// just before.
func (r *reach) numbers(field func(*policy.Service) policy.Ranges) []uint16 {
	out := []uint16{0, 8 << 8, 9 << 8, 128 << 8, 129 << 8} // echoes apart
	for _, s := range r.services {
		for _, one := range field(s) {
			out = append(out, one.First, one.Last, one.Last+1)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func allBytes() (out []uint8) {
	for v := range 256 {
		out = append(out, uint8(v))
	}
	return out
}

// wholes gives the classes of what lies behind the addresses of one protocol.
func (r *reach) wholes(protocol uint8) (out []class[policy.Packet]) {
	from := func(s *policy.Service) policy.Ranges { return s.SourcePorts }
	to := func(s *policy.Service) policy.Ranges { return s.DestinationPorts }
	types := func(s *policy.Service) policy.Ranges { return s.ICMP }
	typed := hasTypes(protocol)
	has := func(field func(*policy.Service) policy.Ranges, counts bool) []class[uint16] {
		if !counts { // only the full set matches
			return []class[uint16]{{0, r.serving(func(s *policy.Service) bool { f := field(s); return f.All() })}}
		}
		return classes(r.numbers(field), func(v uint16) ruleSet {
			b := r.serving(func(s *policy.Service) bool { return field(s).Has(v) })
			if typed && echo(protocol, uint8(v>>8)) {
				b[len(b)-1] |= 1 << 63 // a class of its own
			}
			return b
		})
	}
	flags := []class[uint8]{{0, r.serving(func(s *policy.Service) bool { return s.Flags.All() })}}
	if protocol == policy.TCP {
		flags = classes(allBytes(), func(v uint8) ruleSet {
			return r.serving(func(s *policy.Service) bool { return s.Flags.Has(v) })
		})
	}
	base := r.serving(func(s *policy.Service) bool { return s.Protocols.Has(protocol) })
	for _, a := range has(from, policy.HasPorts(protocol)) {
		for _, b := range has(to, policy.HasPorts(protocol)) {
			for _, c := range has(types, typed) {
				for _, d := range flags {
					p := policy.Packet{Protocol: protocol, SourcePort: a.value, DestinationPort: b.value,
						ICMPType: uint8(c.value >> 8), ICMPCode: uint8(c.value), Flags: d.value}
					out = append(out, class[policy.Packet]{p, base.and(a.in).and(b.in).and(c.in).and(d.in)})
				}
			}
		}
	}
	return out
}

// payloads gives the classes of everything behind the addresses.
func (r *reach) payloads() (out []class[policy.Packet]) {
	known := map[kindOfPacket]bool{}
	add := func(p policy.Packet, b ruleSet) {
		if k := kindOf(&p, b, nil); !known[k] {
			known[k] = true
			out = append(out, class[policy.Packet]{p, b})
		}
	}
	special := []uint8{policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, policy.ICMPv6, policy.IGMP}
	for _, one := range classes(append(special, plainProtocols()...), func(v uint8) ruleSet {
		b := r.serving(func(s *policy.Service) bool { return s.Protocols.Has(v) })
		if i := slices.Index(special, v); i >= 0 {
			b[len(b)-1] |= 1 << (63 - i) // a class of its own
		}
		return b
	}) {
		for _, c := range r.wholes(one.value) {
			add(c.value, r.matching(c.in))
		}
		later := policy.Packet{Protocol: one.value, Fragment: policy.Later, FragmentID: 9}
		add(later, r.where(func(rule *policy.Rule) bool {
			plain := policy.Rule{Action: rule.Action, Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(),
				Services: rule.Match.Services, Fragments: rule.Match.Fragments}}
			return plain.Matches(&later)
		}))
	}
	return out
}

// plainProtocols are those whose header may be anything. What IPv6 walks over
// as an extension header is no protocol there.
func plainProtocols() (out []uint8) {
	for _, v := range allBytes() {
		if !slices.Contains([]uint8{0, 43, 44, 51, 60}, v) {
			out = append(out, v)
		}
	}
	return out
}

// matching gives the rules of the services, for a packet that is whole.
func (r *reach) matching(services ruleSet) (b ruleSet) {
	for i, rule := range r.of {
		if services.has(i) && r.there[rule] && !r.rules[rule].Match.Fragments {
			b.set(rule)
		}
	}
	return b
}

// decides says which line of each list decides what the rules match, up to the
// list that denies.
func (r *reach) decides(in ruleSet, f policy.Family) (lines []counterOf) {
	for n, l := range r.lists {
		if l.Family&f == 0 {
			continue
		}
		action, line := policy.Deny, policy.Implicit
		for i := 0; i < len(l.Rules); i++ {
			if !in.has(r.first[n] + i) {
				continue
			}
			if rule := &l.Rules[i]; r.ends(rule) {
				action, line = rule.Action, i
				break
			}
			i = l.Rules[i].Goto - 1
		}
		lines = append(lines, counterOf{l.ACL, line})
		if action != policy.Permit {
			break
		}
	}
	return lines
}

// ends reports whether a rule decides what it matches: "go on at" does where
// its hour is not known.
func (r *reach) ends(rule *policy.Rule) bool {
	return rule.Action != policy.Next || r.dark && rule.Match.Time != nil
}

// A question is about the packets of one direction and family.
type question struct {
	family   policy.Family
	from, to []netip.Addr
	end      func(netip.Addr) policy.Endpoint
	// admits says that the lists are asked about such a packet at all.
	admits func(*policy.Packet) bool
	// apart says that packets to the address may not be admitted like others.
	apart func(netip.Addr) bool
}

// packets sorts values of one field by the rules that they fit.
func (r *reach) packets(values []policy.Packet, fits func(*policy.Match, *policy.Packet) bool, q *question) []class[policy.Packet] {
	known := map[kindOfPacket]bool{}
	var out []class[policy.Packet]
	for i := range values {
		in := r.where(func(rule *policy.Rule) bool { return fits(&rule.Match, &values[i]) })
		if k := kindOf(&values[i], in, q.apart); !known[k] {
			known[k] = true
			out = append(out, class[policy.Packet]{values[i], in})
		}
	}
	return out
}

// witnesses gives a packet for each line that decides one.
func (r *reach) witnesses(q *question) map[counterOf]policy.Packet {
	var from, to, marks, hops []policy.Packet
	for _, a := range q.from {
		from = append(from, policy.Packet{Source: q.end(a)})
	}
	for _, a := range q.to {
		to = append(to, policy.Packet{Destination: q.end(a)})
	}
	for _, v := range allBytes() {
		marks, hops = append(marks, policy.Packet{TrafficClass: v}), append(hops, policy.Packet{HopLimit: v})
	}
	fromClasses := r.packets(from, func(m *policy.Match, p *policy.Packet) bool { return m.Source.Has(&p.Source) }, q)
	toClasses := r.packets(to, func(m *policy.Match, p *policy.Packet) bool { return m.Destination.Has(&p.Destination) }, q)
	markClasses := r.packets(marks, func(m *policy.Match, p *policy.Packet) bool {
		return m.TrafficClass == nil || m.TrafficClass.Has(p.TrafficClass)
	}, q)
	hopClasses := r.packets(hops, func(m *policy.Match, p *policy.Packet) bool { return m.HopLimit == nil || m.HopLimit.Has(p.HopLimit) }, q)
	entryClasses := r.packets(r.entries(), func(m *policy.Match, p *policy.Packet) bool {
		return m.Evaluate == "" || slices.Contains(p.Reflected, m.Evaluate)
	}, q)
	found := map[counterOf]policy.Packet{}
	payloads := r.payloads()
	for line := range len(r.rules) + 1 {
		if line == len(r.rules) {
			line = implicitLines
		}
		if !r.known(found, line) {
			ends := join(narrow(fromClasses, line), narrow(toClasses, line), q, func(p *policy.Packet, q *policy.Packet) { p.Destination = q.Destination })
			rest := join(narrow(payloads, line), narrow(markClasses, line), q, func(p *policy.Packet, q *policy.Packet) { p.TrafficClass = q.TrafficClass })
			rest = join(rest, narrow(hopClasses, line), q, func(p *policy.Packet, q *policy.Packet) { p.HopLimit = q.HopLimit })
			rest = join(rest, narrow(entryClasses, line), q, func(p *policy.Packet, q *policy.Packet) { p.Reflected = q.Reflected })
			r.search(line, q, ends, rest, found)
		}
	}
	return found
}

// entries gives a packet for each choice of the reflexive lists that are asked.
func (r *reach) entries() (out []policy.Packet) {
	var names []string
	for _, rule := range r.rules {
		if name := rule.Match.Evaluate; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for choice := range 1 << len(names) {
		var p policy.Packet
		for i, name := range names {
			if choice>>i&1 == 1 {
				p.Reflected = append(p.Reflected, name)
			}
		}
		out = append(out, p)
	}
	return out
}

// join gives the classes of two fields together; take adds the second to the
// first.
func join(a, b []class[policy.Packet], q *question, take func(p, q *policy.Packet)) (out []class[policy.Packet]) {
	known := map[kindOfPacket]bool{}
	for i := range a {
		for j := range b {
			one := class[policy.Packet]{a[i].value, a[i].in.and(b[j].in)}
			take(&one.value, &b[j].value)
			if k := kindOf(&one.value, one.in, q.apart); !known[k] {
				known[k] = true
				out = append(out, one)
			}
		}
	}
	return out
}

// kindOfPacket tells classes apart that the same rules match, by what a
// question may not admit: later fragments reach no list of a pod, ports of
// services lead elsewhere, and not every packet can be an answer.
type kindOfPacket struct {
	rules                           ruleSet
	fragment                        policy.Fragment
	ports, plantable, apart, answer bool
}

func kindOf(p *policy.Packet, rules ruleSet, apart func(netip.Addr) bool) kindOfPacket {
	k := kindOfPacket{rules: rules, fragment: p.Fragment, ports: policy.HasPorts(p.Protocol), plantable: plantable(p), answer: len(p.Reflected) > 0}
	k.apart = apart != nil && p.Destination.Addr.IsValid() && apart(p.Destination.Addr)
	return k
}

// implicitLines stands for the last lines of all lists.
const implicitLines = -1

func (r *reach) known(found map[counterOf]policy.Packet, rule int) bool {
	for n, l := range r.lists {
		i := rule - r.first[n]
		if rule == implicitLines {
			if _, ok := found[counterOf{l.ACL, policy.Implicit}]; !ok {
				return false
			}
		} else if i >= 0 && i < len(l.Rules) {
			_, ok := found[counterOf{l.ACL, i}]
			return ok || !r.ends(&l.Rules[i])
		}
	}
	return true
}

// narrow gives the classes that the rule is in; all for the implicit lines.
// Those that few other rules are in come first, as they lead there soonest.
func narrow[T any](all []class[T], rule int) (out []class[T]) {
	for _, c := range all {
		if rule < 0 || c.in.has(rule) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b class[T]) int { return a.in.len() - b.in.len() })
	return out
}

// search tries all combinations and notes who decides, until the rule does.
func (r *reach) search(rule int, q *question, ends, rest []class[policy.Packet], found map[counterOf]policy.Packet) {
	tries := 0
	for i := range rest {
		for j := range ends {
			e, p := &ends[j], rest[i].value
			p.Source, p.Destination = e.value.Source, e.value.Destination
			if !q.admits(&p) {
				continue
			}
			for _, line := range r.decides(rest[i].in.and(e.in), q.family) {
				if _, ok := found[line]; !ok {
					found[line] = p
				}
			}
			if tries++; tries%64 != 0 {
				continue
			}
			if r.known(found, rule) {
				return
			}
			if tries > mostTries {
				r.unsure++
				return
			}
		}
	}
}
