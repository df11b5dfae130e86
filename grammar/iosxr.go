package grammar

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is the dialect IOS-XR. Its lists have prefixes beside wildcard
// masks, groups under other words, and sequence numbers that replace a line.

type (
	xrSource struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'net-group' Network | 'interface' Port | AddressLength | Address Wildcard )"`
	}
	xrDestination xrSource
	xrSource6     struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'net-group' Network6 | 'interface' Port | Prefix6 | Address6 Address6 )"`
	}
	xrDestination6 xrSource6
	xrTCPPorts     struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') XRTCPPort | 'range' XRTCPPort XRTCPPort | 'port-group' PolicyPorts )"`
	}
	xrUDPPorts struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') XRUDPPort | 'range' XRUDPPort XRUDPPort | 'port-group' PolicyPorts )"`
	}
	xrSCTPPorts struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') SCTPPort | 'range' SCTPPort SCTPPort | 'port-group' PolicyPorts )"`
	}
	xrFlags struct {
		Words []lexer.Token `parser:"@( 'established' | ('ack' | 'fin' | 'psh' | 'rst' | 'syn' | 'urg')+ | ('match-any' | 'match-all') ('+ack' | '-ack' | '+fin' | '-fin' | '+psh' | '-psh' | '+rst' | '-rst' | '+syn' | '-syn' | '+urg' | '-urg')+ )"`
	}
	// xrPlain are the options that the model has; xrExtra are those that it
	// keeps as words.
	xrPlain struct {
		Words []lexer.Token `parser:"@( 'log' | 'log-input' | 'fragments' | 'dscp' DSCP | 'precedence' Precedence | 'ttl' ( ('eq' | 'neq' | 'lt' | 'gt') Byte | 'range' Byte Byte ) )"`
	}
	xrExtra struct {
		Words []lexer.Token `parser:"@( 'dscp' ( ('eq' | 'neq' | 'lt' | 'gt') DSCP | 'range' DSCP DSCP ) | 'packet-length' ( ('eq' | 'neq' | 'lt' | 'gt') PacketLength | 'range' PacketLength PacketLength ) | 'fragment-type' ('dont-fragment' | 'is-fragment' | 'first-fragment' | 'last-fragment') | 'counter' Word | 'capture' | 'icmp-off' | 'police' Threshold ('bps' | 'kbps' | 'mbps' | 'gbps' | 'pps')? | 'set' ( 'ttl' Byte | 'traffic-class' Byte | 'qos-group' Threshold ) | 'default'? ('nexthop1' | 'nexthop2' | 'nexthop3') ('track' Word)? ('vrf' Word)? ('ipv4' Address | 'ipv6' Address6)? )"`
	}
	xrOption struct {
		Plain *xrPlain `parser:"  @@"`
		Extra *xrExtra `parser:"| @@"`
	}
	xrTCPOption struct {
		Flags  *xrFlags  `parser:"  @@"`
		Option *xrOption `parser:"| @@"`
	}
	xrTCP struct {
		Protocol         lexer.Token    `parser:"@'tcp'"`
		Source           xrSource       `parser:"@@"`
		SourcePorts      *xrTCPPorts    `parser:"@@?"`
		Destination      xrDestination  `parser:"@@"`
		DestinationPorts *xrTCPPorts    `parser:"@@?"`
		Options          []*xrTCPOption `parser:"@@*"`
	}
	xrUDP struct {
		Protocol         lexer.Token   `parser:"@'udp'"`
		Source           xrSource      `parser:"@@"`
		SourcePorts      *xrUDPPorts   `parser:"@@?"`
		Destination      xrDestination `parser:"@@"`
		DestinationPorts *xrUDPPorts   `parser:"@@?"`
		Options          []*xrOption   `parser:"@@*"`
	}
	xrSCTP struct {
		Protocol         lexer.Token   `parser:"@'sctp'"`
		Source           xrSource      `parser:"@@"`
		SourcePorts      *xrSCTPPorts  `parser:"@@?"`
		Destination      xrDestination `parser:"@@"`
		DestinationPorts *xrSCTPPorts  `parser:"@@?"`
		Options          []*xrOption   `parser:"@@*"`
	}
	xrICMP struct {
		Protocol    lexer.Token   `parser:"@'icmp'"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Message     []lexer.Token `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrIGMP struct {
		Protocol    lexer.Token   `parser:"@'igmp'"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Type        lexer.Token   `parser:"@IGMPType?"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrAny struct {
		Protocol    lexer.Token   `parser:"@XRProtocol"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		Action   lexer.Token `parser:"@('permit' | 'deny')"`
		TCP      *xrTCP      `parser:"( @@"`
		UDP      *xrUDP      `parser:"| @@"`
		SCTP     *xrSCTP     `parser:"| @@"`
		ICMP     *xrICMP     `parser:"| @@"`
		IGMP     *xrIGMP     `parser:"| @@"`
		Any      *xrAny      `parser:"| @@ )"`
	}
	xrTCP6 struct {
		Protocol         lexer.Token    `parser:"@'tcp'"`
		Source           xrSource6      `parser:"@@"`
		SourcePorts      *xrTCPPorts    `parser:"@@?"`
		Destination      xrDestination6 `parser:"@@"`
		DestinationPorts *xrTCPPorts    `parser:"@@?"`
		Options          []*xrTCPOption `parser:"@@*"`
	}
	xrUDP6 struct {
		Protocol         lexer.Token    `parser:"@'udp'"`
		Source           xrSource6      `parser:"@@"`
		SourcePorts      *xrUDPPorts    `parser:"@@?"`
		Destination      xrDestination6 `parser:"@@"`
		DestinationPorts *xrUDPPorts    `parser:"@@?"`
		Options          []*xrOption    `parser:"@@*"`
	}
	xrSCTP6 struct {
		Protocol         lexer.Token    `parser:"@'sctp'"`
		Source           xrSource6      `parser:"@@"`
		SourcePorts      *xrSCTPPorts   `parser:"@@?"`
		Destination      xrDestination6 `parser:"@@"`
		DestinationPorts *xrSCTPPorts   `parser:"@@?"`
		Options          []*xrOption    `parser:"@@*"`
	}
	xrICMP6 struct {
		Protocol    lexer.Token    `parser:"@('icmpv6' | 'icmp')"`
		Source      xrSource6      `parser:"@@"`
		Destination xrDestination6 `parser:"@@"`
		Message     []lexer.Token  `parser:"@( ICMP6Name | ICMPNumber ICMPCode? )?"`
		Options     []*xrOption    `parser:"@@*"`
	}
	xrAny6 struct {
		Protocol    lexer.Token    `parser:"@Protocol6"`
		Source      xrSource6      `parser:"@@"`
		Destination xrDestination6 `parser:"@@"`
		Options     []*xrOption    `parser:"@@*"`
	}
	xrLine6 struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		Action   lexer.Token `parser:"@('permit' | 'deny')"`
		TCP      *xrTCP6     `parser:"( @@"`
		UDP      *xrUDP6     `parser:"| @@"`
		SCTP     *xrSCTP6    `parser:"| @@"`
		ICMP     *xrICMP6    `parser:"| @@"`
		Any      *xrAny6     `parser:"| @@ )"`
	}
	xrList struct {
		Name lexer.Token `parser:"'ipv4' 'access-list' @XRList"`
	}
	xrList6 struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' @XRList6"`
	}
	xrNetworks struct {
		Name lexer.Token `parser:"'object-group' 'network' 'ipv4' @Network"`
	}
	xrNetworks6 struct {
		Name lexer.Token `parser:"'object-group' 'network' 'ipv6' @Network6"`
	}
	xrPorts struct {
		Name lexer.Token `parser:"'object-group' 'port' @PolicyPorts"`
	}
	xrNetwork struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'range' Address Address | 'object-group' Network | AddressLength | Address Netmask )"`
	}
	xrNetwork6 struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'range' Address6 Address6 | 'object-group' Network6 | Prefix6 )"`
	}
	xrPort struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') XRPort | 'range' XRPort XRPort | 'object-group' PolicyPorts )"`
	}
	xrGroup struct {
		Family    lexer.Token   `parser:"@('ipv4' | 'ipv6') 'access-group'"`
		List      lexer.Token   `parser:"@XRAnyList"`
		Direction lexer.Token   `parser:"@('ingress' | 'egress')"`
		Options   []lexer.Token `parser:"@('hardware-count' | 'interface-statistics' | 'compress' ('level' Byte)?)*"`
	}
	xrNoGroup struct {
		Family    lexer.Token `parser:"@('ipv4' | 'ipv6') 'access-group'"`
		Direction lexer.Token `parser:"@('ingress' | 'egress')"`
	}
	xrResequence struct {
		Family lexer.Token `parser:"'resequence' 'access-list' @('ipv4' | 'ipv6')"`
		Name   lexer.Token `parser:"@XRAnyList"`
		Start  lexer.Token `parser:"( @Sequence"`
		Step   lexer.Token `parser:"  @Sequence? )?"`
	}
)

