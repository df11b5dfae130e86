package policy

import "slices"

// IP protocol numbers that the judges treat specially (IANA).
const (
	ICMP   uint8 = 1
	IGMP   uint8 = 2
	TCP    uint8 = 6
	UDP    uint8 = 17
	ICMPv6 uint8 = 58
	SCTP   uint8 = 132
)

// TCP flag bits as they lie in byte 13 of the header (RFC 9293).
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// A Service is the part of a match that lies behind the addresses. All of its
// sets must hold. Ports count for TCP, UDP and SCTP, ICMP for ICMP, ICMPv6
// and IGMP, Flags for TCP; for a protocol that lacks a field, only the full set
// of that field matches.
type Service struct {
	Protocols        ByteSet `json:"protocols"`
	SourcePorts      Ranges  `json:"sourcePorts"`
	DestinationPorts Ranges  `json:"destinationPorts"`
	// ICMP holds type<<8|code, the first two bytes of the header. IGMP has no
	// code: its second byte is a time or reserved.
	ICMP Ranges `json:"icmp"`
	// Flags holds the accepted values of the whole TCP flag byte.
	Flags ByteSet `json:"flags"`
	// PortNames restricts the destination to ports that the pod gives one of
	// these names; nil when names do not matter. Objects of a cluster have
	// them, lists do not; what cannot look them up refuses them.
	PortNames []string `json:"portNames,omitempty"`
}

// AnyService gives the service of "ip": every protocol, nothing else looked at.
func AnyService() Service { return ServiceOf(AllBytes()) }

// ServiceOf gives the service of the protocols alone, with every other field full.
func ServiceOf(protocols ByteSet) Service {
	return Service{
		Protocols: protocols, SourcePorts: AllNumbers(), DestinationPorts: AllNumbers(),
		ICMP: AllNumbers(), Flags: AllBytes(),
	}
}

// LooksAtL4 reports whether the service needs the transport header, which a
// non-initial fragment does not carry.
func (s *Service) LooksAtL4() bool {
	return !s.SourcePorts.All() || !s.DestinationPorts.All() || !s.ICMP.All() || !s.Flags.All() || s.PortNames != nil
}

// HasPorts reports whether the protocol carries ports that an ACL can name.
func HasPorts(protocol uint8) bool {
	return protocol == TCP || protocol == UDP || protocol == SCTP
}

func (s *Service) matchesL4(p *Packet) bool {
	sport, dport, icmp, flags := s.SourcePorts.All(), s.DestinationPorts.All(), s.ICMP.All(), s.Flags.All()
	if HasPorts(p.Protocol) {
		sport = s.SourcePorts.Has(p.SourcePort)
		dport = s.DestinationPorts.Has(p.DestinationPort)
	}
	if p.Protocol == ICMP || p.Protocol == ICMPv6 || p.Protocol == IGMP {
		icmp = s.ICMP.Has(uint16(p.ICMPType)<<8 | uint16(p.ICMPCode))
	}
	if p.Protocol == TCP {
		flags = s.Flags.Has(p.Flags)
	}
	named := s.PortNames == nil || p.PortName != "" && slices.Contains(s.PortNames, p.PortName)
	return sport && dport && icmp && flags && named
}

// NamesDNS reports whether the service names port 53 of TCP or UDP by itself,
// where a proxy can read the questions and answers of the DNS.
func (s *Service) NamesDNS() bool {
	return (s.Protocols.Has(UDP) || s.Protocols.Has(TCP)) && slices.Contains(s.DestinationPorts, Range{53, 53})
}
