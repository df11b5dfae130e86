package linewalk

import (
	"net/netip"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Verdict walks the list and gives the verdict of its first line that fits the
// packet and that line's sequence number; 0 is the implicit last line, and a
// list that does not exist or is empty, which permits. Stateful says that the
// list stands on a pod's port, where "established" permits nothing by itself.
// A line that the product refuses to apply fits no packet.
func Verdict(c *grammar.Config, acl string, stateful bool, p *policy.Packet) (permit bool, seq uint32) {
	a := c.ACL(acl)
	if a == nil {
		return true, 0
	}
	lines := 0
	for _, e := range a.Entries {
		if e.ACE == nil {
			continue
		}
		lines++
		w := walk{c, e.ACE, p, stateful}
		if w.fits() {
			return e.ACE.Action != grammar.Deny, e.Seq
		}
	}
	if lines == 0 {
		return true, 0
	}
	return a.Kind == grammar.IPv6 && !stateful && isNeighbourDiscovery(p), 0
}

// isNeighbourDiscovery is what the two implicit lines of an IPv6 list permit.
// They look at the type, and like all such permits they take a later fragment
// by its protocol.
func isNeighbourDiscovery(p *policy.Packet) bool {
	return p.Protocol == 58 && (p.Fragment == policy.Later || p.ICMPType == 135 || p.ICMPType == 136)
}

// A walk is one line and one packet.
type walk struct {
	c        *grammar.Config
	ace      *grammar.ACE
	p        *policy.Packet
	stateful bool
}

func (w walk) fits() bool {
	if w.refused() || w.stateful && w.ace.Action == grammar.Permit && w.ace.Flags != nil && w.ace.Flags.Match == grammar.Established {
		return false
	}
	if w.ace.Action == grammar.Evaluate {
		return !w.stateful && slices.Contains(w.p.Reflected, w.ace.Reflect.Text)
	}
	if w.ace.Fragments && w.p.Fragment != policy.Later || !w.marked() || !w.lasts() {
		return false
	}
	return w.end(w.ace.Source, &w.p.Source) && w.end(w.ace.Destination, &w.p.Destination) && w.service()
}

// refused says that the line has a word that no policy carries.
func (w walk) refused() bool {
	a := w.ace
	return a.Option != nil || a.FlowLabel != nil || a.IGMP != nil && a.IGMP.Number > 9 || len(a.Extra) > 0 || a.Dynamic.Text != ""
}

func (w walk) end(a grammar.Address, e *policy.Endpoint) bool {
	switch a.Kind {
	case grammar.AnyAddress:
		return true
	case grammar.HostAddress:
		return a.Addr == e.Addr
	case grammar.MaskedAddress:
		return equalOutside(a.Addr, a.Wildcard, e.Addr)
	case grammar.AddressGroup:
		return w.inGroup(a.Group.Text, e)
	}
	return false
}

// equalOutside compares the bits of two addresses that the wildcard cares for.
func equalOutside(want, wildcard, got netip.Addr) bool {
	x, m, y := want.AsSlice(), wildcard.AsSlice(), got.AsSlice()
	if len(x) != len(y) {
		return false
	}
	for i := range 8 * len(x) {
		if bit(m, i) == 0 && bit(x, i) != bit(y, i) {
			return false
		}
	}
	return true
}

func bit(b []byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }

func (w walk) inGroup(name string, e *policy.Endpoint) bool {
	for _, m := range w.c.ObjectGroup(name).Members {
		if w.isMember(m, e) {
			return true
		}
	}
	return false
}

func (w walk) isMember(m *grammar.Member, e *policy.Endpoint) bool {
	switch m.Kind {
	case grammar.AnyMember:
		return true
	case grammar.HostMember:
		return m.First == e.Addr
	case grammar.SubnetMember:
		return equalOutside(m.First, m.Wildcard, e.Addr)
	case grammar.RangeMember:
		return m.First.Is4() == e.Addr.Is4() && !e.Addr.Less(m.First) && !m.Last.Less(e.Addr)
	case grammar.GroupMember:
		return w.inGroup(m.Group.Text, e)
	case grammar.WorkloadMember:
		return isWorkload(m, e.Labels)
	case grammar.EntityMember:
		return isEntity(m.Word.Text, e)
	case grammar.FQDNMember:
		return isEntity("world", e) && slices.ContainsFunc(e.Names, func(name string) bool { return policy.MatchName(m.Word.Text, name) })
	}
	return false
}

func isWorkload(m *grammar.Member, labels map[string]string) bool {
	if labels == nil || m.Namespace.Text != "" && labels[policy.NamespaceKey] != m.Namespace.Text {
		return false
	}
	for _, l := range m.Labels {
		value, has := labels[l.Key]
		listed := has && slices.Contains(l.Values, value)
		good := map[grammar.LabelOp]bool{
			grammar.Exists: has, grammar.NotExists: !has, grammar.In: listed, grammar.NotIn: !listed,
		}
		if !good[l.Op] {
			return false
		}
	}
	return true
}

func isEntity(word string, e *policy.Endpoint) bool {
	isPod, isNode := e.Labels != nil, e.Entity == policy.Host || e.Entity == policy.RemoteNode
	switch word {
	case "world":
		return !isPod && !isNode
	case "cluster":
		return isPod || isNode
	case "host":
		return e.Entity == policy.Host
	case "remote-node":
		return e.Entity == policy.RemoteNode
	}
	return e.Entity == policy.KubeAPIServer
}

// service compares what lies behind the addresses.
func (w walk) service() bool {
	a := w.ace
	if a.ServiceGroup.Text != "" {
		return w.inServices(a.ServiceGroup.Text)
	}
	return w.transport(a.Protocol, a.SourcePorts, a.DestinationPorts, a.ICMP, a.Flags) && w.igmp()
}

func (w walk) inServices(name string) bool {
	for _, m := range w.c.ObjectGroup(name).Members {
		if m.Kind == grammar.GroupMember {
			if w.inServices(m.Group.Text) {
				return true
			}
			continue
		}
		for _, protocol := range m.Service.Protocols {
			if w.transport(protocol, m.Service.Source, m.Service.Destination, m.Service.ICMP, nil) {
				return true
			}
		}
	}
	return false
}

// transport compares protocol, ports, types and flags. A later fragment has
// none of the last three: a line that asks for them takes it as it is when it
// permits, and leaves it when it denies.
func (w walk) transport(protocol grammar.Protocol, from, to grammar.Compare, icmp *grammar.ICMP, flags *grammar.TCPFlags) bool {
	if !protocol.Any && protocol.Number != w.p.Protocol {
		return false
	}
	if w.p.Fragment == policy.Later {
		asks := from.Op != 0 || to.Op != 0 || icmp != nil || flags != nil
		return !asks || w.ace.Action == grammar.Permit
	}
	return compares(from, w.p.SourcePort) && compares(to, w.p.DestinationPort) &&
		(icmp == nil || icmp.Type == w.p.ICMPType && (icmp.Code < 0 || icmp.Code == int16(w.p.ICMPCode))) &&
		(flags == nil || hasFlags(flags, w.p.Flags))
}

func compares(c grammar.Compare, port uint16) bool {
	v := uint32(port)
	equal := slices.ContainsFunc(c.Values, func(o grammar.Value) bool { return o.Number == v })
	switch c.Op {
	case grammar.Eq:
		return equal
	case grammar.Neq:
		return !equal
	case grammar.Lt:
		return v < c.Values[0].Number
	case grammar.Gt:
		return v > c.Values[0].Number
	case grammar.Range:
		return c.Values[0].Number <= v && v <= c.Values[1].Number
	}
	return true
}

// hasFlags compares flag by flag: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
func hasFlags(f *grammar.TCPFlags, got uint8) bool {
	if f.Match == grammar.Established {
		return got&16 != 0 || got&4 != 0
	}
	wanted, met := 0, 0
	for flag := uint8(1); flag <= 32; flag *= 2 {
		if f.Set&flag != 0 {
			wanted++
			if got&flag != 0 {
				met++
			}
		}
		if f.Clear&flag != 0 {
			wanted++
			if got&flag == 0 {
				met++
			}
		}
	}
	if f.Match == grammar.MatchAll {
		return met == wanted
	}
	return met > 0
}
