package wire

import (
	"encoding/binary"
	"net/netip"

	"aclium/translate/policy"
)

// ipv4 reads a packet (RFC 791, 3.1).
func (r *reader) ipv4(b []byte) Kind {
	if len(b) < 20 || b[0]>>4 != 4 {
		return r.fault("no IPv4 header")
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if r.quoted || total == 0 && r.segments > 1 {
		total = len(b)
	}
	if head < 20 || total < head || len(b) < total {
		return r.fault("the IPv4 header says another length than there is")
	}
	r.frame.Length, r.frame.Headers = total, head
	p := &r.frame.Packet
	p.TrafficClass, p.HopLimit, p.Protocol = b[1], b[8], b[9]
	p.Source.Addr, p.Destination.Addr = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	place := binary.BigEndian.Uint16(b[6:])
	if !r.fragment(place&0x1fff, place&0x2000 != 0, p.Protocol, uint32(binary.BigEndian.Uint16(b[4:]))) {
		return Malformed
	}
	return r.transport(b[head:total])
}

// fragment notes the packet's place in its datagram: offset counts units of
// eight bytes. A later fragment that reaches into the TCP header could rewrite
// what the first one was judged by (RFC 1858, RFC 3128).
func (r *reader) fragment(offset uint16, more bool, protocol uint8, id uint32) bool {
	p := &r.frame.Packet
	switch {
	case offset > 0:
		p.Fragment = policy.Later
	case more:
		p.Fragment = policy.First
	default:
		return true
	}
	p.FragmentID = id
	if p.Fragment == policy.Later && protocol == policy.TCP && int(offset)*8 < 20 {
		r.fault("a fragment over the TCP header")
		return false
	}
	return true
}

// Extension headers (RFC 8200, 4.1; RFC 4302). Everything else is what the
// packet carries: what a receiver may not know is not looked behind.
const (
	hopByHop       = 0
	routing        = 43
	fragmentHeader = 44
	authentication = 51
	destination    = 60
)

// maxExtensions is how many extension headers are walked: RFC 8200 has six
// kinds in one packet, destination options twice.
const maxExtensions = 8

func isExtension(next uint8) bool {
	switch next {
	case hopByHop, routing, fragmentHeader, authentication, destination:
		return true
	}
	return false
}

// ipv6 reads a packet (RFC 8200, 3). A payload length of 0 is no payload: what
// a jumbo option says (RFC 2675) is for links that no node has.
func (r *reader) ipv6(b []byte) Kind {
	if len(b) < 40 || b[0]>>4 != 6 {
		return r.fault("no IPv6 header")
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if r.quoted || total == 40 && r.segments > 1 {
		total = len(b)
	}
	if len(b) < total {
		return r.fault("the IPv6 header says another length than there is")
	}
	r.frame.Length, r.frame.Headers = total, 40
	p := &r.frame.Packet
	p.TrafficClass, p.HopLimit = b[0]<<4|b[1]>>4, b[7]
	p.Source.Addr, p.Destination.Addr = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if !r.quoted && (p.Source.Addr.Is4In6() || p.Destination.Addr.Is4In6()) {
		return r.fault("a mapped IPv4 address") // RFC 4038, 4.2: never on a wire
	}
	return r.chain(b[6], b[40:total])
}

// chain walks the extension headers (RFC 8200, 4). Behind a later fragment's
// header comes the middle of something that only the first one names.
func (r *reader) chain(next uint8, b []byte) Kind {
	fragmented := false
	for n := 0; isExtension(next); n++ {
		if n == maxExtensions {
			return r.fault("more extension headers than eight")
		}
		if next == hopByHop && n > 0 {
			return r.fault("hop-by-hop options that are not the first header") // RFC 8200, 4
		}
		size := extensionSize(next, b)
		if size == 0 {
			return r.fault("an extension header is cut off")
		}
		if next == fragmentHeader {
			if fragmented {
				return r.fault("a fragment of a fragment")
			}
			fragmented, r.frame.Packet.FragmentProtocol = true, b[0]
			place := binary.BigEndian.Uint16(b[2:])
			if !r.fragment(place>>3, place&1 != 0, b[0], binary.BigEndian.Uint32(b[4:])) {
				return Malformed
			}
		}
		r.frame.Headers += size
		next, b = b[0], b[size:]
		if r.frame.Packet.Fragment == policy.Later {
			break
		}
	}
	p := &r.frame.Packet
	p.Protocol = next
	if p.Fragment == policy.Whole || p.FragmentProtocol == next {
		p.FragmentProtocol = 0
	}
	return r.transport(b)
}

// extensionSize gives the bytes of the extension header that b begins with; 0
// when it is cut off.
func extensionSize(kind uint8, b []byte) int {
	if len(b) < 8 {
		return 0
	}
	size := (int(b[1]) + 1) * 8
	switch kind {
	case fragmentHeader:
		size = 8
	case authentication:
		size = (int(b[1]) + 2) * 4
	}
	if len(b) < size {
		return 0
	}
	return size
}
