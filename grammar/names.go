package grammar

import "fmt"

// A table maps the words of one place in the grammar to numbers. Words that
// stand later are accepted for a number that has a word already, but never
// printed.
type table struct {
	entries []tableRow
	byWord  map[string]uint32
	byValue map[uint32]string
}

type tableRow struct {
	word  string
	value uint32
	help  string
}

func newTable(entries ...tableRow) *table {
	t := &table{entries, map[string]uint32{}, map[uint32]string{}}
	for _, e := range entries {
		t.byWord[e.word] = e.value
		if _, taken := t.byValue[e.value]; !taken {
			t.byValue[e.value] = e.word
		}
	}
	return t
}

// rows gives the words for the help; ports show their number as IOS does.
func (t *table) rows() (out []row) {
	for _, e := range t.entries {
		out = append(out, row{e.word, e.help})
	}
	return out
}

// value reads a word of the table or a decimal that the walk has checked.
func (t *table) value(word string) uint32 {
	if v, ok := t.byWord[word]; ok {
		return v
	}
	n, _ := number(word)
	return uint32(n)
}

// name gives the canonical word, or the decimal when there is none.
func (t *table) name(v uint32) string {
	if w, ok := t.byValue[v]; ok {
		return w
	}
	return itoa(int(v))
}

// append adds a blank and the canonical word to b, or the decimal.
func (t *table) append(b []byte, v uint32) []byte {
	if w, ok := t.byValue[v]; ok {
		return appendWord(b, w)
	}
	return appendNumber(b, v)
}

func port(word string, n uint32, service string) tableRow {
	return tableRow{word, n, fmt.Sprintf("%s (%d)", service, n)}
}

func alias(word string, n uint32, service string) tableRow { return port(word, n, service) }

