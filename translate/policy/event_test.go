package policy

import (
	"net/netip"
	"testing"
)

func TestLogTextIsThatOfIOS(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		want  string
		event Event
	}{
		{"%SEC-6-IPACCESSLOGP: list WEB denied tcp 10.0.0.1(1234) -> 10.0.0.2(80), 1 packet",
			Event{RuleID: RuleID{ACL: "WEB", Seq: 20}, Action: Deny, Protocol: TCP, Source: at("10.0.0.1:1234"), Destination: at("10.0.0.2:80"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGDP: list 100 denied icmp 172.16.1.2 -> 10.10.10.10 (8/0), 1104 packets",
			Event{RuleID: RuleID{ACL: "100", Seq: 20}, Action: Deny, Protocol: ICMP, Source: at("172.16.1.2:0"), Destination: at("10.10.10.10:0"), ICMPType: 8, Packets: 1104}},
		{"%SEC-6-IPACCESSLOGRP: list 177 denied igmp 198.51.100.197 -> 224.0.0.22, 1 packet",
			Event{RuleID: RuleID{ACL: "177"}, Action: Deny, Protocol: 2, Source: at("198.51.100.197:0"), Destination: at("224.0.0.22:0"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGNP: list EDGE-IN permitted 50 192.0.2.1 -> 198.51.100.1, 2 packets",
			Event{RuleID: RuleID{ACL: "EDGE-IN"}, Action: Permit, Protocol: 50, Source: at("192.0.2.1:0"), Destination: at("198.51.100.1:0"), Packets: 2}},
		{"%IPV6_ACL-6-ACCESSLOGP: list V6IN/10 permitted tcp 2001:DB8::1(1027) -> 2001:DB8::2(22), 9 packets",
			Event{RuleID: RuleID{ACL: "V6IN", Seq: 10}, Action: Permit, Protocol: TCP, Source: at("[2001:db8::1]:1027"), Destination: at("[2001:db8::2]:22"), Packets: 9}},
		// The reference's own examples (cisco-syntax, 8.1).
		{"%SEC-6-IPACCESSLOGSP: list INBOUND-ON-F11 denied igmp 198.51.100.2 -> 224.0.0.2 (20), 1 packet",
			Event{RuleID: RuleID{ACL: "INBOUND-ON-F11"}, Action: Deny, Protocol: 2, Source: at("198.51.100.2:0"), Destination: at("224.0.0.2:0"), ICMPType: 20, Packets: 1}},
		{"%SEC-6-IPACCESSLOGS: list 1 denied 10.0.0.1 1 packet",
			Event{RuleID: RuleID{ACL: "1", Seq: 10}, Action: Deny, Form: LogSource, Protocol: TCP, Source: at("10.0.0.1:9"), Destination: at("10.0.0.2:1"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGRL: access-list logging rate-limited or missed 12 packets", Event{Missed: true, Packets: 12}},
		{"%SEC-6-IPACCESSLOGP: list X denied tcp 10.0.0.2(23) (Serial1/0.20) -> 10.0.0.1(48223), 1 packet",
			Event{RuleID: RuleID{ACL: "X", Seq: 10}, Action: Deny, Form: LogInput, Interface: "Serial1/0.20", Protocol: TCP, Source: at("10.0.0.2:23"), Destination: at("10.0.0.1:48223"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGP: list L permitted udp 10.0.0.2(23) -> 10.0.0.1(53), 2 packets  [LAN_ACL]",
			Event{RuleID: RuleID{ACL: "L", Seq: 10}, Action: Permit, Cookie: "LAN_ACL", Protocol: UDP, Source: at("10.0.0.2:23"), Destination: at("10.0.0.1:53"), Packets: 2}},
		{"%SEC-6-IPACCESSLOGP: list L denied udp 10.0.0.2(23) -> 10.0.0.1(53), 2 packets  [audit: passed]",
			Event{RuleID: RuleID{ACL: "L", Seq: 10}, Action: Deny, Audit: true, Protocol: UDP, Source: at("10.0.0.2:23"), Destination: at("10.0.0.1:53"), Packets: 2}},
		{"%IPV6_ACL-6-ACCESSLOGDP: list V/20 denied icmpv6 2001:DB8::1 -> 2001:DB8::2 (128/0), 1 packet",
			Event{RuleID: RuleID{ACL: "V", Seq: 20}, Action: Deny, Protocol: ICMPv6, Source: at("[2001:db8::1]:0"), Destination: at("[2001:db8::2]:0"), ICMPType: 128, Packets: 1}},
	} {
		if got := c.event.Message(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
