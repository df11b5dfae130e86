package grammar

import (
	"net/netip"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// asaEnds are the parts of a line that are the same for every protocol. Target
// is a destination that is no group.
const asaEnds = `Source = "any" | "any4" | "any6" | ("host" (<address> | <address6> | <alias>)) | ("interface" <nameif>) | ("object" <networkobject>) | ("object-group" <asanetwork>) | ("object-group-network-service" <networkservices>) | <prefix6> | (<address> <netmask>) | (<alias> <netmask>) .
Target = "any" | "any4" | "any6" | ("host" (<address> | <address6> | <alias>)) | ("interface" <nameif>) | ("object" <networkobject>) | ("object-group-network-service" <networkservices>) | <prefix6> | (<address> <netmask>) | (<alias> <netmask>) .
Destination = Target | ("object-group" <asanetwork>) .
User = ("user" ("any" | "none" | <word>)) | ("user-group" <word>) | ("object-group-user" <usergroup>) .
Tag = ("security-group" (("name" <word>) | ("tag" <securitytag>))) | ("object-group-security" <securitygroup>) .
Option = ("log" (("disable" | "default") | (<loglevel>? ("interval" <loginterval>)?))) | ("time-range" <timerange>) | "inactive" .
`

// asaWithPorts is the rest of a line of a protocol with ports. Behind the
// source an object-group is the group of the source ports when an address
// follows, and the destination when none does. PROTO stands for the protocol.
const asaWithPorts = `PROTORest = User? Tag? Source (("object-group" <anygroup> (PROTOEnd | PROTOPorts)?) | (PROTOPorts PROTOEnd) | (Tag Destination PROTOLast?) | (Target PROTOLast?)) Option* .
PROTOEnd = Tag? Destination PROTOLast? .
PROTOLast = PROTOPorts | ("object-group" <anygroup>) .
PROTOPorts = (("eq" | "neq" | "lt" | "gt") <port>) | ("range" <port> <port>) .
`

// asaPorts gives the productions of a protocol with ports.
func asaPorts(prefix, port string) string {
	return strings.NewReplacer("PROTO", prefix, "<port>", "<"+port+">").Replace(asaWithPorts)
}

var asaParts = asaEnds + asaPorts("TCP", "asatcpport") + asaPorts("UDP", "asaudpport") + asaPorts("SCTP", "sctpport") + asaPorts("Both", "asabothport") +
	`Plain = User? Tag? Source Tag? Destination .
ICMPRest = Plain ((<asaicmptype> <icmpcode>?) | ("object-group" <icmplist>))? Option* .
ICMP6Rest = Plain ((<asaicmp6type> <icmpcode>?) | ("object-group" <icmplist>))? Option* .
`

const (
	asaStart = `"access-list" <asalist> ("line" <linenumber>)? `
	asaACE   = `("permit" | "deny") (("tcp" TCPRest) | ("udp" UDPRest) | ("sctp" SCTPRest) | ("icmp" ICMPRest) | ("icmp6" ICMP6Rest) | ("object-group" <anygroup> BothRest) | ("object" <serviceobject> Plain Option*) | (<asaprotocol> Plain Option*))`
)

func (l *language) addASALists() {
	in := ModeGlobal
	l.asa("ExtendedLine", asaStart+`"extended" `+asaACE, asaParts, both, (*line).asaExtended, in)
	l.asa("StandardLine", asaStart+`"standard" ("permit" | "deny") Network`,
		`Network = "any" | "any4" | ("host" (<address> | <alias>)) | (<address> <netmask>) | (<alias> <netmask>) .`+"\n", both, (*line).asaStandard, in)
	l.asa("ASARemark", asaStart+`"remark" <text>`, "", both, (*line).asaRemark, in)
	l.asa("ClearList", `"clear" "configure" "access-list" <asalist>?`, "", plain, (*line).clearLists, in)
}

func (l *line) asaExtended(c *cursor) error {
	list, number := c.asaStart()
	c.next()
	ace, err := l.asaACE(c)
	if err != nil {
		return err
	}
	return l.asaEntry(list, number, ace)
}

// asaStart takes the words in front of the kind of the list.
func (c *cursor) asaStart() (list, number lexer.Token) {
	c.next()
	list = c.next()
	if c.skip("line") {
		number = c.next()
	}
	return list, number
}

func (l *line) asaStandard(c *cursor) (err error) {
	list, number := c.asaStart()
	c.next()
	act := c.next()
	ace := &ACE{
		Kind: Standard, Dialect: ASA, Pos: at(act), Action: action(act),
		Protocol:    Protocol{Any: true, Pos: at(act)},
		Destination: Address{Kind: AnyAddress, Pos: at(act)},
	}
	if ace.Source, err = l.asaAddress(c); err != nil {
		return err
	}
	return l.asaEntry(list, number, ace)
}

// asaACE reads the line from its action on.
func (l *line) asaACE(c *cursor) (ace *ACE, err error) {
	act := c.next()
	ace = &ACE{Kind: Extended, Dialect: ASA, Pos: at(act), Action: action(act)}
	names := l.asaProtocol(ace, c)
	ace.User, ace.SourceTag = c.condition("user", "user-group", "object-group-user"), c.tag()
	if ace.Source, err = l.asaAddress(c); err != nil {
		return nil, err
	}
	if err = l.asaSourcePorts(ace, c, names); err != nil {
		return nil, err
	}
	ace.DestinationTag = c.tag()
	if ace.Destination, err = l.asaAddress(c); err != nil {
		return nil, err
	}
	if err = l.asaLast(ace, c, names); err != nil {
		return nil, err
	}
	if err = l.asaOptions(ace, c); err != nil {
		return nil, err
	}
	l.Config.settlePorts(ace)
	return ace, l.asaCheck(ace)
}

// asaProtocol reads the protocol and gives the names of its ports; nil for one
// without.
func (l *line) asaProtocol(ace *ACE, c *cursor) *table {
	first := c.next()
	switch first.Value {
	case "object", "object-group":
		if first.Type == keywordType {
			ace.ServiceGroup, ace.ServiceObject = name(c.next()), first.Value == "object"
			return asaBothPorts
		}
	case "tcp", "udp", "sctp":
		ace.Protocol = protocol(first, asaProtocols)
		return asaPortNames(ace.Protocol)
	}
	ace.Protocol = protocol(first, asaProtocols)
	return nil
}

// condition takes a condition on users or tags, as it is printed.
func (c *cursor) condition(words ...string) Name {
	if !c.is(words...) {
		return Name{}
	}
	n := 2
	if c.isAt(0, "security-group") {
		n = 3
	}
	taken := c.take(n)
	return Name{Text: wordsOf(taken), Pos: at(taken[0])}
}

func (c *cursor) tag() Name { return c.condition("security-group", "object-group-security") }

// asaAddress reads one end of a line.
func (l *line) asaAddress(c *cursor) (Address, error) {
	first := c.next()
	pos := at(first)
	if first.Type != keywordType {
		return l.asaMasked(first, c)
	}
	switch first.Value {
	case "any4":
		return Address{Kind: AnyAddress, Pos: pos, Addr: zero4, Wildcard: ones4}, nil
	case "any6":
		return Address{Kind: AnyAddress, Pos: pos, Addr: zero6, Wildcard: ones6}, nil
	case "host":
		return l.asaHost(c.next())
	case "interface":
		return Address{Kind: InterfaceAddress, Pos: pos, Group: name(c.next())}, nil
	case "object":
		return Address{Kind: AddressObject, Pos: pos, Group: name(c.next())}, nil
	case "object-group":
		return Address{Kind: AddressGroup, Pos: pos, Group: name(c.next())}, nil
	case "object-group-network-service":
		return Address{Kind: NetworkServices, Pos: pos, Group: name(c.next())}, nil
	}
	return Address{Kind: AnyAddress, Pos: pos}, nil
}

func (l *line) asaHost(t lexer.Token) (a Address, err error) {
	if t.Type != classByToken["alias"].typ {
		return hostAddress(t), nil
	}
	a = Address{Kind: HostAddress, Pos: at(t), Wildcard: zero4}
	a.Addr, a.Alias, err = l.aliased(t)
	if a.Addr.Is6() {
		a.Wildcard = zero6
	}
	return a, err
}

// asaMasked reads A MASK, NAME MASK and X/LENGTH.
func (l *line) asaMasked(first lexer.Token, c *cursor) (Address, error) {
	if first.Type == classByToken["prefix6"].typ {
		return l.prefix6(first), nil
	}
	a := Address{Kind: MaskedAddress, Pos: at(first)}
	a.Addr, _ = parseIPv4(first.Value)
	if first.Type == classByToken["alias"].typ {
		var err error
		if a.Addr, a.Alias, err = l.aliased(first); err != nil {
			return a, err
		}
	}
	mask := c.next()
	if a.Addr.Is6() {
		return a, l.invalid(at(mask), "name "+first.Value+" is an IPv6 address, which has no netmask")
	}
	wildcard, err := l.asaMask(mask)
	if err != nil {
		return a, err
	}
	a.Wildcard = wildcard
	if a = l.normalise(a); a.Kind == AnyAddress {
		a.Alias = Name{}
	}
	return a, nil
}

// asaMask gives the wildcard of a netmask, which must be a run of ones.
func (l *line) asaMask(t lexer.Token) (netip.Addr, error) {
	mask, _ := parseIPv4(t.Value)
	switch v := to32(mask); {
	case v == 0 || v == 0xffffffff || looksLikeNetmask(mask):
		return invert(mask), nil
	case looksLikeWildcard(mask):
		return mask, l.invalid(at(t), t.Value+" looks like a wildcard mask, want a netmask such as "+invert(mask).String())
	}
	return mask, l.invalid(at(t), t.Value+" is no netmask: its ones are not in one run")
}

// asaSourcePorts reads the ports of the source. Behind an address an
// object-group is one of ports when another address follows; the grammar has
// no third reading, but see settlePorts.
func (l *line) asaSourcePorts(ace *ACE, c *cursor, names *table) (err error) {
	switch {
	case names == nil:
	case c.is("eq", "neq", "lt", "gt", "range"):
		ace.SourcePorts, err = l.asaCompare(c, names)
	case c.is("object-group") && c.addressAt(2):
		ace.SourcePorts = c.portGroup()
	}
	return err
}

func (c *cursor) portGroup() Compare {
	pos := at(c.next())
	return Compare{Op: InGroup, Pos: pos, Group: name(c.next())}
}

// addressAt reports whether an end of the line starts at the word.
func (c *cursor) addressAt(i int) bool {
	if i >= len(c.words) {
		return false
	}
	return c.words[i].Type != keywordType || !c.isAt(i, "eq", "neq", "lt", "gt", "range", "log", "time-range", "inactive")
}

func (l *line) asaCompare(c *cursor, names *table) (Compare, error) {
	n := 2
	if c.is("range") {
		n = 3
	}
	return l.compare(c.take(n), names)
}

// asaLast reads what stands behind the destination of one protocol only.
func (l *line) asaLast(ace *ACE, c *cursor, names *table) (err error) {
	icmp := ace.Protocol.Number == protoICMP || ace.Protocol.Number == protoICMPv6
	switch {
	case c.is("eq", "neq", "lt", "gt", "range"):
		ace.DestinationPorts, err = l.asaCompare(c, names)
	case c.is("object-group") && names == nil:
		c.next()
		ace.ICMPGroup = name(c.next())
	case c.is("object-group"):
		ace.DestinationPorts = c.portGroup()
	case icmp && len(c.words) > 0 && c.words[0].Type != keywordType:
		ace.ICMP = c.icmp(asaTypes(ace.Protocol))
	}
	return err
}

func asaTypes(p Protocol) *table {
	if p.Number == protoICMPv6 {
		return asaICMP6Types
	}
	return asaICMPTypes
}

// icmp reads a type and its code; nil when there is none.
func (c *cursor) icmp(names *table) *ICMP {
	t := c.next()
	if t.Value == "" {
		return nil
	}
	m := &ICMP{Code: -1, Pos: at(t)}
	if v, ok := names.byWord[t.Value]; ok {
		m.Type = uint8(v / 512)
	} else {
		m.Type = uint8(seqOf(t))
	}
	if c.isA("icmpcode") {
		m.Code = int16(seqOf(c.next()))
	}
	return m
}

func (l *line) asaOptions(ace *ACE, c *cursor) error {
	for len(c.words) > 0 {
		first := c.next()
		free := true
		switch first.Value {
		case "inactive":
			free, ace.Inactive = !ace.Inactive, true
		case "time-range":
			free, ace.TimeRange = ace.TimeRange.Text == "", name(c.next())
		default:
			free = !ace.Log.Pos.IsValid()
			ace.Log = asaLog(first, c)
		}
		if !free {
			return l.twice(first)
		}
	}
	return nil
}

// asaLog reads what stands behind "log". Level 6 and 300 seconds, the values
// that "log" alone has, stay written where they were.
func asaLog(first lexer.Token, c *cursor) Log {
	log := Log{On: true, Pos: at(first)}
	switch {
	case c.is("disable", "default"):
		log.On, log.Level = false, c.next().Value
		return log
	case c.isA("loglevel"):
		log.Level = logLevels.name(logLevels.value(c.next().Value))
	}
	if c.skip("interval") {
		log.Interval = seqOf(c.next())
	}
	return log
}

// asaCheck refuses what does not go together: a service group has its ports
// in its members.
func (l *line) asaCheck(ace *ACE) error {
	g := l.Config.ObjectGroup(ace.ServiceGroup.Text)
	if g == nil || g.Kind == ProtocolGroup {
		return nil
	}
	for _, c := range []Compare{ace.SourcePorts, ace.DestinationPorts} {
		if c.Op != 0 {
			return l.invalid(c.Pos, "object-group "+g.Name+" is no group of protocols, so that no ports may follow")
		}
	}
	return nil
}

// settlePorts decides what "object-group A object-group B" behind a source
// means: source ports and destination, or destination and its ports. The kinds
// of the groups say so; A is the destination as long as neither is defined.
// Nothing else is written in both ways.
func (c *Config) settlePorts(ace *ACE) {
	var first, second Compare
	switch to := ace.Destination; {
	case to.Kind != AddressGroup || ace.DestinationTag.Text != "":
		return
	case ace.SourcePorts.Op == InGroup && ace.DestinationPorts.Op == 0:
		first, second = ace.SourcePorts, Compare{Op: InGroup, Pos: to.Pos, Group: to.Group}
	case ace.SourcePorts.Op == 0 && ace.DestinationPorts.Op == InGroup:
		first, second = Compare{Op: InGroup, Pos: to.Pos, Group: to.Group}, ace.DestinationPorts
	default:
		return
	}
	if c.arePorts(first.Group, second.Group) {
		ace.SourcePorts, ace.DestinationPorts = first, Compare{}
		ace.Destination = Address{Kind: AddressGroup, Pos: second.Pos, Group: second.Group}
		return
	}
	ace.SourcePorts, ace.DestinationPorts = Compare{}, second
	ace.Destination = Address{Kind: AddressGroup, Pos: first.Pos, Group: first.Group}
}

// arePorts reports whether the first of two groups is the one of ports.
func (c *Config) arePorts(first, second Name) bool {
	if g := c.ObjectGroup(first.Text); g != nil {
		return g.Kind != NetworkGroup
	}
	g := c.ObjectGroup(second.Text)
	return g != nil && g.Kind == NetworkGroup
}
