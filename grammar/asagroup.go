package grammar

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// asaCompare is a comparison of ports, asaSpec the ports of a service. Older
// versions write the destination without its word. PROTO stands for the protocol.
const asaSpec = `PROTOCompare = (("eq" | "neq" | "lt" | "gt") <port>) | ("range" <port> <port>) .
PROTOSpec = ("source" PROTOCompare)? ("destination"? PROTOCompare)? .
`

func asaSpecs(prefix, port string) string {
	return strings.NewReplacer("PROTO", prefix, "<port>", "<"+port+">").Replace(asaSpec)
}

var asaServiceParts = asaSpecs("TCP", "asatcpport") + asaSpecs("UDP", "asaudpport") + asaSpecs("SCTP", "sctpport") + asaSpecs("Both", "asabothport") +
	`Service = ("tcp" TCPSpec) | ("udp" UDPSpec) | ("sctp" SCTPSpec) | ("icmp" (<asaicmptype> <icmpcode>?)?) | ("icmp6" (<asaicmp6type> <icmpcode>?)?) | <asaprotocol> .
`

const asaValue = `("host" (<address> | <address6> | <alias>)) | ("subnet" (<prefix6> | (<address> <netmask>) | (<alias> <netmask>))) | ("range" ((<address> <address>) | (<address6> <address6>))) | ("fqdn" ("v4" | "v6")? <dnsname>)`

func (l *language) addASAGroups() {
	in := ModeGlobal
	l.asa("NetworkObject", `"object" "network" <networkobject>`, "", both, (*line).networkObject, in)
	l.asa("ServiceObject", `"object" "service" <serviceobject>`, "", both, (*line).serviceObject, in)
	l.asa("ASANetworkGroup", `"object-group" "network" <asanetwork>`, "", both, asaGroupOf(NetworkGroup, ModeASANetworkGroup), in)
	l.asa("ASAServiceGroup", `"object-group" "service" <asaservice> ("tcp" | "udp" | "tcp-udp")?`, "", both, (*line).asaServiceGroup, in)
	l.asa("ProtocolGroup", `"object-group" "protocol" <protocollist>`, "", both, asaGroupOf(ProtocolGroup, ModeProtocolGroup), in)
	l.asa("ICMPGroup", `"object-group" "icmp-type" <icmplist>`, "", both, asaGroupOf(ICMPGroup, ModeICMPGroup), in)

	l.asa("ObjectValue", asaValue, "", both, (*line).objectValue, ModeNetworkObject)
	l.asa("ObjectService", `"service" Service`, asaServiceParts, both, (*line).objectService, ModeServiceObject)
	l.asa("NetworkLine", `"network-object" (("host" (<address> | <address6> | <alias>)) | ("object" <networkobject>) | <prefix6> | (<address> <netmask>) | (<alias> <netmask>))`, "",
		both, (*line).networkLine, ModeASANetworkGroup)
	l.asa("ServiceLine", `"service-object" (("object" <serviceobject>) | ("tcp-udp" BothSpec) | Service)`, asaServiceParts, both, (*line).serviceLine, ModeASAServiceGroup)
	const port = `"port-object" (("eq" <port>) | ("range" <port> <port>))`
	l.asa("TCPPortLine", strings.ReplaceAll(port, "<port>", "<asatcpport>"), "", both, (*line).portLine, ModeTCPGroup)
	l.asa("UDPPortLine", strings.ReplaceAll(port, "<port>", "<asaudpport>"), "", both, (*line).portLine, ModeUDPGroup)
	l.asa("BothPortLine", strings.ReplaceAll(port, "<port>", "<asabothport>"), "", both, (*line).portLine, ModeTCPUDPGroup)
	l.asa("ProtocolLine", `"protocol-object" <asaprotocol>`, "", both, (*line).protocolLine, ModeProtocolGroup)
	l.asa("ICMPLine", `"icmp-object" <asaicmptype> <icmpcode>?`, "", both, (*line).icmpLine, ModeICMPGroup)
	l.asa("NestedNetwork", `"group-object" <asanetwork>`, "", both, (*line).nestedLine, ModeASANetworkGroup)
	l.asa("NestedService", `"group-object" <asaservice>`, "", both, (*line).nestedLine, ModeASAServiceGroup)
	l.asa("NestedPorts", `"group-object" <portlist>`, "", both, (*line).nestedLine, ModeTCPGroup, ModeUDPGroup, ModeTCPUDPGroup)
	l.asa("NestedProtocols", `"group-object" <protocollist>`, "", both, (*line).nestedLine, ModeProtocolGroup)
	l.asa("NestedTypes", `"group-object" <icmplist>`, "", both, (*line).nestedLine, ModeICMPGroup)
	described := []Mode{ModeNetworkObject, ModeServiceObject, ModeASANetworkGroup, ModeASAServiceGroup, ModeTCPGroup, ModeUDPGroup, ModeTCPUDPGroup, ModeProtocolGroup, ModeICMPGroup}
	add(l, both, (*line).setDescription, described...)
	add(l, negated, (*line).noDescription, described...)
}

