package ruleset

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"aclium/translate/policy"
)

// line is a rule with one prefix at each end. It is comparable.
type line struct {
	action              policy.Action
	protocol            int
	source, destination block
	sports, dports      policy.Range
	// icmp is a type, -1 for every one.
	icmp int
	// established wants ACK or RST.
	established bool
}

// block is a prefix of IPv4, whose host bits are zero.
type block struct {
	address uint32
	length  int
}

func blockOf(address uint32, length int) block { return block{address & netmask(length), length} }

func netmask(length int) uint32 { return uint32(^uint64(0) << (32 - length)) }

// covers reports whether every address of the other block is in this one.
func (b block) covers(other block) bool {
	return b.length <= other.length && other.address&netmask(b.length) == b.address
}

var everyPort = policy.Range{First: 0, Last: 65535}

// covers reports whether the line alone matches everything that the other one
// matches.
func (l *line) covers(o *line) bool {
	return l.source.covers(o.source) && l.destination.covers(o.destination) &&
		(l.protocol == anyProtocol || l.protocol == o.protocol) && within(o.sports, l.sports) && within(o.dports, l.dports) &&
		(l.icmp < 0 || l.icmp == o.icmp) && (!l.established || o.established)
}

func within(inner, outer policy.Range) bool {
	return outer.First <= inner.First && inner.Last <= outer.Last
}

// match is the line without its action.
func (l *line) match() line {
	m := *l
	m.action = 0
	return m
}

// six gives an address of IPv6 for one of IPv4: 2001:db8::/32, the 32 bits,
// and for a host an interface identifier.
func six(a uint32, host bool) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:], 0x20010db8)
	binary.BigEndian.PutUint32(b[4:], a)
	if host {
		binary.BigEndian.PutUint64(b[8:], mix(0, uint64(a))|1)
	}
	return netip.AddrFrom16(b)
}

func four(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, a)))
}

// prefix gives the block in the family: subnets of IPv6 are as many bits
// longer as the leading 32, hosts are whole addresses.
func (b block) prefix(f policy.Family) netip.Prefix {
	switch {
	case f == policy.IPv4:
		return netip.PrefixFrom(four(b.address), b.length)
	case b.length == 0:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	case b.length == 32:
		return netip.PrefixFrom(six(b.address, true), 128)
	}
	return netip.PrefixFrom(six(b.address, false), 32+b.length)
}

func (b block) peers(f policy.Family) policy.Peers {
	if b.length == 0 {
		return policy.Everybody()
	}
	return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(b.prefix(f))}}
}

// text gives the block as an extended list has it.
func (b block) text(f policy.Family) string {
	p := b.prefix(f)
	switch {
	case b.length == 0:
		return "any"
	case p.IsSingleIP():
		return "host " + p.Addr().String()
	case f == policy.IPv6:
		return p.String()
	}
	return fmt.Sprintf("%s %s", p.Addr(), four(^netmask(b.length)))
}

// rule gives the line as the judges read it.
func (l *line) rule(f policy.Family) policy.Rule {
	return policy.Rule{
		Text: l.text(f), Action: l.action,
		Match: policy.Match{Source: l.source.peers(f), Destination: l.destination.peers(f), Services: []policy.Service{l.service(f)}},
	}
}

func (l *line) service(f policy.Family) policy.Service {
	s := policy.AnyService()
	if l.protocol != anyProtocol {
		s.Protocols = policy.Bytes(protocolOf(l.protocol, f))
	}
	s.SourcePorts, s.DestinationPorts = policy.NewRanges(l.sports), policy.NewRanges(l.dports)
	if l.icmp >= 0 {
		s.ICMP = policy.NewRanges(policy.Range{First: uint16(l.icmp) << 8, Last: uint16(l.icmp)<<8 | 255})
	}
	if l.established {
		s.Flags = policy.BytesWhere(func(v uint8) bool { return v&(policy.ACK|policy.RST) != 0 })
	}
	return s
}

// protocolOf gives the family's ICMP for ICMP.
func protocolOf(p int, f policy.Family) uint8 {
	if uint8(p) == policy.ICMP && f == policy.IPv6 {
		return policy.ICMPv6
	}
	return uint8(p)
}

var protocolNames = map[int]string{
	anyProtocol: "ip", int(policy.TCP): "tcp", int(policy.UDP): "udp", int(policy.ICMP): "icmp", 47: "gre", 50: "esp", 89: "ospf",
}

// text gives the line as it is typed. Different lines have different texts.
func (l *line) text(f policy.Family) string {
	words := []string{l.action.String(), protocolNames[l.protocol], l.source.text(f), portText(l.sports), l.destination.text(f), portText(l.dports)}
	if f == policy.IPv6 && l.protocol == anyProtocol {
		words[1] = "ipv6"
	}
	if l.icmp >= 0 {
		words = append(words, fmt.Sprint(l.icmp))
	}
	if l.established {
		words = append(words, "established")
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func portText(r policy.Range) string {
	switch {
	case r == everyPort:
		return ""
	case r.First == r.Last:
		return fmt.Sprintf("eq %d", r.First)
	}
	return fmt.Sprintf("range %d %d", r.First, r.Last)
}
