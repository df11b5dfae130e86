package grammar

import "github.com/alecthomas/participle/v2/lexer"

// This file is about role-based lists, whose lines look at ports and types but
// not at addresses: they filter between two security groups.

// listOption is an option of the lists that know nothing of interfaces.
type listOption struct {
	Words []lexer.Token `parser:"@( 'log' | 'log-input' | 'fragments' | 'time-range' TimeRange | 'dscp' DSCP | 'precedence' Precedence | 'tos' TOS | 'option' IPOption | 'ttl' ( ('eq' | 'neq') Byte+ | ('lt' | 'gt') Byte | 'range' Byte Byte ) )"`
}

type listOption6 struct {
	Words []lexer.Token `parser:"@( 'log' | 'log-input' | 'fragments' | 'time-range' TimeRange | 'dscp' DSCP | 'flow-label' FlowLabel | 'auth' | 'dest-option' | 'hbh' | 'mobility' | 'routing' | 'undetermined-transport' | 'sequence' Sequence )"`
}

type listTCPOption struct {
	Flags  *tcpFlags   `parser:"  @@"`
	Option *listOption `parser:"| @@"`
}

type listTCPOption6 struct {
	Flags  *tcpFlags    `parser:"  @@"`
	Option *listOption6 `parser:"| @@"`
}

