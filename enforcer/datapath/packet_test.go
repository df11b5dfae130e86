package datapath

import (
	"cmp"
	"encoding/binary"

	"aclium/translate/policy"
)

// frameOptions dress a frame without changing its packet's meaning.
type frameOptions struct {
	tags       []uint16 // EtherTypes of VLAN tags, outermost first
	ipOptions  int      // bytes of IPv4 options, a multiple of 4
	extensions []uint8  // IPv6 extension headers before the fragment header
	payload    int      // bytes behind the transport header
}

// frame builds the Ethernet frame of a packet.
func frame(p *policy.Packet, o frameOptions) []byte {
	b := make([]byte, 12, 128)
	for _, t := range o.tags {
		b = binary.BigEndian.AppendUint32(b, uint32(t)<<16|42)
	}
	if p.Family() == policy.IPv4 {
		return append(binary.BigEndian.AppendUint16(b, 0x0800), ipv4(p, o)...)
	}
	return append(binary.BigEndian.AppendUint16(b, 0x86dd), ipv6(p, o)...)
}

func ipv4(p *policy.Packet, o frameOptions) []byte {
	body := payload(p, o)
	b := make([]byte, 20+o.ipOptions)
	b[0] = 0x40 | byte(len(b)/4)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(body)))
	binary.BigEndian.PutUint16(b[4:], uint16(p.FragmentID))
	switch p.Fragment {
	case policy.First:
		b[6] = 0x20
	case policy.Later:
		binary.BigEndian.PutUint16(b[6:], 185)
	}
	b[1], b[8], b[9] = p.TrafficClass, cmp.Or(p.HopLimit, 64), p.Protocol
	copy(b[12:], p.Source.Addr.AsSlice())
	copy(b[16:], p.Destination.Addr.AsSlice())
	for i := range o.ipOptions {
		b[20+i] = 1 // no operation
	}
	return append(b, body...)
}

func ipv6(p *policy.Packet, o frameOptions) []byte {
	chain := append([]uint8{}, o.extensions...)
	if p.Fragment != policy.Whole {
		chain = append(chain, 44)
	}
	chain = append(chain, p.Protocol)
	var body []byte
	for i, kind := range chain[:len(chain)-1] {
		body = append(body, extension(p, kind, chain[i+1])...)
	}
	body = append(body, payload(p, o)...)
	b := make([]byte, 40, 40+len(body))
	b[0], b[1], b[6], b[7] = 0x60|p.TrafficClass>>4, p.TrafficClass<<4, chain[0], cmp.Or(p.HopLimit, 255)
	binary.BigEndian.PutUint16(b[4:], uint16(len(body)))
	copy(b[8:], p.Source.Addr.AsSlice())
	copy(b[24:], p.Destination.Addr.AsSlice())
	return append(b, body...)
}

// extension gives an extension header: 8 bytes, for destination options and
// authentication headers 16.
func extension(p *policy.Packet, kind, next uint8) []byte {
	b := make([]byte, 8)
	b[0] = next
	switch kind {
	case 44:
		binary.BigEndian.PutUint32(b[4:], p.FragmentID)
		if p.Fragment == policy.First {
			b[3] = 1
		} else if p.Fragment == policy.Later {
			binary.BigEndian.PutUint16(b[2:], 185<<3)
		}
	case 51:
		b = append(b, make([]byte, 8)...)
		b[1] = 2
	case 60:
		b = append(b, make([]byte, 8)...)
		b[1] = 1
	}
	return b
}

// payload gives what stands behind the IP headers.
func payload(p *policy.Packet, o frameOptions) []byte {
	if p.Fragment == policy.Later {
		return make([]byte, 24)
	}
	return append(transport(p), make([]byte, o.payload)...)
}

func transport(p *policy.Packet) []byte {
	switch p.Protocol {
	case policy.TCP:
		b := ports(p, 20)
		b[12], b[13] = 5<<4, p.Flags
		return b
	case policy.UDP:
		return ports(p, 8)
	case policy.SCTP:
		return ports(p, 12)
	case policy.ICMP, policy.ICMPv6:
		b := []byte{p.ICMPType, p.ICMPCode, 0, 0, byte(p.ICMPID >> 8), byte(p.ICMPID), 0, 1}
		if p.Inner != nil && p.Inner.Family() == policy.IPv4 {
			return append(b, ipv4(p.Inner, frameOptions{})...)
		} else if p.Inner != nil {
			return append(b, ipv6(p.Inner, frameOptions{})...)
		}
		return b
	}
	if p.Protocol == policy.IGMP {
		return []byte{p.ICMPType, p.ICMPCode, 0, 0, 224, 0, 0, 9}
	}
	return []byte{1, 2, 3}
}

func ports(p *policy.Packet, length int) []byte {
	b := make([]byte, length)
	binary.BigEndian.PutUint16(b, p.SourcePort)
	binary.BigEndian.PutUint16(b[2:], p.DestinationPort)
	return b
}

// dress gives random options that suit the packet.
func (w *world) dress(p *policy.Packet) frameOptions {
	var o frameOptions
	if w.one(4) {
		o.tags = pick(w, [][]uint16{{0x8100}, {0x88a8, 0x8100}})
	}
	if w.one(4) {
		o.ipOptions = 4 * (1 + w.IntN(10))
	}
	if w.one(3) {
		for range w.IntN(5) {
			o.extensions = append(o.extensions, pick(w, []uint8{0, 43, 60, 51}[b2u(len(o.extensions) > 0):]))
		}
	}
	o.payload = w.IntN(40)
	return o
}

// l3Length gives the bytes of the frame's IP packet.
func l3Length(p *policy.Packet, o frameOptions) uint64 {
	return uint64(len(frame(p, o)) - 14 - 4*len(o.tags))
}
