package grammar

import (
	"net/netip"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file gives the words of an ACE their meaning.

func action(t lexer.Token) Action {
	if t.Value == "deny" {
		return Deny
	}
	return Permit
}

func (l *line) standard(n *standardACE) (*ACE, error) {
	ace := &ACE{
		Kind: Standard, Pos: at(n.Action), Action: action(n.Action),
		Protocol:    Protocol{Any: true, Pos: at(n.Action)},
		Destination: Address{Kind: AnyAddress, Pos: at(n.Action), Addr: zero4, Wildcard: ones4},
	}
	words := n.Source
	if len(words) == 1 && words[0].Type != keywordType {
		ace.Source = hostAddress(words[0])
	} else {
		ace.Source = l.address(words, Standard)
	}
	return ace, l.option(ace, n.Log)
}

func (l *line) extended(n *extendedACE) (*ACE, error) {
	ace := &ACE{Kind: Extended, Pos: at(n.Action), Action: action(n.Action)}
	if len(n.Dynamic) > 0 {
		ace.Dynamic = name(n.Dynamic[1])
		if len(n.Dynamic) > 2 {
			ace.DynamicTimeout = seqOf(n.Dynamic[3])
		}
	}
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		return ace, l.tcp(ace, b.Source.Words, b.Destination.Words, b.SourcePorts, b.DestinationPorts, b.Options)
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		return ace, l.ports(ace, b.Source.Words, b.Destination.Words, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options)
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		return ace, l.ports(ace, b.Source.Words, b.Destination.Words, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), noPorts, b.Options)
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMP, Pos: at(b.Protocol)}
		ace.ICMP = icmpMatch(b.Message, icmpTypes)
		return ace, l.ends(ace, b.Source.Words, b.Destination.Words, b.Options)
	case n.IGMP != nil:
		b := n.IGMP
		ace.Protocol = Protocol{Number: protoIGMP, Pos: at(b.Protocol)}
		if b.Type.Value != "" {
			ace.IGMP = &Value{igmpTypes.value(b.Type.Value), at(b.Type)}
		}
		return ace, l.ends(ace, b.Source.Words, b.Destination.Words, b.Options)
	case n.Group != nil:
		b := n.Group
		ace.ServiceGroup = name(b.Services)
		return ace, l.ends(ace, b.Source.Words, b.Destination.Words, b.Options)
	}
	ace.Protocol = protocol(n.Any.Protocol, protocols)
	return ace, l.ends(ace, n.Any.Source.Words, n.Any.Destination.Words, n.Any.Options)
}