// The tables are per protocol: 512 is exec in TCP and biff in UDP.
var (
	tcpPorts = newTable(
		port("bgp", 179, "Border Gateway Protocol"), port("chargen", 19, "Character generator"),
		port("cmd", 514, "Remote commands"), port("daytime", 13, "Daytime"), port("discard", 9, "Discard"),
		port("domain", 53, "Domain Name Service"), port("drip", 3949, "Dynamic Routing Information Protocol"),
		port("echo", 7, "Echo"), port("exec", 512, "Exec"), port("finger", 79, "Finger"),
		port("ftp", 21, "File Transfer Protocol"), port("ftp-data", 20, "FTP data connections"),
		port("gopher", 70, "Gopher"), port("hostname", 101, "NIC hostname server"), port("ident", 113, "Ident Protocol"),
		port("irc", 194, "Internet Relay Chat"), port("klogin", 543, "Kerberos login"), port("kshell", 544, "Kerberos shell"),
		port("login", 513, "Login"), port("lpd", 515, "Printer service"), port("msrpc", 135, "MS Remote Procedure Call"),
		port("nntp", 119, "Network News Transport Protocol"), port("onep-plain", 15001, "ONEP Cleartext"),
		port("onep-tls", 15002, "ONEP TLS"), port("pim-auto-rp", 496, "PIM Auto-RP"), port("pop2", 109, "Post Office Protocol v2"),
		port("pop3", 110, "Post Office Protocol v3"), port("smtp", 25, "Simple Mail Transport Protocol"),
		port("sunrpc", 111, "Sun Remote Procedure Call"), port("tacacs", 49, "TAC Access Control System"),
		port("talk", 517, "Talk"), port("telnet", 23, "Telnet"), port("time", 37, "Time"),
		port("uucp", 540, "Unix-to-Unix Copy Program"), port("whois", 43, "Nicname"), port("www", 80, "World Wide Web (HTTP)"),
		alias("syslog", 514, "Syslog"), alias("connectedapps-plain", 15001, "ONEP Cleartext"), alias("connectedapps-tls", 15002, "ONEP TLS"),
	)
	udpPorts = newTable(
		port("biff", 512, "Biff (mail notification, comsat)"), port("bootpc", 68, "Bootstrap Protocol (BOOTP) client"),
		port("bootps", 67, "Bootstrap Protocol (BOOTP) server"), port("discard", 9, "Discard"),
		port("dnsix", 195, "DNSIX security protocol auditing"), port("domain", 53, "Domain Name Service (DNS)"),
		port("echo", 7, "Echo"), port("isakmp", 500, "Internet Security Association and Key Management Protocol"),
		port("mobile-ip", 434, "Mobile IP registration"), port("nameserver", 42, "IEN116 name service (obsolete)"),
		port("netbios-dgm", 138, "NetBios datagram service"), port("netbios-ns", 137, "NetBios name service"),
		port("netbios-ss", 139, "NetBios session service"), port("non500-isakmp", 4500, "Internet Security Association and Key Management Protocol"),
		port("ntp", 123, "Network Time Protocol"), port("pim-auto-rp", 496, "PIM Auto-RP"),
		port("rip", 520, "Routing Information Protocol (router, in.routed)"), port("ripv6", 521, "Routing Information Protocol for IPv6"),
		port("snmp", 161, "Simple Network Management Protocol"), port("snmptrap", 162, "SNMP Traps"),
		port("sunrpc", 111, "Sun Remote Procedure Call"), port("syslog", 514, "System Logger"),
		port("tacacs", 49, "TAC Access Control System"), port("talk", 517, "Talk"), port("tftp", 69, "Trivial File Transfer Protocol"),
		port("time", 37, "Time"), port("who", 513, "Who service (rwho)"), port("xdmcp", 177, "X Display Manager Control Protocol"),
	)
	noPorts = newTable()
	// bothPorts has the words that mean the same port in TCP and UDP.
	bothPorts = shared(tcpPorts, udpPorts)

	protocols = newTable(
		tableRow{"ahp", 51, "Authentication Header Protocol"}, tableRow{"eigrp", 88, "Cisco's EIGRP routing protocol"},
		tableRow{"esp", 50, "Encapsulation Security Payload"}, tableRow{"gre", 47, "Cisco's GRE tunneling"},
		tableRow{"icmp", 1, "Internet Control Message Protocol"}, tableRow{"igmp", 2, "Internet Gateway Message Protocol"},
		tableRow{"igrp", 9, "Cisco's IGRP routing protocol"}, tableRow{"ip", anyProtocol, "Any Internet Protocol"},
		tableRow{"ipinip", 4, "IP in IP tunneling"}, tableRow{"nos", 94, "KA9Q NOS compatible IP over IP tunneling"},
		tableRow{"ospf", 89, "OSPF routing protocol"}, tableRow{"pcp", 108, "Payload Compression Protocol"},
		tableRow{"pim", 103, "Protocol Independent Multicast"}, tableRow{"sctp", 132, "Stream Control Transmission Protocol"},
		tableRow{"tcp", 6, "Transmission Control Protocol"}, tableRow{"udp", 17, "User Datagram Protocol"},
	)
	protocols6 = newTable(
		tableRow{"ahp", 51, "Authentication Header Protocol"}, tableRow{"esp", 50, "Encapsulation Security Payload"},
		tableRow{"hbh", 0, "Hop by hop options header"}, tableRow{"icmp", 58, "Internet Control Message Protocol"},
		tableRow{"ipv6", anyProtocol, "Any IPv6"}, tableRow{"pcp", 108, "Payload Compression Protocol"},
		tableRow{"sctp", 132, "Streams Control Transmission Protocol"}, tableRow{"tcp", 6, "Transmission Control Protocol"},
		tableRow{"udp", 17, "User Datagram Protocol"},
	)

	// ICMP values are type*256+code, with anyCode in place of the code for
	// every code.
	icmpTypes = newTable(
		icmp("echo", 8, anyCode, "Echo (ping)"), icmp("echo-reply", 0, anyCode, "Echo reply"),
		icmp("unreachable", 3, anyCode, "All unreachables"), icmp("net-unreachable", 3, 0, "Net unreachable"),
		icmp("host-unreachable", 3, 1, "Host unreachable"), icmp("protocol-unreachable", 3, 2, "Protocol unreachable"),
		icmp("port-unreachable", 3, 3, "Port unreachable"), icmp("packet-too-big", 3, 4, "Fragmentation needed and DF set"),
		icmp("source-route-failed", 3, 5, "Source route failed"), icmp("network-unknown", 3, 6, "Network unknown"),
		icmp("host-unknown", 3, 7, "Host unknown"), icmp("host-isolated", 3, 8, "Host isolated"),
		icmp("dod-net-prohibited", 3, 9, "Net prohibited"), icmp("dod-host-prohibited", 3, 10, "Host prohibited"),
		icmp("net-tos-unreachable", 3, 11, "Network unreachable for TOS"), icmp("host-tos-unreachable", 3, 12, "Host unreachable for TOS"),
		icmp("administratively-prohibited", 3, 13, "Administratively prohibited"),
		icmp("host-precedence-unreachable", 3, 14, "Host unreachable for precedence"),
		icmp("precedence-unreachable", 3, 15, "Precedence cutoff"), icmp("source-quench", 4, anyCode, "Source quenches"),
		icmp("redirect", 5, anyCode, "All redirects"), icmp("net-redirect", 5, 0, "Network redirect"),
		icmp("host-redirect", 5, 1, "Host redirect"), icmp("net-tos-redirect", 5, 2, "Net redirect for TOS"),
		icmp("host-tos-redirect", 5, 3, "Host redirect for TOS"), icmp("alternate-address", 6, anyCode, "Alternate address"),
		icmp("router-advertisement", 9, anyCode, "Router discovery advertisements"),
		icmp("router-solicitation", 10, anyCode, "Router discovery solicitations"),
		icmp("time-exceeded", 11, anyCode, "All time exceededs"), icmp("ttl-exceeded", 11, 0, "TTL exceeded"),
		icmp("reassembly-timeout", 11, 1, "Reassembly timeout"), icmp("parameter-problem", 12, anyCode, "All parameter problems"),
		icmp("general-parameter-problem", 12, 0, "Parameter problem"), icmp("option-missing", 12, 1, "Parameter required but not present"),
		icmp("no-room-for-option", 12, 2, "Parameter required but no room"), icmp("timestamp-request", 13, anyCode, "Timestamp requests"),
		icmp("timestamp-reply", 14, anyCode, "Timestamp replies"), icmp("information-request", 15, anyCode, "Information requests"),
		icmp("information-reply", 16, anyCode, "Information replies"), icmp("mask-request", 17, anyCode, "Mask requests"),
		icmp("mask-reply", 18, anyCode, "Mask replies"), icmp("traceroute", 30, anyCode, "Traceroute"),
		icmp("conversion-error", 31, anyCode, "Datagram conversion"), icmp("mobile-redirect", 32, anyCode, "Mobile host redirect"),
	)
	icmp6Types = newTable(
		icmp("unreachable", 1, anyCode, "All unreachable"), icmp("no-route", 1, 0, "No route to destination"),
		icmp("no-admin", 1, 1, "Administration prohibited destination"), icmp("beyond-scope", 1, 2, "Destination beyond scope"),
		icmp("destination-unreachable", 1, 3, "Destination address is unreachable"), icmp("port-unreachable", 1, 4, "Port unreachable"),
		icmp("source-policy", 1, 5, "Source address failed policy"), icmp("reject-route", 1, 6, "Reject route to destination"),
		icmp("packet-too-big", 2, anyCode, "Packet too big"), icmp("time-exceeded", 3, anyCode, "All time exceeded"),
		icmp("hop-limit", 3, 0, "Hop limit exceeded in transit"), icmp("reassembly-timeout", 3, 1, "Fragment reassembly time exceeded"),
		icmp("parameter-problem", 4, anyCode, "All parameter problems"), icmp("header", 4, 0, "Parameter header problems"),
		icmp("next-header", 4, 1, "Parameter next header problems"), icmp("parameter-option", 4, 2, "Parameter option problems"),
		icmp("echo-request", 128, anyCode, "Echo request (ping)"), icmp("echo-reply", 129, anyCode, "Echo reply"),
		icmp("mld-query", 130, anyCode, "Multicast Listener Discovery Query"), icmp("mld-report", 131, anyCode, "Multicast Listener Discovery Report"),
		icmp("mld-reduction", 132, anyCode, "Multicast Listener Discovery Reduction"),
		icmp("router-solicitation", 133, anyCode, "Neighbor discovery router solicitations"),
		icmp("router-advertisement", 134, anyCode, "Neighbor discovery router advertisements"),
		icmp("nd-ns", 135, anyCode, "Neighbor discovery neighbor solicitations"),
		icmp("nd-na", 136, anyCode, "Neighbor discovery neighbor advertisements"),
		icmp("redirect", 137, anyCode, "Neighbor redirect"), icmp("router-renumbering", 138, anyCode, "All router renumbering"),
		icmp("renum-command", 138, 0, "Router renumbering command"), icmp("renum-result", 138, 1, "Router renumbering result"),
		icmp("renum-seq-number", 138, 255, "Router renumbering sequence number reset"),
		icmp("dhaad-request", 144, anyCode, "Home agent address discovery request"),
		icmp("dhaad-reply", 145, anyCode, "Home agent address discovery reply"),
		icmp("mpd-solicitation", 146, anyCode, "Mobile prefix solicitation"),
		icmp("mpd-advertisement", 147, anyCode, "Mobile prefix advertisement"),
	)
	// IGMP numbers are IOS's own index, not the type on the wire.
	igmpTypes = newTable(
		tableRow{"host-query", 0, "IGMP Membership Query"}, tableRow{"v1host-report", 1, "IGMPv1 Membership Report"},
		tableRow{"dvmrp", 2, "Distance Vector Multicast Routing Protocol"}, tableRow{"pim", 3, "Protocol Independent Multicast"},
		tableRow{"trace", 4, "Multicast trace"}, tableRow{"v2host-report", 5, "IGMPv2 Membership Report"},
		tableRow{"v2leave-group", 6, "IGMPv2 Leave Group"}, tableRow{"mtrace-resp", 7, "Multicast Traceroute Response"},
		tableRow{"mtrace-route", 8, "Multicast Traceroute"}, tableRow{"v3host-report", 9, "IGMPv3 Membership Report"},
	)
	dscps = newTable(dscpRows()...)

	precedences = newTable(
		tableRow{"routine", 0, "Match packets with routine precedence (0)"}, tableRow{"priority", 1, "Match packets with priority precedence (1)"},
		tableRow{"immediate", 2, "Match packets with immediate precedence (2)"}, tableRow{"flash", 3, "Match packets with flash precedence (3)"},
		tableRow{"flash-override", 4, "Match packets with flash override precedence (4)"},
		tableRow{"critical", 5, "Match packets with critical precedence (5)"},
		tableRow{"internet", 6, "Match packets with internetwork control precedence (6)"},
		tableRow{"network", 7, "Match packets with network control precedence (7)"},
	)
	services = newTable(
		tableRow{"normal", 0, "Match packets with normal TOS (0)"}, tableRow{"min-monetary-cost", 1, "Match packets with minimum monetary cost TOS (1)"},
		tableRow{"max-reliability", 2, "Match packets with maximum reliable TOS (2)"}, tableRow{"max-throughput", 4, "Match packets with maximum throughput TOS (4)"},
		tableRow{"min-delay", 8, "Match packets with minimum delay TOS (8)"},
	)
	ipOptions = newTable(ipOptionRows()...)
)

