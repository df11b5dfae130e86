package grammar

import "github.com/alecthomas/participle/v2/lexer"

// This file is about lists that name hosts by their DNS names, whose addresses
// the device learns from the answers that it sees.

// maxDomainSeq is the highest sequence number of such a list.
const maxDomainSeq = 32767

type domainEnd struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' ('dynamic' Pattern | Address) | Address Wildcard )"`
}

type domainEnd6 struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' ('dynamic' Pattern | Address6) | Prefix6 | Address6 Wildcard6 )"`
}

type (
	domainTCP struct {
		Protocol         lexer.Token      `parser:"@'tcp'"`
		Source           domainEnd        `parser:"@@"`
		SourcePorts      *tcpCompare      `parser:"@@?"`
		Destination      domainEnd        `parser:"@@"`
		DestinationPorts *tcpCompare      `parser:"@@?"`
		Options          []*listTCPOption `parser:"@@*"`
	}
	domainUDP struct {
		Protocol         lexer.Token   `parser:"@'udp'"`
		Source           domainEnd     `parser:"@@"`
		SourcePorts      *udpCompare   `parser:"@@?"`
		Destination      domainEnd     `parser:"@@"`
		DestinationPorts *udpCompare   `parser:"@@?"`
		Options          []*listOption `parser:"@@*"`
	}
	domainICMP struct {
		Protocol    lexer.Token   `parser:"@'icmp'"`
		Source      domainEnd     `parser:"@@"`
		Destination domainEnd     `parser:"@@"`
		Message     []lexer.Token `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
		Options     []*listOption `parser:"@@*"`
	}
	domainAny struct {
		Protocol    lexer.Token   `parser:"@Protocol"`
		Source      domainEnd     `parser:"@@"`
		Destination domainEnd     `parser:"@@"`
		Options     []*listOption `parser:"@@*"`
	}
	domainACE struct {
		Action lexer.Token `parser:"@('permit' | 'deny')"`
		TCP    *domainTCP  `parser:"( @@"`
		UDP    *domainUDP  `parser:"| @@"`
		ICMP   *domainICMP `parser:"| @@"`
		Any    *domainAny  `parser:"| @@ )"`
	}
	domainLine struct {
		Sequence lexer.Token `parser:"@DomainSequence?"`
		ACE      domainACE   `parser:"@@"`
	}
)

type (
	domainTCP6 struct {
		Protocol         lexer.Token       `parser:"@'tcp'"`
		Source           domainEnd6        `parser:"@@"`
		SourcePorts      *tcpCompare       `parser:"@@?"`
		Destination      domainEnd6        `parser:"@@"`
		DestinationPorts *tcpCompare       `parser:"@@?"`
		Options          []*listTCPOption6 `parser:"@@*"`
	}
	domainUDP6 struct {
		Protocol         lexer.Token    `parser:"@'udp'"`
		Source           domainEnd6     `parser:"@@"`
		SourcePorts      *udpCompare    `parser:"@@?"`
		Destination      domainEnd6     `parser:"@@"`
		DestinationPorts *udpCompare    `parser:"@@?"`
		Options          []*listOption6 `parser:"@@*"`
	}
	domainICMP6 struct {
		Protocol    lexer.Token    `parser:"@'icmp'"`
		Source      domainEnd6     `parser:"@@"`
		Destination domainEnd6     `parser:"@@"`
		Message     []lexer.Token  `parser:"@( ICMP6Name | ICMPNumber ICMPCode? )?"`
		Options     []*listOption6 `parser:"@@*"`
	}
	domainAny6 struct {
		Protocol    lexer.Token    `parser:"@Protocol6"`
		Source      domainEnd6     `parser:"@@"`
		Destination domainEnd6     `parser:"@@"`
		Options     []*listOption6 `parser:"@@*"`
	}
	domainACE6 struct {
		Action lexer.Token  `parser:"@('permit' | 'deny')"`
		TCP    *domainTCP6  `parser:"( @@"`
		UDP    *domainUDP6  `parser:"| @@"`
		ICMP   *domainICMP6 `parser:"| @@"`
		Any    *domainAny6  `parser:"| @@ )"`
	}
	domainLine6 struct {
		Sequence lexer.Token `parser:"('sequence'? @DomainSequence)?"`
		ACE      domainACE6  `parser:"@@"`
	}
)

type (
	domainList struct {
		Name lexer.Token `parser:"'ip' 'access-list' 'fqdn' @DomainName"`
	}
	domainList6 struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' 'fqdn' @DomainName6"`
	}
	domainRemark struct {
		Sequence lexer.Token `parser:"@DomainSequence?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
	domainRemark6 struct {
		Sequence lexer.Token `parser:"('sequence'? @DomainSequence)?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
	domainNumber struct {
		Sequence lexer.Token `parser:"@DomainSequence"`
	}
	domainNumber6 struct {
		Sequence lexer.Token `parser:"'sequence'? @DomainSequence"`
	}
)

func (l *language) addDomainLists() {
	add(l, both, (*line).domainList, ModeGlobal)
	add(l, both, (*line).domainList6, ModeGlobal)
	add(l, both, (*line).domainLine, ModeDomainList)
	add(l, both, (*line).domainRemark, ModeDomainList)
	add(l, negated, (*line).domainNumber, ModeDomainList)
	add(l, both, (*line).domainLine6, ModeDomainList6)
	add(l, both, (*line).domainRemark6, ModeDomainList6)
	add(l, negated, (*line).domainNumber6, ModeDomainList6)
}

func (l *line) domainList(n *domainList) error {
	return l.namedList(n.Name, DomainList, ModeDomainList)
}

func (l *line) domainList6(n *domainList6) error {
	return l.namedList(n.Name, DomainList6, ModeDomainList6)
}

func (l *line) domainRemark(n *domainRemark) error {
	return l.remarkLine(&remarkLine{n.Sequence, n.Text})
}

func (l *line) domainRemark6(n *domainRemark6) error {
	return l.remarkLine(&remarkLine{n.Sequence, n.Text})
}

func (l *line) domainNumber(n *domainNumber) error {
	return l.removeSequence(l.acl, seqOf(n.Sequence))
}

func (l *line) domainNumber6(n *domainNumber6) error {
	return l.removeSequence(l.acl, seqOf(n.Sequence))
}

func (l *line) domainLine(n *domainLine) error {
	ace, err := l.domain(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

func (l *line) domain(n *domainACE) (*ACE, error) {
	ace := &ACE{Kind: DomainList, Pos: at(n.Action), Action: action(n.Action)}
	var from, to *tcpCompare
	var names *table
	var options []*listOption
	var err error
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
		from, to, names = b.SourcePorts, b.DestinationPorts, tcpPorts
		if options, err = l.withoutFlags(ace, b.Options); err != nil {
			return nil, err
		}
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
		from, to, names, options = (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMP, Pos: at(b.Protocol)}
		ace.ICMP, options = icmpMatch(b.Message, icmpTypes), b.Options
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
	default:
		b := n.Any
		ace.Protocol, options = protocol(b.Protocol, protocols), b.Options
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
	}
	return ace, l.roleTransport(ace, from, to, names, options)
}

func (l *line) domainLine6(n *domainLine6) error {
	ace, sequence, err := l.domain6(&n.ACE)
	if err != nil {
		return err
	}
	if seqOf(sequence) > maxDomainSeq {
		return l.invalid(at(sequence), "the sequence number is 32767 at most")
	}
	return l.entry6(n.Sequence, sequence, ace)
}

func (l *line) domain6(n *domainACE6) (ace *ACE, sequence lexer.Token, err error) {
	ace = &ACE{Kind: DomainList6, Pos: at(n.Action), Action: action(n.Action)}
	var from, to *tcpCompare
	var names *table
	var options []*listOption6
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
		from, to, names = b.SourcePorts, b.DestinationPorts, tcpPorts
		if options, err = l.withoutFlags6(ace, b.Options); err != nil {
			return nil, sequence, err
		}
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
		from, to, names, options = (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMPv6, Pos: at(b.Protocol)}
		ace.ICMP, options = icmpMatch(b.Message, icmp6Types), b.Options
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
	default:
		b := n.Any
		ace.Protocol, options = protocol(b.Protocol, protocols6), b.Options
		l.domainEnds(ace, b.Source.Words, b.Destination.Words)
	}
	if err := l.roleTransport(ace, from, to, names, nil); err != nil {
		return nil, sequence, err
	}
	return l.listOptions6(ace, options)
}

func (l *line) domainEnds(ace *ACE, from, to []lexer.Token) {
	ace.Source, ace.Destination = l.domainEnd(from, ace.Kind), l.domainEnd(to, ace.Kind)
}

func (l *line) domainEnd(words []lexer.Token, kind ACLKind) Address {
	if len(words) == 3 {
		a := Address{Kind: DynamicHost, Pos: at(words[0]), Group: name(words[2])}
		a.Group.Text = lowerCase(a.Group.Text)
		return a
	}
	return l.address(words, kind)
}
