package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"aclium/grammar"
)

// found gives the findings of a text as "line kind blockers", without those of
// the kinds that are left out.
func found(t *testing.T, text string, without ...Kind) (out []string) {
	t.Helper()
	c, notices, err := grammar.ParseFile("t.cfg", strings.NewReader(text))
	var mistakes grammar.ErrorList
	if err != nil && !errors.As(err, &mistakes) {
		t.Fatal(err)
	}
	for _, f := range File(c, notices, err) {
		skip := false
		for _, k := range without {
			skip = skip || f.Kind == k
		}
		if skip {
			continue
		}
		s := fmt.Sprintf("%d %s", f.Line, f.Kind)
		for _, b := range f.Blockers {
			s += fmt.Sprintf(" %d", b.Line)
		}
		out = append(out, s)
	}
	return out
}

func expect(t *testing.T, text string, want []string, without ...Kind) {
	t.Helper()
	if got := found(t, text, without...); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q\nwant %q\n%s", got, want, text)
	}
}

// An ASA list holds both versions of IP; its groups and objects are looked
// into, and an inactive line neither matches nor hides.
func TestASAGroupsObjectsAndVersions(t *testing.T) {
	expect(t, `ASA Version 9.8(2)
object network H1
 host 10.0.0.1
object network N1
 subnet 10.0.0.0 255.255.255.0
object service SVC
 service tcp destination eq 443
object-group network NG
 network-object object H1
 network-object host 10.0.0.2
object-group service PG tcp
 port-object eq 80
 port-object range 90 99
object-group service SG
 service-object tcp destination eq 80
 service-object object SVC
object-group protocol PR
 protocol-object tcp
 protocol-object udp
object-group icmp-type IT
 icmp-object echo
access-list A extended permit tcp object N1 any object-group PG
access-list A extended deny tcp object-group NG any eq 95
access-list A extended permit object-group SG any host 10.9.9.9
access-list A extended deny tcp any host 10.9.9.9 eq 443
access-list A extended permit object-group PR any any eq 53 inactive
access-list A extended permit udp any any eq 53
access-list A extended permit icmp any any object-group IT
access-list A extended deny icmp any any echo
access-list A extended deny ip any4 any4
access-list A extended permit ip host 10.0.0.1 any
access-list A extended permit tcp any6 host 2001:db8::1 eq 22
access-list A extended permit tcp any host 2001:db8::1 eq 22
access-list A extended deny ip any6 any6
access-list A extended permit ip any any
access-group A in interface outside
`, []string{
		"23 shadowed 22", "25 shadowed 24", "29 contradictory 28", "31 shadowed 30", "33 redundant 32", "35 shadowed 30 34",
	})
}

func TestNXOSGroups(t *testing.T) {
	expect(t, `feature bgp
object-group ip address AG
  10 host 10.0.0.1
  20 10.1.0.0/16
object-group ip port PG
  10 eq 80
  20 range 90 99
ip access-list A
  10 deny tcp addrgroup AG any portgroup PG
  20 permit tcp 10.1.2.0/24 any eq 95
  30 permit tcp 10.1.2.0/24 any eq 81
interface Ethernet1/1
  ip access-group A in
`, []string{"10 shadowed 9"})
}

func TestIOSXRGroups(t *testing.T) {
	expect(t, `object-group network ipv4 NG
 host 10.0.0.1
 object-group NG2
object-group network ipv4 NG2
 10.7.0.0/16
object-group port PG
 eq 80
 range 90 99
ipv4 access-list A
 10 permit tcp net-group NG any port-group PG
 20 deny tcp 10.7.3.0/24 any range 92 93
 30 deny ipv4 any any
interface GigabitEthernet0/0/0/1
 ipv4 access-group A ingress
`, []string{"11 shadowed 10"})
}

