package grammar

import (
	"strings"
	"testing"
)

// TestReplacedLine types a sequence number again: the line with the
// number changes, be it a remark, and the lines around it stay.
func TestReplacedLine(t *testing.T) {
	s := typedIn(t, IOSXR, "ipv4 access-list A; 30 permit udp any any; 10 remark first; 12 remark second; 10 permit tcp any any eq ssh; 20 permit tcp any any eq 23; "+
		"10 deny tcp any any eq ssh; permit tcp any any eq 23; no 30")
	const want = "ipv4 access-list A\n 10 deny tcp any any eq ssh\n 12 remark second\n 20 permit tcp any any eq telnet\n 40 permit tcp any any eq telnet\n"
	if got := s.Config.text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestOneNameInBothFamilies has an IPv4 list and an IPv6 list of one name,
// which stay two.
func TestOneNameInBothFamilies(t *testing.T) {
	s := typedIn(t, IOSXR, "ipv6 access-list A; permit tcp any any eq 22; ipv4 access-list A; permit udp any any; ipv4 access-list 007; no ipv4 access-list 7; no ipv4 access-list 007; ipv6 access-list A; deny ipv6 any any; "+
		"interface Gi0/0/0/0; ipv4 access-group A ingress; ipv6 access-group A ingress; resequence access-list ipv6 A 5 5")
	const lists = "ipv6 access-list A\n 5 permit tcp any any eq ssh\n 10 deny ipv6 any any\n!\nipv4 access-list A\n 10 permit udp any any\n"
	if got := s.Config.text(); !strings.HasSuffix(got, lists) {
		t.Errorf("got\n%swant\n%s", got, lists)
	}
	checkFixpoint(t, s.Config)
	if _, err := s.Line(Position{}, "no ipv4 access-list A"); err != nil || len(s.Config.ACLs) != 1 || s.Config.ACL("A").Kind != IPv6 {
		t.Errorf("%v, %d lists", err, len(s.Config.ACLs))
	}
}

func TestXREdits(t *testing.T) {
	for _, test := range []struct{ name, text, want, told string }{
		{
			"lists of both families may have one name",
			"ipv4 access-list A\n permit ipv4 any any\nipv6 access-list A\n permit ipv6 any any\nipv6 access-list A\n permit tcp any any\nresequence access-list ipv6 A 5 5\nno ipv4 access-list A\n",
			"ipv6 access-list A\n 5 permit ipv6 any any\n 10 permit tcp any any\n", "",
		},
		{
			"equal lines may stand beside each other, and no takes the first",
			"ipv4 access-list A\n permit udp any any\n permit tcp any any\n permit udp any any\n no permit udp any any\n",
			"ipv4 access-list A\n 20 permit tcp any any\n 30 permit udp any any\n", "",
		},
		{
			"A/32 is host A; masks stay as they were typed",
			"ipv4 access-list A\n permit ipv4 10.0.0.1/32 10.0.0.2 0.0.0.0\n permit ipv4 10.0.0.0/24 10.0.0.0 0.0.0.255\n permit ipv4 10.0.0.0/0 0.0.0.0 255.255.255.255\nipv6 access-list A\n permit ipv6 2001:DB8::1/128 ::/0\n",
			"ipv4 access-list A\n 10 permit ipv4 host 10.0.0.1 host 10.0.0.2\n 20 permit ipv4 10.0.0.0/24 10.0.0.0 0.0.0.255\n 30 permit ipv4 any any\nipv6 access-list A\n 10 permit ipv6 host 2001:db8::1 any\n",
			"10.0.0.0 is stored as 0.0.0.0",
		},
		{
			"a copy is a list of its own",
			"ipv4 access-list A\n 10 permit ipv4 any any\ncopy access-list ipv4 A B\nipv4 access-list B\n 10 deny ipv4 any any\n",
			"ipv4 access-list A\n 10 permit ipv4 any any\nipv4 access-list B\n 10 deny ipv4 any any\n", "takes the place of 10 permit ipv4 any any",
		},
		{
			"protocols and ports print as names",
			"ipv4 access-list A\n permit 6 any any\n permit tcp any eq 22 any range 80 646\n permit udp any any eq 512\n permit 132 any any\nipv6 access-list A\n permit icmp any any 1 3\n permit 58 any any\n",
			"ipv4 access-list A\n 10 permit tcp any any\n 20 permit tcp any eq ssh any range www ldp\n 30 permit udp any any eq biff\n 40 permit sctp any any\nipv6 access-list A\n 10 permit icmpv6 any any destination-unreachable\n 20 permit icmpv6 any any\n", "",
		},
		{
			"bindings keep their options",
			"interface Gi0/0/0/0\n ipv4 access-group A ingress hardware-count compress level 3 interface-statistics\n ipv4 access-group A egress\n no ipv4 access-group A egress\n ipv6 access-group B egress\n no ipv6 access-group egress\n",
			"interface GigabitEthernet0/0/0/0\n ipv4 access-group A ingress hardware-count compress level 3 interface-statistics\n", "",
		},
		{
			"what belongs to the commit is no configuration",
			"Thu Mar  4 10:12:13.123 UTC\nRP/0/RP0/CPU0:r1(config)#ipv4 access-list A\nRP/0/RP0/CPU0:r1(config-ipv4-acl)#10 permit ipv4 any any\n!! a comment\ncommit\nend-set\n",
			"ipv4 access-list A\n 10 permit ipv4 any any\n", "",
		},
	} {
		got, notices := edited(t, IOSXR, test.text)
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		if told := noticeText(notices); test.told != "" && !strings.Contains(told, test.told) {
			t.Errorf("%s: %q, want %s", test.name, told, test.told)
		}
	}
}

// TestWrongHeaderOfXR holds that lines below a header which failed do not land
// in the list or the group before.
func TestWrongHeaderOfXR(t *testing.T) {
	for _, header := range []string{
		"ipv4 access-list B C", "ipv4 acess-list B", "ipv6 access-list B C", "object-group netwrk ipv4 H", "object-group network ipv4 H I", "object-group port",
		"ethernet-services access-list", "prefix-set P", "route-policy P", "foo bar",
	} {
		for _, indent := range []string{" ", ""} {
			text := "object-group network ipv4 G\n 10.0.0.0/8\n" + header + "\n" + indent + "11.0.0.0/8\nipv4 access-list A\n permit tcp any any eq 80\n" +
				header + "\n" + indent + "permit ipv4 any any\n"
			c, _, _ := ParseDialect("x", strings.NewReader(text), IOSXR)
			if n, m := len(c.ACL("A").Entries), len(c.ObjectGroup("G").Members); n != 1 || m != 1 {
				t.Errorf("%q: the list before has %d entries, the group %d members", header+"/"+indent, n, m)
			}
		}
	}
}
