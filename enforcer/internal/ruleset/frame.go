package ruleset

import (
	"encoding/binary"

	"aclium/translate/policy"
)

// FrameLength is the length of every frame that Frame gives, bytes: an
// Ethernet header and 60 bytes of IP.
const FrameLength = 74

// Frame gives a whole packet as an Ethernet frame with correct lengths and a
// correct IPv4 header checksum; transport checksums and hardware addresses
// are zero.
func Frame(p *policy.Packet) []byte {
	b := make([]byte, FrameLength)
	head := 40
	if p.Family() == policy.IPv4 {
		head = 20
		putIPv4(b, p)
	} else {
		putIPv6(b, p)
	}
	putTransport(b[14+head:], p)
	return b
}

func putIPv4(b []byte, p *policy.Packet) {
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	h := b[14:34]
	h[0], h[1], h[8], h[9] = 0x45, p.TrafficClass, p.HopLimit, p.Protocol
	binary.BigEndian.PutUint16(h[2:], FrameLength-14)
	copy(h[12:], p.Source.Addr.AsSlice())
	copy(h[16:], p.Destination.Addr.AsSlice())
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum))
}

func putIPv6(b []byte, p *policy.Packet) {
	binary.BigEndian.PutUint16(b[12:], 0x86dd)
	h := b[14:54]
	h[0], h[1], h[6], h[7] = 0x60|p.TrafficClass>>4, p.TrafficClass<<4, p.Protocol, p.HopLimit
	binary.BigEndian.PutUint16(h[4:], FrameLength-54)
	copy(h[8:], p.Source.Addr.AsSlice())
	copy(h[24:], p.Destination.Addr.AsSlice())
}

func putTransport(b []byte, p *policy.Packet) {
	switch p.Protocol {
	case policy.ICMP, policy.ICMPv6, policy.IGMP:
		b[0], b[1] = p.ICMPType, p.ICMPCode
		binary.BigEndian.PutUint16(b[4:], p.ICMPID)
		return
	case policy.TCP:
		b[12], b[13] = 5<<4, p.Flags
	case policy.UDP:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	case policy.SCTP:
	default:
		return
	}
	binary.BigEndian.PutUint16(b, p.SourcePort)
	binary.BigEndian.PutUint16(b[2:], p.DestinationPort)
}