// What only its name is known of hides what has the same name, and nothing else.
func TestNamesHideTheirOwnKindOnly(t *testing.T) {
	expect(t, `time-range NIGHT
 periodic daily 20:00 to 23:00
time-range DAY
 periodic daily 6:00 to 20:00
ip access-list extended A
 10 permit tcp any any eq 80 time-range NIGHT
 20 deny tcp host 10.0.0.1 any eq 80 time-range NIGHT
 30 deny tcp host 10.0.0.1 any eq 80 time-range DAY
 40 permit udp any any reflect R
 50 permit tcp any any dscp ef
 60 deny tcp any any dscp ef eq 80
 70 deny tcp any any precedence 5
 80 permit tcp any any option any-options
 90 deny tcp any any option lsr
ip access-list extended B
 10 evaluate R
 20 permit tcp any any
 30 deny tcp any any ttl gt 200
interface eth0
 ip access-group A out
 ip access-group B in
`, []string{"7 shadowed 6", "14 shadowed 13", "18 shadowed 17"}, Unsupported, Syntax)
}

// World is what is neither a pod nor a node; cluster is the rest; the API server
// may be in either.
func TestEntitiesAndPodsAreTheSameEnds(t *testing.T) {
	expect(t, `object-group network WORLD
 entity world
object-group network CLUSTER
 entity cluster
object-group network HOST
 entity host
object-group network API
 entity kube-apiserver
object-group network PODS
 workload label app=a
object-group network OTHERS
 workload label app!=a
object-group network NODES
 entity host
 entity remote-node
ip access-list extended A
 10 permit tcp object-group CLUSTER any
 20 deny tcp object-group HOST any
 30 deny tcp object-group PODS any
 40 deny tcp object-group API any
 50 permit tcp object-group WORLD any
 60 deny tcp any any
ip access-list extended B
 10 permit tcp object-group PODS any
 20 permit tcp object-group OTHERS any
 30 permit tcp object-group NODES any
 40 deny tcp object-group CLUSTER any
interface eth0
 ip access-group A in
 ip access-group B out
`, []string{"18 shadowed 17", "19 shadowed 17", "22 shadowed 17 21", "27 shadowed 24 25 26"})
}

// A line that goes unseen is redundant; one that something else would decide,
// the implicit deny too, is not.
func TestOnlyLinesWithoutEffectCanGo(t *testing.T) {
	expect(t, `ip access-list extended A
 10 deny tcp any any eq 23
 20 deny udp any any eq 23
 30 permit udp any any
 40 deny tcp any any
 50 permit tcp any any eq 22
interface eth0
 ip access-group A in
`, []string{"2 redundant 5", "6 shadowed 5"})
}

// A duplicate and the line that it repeats are not both said to be redundant.
func TestOfTwoEqualLinesOneStays(t *testing.T) {
	expect(t, `ip access-list extended A
 10 permit tcp any host 10.0.0.1 eq 80
 20 permit tcp any host 10.0.0.1 eq www
 30 permit tcp any 10.0.0.1 0.0.0.0 eq 80
interface eth0
 ip access-group A in
`, []string{"3 redundant 2", "4 redundant 2"})
}

func TestNamesThatNothingDefinesOrUses(t *testing.T) {
	expect(t, `object-group network SELF
 group-object SELF
object-group service WEB
 tcp eq 80
class-map type inspect match-any C
 match access-group name NOLIST
 match class-map NOCLASS
policy-map type inspect P
 class type inspect C
  inspect
zone security IN
zone security ALONE
zone-pair security IN-OUT source IN destination OUT
 service-policy type inspect NOPOLICY
ip access-list extended EMPTY
 remark nothing
ip access-list extended LONELY
 10 permit object-group WEB any any
 20 permit tcp any any eq 81 time-range NOTIME
ip access-list extended NATTED
 10 permit tcp any any
ip nat inside source list NATTED interface eth0 overload
line vty 0 4
 access-class 99 in
interface eth0
 ip access-group EMPTY in
`, []string{
		"1 unused", "2 syntax", "6 undefined", "7 undefined", "8 unused", "12 unused", "13 undefined", "14 undefined",
		"17 unbound", "19 undefined", "24 undefined", "26 undefined",
	}, Unsupported, Unknown)
}

