package grammar

import (
	"slices"
	"strings"
)

var nxosSpelling = spelling{
	protocols: nxosProtocols, protocols6: nxosProtocols6, tcp: nxosTCPPorts, udp: nxosUDPPorts, icmp6: icmp6Types,
	list4:     "ip access-list",
	addresses: "ip address", addresses6: "ipv6 address", ports: "ip port",
	addressGroup: "addrgroup", portGroup: "portgroup", shortHost: true, bareTTL: true, maxSeq: 4294967295,
	matches: "[match=%d]", one: "[match=1]",
}

// The names of NX-OS are those of IOS but for a few.
var (
	nxosTCPPorts   = tcpPorts.lacking("msrpc", "onep-plain", "onep-tls", "connectedapps-plain", "connectedapps-tls")
	nxosUDPPorts   = udpPorts.lacking("ripv6")
	nxosProtocols  = protocols.lacking("igrp", "ipinip", "sctp")
	nxosProtocols6 = protocols6.lacking("hbh")
)

// lacking gives a table without words.
func (t *table) lacking(words ...string) *table {
	return newTable(slices.DeleteFunc(slices.Clone(t.entries), func(e tableRow) bool { return slices.Contains(words, e.word) })...)
}

// nxosIGMPTypes are the names of IGMP types.
var nxosIGMPTypes = []row{
	{"dvmrp", "Distance Vector Multicast Routing Protocol"}, {"host-query", "IGMP Membership Query"},
	{"host-report", "IGMP Membership Report"}, {"pim", "Protocol Independent Multicast"}, {"trace", "Multicast trace"},
}

var nxosClasses = []*class{
	{name: "AddressGroup", what: "an object-group", rows: rows("WORD"), accepts: isFilterName, free: true, defined: groupNames(NetworkGroup)},
	{name: "AddressGroup6", what: "an object-group", rows: rows("WORD"), accepts: isFilterName, free: true, defined: groupNames(NetworkGroup6)},
	{name: "PortGroup", what: "an object-group", rows: rows("WORD"), accepts: isFilterName, free: true, defined: groupNames(PolicyPorts)},
	{name: "NXOSTCPPort", what: "a TCP port", rows: rows("<0-65535>"), names: nxosTCPPorts.rows(), accepts: between(0, 65535)},
	{name: "NXOSUDPPort", what: "a UDP port", rows: rows("<0-65535>"), names: nxosUDPPorts.rows(), accepts: between(0, 65535)},
	{name: "NXOSProtocol", what: "a protocol", rows: rows("<0-255>"), names: nxosProtocols.rows(), accepts: between(0, 255)},
	{name: "NXOSProtocol6", what: "a protocol", rows: rows("<0-255>"), names: nxosProtocols6.rows(), accepts: between(0, 255)},
	{name: "NXOSIGMPType", what: "an IGMP type", rows: rows("<0-16>"), names: nxosIGMPTypes, accepts: between(0, 16), canonical: plainNumber},
	{name: "FrameLength", what: "a packet length", rows: rows("<20-9210>"), accepts: between(20, 9210), canonical: plainNumber},
	{name: "FlagMask", what: "0-63", rows: rows("<0-63>"), accepts: between(0, 63), canonical: plainNumber},
	{name: "OptionLength", what: "0-40", rows: rows("<0-40>"), accepts: between(0, 40), canonical: plainNumber},
	{name: "VLAN", what: "a VLAN", rows: rows("<1-4094>"), accepts: between(1, 4094), canonical: plainNumber},
	{name: "VNI", what: "a VNI", rows: rows("<0-16777215>"), accepts: between(0, 1<<24-1), canonical: plainNumber},
	{name: "ERSPAN", what: "a DSCP value", rows: rows("<1-63>"), accepts: between(1, 63), canonical: plainNumber},
	{name: "Port16", what: "a number", rows: rows("<1-65535>"), accepts: between(1, 65535), canonical: plainNumber},
	{name: "HexWord", what: "0xHHHH", rows: rows("0xHHHH"), accepts: isEtherType},
	{name: "Second", what: "hh:mm:ss", rows: rows("hh:mm:ss"), accepts: isSecond, canonical: withSeconds},
}

// plainNumber gives a number without leading zeros, and a name as it is.
func plainNumber(s string) string {
	if n, ok := number(s); ok {
		return itoa(int(n))
	}
	return s
}

// isSecond accepts hh:mm:ss and hh:mm.
func isSecond(s string) bool {
	if at := strings.LastIndexByte(s, ':'); strings.Count(s, ":") == 2 {
		return len(s)-at == 3 && isTime(s[:at]) && between(0, 59)(s[at+1:])
	}
	return isTime(s)
}

func withSeconds(s string) string {
	if strings.Count(s, ":") == 1 {
		return s + ":00"
	}
	return s
}

// nxosVocabulary tells the lines apart that no mode takes.
var nxosVocabulary = &vocabulary{
	ours: []string{
		"ip access-list", "ipv6 access-list", "mac access-list", "object-group", "resequence", "time-range", "periodic", "absolute",
		"ip access-group", "ip port access-group", "ipv6 traffic-filter", "ipv6 port traffic-filter", "mac port access-group", "mac access-group",
		"permit", "deny", "remark", "statistics", "fragments", "ignore routable", "access-class", "ip access-class", "ipv6 access-class", "hostname",
	},
	kept: []string{
		"access-list", "class-map", "policy-map", "service-policy", "control-plane", "vlan access-map", "vlan filter", "cts", "ip verify", "ipv6 verify", "ip arp inspection", "ip dhcp snooping", "arp access-list",
		"hardware access-list", "configure session", "ip access", "ipv6 access", "dot1x", "ip source", "system acl",
	},
	blocks: []string{
		"ip access-list", "ipv6 access-list", "mac access-list", "object-group", "class-map", "policy-map", "vlan access-map", "interface", "hostname",
		"time-range", "arp access-list", "line",
	},
	interfaces: interfaceWords,
}