func (l *language) addXRLists() {
	add(l, both, (*line).xrList, ModeGlobal)
	add(l, both, (*line).xrList6, ModeGlobal)
	add(l, plain, (*line).xrResequence, ModeGlobal)
	add(l, both, (*line).xrLine, ModeXRList)
	add(l, both, (*line).xrLine6, ModeXRList6)
	add(l, both, (*line).remarkLine, ModeXRList, ModeXRList6)
	add(l, negated, (*line).sequenceLine, ModeXRList, ModeXRList6)
	l.keep(
		kept{
			production: "XREthernetList", modes: []Mode{ModeGlobal}, enters: ModeXREthernet, defines: "mac list",
			grammar: `"ethernet-services" "access-list" <maclist>`, why: "is kept; frames are not filtered by their MAC addresses",
		},
		kept{production: "XREthernetLine", modes: []Mode{ModeXREthernet}, grammar: `<sequence>? ("permit" | "deny") <text>`},
		kept{production: "XREthernetRemark", modes: []Mode{ModeXREthernet}, grammar: `<sequence>? "remark" <text>`},
	)
}

func (l *language) addXRGroups() {
	add(l, both, (*line).xrNetworks, ModeGlobal)
	add(l, both, (*line).xrNetworks6, ModeGlobal)
	add(l, both, (*line).xrPorts, ModeGlobal)
	add(l, both, (*line).xrNetwork, ModeXRNetworks)
	add(l, both, (*line).xrNetwork6, ModeXRNetworks6)
	add(l, both, (*line).xrPort, ModeXRPorts)
	add(l, both, (*line).setDescription, ModeXRNetworks, ModeXRNetworks6, ModeXRPorts)
	add(l, negated, (*line).noDescription, ModeXRNetworks, ModeXRNetworks6, ModeXRPorts)
}

