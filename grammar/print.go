package grammar

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// This file is the inverse of parsing: every node gives the canonical text
// that parses to it again.

// String gives the line as running-config has it, without sequence number.
func (a *ACE) String() string { return string(a.append(nil, false)) }

// Show gives the line as "show access-lists" has it, without sequence number:
// a standard list writes its masks out and pads "deny".
func (a *ACE) Show() string {
	if a.Kind == Standard {
		return string(appendPadded(nil, a, true))
	}
	return string(a.append(nil, true))
}

// Show gives the whole line of "show access-lists" without indent, with the
// sequence number and the count of matches where IOS has them; empty for a
// remark. state stands behind the time-range of a line that has one: "(active)",
// "(inactive)" or nothing.
func (e *Entry) Show(matches uint64, state string) string {
	if e.ACE == nil {
		return ""
	}
	text := e.ACE.Show()
	if s := spellings[e.ACE.Dialect]; s != nil {
		return s.show(e.Seq, text, matches)
	}
	if name := e.ACE.TimeRange.Text; name != "" && state != "" {
		text = strings.Replace(text, " time-range "+name, " time-range "+name+" "+state, 1)
	}
	switch matches {
	case 0:
	case 1:
		text += " (1 match)"
	default:
		text += fmt.Sprintf(" (%d matches)", matches)
	}
	if e.ACE.Kind.IsIPv6() {
		return fmt.Sprintf("%s sequence %d", text, e.Seq)
	}
	return fmt.Sprintf("%d %s", e.Seq, text)
}

// appendPadded widens "deny" to the width of "permit", as IOS does where it
// aligns.
func appendPadded(b []byte, a *ACE, shown bool) []byte {
	from := len(b)
	b = a.append(b, shown)
	if bytes.HasPrefix(b[from:], []byte("deny ")) {
		b = slices.Insert(b, from+len("deny"), ' ', ' ')
	}
	return b
}

// append adds the canonical words to b, in the form of "show access-lists" if
// shown. The text is what makes two ACEs the same, so nothing that an ACE says
// may be missing from it.
func (a *ACE) append(b []byte, shown bool) []byte {
	if s := spellings[a.Dialect]; s != nil {
		return a.appendIn(s, b)
	}
	switch {
	case a.Dialect == ASA:
		return a.appendASA(b)
	case a.Action == Evaluate:
		return appendWord(append(b, "evaluate"...), a.Reflect.Text)
	}
	if a.Dynamic.Text != "" {
		b = appendWord(append(b, "dynamic"...), a.Dynamic.Text)
		b = append(appendTimeout(b, a.DynamicTimeout), ' ')
	}
	b = append(b, a.Action.String()...)
	if a.Kind == Standard {
		return a.appendOptions(a.Source.appendStandard(b, shown), shown)
	}
	if a.Kind == RoleBased || a.Kind == RoleBased6 {
		return a.appendRole(b, shown)
	}
	b = a.appendProtocol(b)
	b = a.Source.append(b)
	b = appendCompare(b, a.SourcePorts, a.portNames())
	b = a.Destination.append(b)
	b = appendCompare(b, a.DestinationPorts, a.portNames())
	return a.appendOptions(a.appendTransport(b), shown)
}

// appendWord adds a blank and a word. The other append functions below begin with a
// blank as well.
func appendWord(b []byte, s string) []byte { return append(append(b, ' '), s...) }

func appendNumber(b []byte, n uint32) []byte {
	return strconv.AppendUint(append(b, ' '), uint64(n), 10)
}

func appendTimeout(b []byte, timeout uint32) []byte {
	if timeout == 0 {
		return b
	}
	return appendNumber(appendWord(b, "timeout"), timeout)
}

func (a *ACE) appendProtocol(b []byte) []byte {
	if a.ServiceGroup.Text != "" {
		return appendWord(appendWord(b, "object-group"), a.ServiceGroup.Text)
	}
	if a.Kind.IsIPv6() {
		return appendWord(b, a.Protocol.text(protocols6))
	}
	return appendWord(b, a.Protocol.text(protocols))
}

func (p Protocol) text(names *table) string {
	if p.Any {
		return names.name(anyProtocol)
	}
	return names.name(uint32(p.Number))
}

func (a *ACE) portNames() *table { return portNames(a.Protocol) }

func portNames(p Protocol) *table {
	switch p.Number {
	case protoTCP:
		return tcpPorts
	case protoUDP:
		return udpPorts
	}
	return noPorts
}

// String gives the words of an extended ACE.
func (a Address) String() string { return string(a.append(nil)[1:]) }