// IP protocol numbers (IANA).
const (
	protoICMP   = 1
	protoIGMP   = 2
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

func protocol(t lexer.Token, names *table) Protocol {
	v := names.value(t.Value)
	return Protocol{Any: v == anyProtocol, Number: uint8(v), Pos: at(t)}
}

func (l *line) tcp(ace *ACE, from, to []lexer.Token, fromPorts, toPorts *tcpCompare, options []*tcpOption) error {
	if err := l.ports(ace, from, to, fromPorts, toPorts, tcpPorts, nil); err != nil {
		return err
	}
	for _, o := range options {
		if err := l.flagsOrOption(ace, o.Flags, o.Option); err != nil {
			return err
		}
	}
	return l.check(ace)
}

func (l *line) flagsOrOption(ace *ACE, flags *tcpFlags, o *option) error {
	if flags != nil {
		return l.flags(ace, flags.Words)
	}
	return l.option(ace, o.Words)
}

// ports sets both ends with their ports, then the options.
func (l *line) ports(ace *ACE, from, to []lexer.Token, fromPorts, toPorts *tcpCompare, names *table, options []*option) (err error) {
	if ace.SourcePorts, err = l.comparePorts(fromPorts, names); err != nil {
		return err
	}
	if ace.DestinationPorts, err = l.comparePorts(toPorts, names); err != nil {
		return err
	}
	return l.ends(ace, from, to, options)
}

func (l *line) comparePorts(n *tcpCompare, names *table) (Compare, error) {
	if n == nil {
		return Compare{}, nil
	}
	return l.compare(n.Words, names)
}

func (l *line) ends(ace *ACE, from, to []lexer.Token, options []*option) error {
	ace.Source, ace.Destination = l.address(from, ace.Kind), l.address(to, ace.Kind)
	for _, o := range options {
		if err := l.option(ace, o.Words); err != nil {
			return err
		}
	}
	return l.check(ace)
}

func (l *line) ipv6(n *ipv6ACE) (ace *ACE, sequence lexer.Token, err error) {
	ace = &ACE{Kind: IPv6, Pos: at(n.Action), Action: action(n.Action)}
	var from, to []lexer.Token
	var fromPorts, toPorts *tcpCompare
	var names *table
	var options []*option6
	switch {
	case n.TCP != nil:
		b := n.TCP
		ace.Protocol = Protocol{Number: protoTCP, Pos: at(b.Protocol)}
		from, to, fromPorts, toPorts, names = b.Source.Words, b.Destination.Words, b.SourcePorts, b.DestinationPorts, tcpPorts
		for _, o := range b.Options {
			if o.Flags == nil {
				options = append(options, o.Option)
			} else if err := l.flags(ace, o.Flags.Words); err != nil {
				return nil, sequence, err
			}
		}
	case n.UDP != nil:
		b := n.UDP
		ace.Protocol = Protocol{Number: protoUDP, Pos: at(b.Protocol)}
		from, to, fromPorts, toPorts, names, options = b.Source.Words, b.Destination.Words, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), udpPorts, b.Options
	case n.SCTP != nil:
		b := n.SCTP
		ace.Protocol = Protocol{Number: protoSCTP, Pos: at(b.Protocol)}
		from, to, fromPorts, toPorts, names, options = b.Source.Words, b.Destination.Words, (*tcpCompare)(b.SourcePorts), (*tcpCompare)(b.DestinationPorts), noPorts, b.Options
	case n.ICMP != nil:
		b := n.ICMP
		ace.Protocol = Protocol{Number: protoICMPv6, Pos: at(b.Protocol)}
		ace.ICMP = icmpMatch(b.Message, icmp6Types)
		from, to, options = b.Source.Words, b.Destination.Words, b.Options
	case n.Group != nil:
		ace.ServiceGroup = name(n.Group.Services)
		from, to, options = n.Group.Source.Words, n.Group.Destination.Words, n.Group.Options
	default:
		ace.Protocol = protocol(n.Any.Protocol, protocols6)
		from, to, options = n.Any.Source.Words, n.Any.Destination.Words, n.Any.Options
	}
	if err := l.ports(ace, from, to, fromPorts, toPorts, names, nil); err != nil {
		return nil, sequence, err
	}
	for _, o := range options {
		if o.Words[0].Value == "sequence" && sequence.Value == "" {
			sequence = o.Words[1]
		} else if err := l.option(ace, o.Words); err != nil {
			return nil, sequence, err
		}
	}
	return ace, sequence, l.check(ace)
}

func icmpMatch(words []lexer.Token, names *table) *ICMP {
	if len(words) == 0 {
		return nil
	}
	m := &ICMP{Code: -1, Pos: at(words[0])}
	if v, ok := names.byWord[words[0].Value]; ok {
		m.Type = uint8(v / 512)
		if code := v % 512; code != anyCode {
			m.Code = int16(code)
		}
		return m
	}
	m.Type = uint8(seqOf(words[0]))
	if len(words) > 1 {
		m.Code = int16(seqOf(words[1]))
	}
	return m
}

