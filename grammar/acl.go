package grammar

import "github.com/alecthomas/participle/v2/lexer"

// The grammars of access-lists. A field captures the words of one part of a
// line, typed by the walk already; ace.go gives them their meaning.

// source is where packets come from; destination differs in its help texts.
type source struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'object-group' Network | 'fqdn-group' PatternGroup | 'geo-group' RegionGroup | 'addrgroup' PolicyAddresses | Address Wildcard )"`
}

type destination source

type source6 struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'object-group' Network6 | 'fqdn-group' PatternGroup | 'geo-group' RegionGroup | Prefix6 | Address6 Wildcard6 )"`
}

type destination6 source6

type tcpCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq') TCPPort+ | ('lt' | 'gt') TCPPort | 'range' TCPPort TCPPort | 'portgroup' PolicyPorts )"`
}

type udpCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq') UDPPort+ | ('lt' | 'gt') UDPPort | 'range' UDPPort UDPPort | 'portgroup' PolicyPorts )"`
}

type sctpCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq') SCTPPort+ | ('lt' | 'gt') SCTPPort | 'range' SCTPPort SCTPPort | 'portgroup' PolicyPorts )"`
}

// tcpFlags are the options that only TCP has.
type tcpFlags struct {
	Words []lexer.Token `parser:"@( 'established' | ('ack' | 'fin' | 'psh' | 'rst' | 'syn' | 'urg')+ | ('match-any' | 'match-all') ('+ack' | '-ack' | '+fin' | '-fin' | '+psh' | '-psh' | '+rst' | '-rst' | '+syn' | '-syn' | '+urg' | '-urg')+ )"`
}

// option is an option that every IPv4 protocol has. Options stand in any order.
type option struct {
	Words []lexer.Token `parser:"@( 'log' Cookie? | 'log-input' Cookie? | 'fragments' | 'time-range' TimeRange | 'dscp' DSCP | 'precedence' Precedence | 'tos' TOS | 'option' IPOption | 'ttl' ( ('eq' | 'neq') Byte+ | ('lt' | 'gt') Byte | 'range' Byte Byte ) | 'reflect' Reflexive ('timeout' Seconds)? )"`
}

type option6 struct {
	Words []lexer.Token `parser:"@( 'log' Cookie? | 'log-input' Cookie? | 'fragments' | 'time-range' TimeRange | 'dscp' DSCP | 'flow-label' FlowLabel | 'auth' | 'dest-option' | 'hbh' | 'mobility' | 'routing' | 'undetermined-transport' | ('dest-option-type' | 'mobility-type' | 'routing-type') Byte | 'sequence' Sequence | 'reflect' Reflexive ('timeout' Seconds)? )"`
}

type tcpOption struct {
	Flags  *tcpFlags `parser:"  @@"`
	Option *option   `parser:"| @@"`
}

type tcpOption6 struct {
	Flags  *tcpFlags `parser:"  @@"`
	Option *option6  `parser:"| @@"`
}

type tcpACE struct {
	Protocol         lexer.Token  `parser:"@'tcp'"`
	Source           source       `parser:"@@"`
	SourcePorts      *tcpCompare  `parser:"@@?"`
	Destination      destination  `parser:"@@"`
	DestinationPorts *tcpCompare  `parser:"@@?"`
	Options          []*tcpOption `parser:"@@*"`
}

type udpACE struct {
	Protocol         lexer.Token `parser:"@'udp'"`
	Source           source      `parser:"@@"`
	SourcePorts      *udpCompare `parser:"@@?"`
	Destination      destination `parser:"@@"`
	DestinationPorts *udpCompare `parser:"@@?"`
	Options          []*option   `parser:"@@*"`
}

type sctpACE struct {
	Protocol         lexer.Token  `parser:"@'sctp'"`
	Source           source       `parser:"@@"`
	SourcePorts      *sctpCompare `parser:"@@?"`
	Destination      destination  `parser:"@@"`
	DestinationPorts *sctpCompare `parser:"@@?"`
	Options          []*option    `parser:"@@*"`
}