func (l *language) addXRInterfaces() {
	add(l, both, (*line).plainInterface, ModeGlobal)
	add(l, both, (*line).setDescription, ModeInterface)
	add(l, negated, (*line).noDescription, ModeInterface)
	add(l, both, (*line).xrGroup, ModeInterface)
	add(l, negated, (*line).xrNoGroup, ModeInterface)
	on := []Mode{ModeInterface}
	l.keep(
		kept{
			production: "XRCommonGroup", modes: on,
			grammar: `("ipv4" | "ipv6") "access-group" "common" <xranylist> <xranylist>? "ingress" ("hardware-count" | "interface-statistics")*`,
		},
		kept{
			production: "XREthernetGroup", modes: on, why: "is kept; frames are not filtered by their MAC addresses",
			grammar: `"ethernet-services" "access-group" <maclist> ("ingress" | "egress")`,
		},
		kept{production: "XRUnicastCheck", modes: on, grammar: `("ipv4" | "ipv6") "verify" "unicast" <text>`},
	)
}

// xrClasses are the arguments that only IOS-XR has.
var xrClasses = []*class{
	{name: "XRList", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(Extended)},
	{name: "XRList6", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(IPv6)},
	{name: "XRAnyList", what: "a list", rows: rows("WORD"), accepts: isName, free: true, space: "access-list", defined: aclNames(Extended, IPv6)},
	{name: "XRProtocol", what: "a protocol", rows: rows("<0-255>"), names: xrProtocols.rows(), accepts: between(0, 255)},
	{name: "XRTCPPort", what: "a TCP port", rows: rows("<0-65535>"), names: xrTCPTable.rows(), accepts: between(0, 65535)},
	{name: "XRUDPPort", what: "a UDP port", rows: rows("<0-65535>"), names: udpPorts.rows(), accepts: between(0, 65535)},
	{name: "XRPort", what: "a port", rows: rows("<0-65535>"), names: xrBothPorts.rows(), accepts: between(0, 65535)},
	{name: "PacketLength", what: "a packet's length", rows: rows("<0-65535>"), accepts: between(0, 65535)},
}

