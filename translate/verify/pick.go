package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// A picker chooses one packet of a set, field by field in the order of the
// variables: a usual value where the set does not care, the smallest one
// otherwise, so that packets lie at the edges of what differs.
type picker struct {
	*space
	left ref
}

// pick gives a packet of a set that is not empty, and the same packet as
// objects see it. It is not complete when the packet should carry a request
// that could not be made.
func (s *space) pick(set ref) (p, seen policy.Packet, complete bool) {
	k := picker{s, set}
	six := k.value(s.family, 0) == 1
	subject, peer := k.end(s.subject), k.end(s.peer)
	there := [2]netip.Addr{}
	for i, e := range []struct {
		end *end
		out *policy.Endpoint
	}{{s.peer, &peer}, {s.subject, &subject}} {
		e.out.Addr = k.address(e.end, e.end.addr, six, e.out)
		if there[i] = e.out.Addr; s.moved {
			if at := k.address(e.end, e.end.seen, six, e.out); e.out.Labels != nil {
				there[i] = at
			}
		}
	}
	p.Source, p.Destination = peer, subject
	if s.direction == policy.Egress {
		p.Source, p.Destination = subject, peer
	}
	k.transport(&p, six)
	complete = k.ask(&p)
	k.nodeOnlyValues(&p)
	seen = p
	if seen.Source.Addr, seen.Destination.Addr = there[0], there[1]; s.direction == policy.Egress {
		seen.Source.Addr, seen.Destination.Addr = there[1], there[0]
	}
	return p, seen, complete
}

// value takes the smallest value of a field, or the usual one where the set
// looks at no bit of it.
func (k *picker) value(f field, usual uint64) (v uint64) {
	bits, free := k.bits(f, f.bits)
	if free {
		return usual
	}
	for _, b := range bits {
		v = v<<1 | uint64(b)
	}
	return v
}

// bits takes the smallest value of the first bits of a field.
func (k *picker) bits(f field, n int) (out number, free bool) {
	out, free = make(number, n), true
	for i := range out {
		if k.level(k.left) != f.level(i) {
			continue
		}
		free = false
		low, high := k.branches(k.left, f.level(i))
		if k.left = low; low == no {
			k.left, out[i] = high, 1
		}
	}
	return out, free
}

// prefer narrows the set where that leaves something.
func (k *picker) prefer(sets ...ref) {
	for _, set := range sets {
		if both := k.and(k.left, set); both != no {
			k.left = both
			return
		}
	}
}

// end takes what is known of an end but its address.
func (k *picker) end(e *end) (out policy.Endpoint) {
	k.prefer(k.is(e.role, world))
	role := k.value(e.role, pod)
	labels, node := k.labels(e, e.labels), k.labels(e, e.nodeLabels)
	out.Entity = map[uint64]policy.Entity{host: policy.Host, remoteNode: policy.RemoteNode, apiServer: policy.KubeAPIServer}[role]
	switch {
	case role == pod:
		out.Labels = labels
		if ns, ok := labels[policy.NamespaceKey]; ok && k.known.aliased {
			labels[namespaceName] = ns
		}
	case role == host || role == remoteNode:
		out.Node = node
	}
	fits := map[string]bool{}
	for _, pattern := range e.patterns() {
		fits[pattern] = k.value(e.names[pattern], 0) == 1
	}
	if role == world || role == apiServer {
		out.Names = e.namesFor(fits)
	}
	return out
}

// labels takes the labels of an end. Values that nobody mentions differ from
// end to end: two namespaces need not be one.
func (k *picker) labels(e *end, all []choice) map[string]string {
	fresh := freshWord
	if e == k.peer {
		fresh = "another"
	}
	out := map[string]string{}
	for _, c := range all {
		if v, ok := c.text(k.value(c.field, 0), fresh); ok {
			out[c.key] = v
		}
	}
	return out
}

// text gives the value of a code, made from a word where it is some other one;
// false for "absent".
func (c *choice) text(code uint64, word string) (string, bool) {
	switch {
	case code == 0:
		return "", false
	case code <= uint64(len(c.values)):
		return c.values[code-1], true
	}
	fresh := word
	for i := 2; slices.Contains(c.values, fresh); i++ {
		fresh = fmt.Sprintf("%s-%d", word, i)
	}
	return fresh, true
}

// usualAddresses are those of pods and of others, in both families.
var usualAddresses = map[[2]bool]netip.Addr{
	{true, false}: netip.AddrFrom4([4]byte{10, 1, 0, 10}), {false, false}: netip.AddrFrom4([4]byte{192, 0, 2, 10}),
	{true, true}: netip.MustParseAddr("2001:db8:1::10"), {false, true}: netip.MustParseAddr("2001:db8::10"),
}