type icmpACE struct {
	Protocol    lexer.Token   `parser:"@'icmp'"`
	Source      source        `parser:"@@"`
	Destination destination   `parser:"@@"`
	Message     []lexer.Token `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
	Options     []*option     `parser:"@@*"`
}

type igmpACE struct {
	Protocol    lexer.Token `parser:"@'igmp'"`
	Source      source      `parser:"@@"`
	Destination destination `parser:"@@"`
	Type        lexer.Token `parser:"@IGMPType?"`
	Options     []*option   `parser:"@@*"`
}

type anyACE struct {
	Protocol    lexer.Token `parser:"@Protocol"`
	Source      source      `parser:"@@"`
	Destination destination `parser:"@@"`
	Options     []*option   `parser:"@@*"`
}

type groupACE struct {
	Services    lexer.Token `parser:"'object-group' @Services"`
	Source      source      `parser:"@@"`
	Destination destination `parser:"@@"`
	Options     []*option   `parser:"@@*"`
}

// extendedACE is an ACE of an extended list without its sequence number.
type extendedACE struct {
	Dynamic []lexer.Token `parser:"@('dynamic' Word ('timeout' Minutes)?)?"`
	Action  lexer.Token   `parser:"@('permit' | 'deny')"`
	TCP     *tcpACE       `parser:"( @@"`
	UDP     *udpACE       `parser:"| @@"`
	ICMP    *icmpACE      `parser:"| @@"`
	Group   *groupACE     `parser:"| @@"`
	IGMP    *igmpACE      `parser:"| @@"`
	SCTP    *sctpACE      `parser:"| @@"`
	Any     *anyACE       `parser:"| @@ )"`
}

type standardACE struct {
	Action lexer.Token   `parser:"@('permit' | 'deny')"`
	Source []lexer.Token `parser:"@( 'any' | 'host' Address | 'object-group' Network | Address Wildcard? )"`
	Log    []lexer.Token `parser:"@( 'log' Cookie? )?"`
}

type tcpACE6 struct {
	Protocol         lexer.Token   `parser:"@'tcp'"`
	Source           source6       `parser:"@@"`
	SourcePorts      *tcpCompare   `parser:"@@?"`
	Destination      destination6  `parser:"@@"`
	DestinationPorts *tcpCompare   `parser:"@@?"`
	Options          []*tcpOption6 `parser:"@@*"`
}

type udpACE6 struct {
	Protocol         lexer.Token  `parser:"@'udp'"`
	Source           source6      `parser:"@@"`
	SourcePorts      *udpCompare  `parser:"@@?"`
	Destination      destination6 `parser:"@@"`
	DestinationPorts *udpCompare  `parser:"@@?"`
	Options          []*option6   `parser:"@@*"`
}

type sctpACE6 struct {
	Protocol         lexer.Token  `parser:"@'sctp'"`
	Source           source6      `parser:"@@"`
	SourcePorts      *sctpCompare `parser:"@@?"`
	Destination      destination6 `parser:"@@"`
	DestinationPorts *sctpCompare `parser:"@@?"`
	Options          []*option6   `parser:"@@*"`
}

type icmpACE6 struct {
	Protocol    lexer.Token   `parser:"@'icmp'"`
	Source      source6       `parser:"@@"`
	Destination destination6  `parser:"@@"`
	Message     []lexer.Token `parser:"@( ICMP6Name | ICMPNumber ICMPCode? )?"`
	Options     []*option6    `parser:"@@*"`
}

type anyACE6 struct {
	Protocol    lexer.Token  `parser:"@Protocol6"`
	Source      source6      `parser:"@@"`
	Destination destination6 `parser:"@@"`
	Options     []*option6   `parser:"@@*"`
}

type groupACE6 struct {
	Services    lexer.Token  `parser:"'object-group' @AnyServices"`
	Source      source6      `parser:"@@"`
	Destination destination6 `parser:"@@"`
	Options     []*option6   `parser:"@@*"`
}

type ipv6ACE struct {
	Action lexer.Token `parser:"@('permit' | 'deny')"`
	TCP    *tcpACE6    `parser:"( @@"`
	UDP    *udpACE6    `parser:"| @@"`
	ICMP   *icmpACE6   `parser:"| @@"`
	Group  *groupACE6  `parser:"| @@"`
	SCTP   *sctpACE6   `parser:"| @@"`
	Any    *anyACE6    `parser:"| @@ )"`
}

// The lines of the ACL modes.
type (
	extendedLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		ACE      extendedACE `parser:"@@"`
	}
	standardLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		ACE      standardACE `parser:"@@"`
	}
	ipv6Line struct {
		Sequence lexer.Token `parser:"('sequence' @Sequence)?"`
		ACE      ipv6ACE     `parser:"@@"`
	}
	remarkLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
	remarkLine6 struct {
		Sequence lexer.Token `parser:"('sequence' @Sequence)?"`
		Text     lexer.Token `parser:"'remark' @Text"`
	}
	evaluateLine struct {
		Sequence lexer.Token `parser:"@Sequence?"`
		List     lexer.Token `parser:"'evaluate' @Reflexive"`
	}
	evaluateLine6 struct {
		Sequence lexer.Token `parser:"('sequence' @Sequence)?"`
		List     lexer.Token `parser:"'evaluate' @Reflexive"`
	}
	sequenceLine struct {
		Sequence lexer.Token `parser:"@Sequence"`
	}
	sequenceLine6 struct {
		Sequence lexer.Token `parser:"'sequence' @Sequence"`
	}
)

// The lines of global configuration.
type (
	numberedExtended struct {
		Number lexer.Token `parser:"'access-list' @ExtNumber"`
		ACE    extendedACE `parser:"@@"`
	}
	numberedStandard struct {
		Number lexer.Token `parser:"'access-list' @StdNumber"`
		ACE    standardACE `parser:"@@"`
	}
	numberedRemark struct {
		Number lexer.Token `parser:"'access-list' @(StdNumber | ExtNumber)"`
		Text   lexer.Token `parser:"'remark' @Text"`
	}
	numberedList struct {
		Number lexer.Token `parser:"'access-list' @(StdNumber | ExtNumber)"`
	}
	standardList struct {
		Name lexer.Token `parser:"'ip' 'access-list' 'standard' @StdName"`
	}
	extendedList struct {
		Name lexer.Token `parser:"'ip' 'access-list' 'extended' @ExtName"`
	}
	ipv6List struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' @IPv6Name"`
	}
	resequence struct {
		Name  lexer.Token `parser:"'ip' 'access-list' 'resequence' @ListName"`
		Start lexer.Token `parser:"@Sequence"`
		Step  lexer.Token `parser:"@Sequence"`
	}
)