var (
	xrTCPTable = newTable(append([]tableRow{
		port("ssh", 22, "Secure Shell"), port("ldp", 646, "LDP session connection attempts"),
	}, tcpPorts.entries...)...)
	xrBothPorts = unambiguous(xrTCPTable, udpPorts)
	xrProtocols = newTable(append([]tableRow{{"ipv4", anyProtocol, "Any IPv4 Protocol"}}, protocols.without("ip")...)...)
)

// unambiguous has the words of two tables that mean one port, whichever table
// has them.
func unambiguous(a, b *table) *table {
	var out []tableRow
	for _, e := range a.entries {
		if v, ok := b.byWord[e.word]; !ok || v == e.value {
			out = append(out, e)
		}
	}
	for _, e := range b.entries {
		if _, ok := a.byWord[e.word]; !ok {
			out = append(out, e)
		}
	}
	return newTable(out...)
}

// without gives the rows of the table but one.
func (t *table) without(word string) (out []tableRow) {
	for _, e := range t.entries {
		if e.word != word {
			out = append(out, e)
		}
	}
	return out
}

func (l *line) xrList(n *xrList) error { return l.namedList(n.Name, Extended, ModeXRList) }

func (l *line) xrList6(n *xrList6) error { return l.namedList(n.Name, IPv6, ModeXRList6) }

// xrResequence renumbers by tens unless the line says otherwise.
func (l *line) xrResequence(n *xrResequence) error {
	kind := Extended
	if n.Family.Value == "ipv6" {
		kind = IPv6
	}
	a := l.Config.list(n.Name.Value, kind)
	if a == nil || a.Kind != kind {
		return l.semantic(at(n.Name), "Access-list "+n.Name.Value+" does not exist")
	}
	start, step := uint64(seqStep), uint64(seqStep)
	if n.Start.Value != "" {
		start = uint64(seqOf(n.Start))
	}
	if n.Step.Value != "" {
		step = uint64(seqOf(n.Step))
	}
	if !a.resequence(start, step) {
		return l.semantic(l.pos, "Exceeded maximum sequence number.")
	}
	return nil
}

func (l *line) xrLine(n *xrLine) error {
	ace := &ACE{Kind: Extended, Dialect: IOSXR, Pos: at(n.Action), Action: action(n.Action)}
	var err error
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, b.SourcePorts, b.DestinationPorts, xrTCPTable, b.Options)
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, (*xrTCPPorts)(b.SourcePorts), (*xrTCPPorts)(b.DestinationPorts), udpPorts, noFlags(b.Options))
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, (*xrTCPPorts)(b.SourcePorts), (*xrTCPPorts)(b.DestinationPorts), noPorts, noFlags(b.Options))
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMP, Pos: at(b.Protocol)}
		ace.ICMP = icmpMatch(b.Message, icmpTypes)
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, nil, nil, nil, noFlags(b.Options))
	case n.IGMP != nil:
		b := n.IGMP
		ace.Protocol = Protocol{Number: protoIGMP, Pos: at(b.Protocol)}
		if b.Type.Value != "" {
			ace.IGMP = &Value{igmpTypes.value(b.Type.Value), at(b.Type)}
		}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, nil, nil, nil, noFlags(b.Options))
	default:
		b := n.Any
		ace.Protocol = protocol(b.Protocol, xrProtocols)
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, nil, nil, nil, noFlags(b.Options))
	}
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