// plausible are addresses that people have in their networks, and all that a
// host can have.
var plausible = [][]string{
	{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "fd00::/8"},
	{"1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "8.0.0.0/5", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/3", "96.0.0.0/4", "112.0.0.0/5", "120.0.0.0/6", "124.0.0.0/7", "126.0.0.0/8", "128.0.0.0/2", "192.0.0.0/3", "2000::/3"},
}

func (k *picker) address(e *end, f field, six bool, out *policy.Endpoint) netip.Addr {
	n := 32
	if six {
		n = 128
	}
	if k.level(k.left) >= f.level(n) {
		usual := usualAddresses[[2]bool{out.Labels != nil, six}]
		if e == k.subject {
			return usual.Next()
		}
		return usual
	}
	for _, all := range plausible {
		var ranges []policy.AddrRange
		for _, text := range all {
			if p := netip.MustParsePrefix(text); p.Addr().Is6() == six {
				ranges = append(ranges, policy.PrefixRange(p))
			}
		}
		if both := k.and(k.left, k.inside(f, ranges)); both != no {
			k.left = both
			break
		}
	}
	bits, _ := k.bits(f, n)
	raw := make([]byte, n/8)
	for i, b := range bits {
		raw[i/8] = raw[i/8]<<1 | b
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}

// inside is addresses without their family, which is chosen already.
func (k *picker) inside(f field, ranges []policy.AddrRange) ref {
	var fs []ref
	for _, r := range ranges {
		fs = append(fs, k.between(f, bitsOf(r.First), bitsOf(r.Last)))
	}
	return k.any(fs)
}

// transport takes the protocol and what it carries.
func (k *picker) transport(p *policy.Packet, six bool) {
	icmp := policy.ICMP
	if six {
		icmp = policy.ICMPv6
	}
	if k.value(k.later, 0) == 1 {
		p.Fragment = policy.Later
	}
	for _, usual := range []uint8{policy.TCP, policy.UDP, icmp} {
		if both := k.and(k.left, k.is(k.protocol, uint64(usual))); both != no {
			k.left = both
			break
		}
	}
	p.Protocol = uint8(k.value(k.protocol, uint64(policy.TCP)))
	port := k.portValue(p.Protocol, six)
	name, _ := k.portName.text(k.value(k.portName.field, 0), freshWord)
	client := policy.NewRanges(policy.Range{First: 49152, Last: 65535})
	registered := policy.NewRanges(policy.Range{First: 1024, Last: 65535})
	k.preferUnlessFree(k.from, client, registered)
	from := uint16(k.value(k.from, 40000))
	flags := k.flagsValue()
	if p.Fragment == policy.Later {
		p.FragmentID = 1
		return
	}
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort, p.PortName = from, port, name
	case icmpProtocols.Has(p.Protocol):
		p.ICMPType, p.ICMPCode = uint8(port>>8), uint8(port)
	}
	if p.Protocol == policy.TCP {
		p.Flags = flags
	}
}

func (k *picker) portValue(protocol uint8, six bool) uint16 {
	switch {
	case protocol == policy.ICMP || protocol == policy.ICMPv6:
		echo := uint64(8) << 8
		if six {
			echo = 128 << 8
		}
		return uint16(k.value(k.port, echo))
	case protocol == policy.IGMP:
		return uint16(k.value(k.port, 0x11<<8))
	}
	k.preferUnlessFree(k.port, policy.NewRanges(policy.Range{First: 1, Last: 65535}))
	return uint16(k.value(k.port, 80))
}

// preferUnlessFree narrows a field that the set looks at.
func (k *picker) preferUnlessFree(f field, sets ...policy.Ranges) {
	if k.level(k.left) >= f.level(f.bits) {
		return
	}
	for _, set := range sets {
		k.prefer(k.numbers(f, set))
	}
}

func (k *picker) flagsValue() uint8 {
	if k.level(k.left) < k.flags.level(8) {
		var usual []ref
		for _, f := range []uint8{policy.SYN, policy.ACK, policy.SYN | policy.ACK, policy.FIN | policy.ACK, policy.RST} {
			usual = append(usual, k.is(k.flags, uint64(f)))
		}
		k.prefer(usual...)
	}
	return uint8(k.value(k.flags, uint64(policy.SYN)))
}

// ask takes the request; false when it should have one that cannot be made.
func (k *picker) ask(p *policy.Packet) bool {
	asked := k.value(k.request, 0) == 1
	meets := map[condition]bool{}
	for _, c := range k.known.sortedConditions() {
		meets[c] = k.value(k.conditions[c], 0) == 1
	}
	if !asked {
		return true
	}
	p.HTTP = requestFor(meets)
	return p.HTTP != nil
}