func (l *language) addACLs() {
	add(l, both, (*line).numberedExtended, ModeGlobal)
	add(l, both, (*line).numberedStandard, ModeGlobal)
	add(l, both, (*line).numberedRemark, ModeGlobal)
	add(l, negated, (*line).removeNumbered, ModeGlobal)
	add(l, both, (*line).standardList, ModeGlobal)
	add(l, both, (*line).extendedList, ModeGlobal)
	add(l, both, (*line).ipv6List, ModeGlobal)
	add(l, plain, (*line).resequence, ModeGlobal)

	add(l, both, (*line).extendedLine, ModeExtendedACL)
	add(l, both, (*line).standardLine, ModeStandardACL)
	add(l, both, (*line).ipv6Line, ModeIPv6ACL)
	add(l, both, (*line).remarkLine, ModeExtendedACL, ModeStandardACL)
	add(l, both, (*line).remarkLine6, ModeIPv6ACL)
	add(l, both, (*line).evaluateLine, ModeExtendedACL)
	add(l, both, (*line).evaluateLine6, ModeIPv6ACL)
	add(l, negated, (*line).sequenceLine, ModeExtendedACL, ModeStandardACL)
	add(l, negated, (*line).sequenceLine6, ModeIPv6ACL)
}

func (l *line) numberedExtended(n *numberedExtended) error {
	ace, err := l.extended(&n.ACE)
	if err != nil {
		return err
	}
	return l.numbered(n.Number, ace)
}