func (a *Address) append(b []byte) []byte {
	switch a.Kind {
	case AnyAddress:
		return appendWord(b, "any")
	case HostAddress:
		return appendAddress(appendWord(b, "host"), a.Addr)
	case AddressGroup:
		return appendWord(appendWord(b, "object-group"), a.Group.Text)
	case FQDNGroup:
		return appendWord(appendWord(b, "fqdn-group"), a.Group.Text)
	case GeoGroup:
		return appendWord(appendWord(b, "geo-group"), a.Group.Text)
	case PolicyGroup:
		return appendWord(appendWord(b, "addrgroup"), a.Group.Text)
	case DynamicHost:
		return appendWord(appendWord(b, "host dynamic"), a.Group.Text)
	case AddressObject, InterfaceAddress, NetworkServices:
		return a.appendASA(b)
	}
	b = appendAddress(b, a.Addr)
	if a.Addr.Is6() && wildcard6(length6(a.Wildcard)) == a.Wildcard {
		return strconv.AppendInt(append(b, '/'), int64(length6(a.Wildcard)), 10)
	}
	return appendAddress(b, a.Wildcard)
}

// appendStandard adds the words of a standard ACE, where a host is bare.
func (a *Address) appendStandard(b []byte, shown bool) []byte {
	switch {
	case a.Kind == HostAddress:
		return appendAddress(b, a.Addr)
	case a.Kind == MaskedAddress && shown:
		return appendAddress(append(appendAddress(b, a.Addr), ", wildcard bits"...), a.Wildcard)
	}
	return a.append(b)
}

// appendAddress writes IPv6 in capitals, as IOS does.
func appendAddress(b []byte, a netip.Addr) []byte {
	b = append(b, ' ')
	from := len(b)
	b = a.AppendTo(b)
	if a.Is6() {
		copy(b[from:], bytes.ToUpper(b[from:]))
	}
	return b
}

// addressText is appendAddress without the blank.
func addressText(a netip.Addr) string { return string(appendAddress(nil, a)[1:]) }

func appendCompare(b []byte, c Compare, names *table) []byte {
	if c.Op == 0 {
		return b
	}
	if c.Op == InGroup {
		return appendWord(appendWord(b, "portgroup"), c.Group.Text)
	}
	b = appendWord(b, c.Op.String())
	for _, v := range c.Values {
		b = names.append(b, v.Number)
	}
	return b
}

// appendTransport adds what stands behind the destination of one protocol only.
func (a *ACE) appendTransport(b []byte) []byte {
	if a.ICMP != nil {
		names := icmpTypes
		if a.Kind.IsIPv6() {
			names = icmp6Types
		}
		b = appendWord(b, a.ICMP.text(names))
	}
	if a.IGMP != nil {
		b = igmpTypes.append(b, a.IGMP.Number)
	}
	if a.Flags != nil {
		b = a.Flags.append(b)
	}
	return b
}

func (m *ICMP) text(names *table) string {
	code := uint32(anyCode)
	if m.Code >= 0 {
		code = uint32(m.Code)
	}
	if word, ok := names.byValue[icmpValue(uint32(m.Type), code)]; ok {
		return word
	}
	if m.Code < 0 {
		return itoa(int(m.Type))
	}
	return fmt.Sprintf("%d %d", m.Type, m.Code)
}

// flagOrder is the order in which IOS prints flags.
var flagOrder = []string{"ack", "fin", "psh", "rst", "syn", "urg"}

func (f *TCPFlags) append(b []byte) []byte {
	set, clear := " +", " -"
	switch f.Match {
	case Established:
		return appendWord(b, "established")
	case MatchAny:
		b = appendWord(b, "match-any")
	case MatchAll:
		b = appendWord(b, "match-all")
	default:
		set = " "
	}
	for _, flag := range flagOrder {
		switch bit := flagBits[flag]; {
		case f.Set&bit != 0:
			b = append(append(b, set...), flag...)
		case f.Clear&bit != 0:
			b = append(append(b, clear...), flag...)
		}
	}
	return b
}

// appendOptions adds what every protocol has, in the order in which IOS prints
// it.
func (a *ACE) appendOptions(b []byte, shown bool) []byte {
	b = appendValue(b, "dscp", a.DSCP, dscps)
	b = appendValue(b, "precedence", a.Precedence, precedences)
	b = appendValue(b, "tos", a.TOS, services)
	b = appendValue(b, "flow-label", a.FlowLabel, noPorts)
	for _, e := range a.Extra {
		b = appendWord(b, e.Text)
	}
	if a.Fragments {
		b = appendWord(b, "fragments")
	}
	b = a.Log.append(b, shown)
	b = appendValue(b, "option", a.Option, ipOptions)
	if a.TimeRange.Text != "" {
		b = appendWord(appendWord(b, "time-range"), a.TimeRange.Text)
	}
	if a.TTL.Op != 0 {
		b = appendCompare(appendWord(b, "ttl"), a.TTL, noPorts)
	}
	if a.Reflect.Text != "" {
		b = appendTimeout(appendWord(appendWord(b, "reflect"), a.Reflect.Text), a.ReflectTimeout)
	}
	return b
}

