package grammar

var iosxrSpelling = spelling{
	protocols: xrProtocols, protocols6: xrProtocols6, tcp: xrTCPTable, udp: xrUDPTable, icmp6: xrICMP6Types,
	list4: "ipv4 access-list", addresses: "network ipv4", addresses6: "network ipv6", ports: "port",
	addressGroup: "net-group", portGroup: "port-group", nested: "object-group", maxSeq: 2147483646,
	matches: "(%d matches)", one: "(1 match)", replaces: true,
}

var (
	xrTCPTable = newTable(append([]tableRow{
		port("ssh", 22, "Secure Shell"), port("ldp", 646, "LDP session connection attempts"),
	}, tcpPorts.lacking("msrpc", "onep-plain", "onep-tls", "connectedapps-plain", "connectedapps-tls").entries...)...)
	xrUDPTable  = newTable(append([]tableRow{port("ldp", 646, "LDP hellos")}, udpPorts.entries...)...)
	xrProtocols = newTable(append([]tableRow{{"ipv4", anyProtocol, "Any IPv4 Protocol"}}, protocols.lacking("ip").entries...)...)
	// xrProtocols6 has the word that is printed for ICMP first.
	xrProtocols6 = newTable(append([]tableRow{{"icmpv6", 58, "Internet Control Message Protocol"}}, protocols6.lacking("hbh").entries...)...)
	xrICMP6Types = newTable(append(icmp6Types.entries[:len(icmp6Types.entries):len(icmp6Types.entries)],
		icmp("address-unreachable", 1, 3, "Destination address is unreachable"))...)
)

// xrIGMPTypes are the names of IGMP types.
var xrIGMPTypes = append(nxosIGMPTypes[:len(nxosIGMPTypes):len(nxosIGMPTypes)], []row{
	{"mtrace", "Multicast traceroute"}, {"mtrace-response", "Response to a multicast traceroute"}, {"v2-leave", "IGMPv2 leave"},
	{"v2-report", "IGMPv2 report"}, {"v3-report", "IGMPv3 report"},
}...)

// xrClasses are the arguments that only IOS-XR has.
var xrClasses = []*class{
	{name: "XRNumber", what: "a sequence number", rows: rows("<1-2147483646>"), accepts: between(1, 2147483646)},
	{name: "AnyFilter", what: "a list", rows: rows("WORD"), accepts: isFilterName, free: true, space: "access-list", defined: aclNames(Extended, IPv6)},
	{name: "XRProtocol", what: "a protocol", rows: rows("<0-255>"), names: xrProtocols.rows(), accepts: between(0, 255)},
	{name: "XRProtocol6", what: "a protocol", rows: rows("<0-255>"), names: xrProtocols6.rows(), accepts: between(0, 255)},
	{name: "XRICMP6Name", what: "an ICMPv6 type", names: xrICMP6Types.rows(), accepts: never},
	{name: "XRIGMPType", what: "an IGMP type", rows: rows("<0-255>"), names: xrIGMPTypes, accepts: between(0, 255), canonical: plainNumber},
	{name: "XRTCPPort", what: "a TCP port", rows: rows("<0-65535>"), names: xrTCPTable.rows(), accepts: between(0, 65535)},
	{name: "XRUDPPort", what: "a UDP port", rows: rows("<0-65535>"), names: xrUDPTable.rows(), accepts: between(0, 65535)},
	{name: "PacketLength", what: "a packet's length", rows: rows("<0-65535>"), accepts: between(0, 65535), canonical: plainNumber},
}

// xrVocabulary tells the lines apart that no mode takes.
var xrVocabulary = &vocabulary{
	ours: []string{
		"ipv4 access-list", "ipv6 access-list", "ethernet-services access-list", "object-group", "ipv4 access-group", "ipv6 access-group",
		"ethernet-services access-group", "permit", "deny", "remark", "resequence", "copy access-list", "hostname",
	},
	kept: []string{
		"class-map", "policy-map", "service-policy", "control-plane", "access-class", "ipv4 access-class", "ipv6 access-class", "ipv4 verify", "ipv6 verify",
		"lpts", "ssh server", "telnet", "management-plane", "flowspec", "dynamic-template", "ipv4 conflict-policy", "acl-permit",
	},
	blocks: []string{
		"ipv4 access-list", "ipv6 access-list", "ethernet-services access-list", "object-group", "class-map", "policy-map", "interface", "hostname",
		"prefix-set", "route-policy", "control-plane", "line", "router",
	},
	nested: []string{"object-group"},
	interfaces: append([]string{
		"ipv4 address", "ipv4 mtu", "ipv4 unnumbered", "ipv4 unreachables", "ipv4 point-to-point", "flow", "bundle", "carrier-delay", "l2transport", "lldp",
	}, interfaceWords...),
}
