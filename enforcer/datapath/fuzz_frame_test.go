package datapath

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"aclium/translate/policy"
)

// A smith makes frames: whole ones for packets that are asked for, dressed in
// whatever may stand around them, and broken ones.
type smith struct {
	*rand.Rand
	b []byte
	// fields are the offsets of bytes that say how the rest is to be read.
	fields []int
	// large makes every frame larger than a page.
	large bool
}

func (s *smith) one(in int) bool { return s.IntN(in) == 0 }

func (s *smith) junk(n int) {
	for range n {
		s.b = append(s.b, byte(s.Uint32()))
	}
}

func (s *smith) short(v uint16) { s.b = binary.BigEndian.AppendUint16(s.b, v) }

// mark notes that the next n bytes are such fields.
func (s *smith) mark(n int) {
	for i := range n {
		s.fields = append(s.fields, len(s.b)+i)
	}
}

// frame makes the Ethernet frame of a packet. It is good until the next one.
func (s *smith) frame(p *policy.Packet) []byte {
	s.b, s.fields = s.b[:0], s.fields[:0]
	s.junk(12)
	for range [16]int{12: 1, 13: 1, 14: 2, 15: s.IntN(4)}[s.IntN(16)] {
		s.mark(2)
		s.short([]uint16{0x8100, 0x88a8}[s.IntN(2)])
		s.junk(2)
	}
	s.mark(2)
	if p.Family() == policy.IPv4 {
		s.short(0x0800)
	} else {
		s.short(0x86dd)
	}
	s.packet(p, 2)
	if s.one(5) {
		s.junk(s.IntN(47)) // the least frame is 60 bytes long
	}
	return s.b
}

// packet adds an IP packet; depth is how many may lie in each other.
func (s *smith) packet(p *policy.Packet, depth int) {
	if p.Family() == policy.IPv4 {
		s.ipv4(p, depth)
	} else {
		s.ipv6(p, depth)
	}
}

// place gives a fragment's offset in units of eight bytes, and its M flag. A
// later one begins behind a TCP header but for a few, which are malformed.
func (s *smith) place(f policy.Fragment) (offset uint16, more bool) {
	switch f {
	case policy.First:
		return 0, true
	case policy.Later:
		if s.one(8) {
			return 1 + uint16(s.IntN(3)), s.one(2)
		}
		return 3 + uint16(s.IntN(8186)), s.one(2)
	}
	return 0, false
}

func (s *smith) ipv4(p *policy.Packet, depth int) {
	at, options := len(s.b), 0
	if s.one(4) {
		options = 1 + s.IntN(10)
	}
	s.mark(1)
	s.b = append(s.b, 0x45+byte(options), p.TrafficClass)
	s.mark(2)
	s.short(0)
	s.short(uint16(p.FragmentID))
	offset, more := s.place(p.Fragment)
	if more {
		offset |= 0x2000
	} else if s.one(2) {
		offset |= 0x4000
	}
	s.mark(2)
	s.short(offset)
	s.b = append(s.b, p.HopLimit)
	s.mark(1)
	s.b = append(s.b, p.Protocol)
	s.junk(2)
	s.b = append(s.b, p.Source.Addr.AsSlice()...)
	s.b = append(s.b, p.Destination.Addr.AsSlice()...)
	s.junk(4 * options)
	s.transport(p, depth)
	binary.BigEndian.PutUint16(s.b[at+2:], uint16(len(s.b)-at))
}

func (s *smith) ipv6(p *policy.Packet, depth int) {
	at := len(s.b)
	s.mark(2)
	s.b = append(s.b, 0x60|p.TrafficClass>>4, p.TrafficClass<<4|byte(s.IntN(16)))
	s.junk(2)
	s.mark(3)
	s.b = append(s.b, 0, 0, 0, p.HopLimit)
	s.b = append(s.b, p.Source.Addr.AsSlice()...)
	s.b = append(s.b, p.Destination.Addr.AsSlice()...)
	next := at + 6
	for _, kind := range s.chain(p) {
		s.b[next] = kind
		next = len(s.b)
		s.extension(p, kind)
		if kind == 44 && p.Fragment == policy.Later {
			break
		}
	}
	s.b[next] = p.Protocol
	if p.Fragment == policy.Later && p.FragmentProtocol != 0 {
		s.b[next] = p.FragmentProtocol
	}
	s.transport(p, depth)
	binary.BigEndian.PutUint16(s.b[at+4:], uint16(len(s.b)-at-40))
}

// chain gives the extension headers in the order of RFC 8200, 4.1, mostly.
func (s *smith) chain(p *policy.Packet) (kinds []uint8) {
	if s.one(5) {
		kinds = append(kinds, 0)
	}
	if s.one(3) {
		for range s.IntN(4) {
			kinds = append(kinds, []uint8{43, 51, 60, 60}[s.IntN(4)])
		}
	}
	if p.Fragment != policy.Whole || s.one(16) { // one fragment, whole: RFC 6946
		kinds = append(kinds, 44)
	}
	if s.one(6) {
		kinds = append(kinds, []uint8{43, 51, 60, 60}[s.IntN(4)])
	}
	if s.one(40) { // too many, twice a fragment, options in the middle
		for range s.IntN(7) {
			kinds = append(kinds, []uint8{0, 43, 44, 51, 60}[s.IntN(5)])
		}
	}
	return kinds
}