func appendValue(b []byte, option string, v *Value, names *table) []byte {
	if v == nil {
		return b
	}
	return names.append(appendWord(b, option), v.Number)
}

func (l *Log) append(b []byte, shown bool) []byte {
	switch {
	case !l.On:
		return b
	case l.Input:
		b = appendWord(b, "log-input")
	default:
		b = appendWord(b, "log")
	}
	switch {
	case l.Cookie == "":
		return b
	case shown:
		return append(appendWord(b, "(tag = "+l.Cookie), ')')
	}
	return appendWord(b, l.Cookie)
}

// String gives the member as the running configuration has it.
func (m *Member) String() string {
	if s := spellings[m.Dialect]; s != nil {
		return m.textIn(s)
	}
	switch m.Dialect {
	case ASA:
		return m.asaText()
	}
	return m.iosText()
}

func (m *Member) iosText() string {
	switch m.Kind {
	case AnyMember:
		return "any"
	case HostMember:
		return "host " + addressText(m.First)
	case SubnetMember:
		return m.subnetText()
	case RangeMember:
		return "range " + addressText(m.First) + " " + addressText(m.Last)
	case GroupMember:
		return "group-object " + m.Group.Text
	case WorkloadMember:
		return m.workloadText()
	case EntityMember:
		return "entity " + m.Word.Text
	case FQDNMember:
		return "fqdn " + m.Word.Text
	}
	return m.otherText()
}

func (m *Member) subnetText() string {
	if m.First.Is6() {
		return fmt.Sprintf("%s/%d", addressText(m.First), length6(m.Wildcard))
	}
	return m.First.String() + " " + invert(m.Wildcard).String()
}

func (m *Member) workloadText() string {
	text := "workload"
	if m.Namespace.Text != "" {
		text += " namespace " + m.Namespace.Text
	}
	for _, label := range m.Labels {
		text += " label " + label.String()
	}
	return text
}

// String gives the condition as it is typed.
func (l Label) String() string {
	switch {
	case l.Op == Exists:
		return l.Key
	case l.Op == NotExists:
		return "!" + l.Key
	case l.Op == In && len(l.Values) == 1:
		return l.Key + "=" + l.Values[0]
	case l.Op == In:
		return l.Key + " in (" + strings.Join(l.Values, ",") + ")"
	case len(l.Values) == 1:
		return l.Key + "!=" + l.Values[0]
	}
	return l.Key + " notin (" + strings.Join(l.Values, ",") + ")"
}

// String gives the service as the running configuration has it.
func (s *Service) String() string {
	words, types := protocols, icmpTypes
	if s.IPv6 {
		words, types = protocols6, icmp6Types
	}
	protocol, names := s.Protocols[0].text(words), portNames(s.Protocols[0])
	if len(s.Protocols) > 1 {
		protocol, names = "tcp-udp", bothPorts
	}
	b := []byte(protocol)
	if s.Source.Op != 0 {
		b = appendCompare(appendWord(b, "source"), s.Source, names)
	}
	b = appendCompare(b, s.Destination, names)
	if s.ICMP != nil {
		b = appendWord(b, s.ICMP.text(types))
	}
	return string(b)
}

// ranges gives the accepted numbers; see Ranges.
func (c Compare) ranges(limit uint32) [][2]uint32 {
	switch c.Op {
	case 0:
		return [][2]uint32{{0, limit}}
	case Range:
		return [][2]uint32{{c.Values[0].Number, c.Values[1].Number}}
	case Lt:
		if c.Values[0].Number == 0 {
			return nil
		}
		return [][2]uint32{{0, c.Values[0].Number - 1}}
	case Gt:
		if c.Values[0].Number >= limit {
			return nil
		}
		return [][2]uint32{{c.Values[0].Number + 1, limit}}
	}
	return c.listed(limit)
}

// listed gives the numbers of eq, or those that neq leaves.
func (c Compare) listed(limit uint32) (out [][2]uint32) {
	var listed []uint32
	for _, v := range c.Values {
		listed = append(listed, v.Number)
	}
	slices.Sort(listed)
	next := uint32(0)
	for _, n := range slices.Compact(listed) {
		switch {
		case c.Op == Neq && n > next:
			out = append(out, [2]uint32{next, n - 1})
		case c.Op == Eq && len(out) > 0 && out[len(out)-1][1]+1 == n:
			out[len(out)-1][1] = n
		case c.Op == Eq:
			out = append(out, [2]uint32{n, n})
		}
		next = n + 1
	}
	if c.Op == Neq && next <= limit {
		out = append(out, [2]uint32{next, limit})
	}
	return out
}