func (l *line) numberedStandard(n *numberedStandard) error {
	ace, err := l.standard(&n.ACE)
	if err != nil {
		return err
	}
	return l.numbered(n.Number, ace)
}

func (l *line) numbered(number lexer.Token, ace *ACE) error {
	if err := l.numberedForm(ace); err != nil {
		return err
	}
	if l.no {
		l.notice(l.pos, Removed, "one entry is removed; classic IOS removes the whole list "+number.Value)
		return l.removeACE(l.Config.ACL(listNumber(number)), 0, ace)
	}
	a, created := l.numberedACL(number)
	if a.Kind != ace.Kind {
		return l.clash(number, a, ace.Kind)
	}
	return l.addTo(a, created, 0, ace)
}

// numberedForm refuses what only named lists can say.
func (l *line) numberedForm(ace *ACE) error {
	for _, c := range []Compare{ace.SourcePorts, ace.DestinationPorts} {
		if len(c.Values) > 1 && c.Op != Range {
			return l.semantic(c.Values[1].Pos, "Multiple ports are allowed on named ACLs only")
		}
	}
	if ace.Flags != nil && (ace.Flags.Match == MatchAny || ace.Flags.Match == MatchAll) {
		return l.invalid(ace.Flags.Pos, "match-any and match-all are allowed in named lists only")
	}
	if ace.Option != nil || len(ace.TTL.Values) > 0 || ace.Reflect.Text != "" {
		return l.invalid(at(l.inNamed), l.inNamed.Value+" is allowed in named lists only")
	}
	return nil
}

// listNumber gives the number without leading zeros.
func listNumber(t lexer.Token) string {
	if n, ok := number(t.Value); ok {
		return itoa(int(n))
	}
	return t.Value
}

func kindOf(number lexer.Token) ACLKind {
	if isStdNumber(number.Value) {
		return Standard
	}
	return Extended
}

// numberedACL gives the list of that number; created says that it is not in
// the configuration yet.
func (l *line) numberedACL(number lexer.Token) (a *ACL, created bool) {
	if a := l.Config.ACL(listNumber(number)); a != nil {
		return a, false
	}
	return &ACL{Kind: kindOf(number), Name: listNumber(number), Numbered: true, Pos: at(number)}, true
}

func (l *line) addTo(a *ACL, created bool, seq uint32, ace *ACE) error {
	if err := l.addACE(a, seq, ace); err != nil {
		return err
	}
	if created {
		l.Config.ACLs = append(l.Config.ACLs, a)
	}
	return nil
}

func (l *line) numberedRemark(n *numberedRemark) error {
	if l.no {
		l.notice(l.pos, Removed, "one remark is removed; classic IOS removes the whole list "+n.Number.Value)
		return l.removeRemark(l.Config.ACL(listNumber(n.Number)), 0, n.Text.Value)
	}
	a, created := l.numberedACL(n.Number)
	if a.Kind != kindOf(n.Number) {
		return l.clash(n.Number, a, kindOf(n.Number))
	}
	if err := l.addRemark(a, 0, n.Text); err != nil {
		return err
	}
	if created {
		l.Config.ACLs = append(l.Config.ACLs, a)
	}
	return nil
}

func (l *line) removeNumbered(n *numberedList) error {
	return l.removeACL(listNumber(n.Number), kindOf(n.Number))
}

func (l *line) standardList(n *standardList) error {
	return l.namedList(n.Name, Standard, ModeStandardACL)
}

func (l *line) extendedList(n *extendedList) error {
	return l.namedList(n.Name, Extended, ModeExtendedACL)
}

