package grammar

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about the object-groups beside those of addresses and services:
// services of IPv6, DNS names, countries, security groups, and the groups of a
// Catalyst.

type (
	serviceGroup6Line struct {
		Name lexer.Token `parser:"'object-group' 'v6-service' @Services6"`
	}
	patternGroupLine struct {
		Name lexer.Token `parser:"'object-group' 'fqdn' @PatternGroup"`
	}
	regionGroupLine struct {
		Name lexer.Token `parser:"'object-group' 'geo' @RegionGroup"`
	}
	tagGroupLine struct {
		Name lexer.Token `parser:"'object-group' 'security' @TagGroup"`
	}
	policyAddressesLine struct {
		Name lexer.Token `parser:"'object-group' 'ip' 'address' @PolicyAddresses"`
	}
	policyPortsLine struct {
		Name lexer.Token `parser:"'object-group' 'ip' 'port' @PolicyPorts"`
	}
	service6Member struct {
		Group    lexer.Token   `parser:"  'group-object' @Services6"`
		TCP      *tcpService   `parser:"| @@"`
		UDP      *udpService   `parser:"| @@"`
		Both     *bothService  `parser:"| @@"`
		ICMP     []lexer.Token `parser:"| @( 'icmp' ( ICMP6Name | ICMPNumber ICMPCode? )? )"`
		Protocol lexer.Token   `parser:"| @Protocol6"`
	}
	patternMember struct {
		Text  lexer.Token `parser:"  'pattern' @Regex"`
		Group lexer.Token `parser:"| 'group-object' @PatternGroup"`
	}
	regionMember struct {
		Country   lexer.Token `parser:"  'country' @Country"`
		Continent lexer.Token `parser:"| 'continent' @Continent"`
		Group     lexer.Token `parser:"| 'group-object' @RegionGroup"`
	}
	tagMember struct {
		Tag   lexer.Token `parser:"  'security-group' ('tag' | 'tag-id') @SGT"`
		Name  lexer.Token `parser:"| 'security-group' 'name' @Word"`
		Group lexer.Token `parser:"| 'group-object' @TagGroup"`
	}
	policyAddress struct {
		Words []lexer.Token `parser:"@( ('host' | 'host-info') Address | Address Netmask )"`
	}
	policyPort struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') BothPort | 'range' BothPort BothPort )"`
	}
)

func (l *language) addGroupKinds() {
	add(l, both, (*line).serviceGroup6, ModeGlobal)
	add(l, both, (*line).patternGroup, ModeGlobal)
	add(l, both, (*line).regionGroup, ModeGlobal)
	add(l, both, (*line).tagGroup, ModeGlobal)
	add(l, both, (*line).policyAddresses, ModeGlobal)
	add(l, both, (*line).policyPorts, ModeGlobal)
	add(l, both, (*line).service6Member, ModeServiceGroup6)
	add(l, both, (*line).patternMember, ModePatternGroup)
	add(l, both, (*line).regionMember, ModeRegionGroup)
	add(l, both, (*line).tagMember, ModeTagGroup)
	add(l, both, (*line).policyAddress, ModePolicyAddresses)
	add(l, both, (*line).policyPort, ModePolicyPorts)
	described := []Mode{ModeServiceGroup6, ModePatternGroup, ModeRegionGroup, ModeTagGroup, ModePolicyAddresses, ModePolicyPorts}
	add(l, both, (*line).setDescription, described...)
	add(l, negated, (*line).noDescription, described...)
}

// groupKindClasses are the arguments that only these groups have.
var groupKindClasses = []*class{
	{name: "Services6", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(ServiceGroup6)},
	{name: "AnyServices", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(ServiceGroup6, ServiceGroup)},
	{name: "PatternGroup", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(PatternGroup)},
	{name: "RegionGroup", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(RegionGroup)},
	{name: "TagGroup", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(TagGroup)},
	{name: "PolicyAddresses", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(PolicyAddresses)},
	{name: "PolicyPorts", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(PolicyPorts)},
	{name: "Regex", what: "a regular expression", rows: rows("LINE"), accepts: always, rest: true},
	{name: "Country", what: "the three letters of a country", rows: rows("AAA"), accepts: isCountry},
	{name: "Continent", what: "a continent", names: continents, accepts: never},
	{name: "HostName", what: "a host name", rows: rows("WORD"), accepts: isHostName},
}

// continents are the words that IOS has for them.
var continents = []row{
	{"af", "Africa"}, {"an", "Antarctica"}, {"as", "Asia"}, {"eu", "Europe"}, {"na", "North America"}, {"oc", "Oceania"}, {"sa", "South America"},
}

