package grammar

import (
	"fmt"
	"net/netip"
	"strconv"
)

// A spelling says how NX-OS or IOS-XR writes what it has in common with IOS.
// Both write any contiguous mask as a prefix or as a wildcard, and print the
// form that was typed; a host has one form in each.
type spelling struct {
	protocols, protocols6, tcp, udp, icmp6 *table
	// list4 starts a list of IPv4; addresses, addresses6 and ports stand behind
	// "object-group".
	list4                        string
	addresses, addresses6, ports string
	// addressGroup and portGroup stand in front of a group's name on a line,
	// nested in front of one in a group.
	addressGroup, portGroup, nested string
	// shortHost says that a host on a line is A/32, and bareTTL that ttl has
	// no operator.
	shortHost, bareTTL bool
	// maxSeq is the highest sequence number.
	maxSeq uint64
	// matches is the form of the counter behind a shown line, and one that of
	// a counter of 1.
	matches, one string
	// replaces says that a line takes the place of the one with its number.
	replaces bool
}

// spellings are the dialects that this file is about; nil for the others.
var spellings = [dialectCount]*spelling{NXOS: &nxosSpelling, IOSXR: &iosxrSpelling}

// list gives what stands in front of the name of a list.
func (s *spelling) list(kind ACLKind) string {
	if kind.IsIPv6() {
		return "ipv6 access-list"
	}
	return s.list4
}

// group gives what stands in front of the name of a group.
func (s *spelling) group(kind GroupKind) string {
	switch kind {
	case NetworkGroup:
		return s.addresses
	case NetworkGroup6:
		return s.addresses6
	}
	return s.ports
}

// show gives the line of "show access-lists"; the counter is left out when it
// is 0.
func (s *spelling) show(seq uint32, text string, matches uint64) string {
	text = fmt.Sprintf("%d %s", seq, text)
	switch matches {
	case 0:
		return text
	case 1:
		return text + " " + s.one
	}
	return text + " " + fmt.Sprintf(s.matches, matches)
}

// appendIn adds the canonical words of the ACE to b. The text is what makes two
// ACEs the same, so nothing that an ACE says may be missing from it.
func (a *ACE) appendIn(s *spelling, b []byte) []byte {
	protocols, icmp := s.protocols, icmpTypes
	if a.Kind.IsIPv6() {
		protocols, icmp = s.protocols6, s.icmp6
	}
	ports := s.portNames(a.Protocol)
	b = appendWord(append(b, a.Action.String()...), a.Protocol.text(protocols))
	b = s.appendCompare(s.appendAddress(b, &a.Source), a.SourcePorts, ports)
	b = s.appendCompare(s.appendAddress(b, &a.Destination), a.DestinationPorts, ports)
	if a.ICMP != nil {
		b = appendWord(b, a.ICMP.text(icmp))
	}
	if a.Flags != nil {
		b = a.Flags.append(b)
	}
	return a.appendOptionsIn(s, b)
}

func (a *ACE) appendOptionsIn(s *spelling, b []byte) []byte {
	for _, e := range a.Extra {
		b = appendWord(b, e.Text)
	}
	b = appendValue(b, "dscp", a.DSCP, dscps)
	b = appendValue(b, "precedence", a.Precedence, precedences)
	b = appendValue(b, "flow-label", a.FlowLabel, noPorts)
	if a.TTL.Op != 0 && s.bareTTL {
		b = appendNumber(appendWord(b, "ttl"), a.TTL.Values[0].Number)
	} else if a.TTL.Op != 0 {
		b = appendCompare(appendWord(b, "ttl"), a.TTL, noPorts)
	}
	if a.Fragments {
		b = appendWord(b, "fragments")
	}
	b = a.Log.append(b, false)
	if a.TimeRange.Text != "" {
		b = appendWord(appendWord(b, "time-range"), a.TimeRange.Text)
	}
	return b
}

func (s *spelling) portNames(p Protocol) *table {
	switch {
	case p.Any:
		return noPorts
	case p.Number == protoTCP:
		return s.tcp
	case p.Number == protoUDP:
		return s.udp
	}
	return noPorts
}

func (s *spelling) appendAddress(b []byte, a *Address) []byte {
	switch a.Kind {
	case AnyAddress:
		return appendWord(b, "any")
	case AddressGroup:
		return appendWord(appendWord(b, s.addressGroup), a.Group.Text)
	case InterfaceAddress:
		return appendWord(appendWord(b, "interface"), a.Group.Text)
	case HostAddress:
		if !s.shortHost {
			return appendLower(appendWord(b, "host"), a.Addr)
		}
	}
	return appendMasked(b, a.Addr, a.Wildcard, a.Prefix || a.Kind == HostAddress)
}

// appendMasked adds A/LEN or A WILDCARD. A prefix of IPv6 has no other form.
func appendMasked(b []byte, a, wildcard netip.Addr, prefix bool) []byte {
	b = appendLower(b, a)
	length := length6(wildcard)
	if a.Is4() {
		length, _ = length4(wildcard)
	} else {
		prefix = wildcard6(length) == wildcard
	}
	if prefix {
		return strconv.AppendInt(append(b, '/'), int64(length), 10)
	}
	return appendLower(b, wildcard)
}

func (s *spelling) appendCompare(b []byte, c Compare, names *table) []byte {
	if c.Op == InGroup {
		return appendWord(appendWord(b, s.portGroup), c.Group.Text)
	}
	return appendCompare(b, c, names)
}

// textIn gives the member without its number.
func (m *Member) textIn(s *spelling) string {
	switch m.Kind {
	case HostMember:
		return "host " + m.First.String()
	case SubnetMember:
		return string(appendMasked(nil, m.First, m.Wildcard, m.Prefix)[1:])
	case RangeMember:
		return "range " + m.First.String() + " " + m.Last.String()
	case GroupMember:
		return s.nested + " " + m.Group.Text
	case PortMember:
		return string(appendCompare(nil, m.Ports, noPorts)[1:])
	}
	return "any"
}

// appendLower adds a blank and the address; unlike IOS, both dialects write
// IPv6 in small letters.
func appendLower(b []byte, a netip.Addr) []byte { return a.AppendTo(append(b, ' ')) }