func (l *line) ipv6List(n *ipv6List) error { return l.namedList(n.Name, IPv6, ModeIPv6ACL) }

func (l *line) namedList(t lexer.Token, kind ACLKind, mode Mode) error {
	name := listNumber(t)
	if kind >= IPv6 || l.Config.Dialect != IOS {
		name = t.Value
	}
	if l.no {
		return l.removeACL(name, kind)
	}
	a := l.Config.list(name, kind)
	if a == nil {
		a = &ACL{Kind: kind, Dialect: l.Config.Dialect, Name: name, Pos: at(t)}
		l.Config.ACLs = append(l.Config.ACLs, a)
	} else if a.Kind != kind {
		return l.clash(t, a, kind)
	}
	l.enter(mode)
	l.acl = a
	return nil
}

// clash refuses a name that another kind of list has.
func (l *line) clash(t lexer.Token, a *ACL, kind ACLKind) error {
	if a.Kind.IsIPv6() || kind.IsIPv6() {
		return l.semantic(at(t), "The ACL cannot be created or an ACL with the same name but incompatible type already exists.")
	}
	return l.semantic(at(t), "A named "+a.Kind.String()+" IP access list with this name already exists")
}

func (l *line) removeACL(name string, kind ACLKind) error {
	a := l.Config.list(name, kind)
	if a == nil || a.Kind != kind {
		l.notice(l.pos, NoEffect, "there is no access-list "+name)
		return nil
	}
	l.Config.ACLs = without(l.Config.ACLs, a)
	return nil
}

func (l *line) extendedLine(n *extendedLine) error {
	ace, err := l.extended(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

func (l *line) standardLine(n *standardLine) error {
	ace, err := l.standard(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry(n.Sequence, ace)
}

func (l *line) ipv6Line(n *ipv6Line) error {
	ace, sequence, err := l.ipv6(&n.ACE)
	if err != nil {
		return err
	}
	return l.entry6(n.Sequence, sequence, ace)
}

// entry6 takes an entry whose number stands in front of it or among its
// options.
func (l *line) entry6(front, sequence lexer.Token, ace *ACE) error {
	if front.Value != "" && sequence.Value != "" {
		return l.invalid(at(sequence), "the line has two sequence numbers")
	}
	if front.Value != "" {
		sequence = front
	}
	return l.entry(sequence, ace)
}

func (l *line) evaluateLine(n *evaluateLine) error {
	ace := &ACE{Kind: Extended, Pos: l.pos, Action: Evaluate, Reflect: name(n.List)}
	return l.entry(n.Sequence, ace)
}

func (l *line) evaluateLine6(n *evaluateLine6) error {
	ace := &ACE{Kind: IPv6, Pos: l.pos, Action: Evaluate, Reflect: name(n.List)}
	return l.entry(n.Sequence, ace)
}

func (l *line) entry(sequence lexer.Token, ace *ACE) error {
	if l.no {
		return l.removeACE(l.acl, seqOf(sequence), ace)
	}
	return l.addACE(l.acl, seqOf(sequence), ace)
}

func (l *line) remarkLine(n *remarkLine) error {
	if l.no {
		return l.removeRemark(l.acl, seqOf(n.Sequence), n.Text.Value)
	}
	return l.addRemark(l.acl, seqOf(n.Sequence), n.Text)
}

func (l *line) remarkLine6(n *remarkLine6) error {
	return l.remarkLine((*remarkLine)(&remarkLine{n.Sequence, n.Text}))
}

func (l *line) sequenceLine(n *sequenceLine) error { return l.removeSequence(l.acl, seqOf(n.Sequence)) }

func (l *line) sequenceLine6(n *sequenceLine6) error {
	return l.removeSequence(l.acl, seqOf(n.Sequence))
}

// seqOf gives 0 for the zero token.
func seqOf(t lexer.Token) uint32 {
	n, _ := number(t.Value)
	return uint32(n)
}
