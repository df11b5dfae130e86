package grammar

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is the dialect IOS-XR. Its lists have prefixes beside wildcard
// masks, groups under other words, and sequence numbers that replace a line.

// xrParts are the parts of a line that both families have; ADDRESS and the like
// stand for the words of the family.
const xrParts = `End = "any" | ("host" <ADDRESS>) | ("net-group" <NETWORK>) | ("interface" <port>) | <PREFIX> | (<ADDRESS> <MASK>) .
TCPPorts = (("eq" | "neq" | "lt" | "gt") <xrtcpport>) | ("range" <xrtcpport> <xrtcpport>) | ("port-group" <policyports>) .
UDPPorts = (("eq" | "neq" | "lt" | "gt") <xrudpport>) | ("range" <xrudpport> <xrudpport>) | ("port-group" <policyports>) .
SCTPPorts = (("eq" | "neq" | "lt" | "gt") <sctpport>) | ("range" <sctpport> <sctpport>) | ("port-group" <policyports>) .
TCPRest = End TCPPorts? End TCPPorts? (Flags | Option)* .
UDPRest = End UDPPorts? End UDPPorts? Option* .
SCTPRest = End SCTPPorts? End SCTPPorts? Option* .
ICMPRest = End End (<ICMPTYPE> | (<icmpnumber> <icmpcode>?))? Option* .
Flags = "established" | ("ack" | "fin" | "psh" | "rst" | "syn" | "urg")+ | (("match-any" | "match-all") ("+ack" | "-ack" | "+fin" | "-fin" | "+psh" | "-psh" | "+rst" | "-rst" | "+syn" | "-syn" | "+urg" | "-urg")+) .
Option = "log" | "log-input" | "fragments" | ("dscp" (<dscp> | (("eq" | "neq" | "lt" | "gt") <dscp>) | ("range" <dscp> <dscp>))) | ("precedence" <precedence>) | ("ttl" ((("eq" | "neq" | "lt" | "gt") <byte>) | ("range" <byte> <byte>))) | Extra .
Extra = ("packet-length" ((("eq" | "neq" | "lt" | "gt") <packetlength>) | ("range" <packetlength> <packetlength>))) | ("fragment-type" ("dont-fragment" | "is-fragment" | "first-fragment" | "last-fragment")) | ("counter" <word>) | "capture" | "icmp-off" | ("police" <threshold> ("bps" | "kbps" | "mbps" | "gbps" | "pps")?) | ("set" (("ttl" <byte>) | ("traffic-class" <byte>) | ("qos-group" <threshold>))) | ("default"? ("nexthop1" | "nexthop2" | "nexthop3") ("track" <word>)? ("vrf" <word>)? (("ipv4" <address>) | ("ipv6" <address6>))?) .
`

var (
	xrParts4 = strings.NewReplacer("<ADDRESS>", "<address>", "<NETWORK>", "<network>", "<PREFIX>", "<addresslength>", "<MASK>", "<wildcard>", "<ICMPTYPE>", "<icmpname>").Replace(xrParts)
	xrParts6 = strings.NewReplacer("<ADDRESS>", "<address6>", "<NETWORK>", "<network6>", "<PREFIX>", "<prefix6>", "<MASK>", "<address6>", "<ICMPTYPE>", "<icmp6name>").Replace(xrParts)
)

const (
	xrACE4 = `<sequence>? ("permit" | "deny") (("tcp" TCPRest) | ("udp" UDPRest) | ("sctp" SCTPRest) | ("icmp" ICMPRest) | ("igmp" End End <igmptype>? Option*) | (<xrprotocol> End End Option*))`
	xrACE6 = `<sequence>? ("permit" | "deny") (("tcp" TCPRest) | ("udp" UDPRest) | ("sctp" SCTPRest) | (("icmp" | "icmpv6") ICMPRest) | (<protocol6> End End Option*))`
)