func asaGroupOf(kind GroupKind, mode Mode) func(*line, *cursor) error {
	return func(l *line, c *cursor) error { return l.asaGroup(c.take(3)[2], kind, nil, mode) }
}

func (l *line) networkObject(c *cursor) error {
	return l.asaGroup(c.take(3)[2], NetworkObject, nil, ModeNetworkObject)
}

func (l *line) serviceObject(c *cursor) error {
	return l.asaGroup(c.take(3)[2], ServiceObject, nil, ModeServiceObject)
}

// asaServiceGroup reads the group of services, and that of ports: which it is
// says the protocol behind the name.
func (l *line) asaServiceGroup(c *cursor) error {
	t := c.take(3)[2]
	word := c.next()
	if g := l.Config.ObjectGroup(t.Value); l.no && word.Value == "" && g != nil && g.Kind == PortGroup {
		return l.asaGroup(t, PortGroup, g.Protocols, ModeTCPUDPGroup)
	}
	protocols := func(numbers ...uint8) (out []Protocol) {
		for _, n := range numbers {
			out = append(out, Protocol{Number: n, Pos: at(word)})
		}
		return out
	}
	switch word.Value {
	case "tcp":
		return l.asaGroup(t, PortGroup, protocols(protoTCP), ModeTCPGroup)
	case "udp":
		return l.asaGroup(t, PortGroup, protocols(protoUDP), ModeUDPGroup)
	case "tcp-udp":
		return l.asaGroup(t, PortGroup, protocols(protoTCP, protoUDP), ModeTCPUDPGroup)
	}
	return l.asaGroup(t, ServiceGroup, nil, ModeASAServiceGroup)
}

// asaGroup enters a group or an object, or takes it away unless it is used.
func (l *line) asaGroup(t lexer.Token, kind GroupKind, protocols []Protocol, mode Mode) error {
	g := l.Config.ObjectGroup(t.Value)
	same := func(a, b Protocol) bool { return a.Number == b.Number }
	switch {
	case g != nil && (g.Kind != kind || !slices.EqualFunc(g.Protocols, protocols, same)):
		return l.semantic(at(t), "An object or object-group with the name "+t.Value+" and another type already exists")
	case l.no && g == nil:
		l.notice(l.pos, NoEffect, "there is no "+asaWord(kind)+" "+t.Value)
		return nil
	case l.no:
		if use := l.Config.useOf(g.Name); use.IsValid() {
			return l.semantic(at(t), "Unable to delete "+asaWord(kind)+" ("+g.Name+"). It is being used at "+use.String())
		}
		l.Config.ObjectGroups = without(l.Config.ObjectGroups, g)
		return nil
	case g == nil && len(t.Value) > maxGroupName:
		return l.invalid(at(t), "a name has at most 64 characters")
	case g == nil:
		g = &ObjectGroup{Kind: kind, Dialect: ASA, Name: t.Value, Pos: at(t), Protocols: protocols}
		l.Config.ObjectGroups = append(l.Config.ObjectGroups, g)
		if !l.file {
			l.Config.settleASA()
		}
	}
	l.enter(mode)
	l.group = g
	return nil
}

func asaWord(kind GroupKind) string {
	if kind == NetworkObject || kind == ServiceObject {
		return "object"
	}
	return "object-group"
}

// useOf gives a place that names the group or object; invalid when none does.
func (c *Config) useOf(group string) Position {
	for _, g := range c.ObjectGroups {
		for _, m := range g.Members {
			if m.Group.Text == group {
				return m.Group.Pos
			}
		}
	}
	for _, a := range c.ACLs {
		for _, e := range a.Entries {
			if e.ACE == nil {
				continue
			}
			x := e.ACE
			for _, n := range []Name{x.ServiceGroup, x.Source.Group, x.SourcePorts.Group, x.Destination.Group, x.DestinationPorts.Group, x.ICMPGroup} {
				if n.Text == group && n.Text != "" {
					return n.Pos
				}
			}
		}
	}
	return Position{}
}

// setValue gives an object its one value, or takes it away.
func (l *line) setValue(m *Member) error {
	m.Text, m.Dialect = l.text, ASA
	old := l.group.Members
	switch {
	case l.no && (len(old) == 0 || old[0].String() != m.String()):
		l.notice(l.pos, NoEffect, "the object has no such value")
		return nil
	case l.no:
		l.group.Members = nil
		return nil
	case len(old) > 0 && old[0].String() == m.String():
		l.notice(l.pos, NoEffect, "the object has this value already")
		return nil
	case len(old) > 0:
		l.notice(l.pos, Replaced, "takes the place of "+old[0].String())
	}
	l.group.Members = []*Member{m}
	return nil
}

