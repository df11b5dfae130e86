package wire

import (
	"encoding/binary"

	"aclium/translate/policy"
)

// A Kind says what a frame carries. The zero value is Malformed.
type Kind uint8

// The kinds. A frame that contradicts itself or is cut off is Malformed.
const (
	Malformed Kind = iota
	IP
	ARP
	NonIP
)

// A Frame is what Decode finds in one.
type Frame struct {
	Kind Kind
	// Fault says why the frame is malformed; empty for every other kind.
	Fault string
	// Family is the family of the EtherType, 0 where it is not IP's. Malformed
	// frames have it as well, when their EtherType can be read.
	Family policy.Family
	// Packet is whole for IP alone. Its ends have addresses only.
	Packet policy.Packet
	// Length is the IP packet's own length in bytes, without what the link
	// layer has put behind it.
	Length int
	// Headers is the length of the IP and transport headers in bytes.
	Headers int
}

// EtherTypes (IEEE 802.1Q-2022, table 9-1; RFC 826).
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
	etherTag  = 0x8100
	etherQinQ = 0x88a8
)

// maxTags is how many VLAN tags are looked behind: the customer's and the
// service's (IEEE 802.1ad). What more of them hide is not guessed.
const maxTags = 2

// Decode reads an Ethernet frame. segments is how many packets it stands for:
// 1, or more for one that the kernel has yet to segment, whose length field is
// 0 when the packet is larger than the field can say.
//
// Checksums, the length field of UDP and the options within headers are left
// to the receiver: they do not change what a list looks at.
func Decode(b []byte, segments int) Frame {
	r := reader{segments: segments}
	r.frame.Kind = r.ethernet(b)
	if r.frame.Kind == Malformed && r.frame.Fault == "" {
		r.frame.Fault = "the Ethernet header is cut off"
	}
	return r.frame
}

// A reader takes one frame apart.
type reader struct {
	frame    Frame
	segments int
	// quoted is set inside an ICMP error, whose packet is cut off (RFC 792,
	// RFC 4443, 2.4): its length fields speak of bytes that are not there.
	quoted bool
}

func (r *reader) fault(why string) Kind {
	r.frame.Fault = why
	return Malformed
}

func (r *reader) ethernet(b []byte) Kind {
	if len(b) < 14 {
		return Malformed
	}
	kind, rest := binary.BigEndian.Uint16(b[12:]), b[14:]
	for tags := 0; kind == etherTag || kind == etherQinQ; tags++ {
		if tags == maxTags {
			return r.fault("more than two VLAN tags")
		}
		if len(rest) < 4 {
			return r.fault("a VLAN tag is cut off")
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch kind {
	case 0:
		return r.fault("an 802.3 frame of length 0") // not even an LLC header
	case etherARP:
		return ARP
	case etherIPv4:
		r.frame.Family = policy.IPv4
	case etherIPv6:
		r.frame.Family = policy.IPv6
	default:
		return NonIP
	}
	return r.ip(rest)
}

func (r *reader) ip(b []byte) Kind {
	if r.frame.Family == policy.IPv4 {
		return r.ipv4(b)
	}
	return r.ipv6(b)
}

// least gives the bytes of a whole transport header; 0 for a protocol that
// nothing is read of. ICMP has 8 in both families, as IGMP: RFC 4443 and RFC
// 3376 have no message with fewer.
func least(protocol uint8) int {
	switch protocol {
	case policy.TCP:
		return 20
	case policy.SCTP:
		return 12
	case policy.UDP, policy.ICMP, policy.ICMPv6, policy.IGMP:
		return 8
	}
	return 0
}

// transport reads what lies behind the IP headers: the whole header, or the
// eight bytes that a quotation has at least.
func (r *reader) transport(b []byte) Kind {
	p := &r.frame.Packet
	if p.Fragment == policy.Later {
		return IP
	}
	need := least(p.Protocol)
	if r.quoted {
		need = min(need, 8)
	}
	if len(b) < need {
		return r.fault("the transport header is cut off")
	}
	r.frame.Headers += need
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6:
		r.message(b)
	case p.Protocol == policy.IGMP:
		p.ICMPType, p.ICMPCode = b[0], b[1]
	}
	if p.Protocol == policy.TCP && !r.quoted {
		return r.segment(b)
	}
	return IP
}

// segment reads the rest of a TCP header (RFC 9293, 3.1).
func (r *reader) segment(b []byte) Kind {
	size := int(b[12]>>4) * 4
	if size < 20 || len(b) < size {
		return r.fault("the TCP header says another length than it has")
	}
	r.frame.Packet.Flags = b[13]
	r.frame.Headers += size - 20
	return IP
}

// message reads an ICMP message: a query's identifier, or the packet that an
// error complains about. An error whose quotation cannot be read complains
// about nothing.
func (r *reader) message(b []byte) {
	p := &r.frame.Packet
	p.ICMPType, p.ICMPCode = b[0], b[1]
	switch {
	case isQuery(p.Protocol, p.ICMPType):
		p.ICMPID = binary.BigEndian.Uint16(b[4:])
	case isError(p.Protocol, p.ICMPType) && !r.quoted:
		inner := reader{segments: 1, quoted: true}
		inner.frame.Family = r.frame.Family
		if inner.ip(b[8:]) == IP && inner.frame.Packet.Fragment != policy.Later {
			p.Inner = &inner.frame.Packet
		}
	}
}

// isQuery reports whether the message carries an identifier: queries and
// their replies (RFC 792, RFC 950, RFC 4443).
func isQuery(protocol, kind uint8) bool {
	if protocol == policy.ICMP {
		return kind == 0 || kind == 8 || kind >= 13 && kind <= 18
	}
	return kind == 128 || kind == 129
}

func isError(protocol, kind uint8) bool {
	if protocol == policy.ICMP {
		return kind == 3 || kind == 4 || kind == 11 || kind == 12
	}
	return kind >= 1 && kind <= 4
}
