package translate

import (
	"maps"
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// An inspectProtocol is what "match protocol" means: the protocols of a
// connection and its destination ports; no ports mean all of them.
type inspectProtocol struct {
	protocols []uint8
	ports     []uint16
	// state and note tell where IOS does more than look at the port.
	state policy.State
	note  string
}

// Notes of inspectProtocols. IOS looks into these protocols.
const (
	byPort   = "the protocol is recognised by its port; what it carries is not looked at"
	channels = "connections that the protocol negotiates on other ports do not pass"
)

func tcp(ports ...uint16) inspectProtocol {
	return inspectProtocol{protocols: []uint8{policy.TCP}, ports: ports}
}

func udp(ports ...uint16) inspectProtocol {
	return inspectProtocol{protocols: []uint8{policy.UDP}, ports: ports}
}

func tcpUDP(ports ...uint16) inspectProtocol {
	return inspectProtocol{protocols: []uint8{policy.TCP, policy.UDP}, ports: ports}
}

func (p inspectProtocol) says(state policy.State, note string) inspectProtocol {
	p.state, p.note = state, note
	return p
}

// inspectProtocols are the words of "match protocol" with the ports of IOS's
// own port map ("show ip port-map").
var inspectProtocols = map[string]inspectProtocol{
	"tcp":  tcp(),
	"udp":  udp(),
	"icmp": {protocols: []uint8{policy.ICMP, policy.ICMPv6}},

	"bgp":          tcp(179),
	"bootpc":       udp(68),
	"bootps":       udp(67),
	"discard":      tcpUDP(9),
	"dns":          tcpUDP(53),
	"echo":         tcpUDP(7),
	"finger":       tcp(79),
	"ftp":          tcp(21).says(policy.Narrower, channels),
	"gopher":       tcp(70),
	"h323":         tcp(1720).says(policy.Narrower, channels),
	"http":         tcp(80).says(policy.NoEffect, byPort),
	"https":        tcp(443),
	"ident":        tcp(113),
	"imap":         tcp(143).says(policy.NoEffect, byPort),
	"imaps":        tcp(993),
	"isakmp":       udp(500),
	"kerberos":     tcpUDP(88),
	"ldap":         tcp(389),
	"ldaps":        tcp(636),
	"microsoft-ds": tcp(445),
	"mysql":        tcp(3306),
	"netbios-dgm":  udp(138),
	"netbios-ns":   udp(137),
	"netbios-ssn":  tcp(139),
	"nntp":         tcp(119),
	"ntp":          udp(123),
	"pop3":         tcp(110).says(policy.NoEffect, byPort),
	"pop3s":        tcp(995),
	"radius":       udp(1645, 1646, 1812, 1813),
	"rtsp":         tcp(554).says(policy.Narrower, channels),
	"sip":          tcpUDP(5060).says(policy.Narrower, channels),
	"smtp":         tcp(25).says(policy.NoEffect, byPort),
	"snmp":         udp(161),
	"snmptrap":     udp(162),
	"ssh":          tcp(22),
	"syslog":       udp(514),
	"tacacs":       tcpUDP(49),
	"telnet":       tcp(23),
	"tftp":         udp(69).says(policy.Narrower, channels),
	"time":         tcpUDP(37),
	"who":          udp(513),
}

func inspectNames() []string { return slices.Sorted(maps.Keys(inspectProtocols)) }

func (p inspectProtocol) services() []policy.Service {
	s := policy.ServiceOf(policy.Bytes(p.protocols...))
	if len(p.ports) > 0 {
		var rs []policy.Range
		for _, port := range p.ports {
			rs = append(rs, policy.Range{First: port, Last: port})
		}
		s.DestinationPorts = policy.NewRanges(rs...)
	}
	return []policy.Service{s}
}

// All addresses of each family.
var (
	everyIPv4 = policy.PrefixRange(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	everyIPv6 = policy.PrefixRange(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
)
