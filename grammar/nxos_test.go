package grammar

import (
	"maps"
	"strings"
	"testing"
)

func init() {
	modeLines[NXOS] = map[Mode]string{
		ModeGlobal: "", ModeExtendedACL: "ip access-list A", ModeIPv6ACL: "ipv6 access-list B", ModeNetworkGroup: "object-group ip address G",
		ModeNetworkGroup6: "object-group ipv6 address H", ModePolicyPorts: "object-group ip port P", ModeInterface: "interface Ethernet1/1",
		ModeMACList: "mac access-list M", ModeTerminal: "line vty", ModeTimeRange: "time-range T",
	}
	maps.Copy(sampleWords, map[string][]string{"HexWord": {"0x1f", "0x0800"}, "Second": {"8:05", "23:59:07"}})
}

// TestDialectsOfFiles finds the dialect of whole files, of pieces of them, and
// of files that look like several.
func TestDialectsOfFiles(t *testing.T) {
	for text, want := range map[string]Dialect{
		"object-group ip address A\n host 10.0.0.1\nobject-group ip port P\n eq 80\nip access-list extended X\n permit tcp addrgroup A any portgroup P\n permit udp addrgroup A any\n": IOS,
		"": IOS, "hostname R1": IOS, "access-list 101 permit ip any any": IOS, "ip access-list extended A\n 10 permit ip any any": IOS,
		"ipv6 access-list A\n sequence 10 permit tcp any any eq 80": IOS, "zone security A": IOS,
		"ipv6 access-list A\n permit ipv6 any any\n": IOS, "interface GigabitEthernet0/1\n ip access-group A in": IOS,
		"Extended IP access list 101\n    10 permit tcp any any (3 matches)": IOS,

		"ip access-list A\n  10 permit ip any any":        NXOS,
		"object-group ip address G\n  10 host 10.0.0.1\n": NXOS, "  10 permit ip 10.0.0.0/8 any": NXOS,
		"IP access list A\n        10 permit tcp any any [match=4] \n": NXOS, "ipv6 access-list A\n  10 permit ipv6 any any": NXOS,
		"ip access-list A\n statistics per-entry\n 10 permit tcp any any eq www\ninterface Vlan5\n ip access-group A in": NXOS,
		"resequence ip access-list A 10 10": NXOS, "line vty\n  access-class A in\nfeature ssh\n": NXOS,

		"ipv4 access-list A\n 10 permit tcp any any": IOSXR, "object-group port P\n eq 80": IOSXR, " 10 permit ipv4 10.0.0.0/8 any": IOSXR,
		"interface GigabitEthernet0/0/0/0\n ipv4 access-group A ingress": IOSXR, "!! IOS XR Configuration 7.1.1\nhostname a": IOSXR,
		"ipv6 access-list A\n 10 permit tcp any any eq ssh\ninterface Gi0/0/0/0\n ipv6 access-group A ingress": IOSXR,
		"object-group network ipv4 G\n 10.0.0.0/8":                                                             IOSXR, "ipv4 access-list A\n 10 permit tcp any any (3 matches)": IOSXR,
		"resequence access-list ipv4 A": IOSXR,

		"access-list OUT extended permit ip any any": ASA, "ASA Version 9.8(2)": ASA, "object network A\n host 10.0.0.1": ASA,
	} {
		if got := Detect([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestMixedFileTakesTheDialectOfMostLines holds that lines of another dialect
// in a file are errors and never read as something else.
func TestMixedFileTakesTheDialectOfMostLines(t *testing.T) {
	const text = "ip access-list A\n  10 permit ip 10.0.0.0/8 any\n  20 deny ip any addrgroup G\naccess-list 101 permit ip any any\naccess-list OUT extended permit ip any any\n" +
		"ipv4 access-list X\n 10 permit ipv4 any any\nip access-list extended B\n permit ip any any\n"
	c, notices, err := ParseFile("x", strings.NewReader(text))
	if c.Dialect != NXOS || len(c.ACLs) != 1 || len(c.ACLs[0].Entries) != 2 {
		t.Errorf("%s:\n%s", c.Dialect, c.text())
	}
	if list, ok := err.(ErrorList); !ok || len(list) != 1 {
		t.Errorf("errors: %v", err)
	}
	if told := noticeText(notices); strings.Count(told, "unsupported: ") != 3 || strings.Contains(told, "skipped") {
		t.Errorf("lines of other dialects are lost:\n%s", told)
	}
}

// edited reads lines of a dialect and gives the configuration.
func edited(t *testing.T, d Dialect, text string) (string, []Notice) {
	t.Helper()
	c, notices, err := ParseDialect("x", strings.NewReader(text), d)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	checkRoundTrip(t, "x", c)
	return strings.ReplaceAll(c.text(), "!\n", ""), notices
}

func TestNXOSEdits(t *testing.T) {
	for _, test := range []struct{ name, text, want, told string }{
		{
			"automatic numbers follow the highest, and remarks have their own",
			"ip access-list A\n permit ip any any\n remark x\n 15 deny udp any any\n permit tcp any any\n",
			"ip access-list A\n 10 permit ip any any\n 15 deny udp any any\n 20 remark x\n 30 permit tcp any any\n", "",
		},
		{
			"a line is removed by its number, or by what it says",
			"ip access-list A\n 10 permit ip any any\n 20 remark x\n 30 deny udp any any\n 40 permit tcp any any\n no 10\n no remark x\n no deny udp any any\n no 41 permit tcp any any\n",
			"ip access-list A\n 40 permit tcp any any\n", "the list has no such line",
		},
		{
			"the same line twice is one, and twice under two numbers two",
			"ip access-list A\n 10 permit ip any any\n 10 permit ip any any\n 20 permit ip any any\n",
			"ip access-list A\n 10 permit ip any any\n 20 permit ip any any\n", "the list has this line already",
		},
		{
			"host A and A/32 are one thing; masks stay as they were typed",
			"ip access-list A\n 10 permit ip host 10.0.0.1 10.0.0.2/32\n no permit ip 10.0.0.1/32 host 10.0.0.2\n 20 permit ip 10.0.0.0/24 10.0.0.0 0.0.0.255\n 30 permit ip 10.0.0.9/0 10.0.0.0 0.0.0.0\n",
			"ip access-list A\n 20 permit ip 10.0.0.0/24 10.0.0.0 0.0.0.255\n 30 permit ip any 10.0.0.0/32\n", "10.0.0.9 is stored as 0.0.0.0: the mask ignores the other bits",
		},
		{
			"resequence numbers remarks too",
			"ip access-list A\n 1 remark x\n 2 permit ip any any\nresequence ip access-list A 100 5\n",
			"ip access-list A\n 100 remark x\n 105 permit ip any any\n", "",
		},
		{
			"no takes lists, groups and bindings away",
			"ip access-list A\n permit ip any any\nipv6 access-list B\n permit ipv6 any any\nobject-group ip port P\n eq 80\nno ip access-list A\nno ipv6 access-list B\nno object-group ip port P\n" +
				"interface Ethernet1/1\n ip access-group A in\n no ip access-group A in\n",
			"interface Ethernet1/1\n", "",
		},
		{
			"members have numbers",
			"object-group ip address G\n host 10.0.0.1\n 5 10.0.0.0/8\n 10.0.0.0 0.0.0.255\n 10.0.0.1/32\n no 5\n no 10.0.0.0 0.0.0.255\n",
			"object-group ip address G\n 10 host 10.0.0.1\n", "the object-group has this member already",
		},
		{
			"a group may hold every address",
			"object-group ip address G\n 0.0.0.0/0\n 0.0.0.0 255.255.255.255\n", "object-group ip address G\n 10 0.0.0.0/0\n", "the object-group has this member already",
		},
		{
			"protocols and ports print as names",
			"ip access-list A\n permit 6 any any\n permit tcp any eq 514 any range 80 21\n permit udp any any eq 512\n permit 2 any any\n",
			"ip access-list A\n 10 permit tcp any any\n 20 permit tcp any eq cmd any range ftp www\n 30 permit udp any any eq biff\n 40 permit igmp any any\n", "the range is stored in ascending order",
		},
		{
			"every option, in any order",
			"ip access-list A\n permit tcp any any log urg time-range T ack precedence 5 vlan 007 set-erspan-dscp 3 udf U 0x12 0xff nve vni 5 capture session 2 redirect Ethernet1/1 load-share set-erspan-gre-proto 9\n",
			"ip access-list A\n 10 permit tcp any any ack urg vlan 7 set-erspan-dscp 3 udf U 0x12 0xff nve vni 5 capture session 2 redirect Ethernet1/1 load-share set-erspan-gre-proto 9 precedence critical log time-range T\n", "",
		},
	} {
		got, notices := edited(t, NXOS, test.text)
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		if told := noticeText(notices); test.told != "" && !strings.Contains(told, test.told) {
			t.Errorf("%s: %q, want %s", test.name, told, test.told)
		}
	}
}