const (
	// anyProtocol is the table value of "ip" and "ipv6".
	anyProtocol = 256
	// anyCode marks an ICMP name that stands for every code of its type.
	anyCode = 256
)

func icmp(word string, typ, code uint32, help string) tableRow {
	return tableRow{word, icmpValue(typ, code), help}
}

func icmpValue(typ, code uint32) uint32 { return typ*512 + code }

func shared(a, b *table) *table {
	var out []tableRow
	for _, e := range a.entries {
		if v, ok := b.byWord[e.word]; ok && v == e.value {
			out = append(out, e)
		}
	}
	return newTable(out...)
}

func dscpRows() []tableRow {
	out := []tableRow{{"default", 0, "Match packets with default dscp (000000)"}, {"ef", 46, "Match packets with EF dscp (101110)"}}
	for class := uint32(1); class <= 7; class++ {
		out = append(out, tableRow{fmt.Sprintf("cs%d", class), class * 8, fmt.Sprintf("Match packets with CS%d(precedence %d) dscp (%06b)", class, class, class*8)})
	}
	for class := uint32(1); class <= 4; class++ {
		for drop := uint32(1); drop <= 3; drop++ {
			v := class*8 + drop*2
			out = append(out, tableRow{fmt.Sprintf("af%d%d", class, drop), v, fmt.Sprintf("Match packets with AF%d%d dscp (%06b)", class, drop, v)})
		}
	}
	return out
}