func (l *line) xrLine6(n *xrLine6) error {
	ace := &ACE{Kind: IPv6, Dialect: IOSXR, Pos: at(n.Action), Action: action(n.Action)}
	var err error
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, b.SourcePorts, b.DestinationPorts, xrTCPTable, b.Options)
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, (*xrTCPPorts)(b.SourcePorts), (*xrTCPPorts)(b.DestinationPorts), udpPorts, noFlags(b.Options))
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, (*xrTCPPorts)(b.SourcePorts), (*xrTCPPorts)(b.DestinationPorts), noPorts, noFlags(b.Options))
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMPv6, Pos: at(b.Protocol)}
		ace.ICMP = icmpMatch(b.Message, icmp6Types)
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, nil, nil, nil, noFlags(b.Options))
	default:
		b := n.Any
		ace.Protocol = protocol(b.Protocol, protocols6)
		err = l.xrTransport(ace, b.Source.Words, b.Destination.Words, nil, nil, nil, noFlags(b.Options))
	}
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

func noFlags(all []*xrOption) (out []*xrTCPOption) {
	for _, o := range all {
		out = append(out, &xrTCPOption{Option: o})
	}
	return out
}

// xrTransport sets both ends with their ports, then the options.
func (l *line) xrTransport(ace *ACE, from, to []lexer.Token, fromPorts, toPorts *xrTCPPorts, names *table, options []*xrTCPOption) (err error) {
	if ace.SourcePorts, err = l.xrCompare(fromPorts, names); err != nil {
		return err
	}
	if ace.DestinationPorts, err = l.xrCompare(toPorts, names); err != nil {
		return err
	}
	ace.Source, ace.Destination = l.xrAddress(from, ace.Kind), l.xrAddress(to, ace.Kind)
	for _, o := range options {
		switch {
		case o.Flags != nil:
			err = l.flags(ace, o.Flags.Words)
		case o.Option.Plain != nil:
			err = l.option(ace, o.Option.Plain.Words)
		default:
			err = l.xrExtra(ace, o.Option.Extra.Words)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range ace.Extra {
		if ace.DSCP != nil && strings.HasPrefix(e.Text, "dscp ") {
			return l.invalid(e.Pos, "the line has two conditions on dscp")
		}
	}
	return l.check(ace)
}

func (l *line) xrExtra(ace *ACE, words []lexer.Token) error {
	text := wordsOf(words)
	for _, e := range ace.Extra {
		if e.Text == text {
			return l.twice(words[0])
		}
	}
	ace.Extra = append(ace.Extra, Name{Text: text, Pos: at(words[0])})
	return nil
}

func (l *line) xrCompare(n *xrTCPPorts, names *table) (Compare, error) {
	switch {
	case n == nil:
		return Compare{}, nil
	case n.Words[0].Value == "port-group":
		return Compare{Op: InGroup, Pos: at(n.Words[0]), Group: name(n.Words[1])}, nil
	}
	return l.compare(n.Words, names)
}

// xrAddress gives the words of one end. The prefix is the canonical form of a
// mask whose ignored bits stand at the end.
func (l *line) xrAddress(words []lexer.Token, kind ACLKind) Address {
	first := words[0]
	switch {
	case first.Value == "net-group":
		return Address{Kind: AddressGroup, Pos: at(first), Group: name(words[1])}
	case first.Value == "interface":
		return Address{Kind: InterfaceAddress, Pos: at(first), Group: name(words[1])}
	case len(words) == 1 && first.Type != keywordType && kind == Extended:
		return l.prefix4(first)
	}
	return l.address(words, kind)
}

// prefix4 gives A/LEN.
func (l *line) prefix4(t lexer.Token) Address {
	text, length, _ := strings.Cut(t.Value, "/")
	a, _ := parseIPv4(text)
	n, _ := number(length)
	return l.normalise(Address{Kind: MaskedAddress, Pos: at(t), Addr: a, Wildcard: wildcard4(int(n))})
}

// xrKinds are the words of the groups.
var xrKinds = map[GroupKind]string{NetworkGroup: "network ipv4", NetworkGroup6: "network ipv6", PolicyPorts: "port"}

func (l *line) xrNetworks(n *xrNetworks) error {
	return l.objectGroup(n.Name, NetworkGroup, ModeXRNetworks)
}

func (l *line) xrNetworks6(n *xrNetworks6) error {
	return l.objectGroup(n.Name, NetworkGroup6, ModeXRNetworks6)
}

func (l *line) xrPorts(n *xrPorts) error { return l.objectGroup(n.Name, PolicyPorts, ModeXRPorts) }

func (l *line) xrNetwork(n *xrNetwork) error {
	words := n.Words
	if words[0].Value == "object-group" {
		return l.groupMember(words[1])
	}
	return l.networkMember(&networkMember{Words: words})
}

func (l *line) xrNetwork6(n *xrNetwork6) error {
	words := n.Words
	switch words[0].Value {
	case "object-group":
		return l.groupMember(words[1])
	case "range":
		m := &Member{Kind: RangeMember, Pos: at(words[0]), First: hostAddress(words[1]).Addr, Last: hostAddress(words[2]).Addr}
		l.ascend(m)
		return l.member(m)
	}
	return l.network6Member(&network6Member{Words: words})
}

func (l *line) xrPort(n *xrPort) error {
	if n.Words[0].Value == "object-group" {
		return l.groupMember(n.Words[1])
	}
	ports, err := l.compare(n.Words, xrBothPorts)
	if err != nil {
		return err
	}
	return l.member(&Member{Kind: PortMember, Pos: at(n.Words[0]), Ports: ports})
}

func (l *line) xrGroup(n *xrGroup) error {
	return l.bind(Binding{ACL: name(n.List), IPv6: n.Family.Value == "ipv6", Direction: xrDirection(n.Direction), Options: wordsOf(n.Options)})
}

func (l *line) xrNoGroup(n *xrNoGroup) error {
	return l.bind(Binding{IPv6: n.Family.Value == "ipv6", Direction: xrDirection(n.Direction)})
}

func xrDirection(t lexer.Token) Direction {
	if t.Value == "egress" {
		return Outbound
	}
	return Inbound
}

// xrText gives the binding as IOS-XR has it.
func (b *Binding) xrText() string {
	family, direction := "ipv4", "ingress"
	if b.IPv6 {
		family = "ipv6"
	}
	if b.Direction == Outbound {
		direction = "egress"
	}
	text := fmt.Sprintf("%s access-group %s %s", family, b.ACL.Text, direction)
	if b.Options != "" {
		text += " " + b.Options
	}
	return text
}

// appendXR adds the canonical words of a line.
func (a *ACE) appendXR(b []byte) []byte {
	b = append(b, a.Action.String()...)
	protocols, ports := xrProtocols, noPorts
	if a.Kind == IPv6 {
		protocols = protocols6
	}
	switch a.Protocol.Number {
	case protoTCP:
		ports = xrTCPTable
	case protoUDP:
		ports = udpPorts
	}
	b = appendWord(b, a.Protocol.text(protocols))
	b = a.Source.appendXR(b)
	b = appendXRCompare(b, a.SourcePorts, ports)
	b = a.Destination.appendXR(b)
	b = appendXRCompare(b, a.DestinationPorts, ports)
	return a.appendOptions(a.appendTransport(b), false)
}

func (a *Address) appendXR(b []byte) []byte {
	switch {
	case a.Kind == AddressGroup:
		return appendWord(appendWord(b, "net-group"), a.Group.Text)
	case a.Kind == InterfaceAddress:
		return appendWord(appendWord(b, "interface"), a.Group.Text)
	case a.Kind == MaskedAddress && a.Addr.Is4():
		if n, ok := length4(a.Wildcard); ok {
			return append(appendAddress(b, a.Addr), fmt.Sprintf("/%d", n)...)
		}
	}
	return a.append(b)
}

func appendXRCompare(b []byte, c Compare, names *table) []byte {
	if c.Op == InGroup {
		return appendWord(appendWord(b, "port-group"), c.Group.Text)
	}
	return appendCompare(b, c, names)
}

// xrText gives the member of a group as IOS-XR has it.
func (m *Member) xrText() string {
	switch m.Kind {
	case GroupMember:
		return "object-group " + m.Group.Text
	case PortMember:
		return string(appendCompare(nil, m.Ports, xrBothPorts)[1:])
	case SubnetMember:
		if m.First.Is6() {
			break
		}
		if n, ok := length4(m.Wildcard); ok {
			return fmt.Sprintf("%s/%d", m.First, n)
		}
	}
	return m.iosText()
}
