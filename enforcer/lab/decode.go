package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"aclium/translate/policy"
)

// Ether types (IEEE 802).
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
)

// IPv6 extension headers (RFC 8200, RFC 4302).
const (
	hopByHop       = 0
	routing        = 43
	fragmentHeader = 44
	authentication = 51
	destination    = 60
)

// errNotIP says that a frame carries something else than IP.
var errNotIP = errors.New("not IP")

// A frame is what Decode finds in one.
type frame struct {
	packet policy.Packet
	// bytes is the length of the IP packet by its own header.
	bytes int
	// hops is the time to live, or hop limit.
	hops uint8
	// headers is the length of the IP and transport headers in bytes, 0 where
	// the transport has none that segmentation would repeat.
	headers int
}

// decode reads an Ethernet frame, with up to two VLAN tags. The error is
// errNotIP, or says what is malformed.
//
// It is written apart from the kernel program, from the RFCs, so that a
// mistake in one does not excuse the same mistake in the other.
func decode(b []byte) (frame, error) {
	if len(b) < 14 {
		return frame{}, fmt.Errorf("the frame has %d bytes", len(b))
	}
	kind, b := binary.BigEndian.Uint16(b[12:]), b[14:]
	for tags := 0; (kind == etherVLAN || kind == etherQinQ) && tags < 2; tags++ {
		if len(b) < 4 {
			return frame{}, errors.New("the VLAN tag is cut off")
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	switch kind {
	case etherIPv4:
		return decodeIPv4(b, false)
	case etherIPv6:
		return decodeIPv6(b, false)
	}
	return frame{}, errNotIP
}

// decodeIPv4 reads a packet (RFC 791). A quoted one, in an ICMP error, may be
// cut off behind eight bytes of its payload.
func decodeIPv4(b []byte, quoted bool) (frame, error) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return frame{}, errors.New("no IPv4 header")
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || total < head || len(b) < head || len(b) < total && !quoted {
		return frame{}, fmt.Errorf("an IPv4 header of %d bytes in a packet of %d, of which %d are there", head, total, len(b))
	}
	f := frame{bytes: total, hops: b[8], headers: head}
	p := &f.packet
	p.Protocol = b[9]
	p.Source.Addr = netip.AddrFrom4([4]byte(b[12:16]))
	p.Destination.Addr = netip.AddrFrom4([4]byte(b[16:20]))
	place := binary.BigEndian.Uint16(b[6:])
	p.Fragment = fragmentOf(place&0x1fff, place&0x2000 != 0)
	if p.Fragment != policy.Whole {
		p.FragmentID = uint32(binary.BigEndian.Uint16(b[4:]))
	}
	return f.transport(b[head:min(total, len(b))], quoted)
}

func fragmentOf(offset uint16, more bool) policy.Fragment {
	switch {
	case offset > 0:
		return policy.Later
	case more:
		return policy.First
	}
	return policy.Whole
}

// decodeIPv6 reads a packet and the chain of its extension headers (RFC 8200,
// section 4).
func decodeIPv6(b []byte, quoted bool) (frame, error) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return frame{}, errors.New("no IPv6 header")
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if len(b) < total && !quoted {
		return frame{}, fmt.Errorf("an IPv6 packet of %d bytes, of which %d are there", total, len(b))
	}
	f := frame{bytes: total, hops: b[7], headers: 40}
	f.packet.Source.Addr = netip.AddrFrom16([16]byte(b[8:24]))
	f.packet.Destination.Addr = netip.AddrFrom16([16]byte(b[24:40]))
	next, b := b[6], b[40:min(total, len(b))]
	for {
		size, err := f.extension(&next, b)
		if err != nil {
			return f, err
		}
		if size == 0 {
			f.packet.Protocol = next
			return f.transport(b, quoted)
		}
		b = b[size:]
		f.headers += size
	}
}

// extension takes one extension header off and gives its size; 0 where the
// transport begins. Behind a later fragment's header only its rest follows.
func (f *frame) extension(next *uint8, b []byte) (int, error) {
	kind := *next
	known := kind == hopByHop || kind == routing || kind == fragmentHeader || kind == authentication || kind == destination
	if !known || f.packet.Fragment == policy.Later {
		return 0, nil
	}
	if len(b) < 8 {
		return 0, errors.New("an extension header is cut off")
	}
	size := (int(b[1]) + 1) * 8
	switch kind {
	case authentication:
		size = (int(b[1]) + 2) * 4
	case fragmentHeader:
		size = 8
		place := binary.BigEndian.Uint16(b[2:])
		f.packet.Fragment = fragmentOf(place>>3, place&1 != 0)
		if f.packet.Fragment != policy.Whole {
			f.packet.FragmentID = binary.BigEndian.Uint32(b[4:])
		}
	}
	if len(b) < size {
		return 0, errors.New("an extension header is cut off")
	}
	*next = b[0]
	return size, nil
}

// transport reads what lies behind the IP headers.
func (f *frame) transport(b []byte, quoted bool) (frame, error) {
	p := &f.packet
	if p.Fragment == policy.Later {
		return *f, nil
	}
	need := map[uint8]int{policy.TCP: 20, policy.UDP: 8, policy.SCTP: 12, policy.ICMP: 8, policy.ICMPv6: 4}[p.Protocol]
	if quoted {
		need = min(need, 8)
	}
	if len(b) < need {
		return *f, fmt.Errorf("protocol %d with %d bytes, want %d", p.Protocol, len(b), need)
	}
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		f.headers += need
		if p.Protocol == policy.TCP && !quoted {
			p.Flags = b[13]
			f.headers += int(b[12]>>4)*4 - need
		}
	case p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6:
		f.message(b, quoted)
	}
	return *f, nil
}

// message reads an ICMP message: a query's identifier, or the packet that an
// error complains about (RFC 792, RFC 4443). An error whose quotation cannot
// be read complains about nothing.
func (f *frame) message(b []byte, quoted bool) {
	p := &f.packet
	p.ICMPType, p.ICMPCode = b[0], b[1]
	if len(b) < 8 {
		return
	}
	v4 := p.Protocol == policy.ICMP
	switch {
	case v4 && (p.ICMPType == 0 || p.ICMPType == 8 || p.ICMPType >= 13 && p.ICMPType <= 18),
		!v4 && (p.ICMPType == 128 || p.ICMPType == 129):
		p.ICMPID = binary.BigEndian.Uint16(b[4:])
	case quoted:
	case v4 && (p.ICMPType == 3 || p.ICMPType == 4 || p.ICMPType == 11 || p.ICMPType == 12):
		if inner, err := decodeIPv4(b[8:], true); err == nil {
			p.Inner = &inner.packet
		}
	case !v4 && p.ICMPType >= 1 && p.ICMPType <= 4:
		if inner, err := decodeIPv6(b[8:], true); err == nil {
			p.Inner = &inner.packet
		}
	}
}