// isCountry accepts three letters, as in ISO 3166.
func isCountry(s string) bool {
	return len(s) == 3 && strings.Trim(lowerCase(s), "abcdefghijklmnopqrstuvwxyz") == ""
}

// isHostName accepts a DNS name whose last part starts with a letter, so that a
// wrong address is none.
func isHostName(s string) bool {
	s = strings.ReplaceAll(lowerCase(strings.TrimSuffix(s, ".")), "_", "a")
	last := s[strings.LastIndexByte(s, '.')+1:]
	return isDNSName(s) && !startsWithDigit(last)
}

func (l *line) serviceGroup6(n *serviceGroup6Line) error {
	return l.objectGroup(n.Name, ServiceGroup6, ModeServiceGroup6)
}

func (l *line) patternGroup(n *patternGroupLine) error {
	return l.objectGroup(n.Name, PatternGroup, ModePatternGroup)
}

func (l *line) regionGroup(n *regionGroupLine) error {
	return l.objectGroup(n.Name, RegionGroup, ModeRegionGroup)
}

func (l *line) tagGroup(n *tagGroupLine) error {
	return l.objectGroup(n.Name, TagGroup, ModeTagGroup)
}

func (l *line) policyAddresses(n *policyAddressesLine) error {
	return l.objectGroup(n.Name, PolicyAddresses, ModePolicyAddresses)
}

func (l *line) policyPorts(n *policyPortsLine) error {
	return l.objectGroup(n.Name, PolicyPorts, ModePolicyPorts)
}

func (l *line) service6Member(n *service6Member) error {
	icmp := n.ICMP
	if len(icmp) == 0 {
		return l.serviceMember(&serviceMember{Group: n.Group, TCP: n.TCP, UDP: n.UDP, Both: n.Both, Protocol: n.Protocol})
	}
	s := &Service{IPv6: true, Protocols: []Protocol{{Number: protoICMPv6, Pos: at(icmp[0])}}, ICMP: icmpMatch(icmp[1:], icmp6Types)}
	return l.member(&Member{Kind: ServiceMember, Pos: l.pos, Service: s})
}

func (l *line) patternMember(n *patternMember) error {
	if n.Group.Value != "" {
		return l.groupMember(n.Group)
	}
	return l.member(&Member{Kind: PatternMember, Pos: at(n.Text), Word: name(n.Text)})
}

func (l *line) regionMember(n *regionMember) error {
	m := &Member{Kind: CountryMember, Pos: at(n.Country), Word: name(n.Country)}
	switch {
	case n.Group.Value != "":
		return l.groupMember(n.Group)
	case n.Continent.Value != "":
		m = &Member{Kind: ContinentMember, Pos: at(n.Continent), Word: name(n.Continent)}
	}
	m.Word.Text = strings.ToUpper(m.Word.Text)
	return l.member(m)
}

func (l *line) tagMember(n *tagMember) error {
	switch {
	case n.Group.Value != "":
		return l.groupMember(n.Group)
	case n.Name.Value != "":
		return l.member(&Member{Kind: TagNameMember, Pos: at(n.Name), Word: name(n.Name)})
	}
	return l.member(&Member{Kind: TagMember, Pos: at(n.Tag), Tag: uint16(seqOf(n.Tag))})
}

func (l *line) policyAddress(n *policyAddress) error {
	m := &Member{Pos: at(n.Words[0])}
	if n.Words[0].Type == keywordType {
		m.Kind, m.First = HostMember, hostAddress(n.Words[1]).Addr
	} else {
		l.subnet(m, n.Words)
	}
	return l.member(m)
}

func (l *line) policyPort(n *policyPort) error {
	ports, err := l.compare(n.Words, bothPorts)
	if err != nil {
		return err
	}
	return l.member(&Member{Kind: PortMember, Pos: at(n.Words[0]), Ports: ports})
}

// otherText gives a member of one of these groups, or a host by its name.
func (m *Member) otherText() string {
	switch m.Kind {
	case NameMember:
		return "host " + m.Word.Text
	case PatternMember:
		return "pattern " + m.Word.Text
	case CountryMember:
		return "country " + m.Word.Text
	case ContinentMember:
		return "continent " + m.Word.Text
	case TagMember:
		return "security-group tag " + itoa(int(m.Tag))
	case TagNameMember:
		return "security-group name " + m.Word.Text
	case PortMember:
		return string(appendCompare(nil, m.Ports, bothPorts)[1:])
	}
	return m.Service.String()
}