var flagBits = map[string]uint8{"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32}

func (l *line) flags(ace *ACE, words []lexer.Token) error {
	if ace.Flags != nil {
		return l.twice(words[0])
	}
	f := &TCPFlags{Pos: at(words[0])}
	ace.Flags = f
	switch words[0].Value {
	case "established":
		f.Match = Established
		return nil
	case "match-any":
		f.Match, words = MatchAny, words[1:]
	case "match-all":
		f.Match, words = MatchAll, words[1:]
	default:
		f.Match = AnySet
	}
	return l.flagWords(f, words)
}

func (l *line) flagWords(f *TCPFlags, words []lexer.Token) error {
	for _, w := range words {
		into, flag := &f.Set, w.Value
		switch flag[0] {
		case '-':
			into, flag = &f.Clear, flag[1:]
		case '+':
			flag = flag[1:]
		}
		if (f.Set|f.Clear)&flagBits[flag] != 0 {
			return l.twice(w)
		}
		*into |= flagBits[flag]
	}
	return nil
}

// twice refuses an option that the line has already.
func (l *line) twice(t lexer.Token) error {
	return l.invalid(at(t), "the line has "+t.Value+" already or something that excludes it")
}

func (l *line) option(ace *ACE, words []lexer.Token) (err error) {
	if len(words) == 0 {
		return nil
	}
	first := words[0]
	free := true
	l.named(first)
	switch first.Value {
	case "log", "log-input":
		free = !ace.Log.On
		ace.Log = Log{On: true, Input: first.Value == "log-input", Pos: at(first)}
		if len(words) > 1 {
			ace.Log.Cookie = words[1].Value
		}
	case "fragments":
		free, ace.Fragments, l.fragments = !ace.Fragments, true, at(first)
	case "time-range":
		free, ace.TimeRange = ace.TimeRange.Text == "", name(words[1])
	case "ttl":
		free = ace.TTL.Op == 0
		ace.TTL, err = l.compare(words[1:], noPorts)
	case "reflect":
		free = ace.Reflect.Text == "" && ace.Action == Permit
		ace.Reflect = name(words[1])
		if len(words) > 2 {
			ace.ReflectTimeout = seqOf(words[3])
		}
	default:
		free = numericOption(ace, words)
	}
	if !free {
		return l.twice(first)
	}
	return err
}

// named remembers the first option that only named lists have.
func (l *line) named(option lexer.Token) {
	switch option.Value {
	case "ttl", "option", "reflect":
		if l.inNamed.Value == "" {
			l.inNamed = option
		}
	}
}

// numericOption sets an option with one value, or one that stands alone.
func numericOption(ace *ACE, words []lexer.Token) bool {
	var into **Value
	var names *table
	switch words[0].Value {
	case "dscp":
		into, names = &ace.DSCP, dscps
	case "precedence":
		into, names = &ace.Precedence, precedences
	case "tos":
		into, names = &ace.TOS, services
	case "option":
		into, names = &ace.Option, ipOptions
	case "flow-label":
		into, names = &ace.FlowLabel, noPorts
	default:
		return extra(ace, words)
	}
	if *into != nil {
		return false
	}
	*into = &Value{names.value(words[1].Value), at(words[1])}
	return ace.DSCP == nil || ace.Precedence == nil && ace.TOS == nil
}

func extra(ace *ACE, words []lexer.Token) bool {
	n := name(words[0])
	for _, w := range words[1:] {
		n.Text += " " + itoa(int(seqOf(w)))
	}
	for _, e := range ace.Extra {
		if e.Text == n.Text {
			return false
		}
	}
	ace.Extra = append(ace.Extra, n)
	return words[0].Value != "sequence"
}

// check refuses what does not go together.
func (l *line) check(ace *ACE) error {
	if ace.Fragments && (ace.SourcePorts.Op != 0 || ace.DestinationPorts.Op != 0 || ace.Flags != nil || ace.ICMP != nil || ace.IGMP != nil) {
		return l.invalid(l.fragments, "fragments have no ports, flags or types to look at")
	}
	return nil
}

// maxValues is how many values eq and neq take.
const maxValues = 10

func (l *line) compare(words []lexer.Token, names *table) (Compare, error) {
	if words[0].Value == "portgroup" {
		return Compare{Op: InGroup, Pos: at(words[0]), Group: name(words[1])}, nil
	}
	c := Compare{Op: opOf(words[0].Value), Pos: at(words[0]), Values: make([]Value, 0, len(words)-1)}
	for i, w := range words[1:] {
		if i == maxValues {
			return c, l.invalid(at(w), "at most 10 values are allowed")
		}
		c.Values = append(c.Values, Value{names.value(w.Value), at(w)})
	}
	if c.Op == Range && c.Values[0].Number > c.Values[1].Number {
		c.Values[0], c.Values[1] = c.Values[1], c.Values[0]
		l.notice(c.Pos, Normalised, "the range is stored in ascending order")
	}
	return c, nil
}

func opOf(word string) Op {
	for o := Eq; o <= Range; o++ {
		if o.String() == word {
			return o
		}
	}
	return 0
}

var (
	zero4 = netip.AddrFrom4([4]byte{})
	ones4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	zero6 = netip.IPv6Unspecified()
	ones6 = wildcard6(0)
)
