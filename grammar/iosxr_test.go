package grammar

import (
	"strings"
	"testing"
)

// TestReplacedLine types a sequence number again: the line changes, the remark
// before it and the lines around it stay, in whatever order they came.
func TestReplacedLine(t *testing.T) {
	s := typedIn(t, IOSXR, "ipv4 access-list A; 30 permit udp any any; 10 remark first; 10 permit tcp any any eq ssh; 20 permit tcp any any eq 23; "+
		"10 deny tcp any any eq ssh; permit tcp any any eq 23; no 30")
	const want = "ipv4 access-list A\n 10 remark first\n 10 deny tcp any any eq ssh\n 20 permit tcp any any eq telnet\n 40 permit tcp any any eq telnet\n"
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