func ipOptionRows() (out []tableRow) {
	for _, o := range []struct {
		word  string
		value uint32
		what  string
	}{
		{"add-ext", 147, "Address Extension Option"}, {"com-security", 134, "Commercial Security Option"},
		{"dps", 151, "Dynamic Packet State Option"}, {"encode", 15, "Encode Option"}, {"eool", 0, "End of Options"},
		{"ext-ip", 145, "Extended IP Option"}, {"ext-security", 133, "Extended Security Option"},
		{"finn", 205, "Experimental Flow Control Option"}, {"imitd", 144, "IMI Traffic Descriptor Option"},
		{"lsr", 131, "Loose Source Route Option"}, {"mtup", 11, "MTU Probe Option"}, {"mtur", 12, "MTU Reply Option"},
		{"no-op", 1, "No Operation Option"}, {"nsapa", 150, "NSAP Addresses Option"}, {"record-route", 7, "Record Route Option"},
		{"router-alert", 148, "Router Alert Option"}, {"sdb", 149, "Selective Directed Broadcast Option"},
		{"security", 130, "Basic Security Option"}, {"ssr", 137, "Strict Source Routing Option"},
		{"stream-id", 136, "Stream ID Option"}, {"timestamp", 68, "Time Stamp Option"}, {"traceroute", 82, "Trace Route Option"},
		{"ump", 152, "Upstream Multicast Packet Option"}, {"visa", 142, "Experimental Access Control Option"},
		{"zsu", 10, "Experimental Measurement Option"},
	} {
		out = append(out, tableRow{o.word, o.value, fmt.Sprintf("Match packets with %s (%d)", o.what, o.value)})
	}
	return append(out, tableRow{"any-options", AnyOption, "Match packets with ANY Option"})
}
