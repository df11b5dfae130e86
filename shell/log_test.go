package shell

import (
	"net/netip"
	"testing"

	"aclium/translate/policy"
)

func TestLogTextIsThatOfIOS(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		want  string
		event policy.Event
	}{
		{"%SEC-6-IPACCESSLOGP: list WEB denied tcp 10.0.0.1(1234) -> 10.0.0.2(80), 1 packet",
			policy.Event{RuleID: policy.RuleID{ACL: "WEB", Seq: 20}, Action: policy.Deny, Protocol: policy.TCP, Source: at("10.0.0.1:1234"), Destination: at("10.0.0.2:80"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGDP: list 100 denied icmp 172.16.1.2 -> 10.10.10.10 (8/0), 1104 packets",
			policy.Event{RuleID: policy.RuleID{ACL: "100", Seq: 20}, Action: policy.Deny, Protocol: policy.ICMP, Source: at("172.16.1.2:0"), Destination: at("10.10.10.10:0"), ICMPType: 8, Packets: 1104}},
		{"%SEC-6-IPACCESSLOGRP: list 177 denied igmp 198.51.100.197 -> 224.0.0.22, 1 packet",
			policy.Event{RuleID: policy.RuleID{ACL: "177"}, Action: policy.Deny, Protocol: 2, Source: at("198.51.100.197:0"), Destination: at("224.0.0.22:0"), Packets: 1}},
		{"%SEC-6-IPACCESSLOGNP: list EDGE-IN permitted 50 192.0.2.1 -> 198.51.100.1, 2 packets",
			policy.Event{RuleID: policy.RuleID{ACL: "EDGE-IN"}, Action: policy.Permit, Protocol: 50, Source: at("192.0.2.1:0"), Destination: at("198.51.100.1:0"), Packets: 2}},
		{"%IPV6_ACL-6-ACCESSLOGP: list V6IN/10 permitted tcp 2001:DB8::1(1027) -> 2001:DB8::2(22), 9 packets",
			policy.Event{RuleID: policy.RuleID{ACL: "V6IN", Seq: 10}, Action: policy.Permit, Protocol: policy.TCP, Source: at("[2001:db8::1]:1027"), Destination: at("[2001:db8::2]:22"), Packets: 9}},
	} {
		if got := logText(c.event); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
