package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
)

// TestDialects holds lines that name objects and groups in the way of other
// dialects to what is said of them: "line kind blockers" for each finding about
// packets. An ASA list governs both families, and no packet has an address of each.
func TestDialects(t *testing.T) {
	for _, test := range []struct {
		name string
		in   grammar.Dialect
		text string
		want []string
	}{
		{"asa", grammar.ASA, `object network A
 host 10.0.0.1
object-group network G
 network-object object A
 network-object 10.0.1.0 255.255.255.0
 network-object 2001:db8::/64
object-group service P tcp
 port-object range 20 30
object-group service Q tcp
 group-object P
 port-object eq https
object-group protocol TU
 protocol-object tcp
 protocol-object udp
object-group icmp-type PING
 icmp-object echo
access-list OUT extended permit tcp any object-group G object-group Q
access-list OUT extended deny tcp any4 object A eq 22
access-list OUT extended permit tcp any6 2001:db8::/65 eq 443
access-list OUT extended permit object-group TU any host 10.0.1.5 eq 5000
access-list OUT extended permit udp any host 10.0.1.5 eq 5000
access-list OUT extended permit icmp any any object-group PING
access-list OUT extended permit icmp any4 any4 echo
access-list OUT extended deny icmp any any4 echo-reply
access-list OUT extended permit ip any any inactive
access-list OUT extended permit tcp any6 host 10.9.9.9
access-list OUT extended deny ip any4 any4
access-list OUT extended permit tcp any any eq 22
access-list OUT extended permit tcp any4 any4 eq 22
access-group OUT in interface outside
`, []string{"18 shadowed 17", "19 redundant 17", "21 redundant 20", "23 redundant 22", "24 redundant 27", "26 never-matches", "29 shadowed 27"}},
		{"iosxr", grammar.IOSXR, `object-group network ipv4 N
 10.0.0.0/8
object-group port P
 eq 443
 range 8000 8010
ipv4 access-list A
 10 permit tcp any net-group N port-group P
 20 deny tcp any 10.1.0.0/16 eq 8005
 30 deny tcp any 10.1.0.0/16 eq 8011
interface GigabitEthernet0/0/0/0
 ipv4 access-group A ingress
`, []string{"8 shadowed 7"}},
		{"every address by its ends", grammar.IOS, `object-group network ALL
 range 0.0.0.0 255.255.255.255
ip access-list extended A
 permit tcp any object-group ALL
 permit tcp any any eq 80
 deny tcp any any
interface eth0
 ip access-group A in
`, []string{"5 redundant 4", "6 contradictory 4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, notices, err := grammar.ParseDialect("x", strings.NewReader(test.text), test.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range File(c, notices, nil) {
				if !slices.Contains([]Kind{Shadowed, Redundant, Contradictory, NeverMatches}, f.Kind) {
					t.Errorf("%d: %s: %s", f.Line, f.Kind, f.Message)
					continue
				}
				words := []string{fmt.Sprint(f.Line), string(f.Kind)}
				for _, b := range f.Blockers {
					words = append(words, fmt.Sprint(b.Line))
				}
				got = append(got, strings.Join(words, " "))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