// TestNamesOfGroupsAndHTTP: what identities, security groups and HTTP policies
// name is used by that, and is to be defined.
func TestNamesOfGroupsAndHTTP(t *testing.T) {
	expect(t, `object-group network W
 workload label app=w
object-group network V
 workload label app=v
identity map 10.0.0.0 0.0.0.255 W
identity map 10.1.0.0 0.0.0.255 NOGROUP
cts role-based sgt-map workload V sgt 10
cts role-based sgt-map workload NOWORK sgt 11
ip access-list role-based RB
 deny tcp dst eq 22
ip access-list role-based LONELY
 deny tcp dst eq 22
cts role-based permissions from 10 to 11 RB NORB
parameter-map type regex R
 pattern x
parameter-map type regex S
 pattern x
parameter-map type regex NOUSE
 pattern x
class-map type inspect http HC
 match request uri regex R
 match request header host regex NOREGEX
 match request body regex S
class-map type inspect http NOUSE2
 match request method get
policy-map type inspect http HP
 class type inspect http HC
  reset
 class type inspect http NOHC
  reset
class-map type inspect match-any C
 match protocol http
policy-map type inspect P
 class type inspect C
  inspect
  service-policy http HP
zone security Z
interface workload W
 zone-member security Z
zone-pair security ZZ source Z destination Z
 service-policy type inspect P
`, []string{"6 undefined", "8 undefined", "11 unbound", "13 undefined", "18 unused", "22 undefined", "24 unused", "29 undefined"}, Unsupported)
}

// A mistake in a file may hide a line of a list, so that no line of it is said
// to be safe to remove; what earlier lines hide stays hidden.
func TestMistakesKeepLinesFromBeingRemovable(t *testing.T) {
	text := `ip access-list extended A
 10 deny tcp any any eq 23
 15 permt tcp any any eq 23
 20 deny tcp any any
 30 permit tcp any any eq 80
interface eth0
 ip access-group A in
`
	expect(t, text, []string{"3 syntax", "5 shadowed 4"})
	expect(t, strings.Replace(text, "permt", "remark", 1), []string{"2 redundant 4", "5 shadowed 4"})
}

// A thousand hosts that fill a network between them are needed all, and found.
func TestManyBlockersAreFound(t *testing.T) {
	var b strings.Builder
	b.WriteString("ip access-list extended A\n")
	for i := range 1024 {
		fmt.Fprintf(&b, " deny ip host 10.0.%d.%d any\n", i/256, i%256)
	}
	b.WriteString(" permit tcp 10.0.0.0 0.0.3.255 any\ninterface eth0\n ip access-group A in\n")
	got := found(t, b.String())
	if len(got) != 1 || !strings.HasPrefix(got[0], "1026 shadowed 2 3 4 ") || len(strings.Fields(got[0])) != 1026 {
		t.Errorf("got %.100q", got)
	}
}

// FuzzCheck wants an answer for any text, soon.
func FuzzCheck(f *testing.F) {
	f.Add("ip access-list extended A\n 10 permit tcp any any eq 80\n 20 deny ip 10.0.0.0 0.255.0.255 any\n 30 permit udp any gt 5 any neq 7 9\n")
	f.Add("object-group network G\n group-object G\n host 10.0.0.1\nip access-list extended A\n permit ip object-group G any\n evaluate R\n")
	f.Add("ASA Version 9\nobject network H\n host 10.0.0.1\naccess-list A extended permit ip object H any6\naccess-list A extended deny ip any4 any\n")
	f.Add("object-group ip port P\n 10 eq 80\nip access-list A\n 10 permit tcp any any portgroup P\n 20 permit ip 10.0.0.0/8 any\n")
	f.Add("ipv4 access-list A\n 10 permit tcp net-group N any port-group P\nipv6 access-list B\n 10 permit icmpv6 any any\n")
	f.Add("ipv6 access-list B\n permit tcp any host ::1 eq 80\n deny ipv6 ::/0 any dscp ef\n permit icmp any any nd-na\n")
	f.Add(themeGroups + "ip access-list extended A\n permit ip object-group MIX object-group PODS time-range NIGHT\n deny tcp any any established\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, notices, err := grammar.ParseFile("f.cfg", strings.NewReader(text))
		for _, g := range File(c, notices, err) {
			if g.Kind == "" || g.Message == "" || g.Blockers == nil {
				t.Errorf("%+v", g)
			}
		}
	})
}
