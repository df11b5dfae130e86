package grammar

// The words of the ASA that stand for numbers. They differ from those of IOS:
// https and ssh have names, 3949 and 4500 have none.
var (
	asaTCPPorts = newTable(append(tcpPorts.except("drip", "msrpc", "onep-plain", "onep-tls", "connectedapps-plain", "connectedapps-tls", "syslog", "time"),
		port("aol", 5190, "America On-line"), port("cifs", 3020, "Common Internet File System"), port("citrix-ica", 1494, "Citrix ICA"),
		port("ctiqbe", 2748, "Computer Telephony Interface Quick Buffer Encoding"), port("h323", 1720, "H.323 call signalling"),
		alias("http", 80, "World Wide Web (HTTP)"), port("https", 443, "HTTP over TLS"), port("imap4", 143, "Internet Message Access Protocol"),
		port("kerberos", 750, "Kerberos"), port("ldap", 389, "Lightweight Directory Access Protocol"), port("ldaps", 636, "LDAP over TLS"),
		port("lotusnotes", 1352, "Lotus Notes"), port("netbios-ssn", 139, "NetBIOS session service"), port("nfs", 2049, "Network File System"),
		port("pcanywhere-data", 5631, "pcAnywhere data"), port("pptp", 1723, "Point-to-Point Tunneling Protocol"), alias("rsh", 514, "Remote shell"),
		port("rtsp", 554, "Real Time Streaming Protocol"), port("sip", 5060, "Session Initiation Protocol"), port("sqlnet", 1521, "SQL*Net"),
		port("ssh", 22, "Secure shell"),
	)...)
	asaUDPPorts = newTable(append(udpPorts.except("netbios-ss", "non500-isakmp", "ripv6"),
		port("cifs", 3020, "Common Internet File System"), port("kerberos", 750, "Kerberos"), port("nfs", 2049, "Network File System"),
		port("pcanywhere-status", 5632, "pcAnywhere status"), port("radius", 1645, "RADIUS"), port("radius-acct", 1646, "RADIUS accounting"),
		port("secureid-udp", 5510, "SecurID"), port("sip", 5060, "Session Initiation Protocol"), port("vxlan", 4789, "VXLAN"),
		port("www", 80, "World Wide Web (HTTP)"), alias("http", 80, "World Wide Web (HTTP)"),
	)...)
	// asaBothPorts has the words that mean the same port in TCP and UDP.
	asaBothPorts = shared(asaTCPPorts, asaUDPPorts)

	asaProtocols = newTable(
		tableRow{"ah", 51, "Authentication Header"}, tableRow{"eigrp", 88, "Cisco's EIGRP routing protocol"},
		tableRow{"esp", 50, "Encapsulating Security Payload"}, tableRow{"gre", 47, "Generic Routing Encapsulation"},
		tableRow{"icmp", 1, "Internet Control Message Protocol"}, tableRow{"icmp6", 58, "Internet Control Message Protocol for IPv6"},
		tableRow{"igmp", 2, "Internet Gateway Message Protocol"}, tableRow{"igrp", 9, "Cisco's IGRP routing protocol"},
		tableRow{"ip", anyProtocol, "Any IP protocol"}, tableRow{"ipinip", 4, "IP in IP tunneling"},
		tableRow{"ipsec", 50, "IP Security"}, tableRow{"nos", 94, "KA9Q NOS compatible IP over IP tunneling"},
		tableRow{"ospf", 89, "OSPF routing protocol"}, tableRow{"pcp", 108, "Payload Compression Protocol"},
		tableRow{"pim", 103, "Protocol Independent Multicast"}, tableRow{"pptp", 47, "Point-to-Point Tunneling Protocol"},
		tableRow{"sctp", 132, "Stream Control Transmission Protocol"}, tableRow{"snp", 109, "Sitara Networks Protocol"},
		tableRow{"tcp", 6, "Transmission Control Protocol"}, tableRow{"udp", 17, "User Datagram Protocol"},
	)

	// asaICMPTypes has names for types only; a code is written as a number.
	asaICMPTypes  = newTable(icmpTypes.wholeTypes()...)
	asaICMP6Types = newTable(
		icmp("echo", 128, anyCode, "Echo (ping)"), icmp("echo-reply", 129, anyCode, "Echo reply"),
		icmp("membership-query", 130, anyCode, "Multicast Listener Discovery Query"),
		icmp("membership-report", 131, anyCode, "Multicast Listener Discovery Report"),
		icmp("membership-reduction", 132, anyCode, "Multicast Listener Discovery Reduction"),
		icmp("neighbor-advertisement", 136, anyCode, "Neighbor discovery neighbor advertisements"),
		icmp("neighbor-redirect", 137, anyCode, "Neighbor redirect"),
		icmp("neighbor-solicitation", 135, anyCode, "Neighbor discovery neighbor solicitations"),
		icmp("packet-too-big", 2, anyCode, "Packet too big"), icmp("parameter-problem", 4, anyCode, "All parameter problems"),
		icmp("router-advertisement", 134, anyCode, "Neighbor discovery router advertisements"),
		icmp("router-renumbering", 138, anyCode, "All router renumbering"),
		icmp("router-solicitation", 133, anyCode, "Neighbor discovery router solicitations"),
		icmp("time-exceeded", 3, anyCode, "All time exceeded"), icmp("unreachable", 1, anyCode, "All unreachable"),
	)

	logLevels = newTable(
		tableRow{"emergencies", 0, "System is unusable"}, tableRow{"alerts", 1, "Immediate action needed"},
		tableRow{"critical", 2, "Critical conditions"}, tableRow{"errors", 3, "Error conditions"},
		tableRow{"warnings", 4, "Warning conditions"}, tableRow{"notifications", 5, "Normal but significant conditions"},
		tableRow{"informational", 6, "Informational messages"}, tableRow{"debugging", 7, "Debugging messages"},
	)
)

// except gives the rows of a table without some words.
func (t *table) except(words ...string) (out []tableRow) {
	without := map[string]bool{}
	for _, w := range words {
		without[w] = true
	}
	for _, e := range t.entries {
		if !without[e.word] {
			out = append(out, e)
		}
	}
	return out
}

// wholeTypes gives the rows of ICMP names that stand for every code.
func (t *table) wholeTypes() (out []tableRow) {
	for _, e := range t.entries {
		if e.value%512 == anyCode {
			out = append(out, e)
		}
	}
	return out
}

// asaPortNames gives the names of a protocol's ports, those of TCP and UDP
// together for more than one protocol.
func asaPortNames(protocols ...Protocol) *table {
	switch {
	case len(protocols) > 1:
		return asaBothPorts
	case len(protocols) == 1 && protocols[0].Number == protoTCP:
		return asaTCPPorts
	case len(protocols) == 1 && protocols[0].Number == protoUDP:
		return asaUDPPorts
	}
	return noPorts
}