func (l *line) objectValue(c *cursor) (err error) {
	m := &Member{Pos: at(c.words[0])}
	switch first := c.next(); first.Value {
	case "range":
		m.Kind = RangeMember
		m.First, m.Last = hostAddress(c.next()).Addr, hostAddress(c.next()).Addr
		l.ascend(m)
	case "fqdn":
		m.Kind = FQDNMember
		if c.is("v4", "v6") {
			m.Family = c.next().Value[1] - '0'
		}
		m.Word = name(c.next())
		m.Word.Text = strings.ToLower(m.Word.Text)
	case "host":
		var a Address
		a, err = l.asaHost(c.next())
		m.Kind, m.First, m.Alias = HostMember, a.Addr, a.Alias
	default:
		var a Address
		a, err = l.asaMasked(c.next(), c)
		m.address(a)
	}
	if err != nil {
		return err
	}
	return l.setValue(m)
}

// address makes the member a host or a subnet. All addresses of a family are
// a subnet too, because "any" is both families.
func (m *Member) address(a Address) {
	m.Kind, m.First, m.Wildcard, m.Alias = SubnetMember, a.Addr, a.Wildcard, a.Alias
	if a.Kind == HostAddress {
		m.Kind, m.Wildcard = HostMember, netip.Addr{}
	}
}

func (l *line) objectService(c *cursor) error {
	c.next()
	m, err := l.asaService(c)
	if err != nil {
		return err
	}
	return l.setValue(m)
}

func (l *line) networkLine(c *cursor) (err error) {
	c.next()
	m := &Member{Dialect: ASA, Pos: at(c.words[0])}
	var a Address
	switch {
	case c.skip("object"):
		m.Kind, m.Group = ObjectMember, name(c.next())
		return l.member(m)
	case c.skip("host"):
		a, err = l.asaHost(c.next())
	default:
		a, err = l.asaMasked(c.next(), c)
	}
	if err != nil {
		return err
	}
	m.address(a)
	return l.member(m)
}

func (l *line) serviceLine(c *cursor) error {
	c.next()
	if c.is("object") {
		pos := at(c.next())
		return l.member(&Member{Kind: ServiceObjectMember, Dialect: ASA, Pos: pos, Group: name(c.next())})
	}
	m, err := l.asaService(c)
	if err != nil {
		return err
	}
	return l.member(m)
}

// asaService reads a protocol with its ports or its ICMP type.
func (l *line) asaService(c *cursor) (m *Member, err error) {
	first := c.next()
	s := &Service{}
	if first.Value == "tcp-udp" {
		s.Protocols = []Protocol{{Number: protoTCP, Pos: at(first)}, {Number: protoUDP, Pos: at(first)}}
	} else {
		s.Protocols = []Protocol{protocol(first, asaProtocols)}
	}
	names := asaPortNames(s.Protocols...)
	if c.skip("source") {
		if s.Source, err = l.asaCompare(c, names); err != nil {
			return nil, err
		}
	}
	c.skip("destination")
	switch {
	case c.is("eq", "neq", "lt", "gt", "range"):
		s.Destination, err = l.asaCompare(c, names)
	case len(c.words) > 0:
		s.ICMP = c.icmp(asaTypes(s.Protocols[0]))
	}
	return &Member{Kind: ServiceMember, Dialect: ASA, Pos: at(first), Service: s}, err
}

func (l *line) portLine(c *cursor) error {
	pos := at(c.next())
	ports, err := l.asaCompare(c, asaPortNames(l.group.Protocols...))
	if err != nil {
		return err
	}
	s := &Service{Protocols: l.group.Protocols}
	return l.member(&Member{Kind: PortMember, Dialect: ASA, Pos: pos, Ports: ports, Service: s})
}

func (l *line) protocolLine(c *cursor) error {
	pos := at(c.next())
	s := &Service{Protocols: []Protocol{protocol(c.next(), asaProtocols)}}
	return l.member(&Member{Kind: ProtocolMember, Dialect: ASA, Pos: pos, Service: s})
}

func (l *line) icmpLine(c *cursor) error {
	pos := at(c.next())
	s := &Service{Protocols: []Protocol{{Number: protoICMP, Pos: pos}}, ICMP: c.icmp(asaICMPTypes)}
	return l.member(&Member{Kind: ICMPMember, Dialect: ASA, Pos: pos, Service: s})
}

func (l *line) nestedLine(c *cursor) error {
	c.next()
	t := c.next()
	if t.Value == l.group.Name {
		return l.semantic(at(t), "An object-group cannot hold itself")
	}
	return l.member(&Member{Kind: GroupMember, Dialect: ASA, Pos: at(t), Group: name(t)})
}