type (
	roleTCP struct {
		Protocol         lexer.Token      `parser:"@'tcp'"`
		SourcePorts      *tcpCompare      `parser:"('src' @@)?"`
		DestinationPorts *tcpCompare      `parser:"('dst' @@)?"`
		Options          []*listTCPOption `parser:"@@*"`
	}
	roleUDP struct {
		Protocol         lexer.Token   `parser:"@'udp'"`
		SourcePorts      *udpCompare   `parser:"('src' @@)?"`
		DestinationPorts *udpCompare   `parser:"('dst' @@)?"`
		Options          []*listOption `parser:"@@*"`
	}
	roleSCTP struct {
		Protocol         lexer.Token   `parser:"@'sctp'"`
		SourcePorts      *sctpCompare  `parser:"('src' @@)?"`
		DestinationPorts *sctpCompare  `parser:"('dst' @@)?"`
		Options          []*listOption `parser:"@@*"`
	}
	roleICMP struct {
		Protocol lexer.Token   `parser:"@'icmp'"`
		Message  []lexer.Token `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
		Options  []*listOption `parser:"@@*"`
	}
	roleIGMP struct {
		Protocol lexer.Token   `parser:"@'igmp'"`
		Type     lexer.Token   `parser:"@IGMPType?"`
		Options  []*listOption `parser:"@@*"`
	}
	roleAny struct {
		Protocol lexer.Token   `parser:"@Protocol"`
		Options  []*listOption `parser:"@@*"`
	}
	roleACE struct {
		Action lexer.Token `parser:"@('permit' | 'deny')"`
		TCP    *roleTCP    `parser:"( @@"`
		UDP    *roleUDP    `parser:"| @@"`
		ICMP   *roleICMP   `parser:"| @@"`
		IGMP   *roleIGMP   `parser:"| @@"`
		SCTP   *roleSCTP   `parser:"| @@"`
		Any    *roleAny    `parser:"| @@ )"`
	}
	roleLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		ACE      roleACE     `parser:"@@"`
	}
)

type (
	roleTCP6 struct {
		Protocol         lexer.Token       `parser:"@'tcp'"`
		SourcePorts      *tcpCompare       `parser:"('src' @@)?"`
		DestinationPorts *tcpCompare       `parser:"('dst' @@)?"`
		Options          []*listTCPOption6 `parser:"@@*"`
	}
	roleUDP6 struct {
		Protocol         lexer.Token    `parser:"@'udp'"`
		SourcePorts      *udpCompare    `parser:"('src' @@)?"`
		DestinationPorts *udpCompare    `parser:"('dst' @@)?"`
		Options          []*listOption6 `parser:"@@*"`
	}
	roleSCTP6 struct {
		Protocol         lexer.Token    `parser:"@'sctp'"`
		SourcePorts      *sctpCompare   `parser:"('src' @@)?"`
		DestinationPorts *sctpCompare   `parser:"('dst' @@)?"`
		Options          []*listOption6 `parser:"@@*"`
	}
	roleICMP6 struct {
		Protocol lexer.Token    `parser:"@'icmp'"`
		Message  []lexer.Token  `parser:"@( ICMP6Name | ICMPNumber ICMPCode? )?"`
		Options  []*listOption6 `parser:"@@*"`
	}
	roleAny6 struct {
		Protocol lexer.Token    `parser:"@Protocol6"`
		Options  []*listOption6 `parser:"@@*"`
	}
	roleACE6 struct {
		Action lexer.Token `parser:"@('permit' | 'deny')"`
		TCP    *roleTCP6   `parser:"( @@"`
		UDP    *roleUDP6   `parser:"| @@"`
		ICMP   *roleICMP6  `parser:"| @@"`
		SCTP   *roleSCTP6  `parser:"| @@"`
		Any    *roleAny6   `parser:"| @@ )"`
	}
	roleLine6 struct {
		Sequence lexer.Token `parser:"('sequence'? @Sequence)?"`
		ACE      roleACE6    `parser:"@@"`
	}
)

type (
	roleList struct {
		Name lexer.Token `parser:"'ip' 'access-list' 'role-based' @RoleName"`
	}
	roleList6 struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' 'role-based' @RoleName6"`
	}
	// anySequence6 is the number of a line of IPv6 with or without its word.
	anySequence6 struct {
		Sequence lexer.Token `parser:"'sequence'? @Sequence"`
	}
	anyRemark6 struct {
		Sequence lexer.Token `parser:"('sequence'? @Sequence)?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
)

// roleClasses are the names of role-based lists and of those with DNS names.
var roleClasses = []*class{
	{name: "RoleName", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(RoleBased)},
	{name: "RoleName6", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(RoleBased6)},
	{name: "DomainName", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(DomainList)},
	{name: "DomainName6", what: "a list", rows: rows("WORD"), accepts: isName, free: true, defined: aclNames(DomainList6)},
	{name: "DomainSequence", what: "a sequence number", rows: rows("<1-32767>"), accepts: between(1, maxDomainSeq)},
}

func (l *language) addRoleLists() {
	add(l, both, (*line).roleList, ModeGlobal)
	add(l, both, (*line).roleList6, ModeGlobal)
	add(l, both, (*line).roleLine, ModeRoleList)
	add(l, both, (*line).remarkLine, ModeRoleList)
	add(l, negated, (*line).sequenceLine, ModeRoleList)
	add(l, both, (*line).roleLine6, ModeRoleList6)
	add(l, both, (*line).anyRemark6, ModeRoleList6)
	add(l, negated, (*line).anySequence6, ModeRoleList6)
}

func (l *line) roleList(n *roleList) error {
	return l.betweenGroups(n.Name, RoleBased, ModeRoleList)
}

func (l *line) roleList6(n *roleList6) error {
	return l.betweenGroups(n.Name, RoleBased6, ModeRoleList6)
}

func (l *line) betweenGroups(t lexer.Token, kind ACLKind, mode Mode) error {
	return l.namedList(t, kind, mode)
}

func (l *line) anySequence6(n *anySequence6) error {
	return l.removeSequence(l.acl, seqOf(n.Sequence))
}

func (l *line) anyRemark6(n *anyRemark6) error {
	return l.remarkLine(&remarkLine{n.Sequence, n.Text})
}

func (l *line) roleLine(n *roleLine) error {
	ace, err := l.role(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

// anywhere gives an ACE of a role-based list, whose ends are not looked at.
func anywhere(act lexer.Token, kind ACLKind) *ACE {
	pos := at(act)
	ace := &ACE{Kind: kind, Pos: pos, Action: action(act)}
	ace.Source = Address{Kind: AnyAddress, Pos: pos, Addr: zero4, Wildcard: ones4}
	if kind.IsIPv6() {
		ace.Source.Addr, ace.Source.Wildcard = zero6, ones6
	}
	ace.Destination = ace.Source
	return ace
}

func (l *line) role(n *roleACE) (*ACE, error) {
	ace := anywhere(n.Action, RoleBased)
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		options, err := l.withoutFlags(ace, b.Options)
		if err != nil {
			return nil, err
		}
		return ace, l.roleTransport(ace, b.SourcePorts, b.DestinationPorts, tcpPorts, options)
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		return ace, l.roleTransport(ace, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options)
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		return ace, l.roleTransport(ace, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), noPorts, b.Options)
	case n.ICMP != nil:
		ace.Protocol = Protocol{Number: protoICMP, Pos: at(n.ICMP.Protocol)}
		ace.ICMP = icmpMatch(n.ICMP.Message, icmpTypes)
		return ace, l.listOptions(ace, n.ICMP.Options)
	case n.IGMP != nil:
		ace.Protocol = Protocol{Number: protoIGMP, Pos: at(n.IGMP.Protocol)}
		if t := n.IGMP.Type; t.Value != "" {
			ace.IGMP = &Value{igmpTypes.value(t.Value), at(t)}
		}
		return ace, l.listOptions(ace, n.IGMP.Options)
	}
	ace.Protocol = protocol(n.Any.Protocol, protocols)
	return ace, l.listOptions(ace, n.Any.Options)
}

// withoutFlags sets the flags and gives the other options.
func (l *line) withoutFlags(ace *ACE, all []*listTCPOption) (options []*listOption, err error) {
	for _, o := range all {
		if o.Flags == nil {
			options = append(options, o.Option)
		} else if err := l.flags(ace, o.Flags.Words); err != nil {
			return nil, err
		}
	}
	return options, nil
}

func (l *line) roleTransport(ace *ACE, from, to *tcpCompare, names *table, options []*listOption) (err error) {
	if ace.SourcePorts, err = l.comparePorts(from, names); err != nil {
		return err
	}
	if ace.DestinationPorts, err = l.comparePorts(to, names); err != nil {
		return err
	}
	return l.listOptions(ace, options)
}

func (l *line) listOptions(ace *ACE, options []*listOption) error {
	for _, o := range options {
		if err := l.option(ace, o.Words); err != nil {
			return err
		}
	}
	return l.check(ace)
}

func (l *line) roleLine6(n *roleLine6) error {
	ace, sequence, err := l.role6(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry6(n.Sequence, sequence, ace)
}

func (l *line) role6(n *roleACE6) (ace *ACE, sequence lexer.Token, err error) {
	ace = anywhere(n.Action, RoleBased6)
	var from, to *tcpCompare
	var names *table
	var options []*listOption6
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		from, to, names = b.SourcePorts, b.DestinationPorts, tcpPorts
		if options, err = l.withoutFlags6(ace, b.Options); err != nil {
			return nil, sequence, err
		}
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		from, to, names, options = (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		from, to, names, options = (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), noPorts, b.Options
	case n.ICMP != nil:
		ace.Protocol = Protocol{Number: protoICMPv6, Pos: at(n.ICMP.Protocol)}
		ace.ICMP, options = icmpMatch(n.ICMP.Message, icmp6Types), n.ICMP.Options
	default:
		ace.Protocol, options = protocol(n.Any.Protocol, protocols6), n.Any.Options
	}
	if err := l.roleTransport(ace, from, to, names, nil); err != nil {
		return nil, sequence, err
	}
	return l.listOptions6(ace, options)
}

func (l *line) withoutFlags6(ace *ACE, all []*listTCPOption6) (options []*listOption6, err error) {
	for _, o := range all {
		if o.Flags == nil {
			options = append(options, o.Option)
		} else if err := l.flags(ace, o.Flags.Words); err != nil {
			return nil, err
		}
	}
	return options, nil
}

// listOptions6 sets the options and gives the sequence number among them.
func (l *line) listOptions6(ace *ACE, options []*listOption6) (_ *ACE, sequence lexer.Token, err error) {
	for _, o := range options {
		if o.Words[0].Value == "sequence" && sequence.Value == "" {
			sequence = o.Words[1]
		} else if err := l.option(ace, o.Words); err != nil {
			return nil, sequence, err
		}
	}
	return ace, sequence, l.check(ace)
}

// appendRole adds what a line of a role-based list has behind its action.
func (a *ACE) appendRole(b []byte, shown bool) []byte {
	b = a.appendProtocol(b)
	if a.SourcePorts.Op != 0 {
		b = appendCompare(appendWord(b, "src"), a.SourcePorts, a.portNames())
	}
	if a.DestinationPorts.Op != 0 {
		b = appendCompare(appendWord(b, "dst"), a.DestinationPorts, a.portNames())
	}
	return a.appendOptions(a.appendTransport(b), shown)
}
