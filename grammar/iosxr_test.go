package grammar

import "testing"

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