type (
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
	l.register("XRLine", xrACE4, xrParts4, both, []Mode{ModeXRList}, (*line).xrLine)
	l.register("XRLine6", xrACE6, xrParts6, both, []Mode{ModeXRList6}, (*line).xrLine)
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

// xrLine applies a line of a list. Its words are in the order of xrACE4.
func (l *line) xrLine(words []lexer.Token, _ lexer.Token) error {
	c := &cursor{words}
	var sequence lexer.Token
	if c.isA("sequence") {
		sequence = c.next()
	}
	ace := &ACE{Kind: Extended, Dialect: IOSXR, Pos: at(c.words[0]), Action: action(c.next())}
	names := xrProtocols
	if l.Mode == ModeXRList6 {
		ace.Kind, names = IPv6, protocols6
	}
	first := c.next()
	if first.Value == "icmpv6" {
		first.Value = "icmp"
	}
	ace.Protocol = protocol(first, names)
	if err := l.xrRest(ace, c); err != nil {
		return err
	}
	return l.entry(sequence, ace)
}

// xrRest reads what stands behind the protocol.
func (l *line) xrRest(ace *ACE, c *cursor) (err error) {
	if ace.Source, ace.SourcePorts, err = l.xrEnd(ace, c); err != nil {
		return err
	}
	if ace.Destination, ace.DestinationPorts, err = l.xrEnd(ace, c); err != nil {
		return err
	}
	switch {
	case len(c.words) == 0:
	case c.isA("icmpname") || c.isA("icmpnumber"):
		ace.ICMP = icmpMatch(c.message(), icmpTypes)
	case c.isA("icmp6name"):
		ace.ICMP = icmpMatch(c.message(), icmp6Types)
	case c.isA("igmptype"):
		t := c.next()
		ace.IGMP = &Value{igmpTypes.value(t.Value), at(t)}
	}
	for len(c.words) > 0 {
		if err := l.xrOption(ace, c); err != nil {
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

// message takes an ICMP type with its code.
func (c *cursor) message() []lexer.Token {
	n := 1
	if len(c.words) > 1 && c.words[1].Type == classByToken["icmpcode"].typ {
		n = 2
	}
	return c.take(n)
}

// xrEnd reads an address and the ports behind it.
func (l *line) xrEnd(ace *ACE, c *cursor) (a Address, ports Compare, err error) {
	n := 2
	if c.is("any") || c.isA("addresslength") || c.isA("prefix6") {
		n = 1
	}
	a = l.xrAddress(c.take(n), ace.Kind)
	switch {
	case c.is("port-group"):
		ports = c.portGroup()
	case c.is("range"):
		ports, err = l.compare(c.take(3), xrPortNames(ace.Protocol))
	case c.is("eq", "neq", "lt", "gt"):
		ports, err = l.compare(c.take(2), xrPortNames(ace.Protocol))
	}
	return a, ports, err
}

// xrPortNames gives the names of a protocol's ports.
func xrPortNames(p Protocol) *table {
	if !p.Any && p.Number == protoTCP {
		return xrTCPTable
	}
	return portNames(p)
}

// xrOption reads one option. Those that the model has no field for are kept as
// words.
func (l *line) xrOption(ace *ACE, c *cursor) error {
	switch {
	case c.is("log", "log-input", "fragments"):
		return l.option(ace, c.take(1))
	case c.is("precedence"), c.is("dscp") && !c.isAt(1, "eq", "neq", "lt", "gt", "range"):
		return l.option(ace, c.take(2))
	case c.is("ttl"):
		return l.option(ace, c.take(1+c.comparison(1)))
	case c.is("established"), c.is("match-any", "match-all"), c.is(flagOrder...):
		return l.flags(ace, c.flagWords())
	}
	return l.xrExtra(ace, c.take(c.extra()))
}

// comparison gives the number of words of the comparison at a place.
func (c *cursor) comparison(at int) int {
	if c.isAt(at, "range") {
		return 3
	}
	return 2
}

// flagWords takes the flags with the word in front of them.
func (c *cursor) flagWords() []lexer.Token {
	n := 1
	for n < len(c.words) && !c.is("established") && flagBits[strings.TrimLeft(c.words[n].Value, "+-")] != 0 {
		n++
	}
	return c.take(n)
}

// extra gives the number of words of an option that is kept as words.
func (c *cursor) extra() int {
	switch {
	case c.is("capture", "icmp-off"):
		return 1
	case c.is("set"):
		return 3
	case c.is("dscp", "packet-length"):
		return 1 + c.comparison(1)
	case c.is("fragment-type", "counter"):
		return 2
	case c.is("police"):
		if c.isAt(2, "bps", "kbps", "mbps", "gbps", "pps") {
			return 3
		}
		return 2
	}
	return c.nextHop()
}

// nextHop gives the number of words of ["default"] "nexthopN" with what
// belongs to it.
func (c *cursor) nextHop() int {
	n := 1
	if c.is("default") {
		n = 2
	}
	for _, pair := range []string{"track", "vrf"} {
		if c.isAt(n, pair) {
			n += 2
		}
	}
	if c.isAt(n, "ipv4", "ipv6") {
		n += 2
	}
	return n
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