func (s *smith) extension(p *policy.Packet, kind uint8) {
	s.mark(2)
	if kind == 44 {
		offset, more := s.place(p.Fragment)
		offset <<= 3
		if more {
			offset |= 1
		}
		s.b = append(s.b, 59, byte(s.Uint32()))
		s.mark(2)
		s.short(offset)
		s.b = binary.BigEndian.AppendUint32(s.b, p.FragmentID)
		return
	}
	n, size := s.IntN(3), 0
	if kind == 51 { // RFC 4302: in units of four, less two
		n = 1 + s.IntN(4)
		size = (n + 2) * 4
	} else {
		size = (n + 1) * 8
	}
	s.b = append(s.b, 59, byte(n))
	s.junk(size - 2)
}

// transport adds what the IP headers carry.
func (s *smith) transport(p *policy.Packet, depth int) {
	if p.Fragment == policy.Later {
		s.junk(s.IntN(40))
		return
	}
	switch p.Protocol {
	case policy.TCP:
		s.tcp(p)
	case policy.UDP:
		s.ports(p)
		s.short(uint16(s.IntN(100)))
		s.junk(2)
	case policy.SCTP:
		s.ports(p)
		s.junk(8)
	case policy.ICMP, policy.ICMPv6:
		s.mark(2)
		s.b = append(s.b, p.ICMPType, p.ICMPCode)
		s.junk(2)
		s.short(p.ICMPID)
		s.junk(2)
		if p.Inner != nil && depth > 1 {
			s.quote(p.Inner, depth-1)
		}
	case policy.IGMP:
		s.b = append(s.b, p.ICMPType, p.ICMPCode)
		s.junk(6)
	}
	s.payload()
}

func (s *smith) ports(p *policy.Packet) {
	s.short(p.SourcePort)
	s.short(p.DestinationPort)
}

func (s *smith) tcp(p *policy.Packet) {
	options := 0
	if s.one(3) {
		options = s.IntN(11)
	}
	s.ports(p)
	s.junk(8)
	s.mark(2)
	s.b = append(s.b, byte(5+options)<<4|byte(s.IntN(16)), p.Flags)
	s.junk(6 + 4*options)
}

func (s *smith) payload() {
	if s.large {
		s.b = append(s.b, make([]byte, 4096+s.IntN(5000))...)
		return
	}
	switch s.IntN(16) {
	case 0:
		s.junk(s.IntN(1460))
	case 1:
		if s.one(8) {
			s.junk(s.IntN(2600))
		}
	default:
		s.junk(s.IntN(32))
	}
}

// quote adds the packet that an ICMP error complains about, cut off at times.
func (s *smith) quote(p *policy.Packet, depth int) {
	at := len(s.b)
	s.packet(p, depth)
	if s.one(2) {
		return
	}
	whole := len(s.b) - at
	keep := s.IntN(whole + 1)
	if p.Family() == policy.IPv4 && s.one(2) {
		keep = min(whole, int(s.b[at]&15)*4+8) // RFC 792
	}
	s.b = s.b[:at+keep]
}

// spoil breaks the frame at one to three places.
func (s *smith) spoil() []byte {
	for range 1 + s.IntN(3) {
		s.breakOnce()
	}
	return s.b
}

var edgeBytes = []byte{0, 1, 4, 5, 6, 7, 8, 15, 16, 17, 44, 51, 59, 60, 0x40, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xfe, 0xff}

func (s *smith) breakOnce() {
	n := len(s.b)
	at := s.IntN(min(n, 128))
	if len(s.fields) > 0 && !s.one(4) {
		at = s.fields[s.IntN(len(s.fields))]
	}
	switch s.IntN(8) {
	case 0:
		s.b = s.b[:min(n, max(14, s.IntN(n+1)))]
	case 1:
		if at < n {
			s.b[at] ^= 1 << s.IntN(8)
		}
	case 2:
		if at < n {
			s.b[at] = edgeBytes[s.IntN(len(edgeBytes))]
		}
	case 3, 4: // a length, offset or EtherType that is off by a little
		if at+1 < n {
			v := binary.BigEndian.Uint16(s.b[at:]) + uint16(s.IntN(65)-32)
			binary.BigEndian.PutUint16(s.b[at:], v)
		}
	case 5:
		s.splice(at)
	case 6:
		s.mapped()
	case 7:
		s.b = s.b[:min(n, max(14, n-1-s.IntN(24)))]
	}
}

// splice takes bytes out or puts some in.
func (s *smith) splice(at int) {
	if at < 14 || at >= len(s.b) {
		return
	}
	n := 1 + s.IntN(8)
	if s.one(2) {
		s.b = append(s.b[:at], s.b[min(at+n, len(s.b)):]...)
		return
	}
	tail := append([]byte(nil), s.b[at:]...)
	s.b = s.b[:at]
	s.junk(n)
	s.b = append(s.b, tail...)
}

// mapped writes an IPv4 address into an IPv6 header (RFC 4291, 2.5.5).
func (s *smith) mapped() {
	at := 14 + 8 + 16*s.IntN(2)
	if len(s.b) < at+16 || s.b[12] != 0x86 {
		return
	}
	a := netip.MustParseAddr("::ffff:10.0.1.5").As16()
	copy(s.b[at:], a[:])
}
