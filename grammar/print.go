package grammar

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// This file is the inverse of parsing: every node gives the canonical text
// that parses to it again.

// String gives the line as running-config has it, without sequence number.
func (a *ACE) String() string { return a.text(Address.standard, Log.words) }

// Show gives the line as "show access-lists" has it, without sequence number:
// a standard list writes its masks out and pads "deny".
func (a *ACE) Show() string {
	text := a.text(Address.shown, Log.shown)
	if a.Kind == Standard {
		return pad(text)
	}
	return text
}

// Show gives the whole line of "show access-lists" without indent, with the
// sequence number and the count of matches where IOS has them; empty for a
// remark.
func (e *Entry) Show(matches uint64) string {
	if e.ACE == nil {
		return ""
	}
	text := e.ACE.Show()
	switch matches {
	case 0:
	case 1:
		text += " (1 match)"
	default:
		text += fmt.Sprintf(" (%d matches)", matches)
	}
	if e.ACE.Kind == IPv6 {
		return fmt.Sprintf("%s sequence %d", text, e.Seq)
	}
	return fmt.Sprintf("%d %s", e.Seq, text)
}

// pad widens "deny" to the width of "permit", as IOS does where it aligns.
func pad(ace string) string {
	if rest, ok := strings.CutPrefix(ace, "deny "); ok {
		return "deny   " + rest
	}
	return ace
}

func (a *ACE) text(standard func(Address) string, log func(Log) []string) string {
	if a.Action == Evaluate {
		return "evaluate " + a.Reflect.Text
	}
	var w []string
	if a.Dynamic.Text != "" {
		w = append(w, "dynamic", a.Dynamic.Text)
		w = appendTimeout(w, a.DynamicTimeout)
	}
	w = append(w, a.Action.String())
	if a.Kind == Standard {
		w = append(w, standard(a.Source))
	} else {
		w = append(w, a.protocolText(), a.Source.String())
		w = appendCompare(w, a.SourcePorts, a.portNames())
		w = append(w, a.Destination.String())
		w = appendCompare(w, a.DestinationPorts, a.portNames())
		w = append(w, a.transport()...)
	}
	return strings.Join(append(w, a.options(log)...), " ")
}

func appendTimeout(w []string, timeout uint32) []string {
	if timeout != 0 {
		w = append(w, "timeout", itoa(int(timeout)))
	}
	return w
}

func (a *ACE) protocolText() string {
	if a.ServiceGroup.Text != "" {
		return "object-group " + a.ServiceGroup.Text
	}
	if a.Kind == IPv6 {
		return a.Protocol.text(protocols6)
	}
	return a.Protocol.text(protocols)
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
func (a Address) String() string {
	switch a.Kind {
	case AnyAddress:
		return "any"
	case HostAddress:
		return "host " + addressText(a.Addr)
	case AddressGroup:
		return "object-group " + a.Group.Text
	case FQDNGroup:
		return "fqdn-group " + a.Group.Text
	case GeoGroup:
		return "geo-group " + a.Group.Text
	}
	if a.Addr.Is6() {
		return fmt.Sprintf("%s/%d", addressText(a.Addr), length6(a.Wildcard))
	}
	return a.Addr.String() + " " + a.Wildcard.String()
}

// standard gives the words of a standard ACE, where a host is bare.
func (a Address) standard() string {
	if a.Kind == HostAddress {
		return addressText(a.Addr)
	}
	return a.String()
}

func (a Address) shown() string {
	if a.Kind == MaskedAddress {
		return a.Addr.String() + ", wildcard bits " + a.Wildcard.String()
	}
	return a.standard()
}

// addressText writes IPv6 in capitals, as IOS does.
func addressText(a netip.Addr) string { return strings.ToUpper(a.String()) }

func appendCompare(w []string, c Compare, names *table) []string {
	if c.Op == 0 {
		return w
	}
	w = append(w, c.Op.String())
	for _, v := range c.Values {
		w = append(w, names.name(v.Number))
	}
	return w
}

// transport gives what stands behind the destination of one protocol only.
func (a *ACE) transport() (w []string) {
	if a.ICMP != nil {
		names := icmpTypes
		if a.Kind == IPv6 {
			names = icmp6Types
		}
		w = append(w, a.ICMP.text(names))
	}
	if a.IGMP != nil {
		w = append(w, igmpTypes.name(a.IGMP.Number))
	}
	if a.Flags != nil {
		w = append(w, a.Flags.words()...)
	}
	return w
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

func (f *TCPFlags) words() []string {
	var w []string
	set, clear := "+", "-"
	switch f.Match {
	case Established:
		return []string{"established"}
	case MatchAny:
		w = append(w, "match-any")
	case MatchAll:
		w = append(w, "match-all")
	default:
		set = ""
	}
	for _, flag := range flagOrder {
		switch bit := flagBits[flag]; {
		case f.Set&bit != 0:
			w = append(w, set+flag)
		case f.Clear&bit != 0:
			w = append(w, clear+flag)
		}
	}
	return w
}

// options gives what every protocol has, in the order in which IOS prints it.
func (a *ACE) options(log func(Log) []string) (w []string) {
	value := func(word string, v *Value, names *table) {
		if v != nil {
			w = append(w, word, names.name(v.Number))
		}
	}
	value("dscp", a.DSCP, dscps)
	value("precedence", a.Precedence, precedences)
	value("tos", a.TOS, services)
	value("flow-label", a.FlowLabel, noPorts)
	for _, e := range a.Extra {
		w = append(w, e.Text)
	}
	if a.Fragments {
		w = append(w, "fragments")
	}
	w = append(w, log(a.Log)...)
	value("option", a.Option, ipOptions)
	if a.TimeRange.Text != "" {
		w = append(w, "time-range", a.TimeRange.Text)
	}
	if a.TTL.Op != 0 {
		w = appendCompare(append(w, "ttl"), a.TTL, noPorts)
	}
	if a.Reflect.Text != "" {
		w = appendTimeout(append(w, "reflect", a.Reflect.Text), a.ReflectTimeout)
	}
	return w
}

func (l Log) words() []string {
	if !l.On {
		return nil
	}
	word := "log"
	if l.Input {
		word = "log-input"
	}
	if l.Cookie != "" {
		return []string{word, l.Cookie}
	}
	return []string{word}
}

// shown is words in "show access-lists".
func (l Log) shown() []string {
	words := l.words()
	if l.Cookie != "" {
		words[1] = "(tag = " + l.Cookie + ")"
	}
	return words
}

// String gives the member as the running configuration has it.
func (m *Member) String() string {
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
	return m.Service.String()
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
	protocol, names := s.Protocols[0].text(protocols), portNames(s.Protocols[0])
	if len(s.Protocols) > 1 {
		protocol, names = "tcp-udp", bothPorts
	}
	w := []string{protocol}
	if s.Source.Op != 0 {
		w = appendCompare(append(w, "source"), s.Source, names)
	}
	w = appendCompare(w, s.Destination, names)
	if s.ICMP != nil {
		w = append(w, s.ICMP.text(icmpTypes))
	}
	return strings.Join(w, " ")
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
