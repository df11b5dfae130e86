package grammar

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestPastedShow reads the output of section 8 of the reference as the lists
// that it shows.
func TestPastedShow(t *testing.T) {
	const shown = `R1#show access-lists
Standard IP access list 99
    10 permit 172.16.191.199
    20 deny   any log
    30 permit 10.0.10.0, wildcard bits 0.255.0.255 (20 matches)
    15 deny   10.1.1.2 (1 match)
Extended IP access list 101
    30 permit ahp any any log-input time-range test (active)
    50 permit ip any host 10.1.10.11 log time-range test2 (inactive) (3 matches)
    95 permit tcp 198.51.100.0 0.0.0.255 any eq 22 log (tag = testLog) (estimate 4 matches)
    99 Dynamic test permit ip any any
    160 permit SERVICES object-group SRC any
    170 deny SERVICES any any
Reflexive IP access list MIRROR
     permit tcp host 203.0.113.50 eq 443 host 203.0.113.2 eq 51022 (4 matches) (time left 287)
IPv6 access list inbound
    permit tcp any any eq bgp (8 matches) sequence 10
    permit udp any any sequence 30
IPv6 access list Virtual-Access2.1#427819008151 (per-user)
    permit ipv6 any any sequence 10
Role-based IP access list permit_icmp (downloaded)
    10 permit icmp echo-reply (19 matches)
IPv6 Role-based access list v6_sgacl
    permit tcp dst eq 443 (2 matches) sequence 10
FQDN IP access list WEB
    20 deny ip any host dynamic www.msft10.com
Extended IP access list WEB
    200001 deny ip any host 192.0.2.7 (5 matches)
R1#
ip access-list standard LAST
 permit any
`
	const want = `ip access-list standard 99
 10 permit 172.16.191.199
 15 deny   10.1.1.2
 20 deny   any log
 30 permit 10.0.10.0 0.255.0.255
!
ip access-list extended 101
 30 permit ahp any any log-input time-range test
 50 permit ip any host 10.1.10.11 log time-range test2
 95 permit tcp 198.51.100.0 0.0.0.255 any eq 22 log testLog
 99 dynamic test permit ip any any
 160 permit object-group SERVICES object-group SRC any
 170 deny   object-group SERVICES any any
!
ipv6 access-list inbound
 sequence 10 permit tcp any any eq bgp
 sequence 30 permit udp any any
!
ip access-list role-based permit_icmp
 10 permit icmp echo-reply
!
ipv6 access-list role-based v6_sgacl
 sequence 10 permit tcp dst eq 443
!
ip access-list fqdn WEB
 20 deny ip any host dynamic www.msft10.com
!
ip access-list standard LAST
 10 permit any
`
	c, notices, err := ParseDialect("x", strings.NewReader(shown), IOS)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, c.text()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	count := map[State]int{}
	for _, n := range notices {
		count[n.State]++
	}
	if count[Normalised] != 6 || count[Skipped] != 3 {
		t.Errorf("notices: %v", notices)
	}
	_, _, err = ParseDialect("x", strings.NewReader("Extended IP access list A\n    10 permit tcp any any eq foo (2 matches)\n"), IOS)
	if got := fmt.Sprint(err); got != `x:2:30: unexpected "foo", want a TCP port` {
		t.Errorf("error %s", got)
	}
}

// TestShownWordsInConfiguration leaves the words of the output alone where they
// are configuration.
func TestShownWordsInConfiguration(t *testing.T) {
	const text = "ip access-list extended A\n 10 remark Extended IP access list B (2 matches)\n 10 permit ip any any\n"
	c, _, err := ParseDialect("x", strings.NewReader(text), IOS)
	if err != nil || c.text() != text {
		t.Errorf("%v:\n%s", err, c.text())
	}
}

// TestJunkBetweenLines reads a list through what terminals and devices print.
func TestJunkBetweenLines(t *testing.T) {
	const want = "ip access-list extended A\n 10 permit tcp any any eq www\n 20 deny   ip any any\n"
	for name, text := range map[string]string{
		"blank lines":             "\r\nip access-list extended A\r\n\r\n permit tcp any any eq www\r\n\r\n\tdeny ip any any\r\n",
		"pager":                   "ip access-list extended A\n --More-- \b\b\b\b\b\b\b\b\b         \b\b\b\b\b\b\b\b\b permit tcp any any eq www\n --More-- \r        \r deny ip any any\n",
		"banner with a prompt":    "banner motd #\nWelcome#\nip access-list extended A\n permit tcp any any eq www\n deny ip any any\n",
		"banner of one line":      "banner login ^Cip access-list extended B^C\nip access-list extended A\n permit tcp any any eq www\n deny ip any any\n",
		"banner with \x03":        "banner exec \x03\nip access-list extended B\n permit ip any any\n\x03\nip access-list extended A\n permit tcp any any eq www\n deny ip any any\n",
		"certificate":             "crypto pki certificate chain X\n certificate self-signed 01\n  30820229 30820192\n\n  DE 0A\n  \tquit\nip access-list extended A\n permit tcp any any eq www\n deny ip any any\n",
		"certificate at the edge": "crypto pki certificate chain X\ncertificate ca 4F\n30820229 30820192\nDE0A\nquit\nip access-list extended A\npermit tcp any any eq www\ndeny ip any any\n",
	} {
		c, _, err := ParseDialect("x", strings.NewReader(text), IOS)
		if err != nil || c.text() != want {
			t.Errorf("%s: %v\n%s", name, err, c.text())
		}
	}
}
