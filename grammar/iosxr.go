package grammar

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is the dialect IOS-XR. A number that is written again replaces its
// line, equal lines may stand beside each other, and lists of both families may
// share a name. A/32 is printed as host A; A/LEN and A WILDCARD are printed as
// they were typed.

type (
	xrList struct {
		Name lexer.Token `parser:"'ipv4' 'access-list' @FilterName"`
	}
	xrList6 struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' @FilterName6"`
	}
	xrNetworks struct {
		Name lexer.Token `parser:"'object-group' 'network' 'ipv4' @AddressGroup"`
	}
	xrNetworks6 struct {
		Name lexer.Token `parser:"'object-group' 'network' 'ipv6' @AddressGroup6"`
	}
	xrPorts struct {
		Name lexer.Token `parser:"'object-group' 'port' @PortGroup"`
	}
	xrNetwork struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'range' Address Address | 'object-group' AddressGroup | AddressLength )"`
	}
	xrNetwork6 struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'range' Address6 Address6 | 'object-group' AddressGroup6 | Prefix6 )"`
	}
	xrPort struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') SomePort | 'range' SomePort SomePort | 'object-group' PortGroup )"`
	}
	xrInterface struct {
		Name   lexer.Token `parser:"'interface' 'preconfigure'? @Port"`
		Number lexer.Token `parser:"@PortNumber?"`
		Link   lexer.Token `parser:"@('l2transport' | 'point-to-point' | 'multipoint')?"`
	}
	xrGroupOption struct {
		Words []lexer.Token `parser:"@( 'hardware-count' | 'interface-statistics' | 'compress' ('level' Byte)? )"`
	}
	xrGroup struct {
		Family    lexer.Token      `parser:"@('ipv4' | 'ipv6') 'access-group'"`
		List      lexer.Token      `parser:"@AnyFilter"`
		Direction lexer.Token      `parser:"@('ingress' | 'egress')"`
		Options   []*xrGroupOption `parser:"@@*"`
	}
	xrNoGroup struct {
		Family    lexer.Token `parser:"@('ipv4' | 'ipv6') 'access-group'"`
		Direction lexer.Token `parser:"@('ingress' | 'egress')"`
	}
	xrRemark struct {
		Sequence lexer.Token `parser:"@XRNumber?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
	xrNumber struct {
		Sequence lexer.Token `parser:"@XRNumber"`
	}
	xrCopy struct {
		Family lexer.Token `parser:"'copy' 'access-list' @('ipv4' | 'ipv6')"`
		From   lexer.Token `parser:"@AnyFilter"`
		To     lexer.Token `parser:"@AnyFilter"`
	}
	xrResequence struct {
		Family lexer.Token `parser:"'resequence' 'access-list' @('ipv4' | 'ipv6')"`
		Name   lexer.Token `parser:"@AnyFilter"`
		Start  lexer.Token `parser:"( @XRNumber"`
		Step   lexer.Token `parser:"  @XRNumber? )?"`
	}
)

func (l *language) addXRLists() {
	add(l, both, (*line).xrList, ModeGlobal)
	add(l, both, (*line).xrList6, ModeGlobal)
	add(l, plain, (*line).xrResequence, ModeGlobal)
	add(l, both, (*line).xrLine, ModeXRList)
	add(l, both, (*line).xrLine6, ModeXRList6)
	add(l, both, (*line).xrRemark, ModeXRList, ModeXRList6)
	add(l, negated, (*line).xrNumber, ModeXRList, ModeXRList6)
	add(l, plain, (*line).xrCopy, ModeGlobal)
	l.keep(
		kept{
			production: "XREthernetList", modes: []Mode{ModeGlobal}, enters: ModeXREthernet, defines: "mac list",
			grammar: `"ethernet-services" "access-list" <maclist>`, why: "is kept; frames are not filtered by their MAC addresses",
		},
		kept{production: "XREthernetLine", modes: []Mode{ModeXREthernet}, grammar: `<xrnumber>? ("permit" | "deny") <text>`},
		kept{production: "XREthernetRemark", modes: []Mode{ModeXREthernet}, grammar: `<xrnumber>? "remark" <text>`},
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
	add(l, both, (*line).xrInterface, ModeGlobal)
	add(l, both, (*line).setDescription, ModeInterface)
	add(l, negated, (*line).noDescription, ModeInterface)
	add(l, both, (*line).xrGroup, ModeInterface)
	add(l, negated, (*line).xrNoGroup, ModeInterface)
	on := []Mode{ModeInterface}
	l.keep(
		kept{
			production: "XRCommonGroup", modes: on,
			grammar: `("ipv4" | "ipv6") "access-group" "common" <anyfilter> <anyfilter>? "ingress" ("hardware-count" | "interface-statistics")*`,
		},
		kept{
			production: "XREthernetGroup", modes: on, why: "is kept; frames are not filtered by their MAC addresses",
			grammar: `"ethernet-services" "access-group" <maclist> ("ingress" | "egress")`,
		},
		kept{production: "XRUnicastCheck", modes: on, grammar: `("ipv4" | "ipv6") "verify" "unicast" <text>`},
	)
}

func (l *line) xrList(n *xrList) error { return l.placedList(n.Name, Extended, ModeXRList) }

func (l *line) xrList6(n *xrList6) error { return l.placedList(n.Name, IPv6, ModeXRList6) }

func (l *line) xrRemark(n *xrRemark) error { return l.placedRemark((*placedRemark)(n)) }

func (l *line) xrNumber(n *xrNumber) error { return l.removePlaced((*placedNumber)(n)) }

// listOf gives the list of the family.
func (l *line) listOf(family, t lexer.Token) (*ACL, error) {
	a := l.Config.Filter(t.Value, family.Value == "ipv6")
	if a == nil {
		return nil, l.semantic(at(t), "Access-list "+t.Value+" does not exist")
	}
	return a, nil
}

// xrResequence renumbers by tens unless the line says otherwise.
func (l *line) xrResequence(n *xrResequence) error {
	a, err := l.listOf(n.Family, n.Name)
	if err != nil {
		return err
	}
	start, step := uint64(seqStep), uint64(seqStep)
	if n.Start.Value != "" {
		start = uint64(seqOf(n.Start))
	}
	if n.Step.Value != "" {
		step = uint64(seqOf(n.Step))
	}
	return l.renumber(a, start, step)
}

// xrCopy copies a list, which must not exist under the other name.
func (l *line) xrCopy(n *xrCopy) error {
	a, err := l.listOf(n.Family, n.From)
	if err != nil {
		return err
	}
	if l.Config.Filter(n.To.Value, a.Kind.IsIPv6()) != nil {
		return l.semantic(at(n.To), "Access-list "+n.To.Value+" already exists")
	}
	b := a.clone()
	b.Name, b.Pos = n.To.Value, at(n.To)
	l.Config.ACLs = append(l.Config.ACLs, b)
	return nil
}

func (l *line) xrNetworks(n *xrNetworks) error {
	return l.objectGroup(n.Name, NetworkGroup, ModeXRNetworks)
}

func (l *line) xrNetworks6(n *xrNetworks6) error {
	return l.objectGroup(n.Name, NetworkGroup6, ModeXRNetworks6)
}

func (l *line) xrPorts(n *xrPorts) error { return l.objectGroup(n.Name, PolicyPorts, ModeXRPorts) }

func (l *line) xrNetwork(n *xrNetwork) error { return l.xrAddress(n.Words, Extended) }

func (l *line) xrNetwork6(n *xrNetwork6) error { return l.xrAddress(n.Words, IPv6) }

// xrAddress adds a member of a group of addresses.
func (l *line) xrAddress(words []lexer.Token, kind ACLKind) error {
	m := &Member{Pos: at(words[0])}
	switch words[0].Value {
	case "object-group":
		return l.xrNested(words[1])
	case "any":
		m.Kind = AnyMember
	case "range":
		m.Kind, m.First, m.Last = RangeMember, hostAddress(words[1]).Addr, hostAddress(words[2]).Addr
		l.ascend(m)
	default:
		m = l.maskedMember(words, kind)
	}
	return l.member(m)
}

// xrNested adds a group. One that has the name of a kind of groups is taken for
// the beginning of another group, which lacks its name.
func (l *line) xrNested(t lexer.Token) error {
	if lower := lowerCase(t.Value); lower == "port" || lower == "network" {
		return l.invalid(at(t), "want the name of a group")
	}
	return l.groupMember(t)
}

func (l *line) xrPort(n *xrPort) error {
	if n.Words[0].Value == "object-group" {
		return l.xrNested(n.Words[1])
	}
	ports, err := l.compare(n.Words, somePorts)
	if err != nil {
		return err
	}
	return l.member(&Member{Kind: PortMember, Pos: at(n.Words[0]), Ports: ports})
}

func (l *line) xrInterface(n *xrInterface) error { return l.plainInterface((*interfaceLine)(n)) }

func (l *line) xrGroup(n *xrGroup) error {
	b := Binding{ACL: name(n.List), IPv6: n.Family.Value == "ipv6", Direction: xrDirection(n.Direction)}
	for _, o := range n.Options {
		b.Options += " " + wordsOf(o.Words)
	}
	b.Options = strings.TrimPrefix(b.Options, " ")
	return l.bind(b)
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
