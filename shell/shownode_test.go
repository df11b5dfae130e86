package shell

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

func ports(texts ...string) (out []netip.AddrPort) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddrPort(text))
	}
	return out
}

func addresses(texts ...string) (out []netip.Addr) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// shows runs commands and compares their screens.
func shows(t *testing.T, m *memory, n *node, want map[string]string) {
	t.Helper()
	for line, screen := range want {
		if diff := cmp.Diff(screen, screenOf(t, m, n, line)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

// An address of a service leads to the backends of its own family alone; one
// that leads to none is out of service.
func TestShowServices(t *testing.T) {
	n := &node{services: []Service{
		{Name: "web", Namespace: "shop", Addresses: addresses("10.96.0.10", "fd00::10"), Ports: []ServicePort{{Name: "http", Protocol: policy.TCP, Port: 80, Backends: ports("10.1.20.5:8080", "10.1.20.6:8080", "[fd00:1::5]:8080")}}},
		{Name: "dns", Namespace: "kube-system", Addresses: addresses("10.96.0.2"), Ports: []ServicePort{{Protocol: policy.UDP, Port: 53}}},
	}}
	shows(t, &memory{}, n, map[string]string{
		"show services": `service          prot  virtual        state         reals
---------------------------------------------------------
kube-system/dns  UDP   10.96.0.2:53   OUTOFSERVICE  0
shop/web         TCP   10.96.0.10:80  OPERATIONAL   2
shop/web         TCP   [fd00::10]:80  OPERATIONAL   1
`,
		"show services web detail": `service   prot  virtual             state        reals
------------------------------------------------------
shop/web  TCP   10.96.0.10:80       OPERATIONAL  2
                  10.1.20.5:8080
                  10.1.20.6:8080
shop/web  TCP   [fd00::10]:80       OPERATIONAL  1
                  [fd00:1::5]:8080
`,
		"show ip slb vservers nosuch": "% The node knows no service nosuch\n",
		"show ip slb reals": `real              service   prot  state
---------------------------------------------
10.1.20.5:8080    shop/web  TCP   OPERATIONAL
10.1.20.6:8080    shop/web  TCP   OPERATIONAL
[fd00:1::5]:8080  shop/web  TCP   OPERATIONAL
`,
		"show services kube-system/dns | json": `[
  {
    "service": "kube-system/dns",
    "protocol": "udp",
    "address": "10.96.0.2:53",
    "state": "OUTOFSERVICE",
    "backends": []
  }
]
`,
	})
}

func TestShowLearnedNames(t *testing.T) {
	n := &node{names: []LearnedName{
		{"www.example.com", netip.MustParseAddr("192.0.2.9"), noon.Add(3*time.Minute + 500*time.Millisecond)},
		{"api.example.com", netip.MustParseAddr("192.0.2.9"), noon.Add(25*time.Hour + 13*time.Second)},
		{"www.example.com", netip.MustParseAddr("192.0.2.1"), noon.Add(-time.Second)},
	}}
	all := `Name: api.example.com
 Address: 192.0.2.9 TTL 25:00:13
Name: www.example.com
 Address: 192.0.2.1 TTL 00:00:00 (expired, kept for the connections that began by it)
 Address: 192.0.2.9 TTL 00:03:01
`
	shows(t, &memory{}, n, map[string]string{
		"show dns":                            all,
		"show hosts":                          all,
		"show dns host API.example.com":       "Name: api.example.com\n Address: 192.0.2.9 TTL 25:00:13\n",
		"show hosts nosuch.example":           "",
		"show hosts api.example.com | i TTL":  " Address: 192.0.2.9 TTL 25:00:13\n",
		"show dns host nosuch.example | json": "[]\n",
	})
	if got := screenOf(t, &memory{}, n, "show hosts api.example.com | json"); !strings.Contains(got, `"name": "api.example.com"`) || !strings.Contains(got, `"ttl": 90013`) {
		t.Errorf("json:\n%s", got)
	}
}

const policedPair = `class-map type inspect match-any WEB
 match access-group name WEB
class-map type inspect match-any OTHER
 match access-group name WEB
policy-map type inspect P
 class type inspect WEB
  inspect
  police rate 8000 burst 1000
 class type inspect OTHER
  inspect
  police rate 16000
zone security A
zone security B
zone-pair security IN source A destination B
 service-policy type inspect P
interface workload X
 zone-member security A
interface workload Y
`

// A policer stands under its class; the numbers of several nodes are added up,
// and a class that no node limits says so.
func TestShowPolicers(t *testing.T) {
	limit := policy.Police{Name: "zone-pair IN class type inspect WEB", Rate: 8000, Burst: 1000}
	n := &node{policers: []policy.PoliceCounter{
		{Police: limit, Node: "n1", ConformedPackets: 3, ConformedBytes: 300, ExceededPackets: 1, ExceededBytes: 900},
		{Police: limit, Node: "n2", ConformedPackets: 1, ConformedBytes: 40},
	}}
	const police = `Police
        rate 8000 bps,1000 limit
        conformed 4 packets, 340 bytes; actions: transmit
        exceeded 1 packets, 900 bytes; actions: drop
`
	pair := `Zone-pair: IN 
Service-policy inspect : P

    Class-map: WEB (match-any)  
      Match: access-group name WEB
      Inspect
        5 packets, 500 bytes
      ` + police + `
    Class-map: OTHER (match-any)  
      Match: access-group name WEB
      Inspect
        0 packets, 0 bytes
      Police
        rate 16000
        is not in force

    Class-map: class-default (match-any)  
      Match: any 
      Drop
        7 packets, 420 bytes

`
	count := func(seq uint32, text string, packets, bytes uint64) policy.Counter {
		return policy.Counter{RuleID: policy.RuleID{ACL: "zone-pair IN", Seq: seq}, Text: text, Direction: policy.Ingress, Subject: "zone B", Packets: packets, Bytes: bytes}
	}
	m := &memory{source: policedPair, revision: 1, counters: []policy.Counter{
		count(10, "class type inspect WEB", 5, 500), count(30, "class class-default", 6, 360), count(0, "", 1, 60),
		{RuleID: policy.RuleID{ACL: "zone-pair OTHER", Seq: 10}, Text: "class type inspect OTHER", Packets: 9},
	}}
	shows(t, m, n, map[string]string{
		"show police": "zone-pair IN class type inspect WEB\n  Police\n" + strings.ReplaceAll(strings.TrimPrefix(police, "Police\n"), "        ", "    "),

		"show policy-map type inspect zone-pair":           pair,
		"show policy-map type inspect zone-pair IN":        pair,
		"show policy-map type inspect zone-pair OUT":       "% Zone-pair OUT does not exist\n",
		"show policy-map interface workload X":             " workload X \n\n" + pair,
		"show policy-map interface":                        " workload X \n\n" + pair,
		"show policy-map interface workload Y":             "",
		"show policy-map interface workload Z":             "% Interface workload Z is not configured\n",
		"show policy-map type inspect | include (Class|P)": "  Policy Map type inspect P\n    Class WEB\n      Police rate 8000 burst 1000\n    Class OTHER\n      Police rate 16000\n    Class class-default\n",
	})
	if got := screenOf(t, &memory{source: policedPair, revision: 1}, n, "show police | json"); !strings.Contains(got, `"exceededPackets": 1`) {
		t.Errorf("json:\n%s", got)
	}
}

// The words of directions are the switch's on a pod's port and the router's on
// the node's own device.
func TestDirectionsOfThePortAndOfTheDevice(t *testing.T) {
	count := func(subject string, d policy.Direction) policy.Counter {
		return policy.Counter{RuleID: policy.RuleID{ACL: "A", Seq: 10}, Action: policy.Deny, Text: "deny ip any any", Direction: d, Subject: subject, Node: "n1", Packets: 1, Bytes: 60}
	}
	m := &memory{revision: 1, source: "object-group network W\n workload label a=b\nip access-list extended A\n deny ip any any\n!\ninterface eth0\n ip access-group A in\n ip access-group A out\ninterface workload W\n ip access-group A in\n ip access-group A out\n",
		counters: []policy.Counter{count("eth0", policy.Ingress), count("eth0", policy.Egress), count("workload W", policy.Ingress), count("workload W", policy.Egress)}}
	for _, line := range []string{"show drops", "show access-lists A detail"} {
		got := screenOf(t, m, &node{}, line)
		for _, want := range []string{" eth0 in on n1", " eth0 out on n1", " workload W in on n1", " workload W out on n1"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%s: not once %q:\n%s", line, want, got)
			}
		}
		in, out := strings.Index(got, "eth0 in"), strings.Index(got, "eth0 out")
		podIn, podOut := strings.Index(got, "workload W in"), strings.Index(got, "workload W out")
		if in > out || podOut > podIn {
			t.Errorf("%s: what comes into the node is not \"in\", or what goes to the pod not \"out\":\n%s", line, got)
		}
	}
}

// A list that stands on several interfaces counts on each.
func TestShowListsOfAnInterface(t *testing.T) {
	count := func(subject string, d policy.Direction, n uint64) policy.Counter {
		return policy.Counter{RuleID: policy.RuleID{ACL: "A", Seq: 10}, Direction: d, Subject: subject, Packets: n}
	}
	m := &memory{revision: 1, source: "object-group network W\n workload label a=b\nip access-list extended A\n deny ip any any\n!\ninterface eth0\n ip access-group A in\n ip access-group A out\ninterface workload W\n ip access-group A in\n ip access-group NONE out\n",
		counters: []policy.Counter{count("eth0", policy.Ingress, 1), count("eth0", policy.Egress, 2), count("workload W", policy.Ingress, 4), count("workload W", policy.Egress, 8), count("eth1", policy.Ingress, 16)}}
	in, out := "Extended IP access list A in\n    10 deny ip any any (1 match)\n", "Extended IP access list A out\n    10 deny ip any any (2 matches)\n"
	shows(t, m, &node{}, map[string]string{
		"show ip access-lists interface eth0":              in + out,
		"show ip access-lists interface eth0 in":           in,
		"show ip access-lists interface eth0 out":          out,
		"show ip access-lists interface workload W":        "Extended IP access list A in\n    10 deny ip any any (8 matches)\n",
		"show ip access-lists interface workload  W out":   "",
		"show ip access-lists interface eth1":              "% Interface eth1 is not configured\n",
		"show ip access-lists interface eth0 in | count 1": "Number of lines which match regexp = 1\n",
	})
}

// A keyword may be abbreviated beside names, but not where the abbreviation is
// a name.
func TestKeywordsBesideNames(t *testing.T) {
	m := &memory{revision: 1, source: "ip access-list extended det\n deny ip any any\nip access-list extended A\n permit ip any any\n!\ninterface eth0\n ip access-group A in\n"}
	n := &node{services: []Service{{Name: "web", Namespace: "shop", Addresses: addresses("10.96.0.10"), Ports: []ServicePort{{Protocol: policy.TCP, Port: 80, Backends: ports("10.1.20.5:8080")}}}}}
	full := screenOf(t, m, n, "show services detail")
	shows(t, m, n, map[string]string{
		"show services det":             full,
		"show ser web d":                full,
		"show ip access-lists det":      "Extended IP access list det\n    10 deny ip any any\n",
		"show ip access-lists int eth0": "Extended IP access list A in\n    10 permit ip any any\n",
		"show ip access-lists interfac": "% Incomplete command.\n\n",
		"show ip access-lists nosuch":   "",
		"show ip access-lists A deta":   screenOf(t, m, n, "show ip access-lists A detail"),
		"show object-group na nosuch":   "",
	})
}

// Temporary entries stand in lists of their own, as IOS prints them, each
// family apart.
func TestShowReflexiveEntries(t *testing.T) {
	m := &memory{revision: 1, source: `ip access-list extended OUT
 permit tcp any any reflect MIRROR
 permit icmp any any reflect PINGS
ip access-list extended IN
 evaluate MIRROR
 evaluate PINGS
 evaluate NOBODY
ipv6 access-list OUT6
 permit tcp any any reflect MIRROR6
`}
	entry := func(list string, protocol uint8, from, to string, n uint64, left time.Duration) policy.Reflected {
		return policy.Reflected{List: list, Protocol: protocol, Source: netip.MustParseAddrPort(from), Destination: netip.MustParseAddrPort(to), Packets: n, Expires: noon.Add(left)}
	}
	n := &node{entries: []policy.Reflected{
		entry("MIRROR", policy.TCP, "203.0.113.50:443", "203.0.113.2:51022", 4, 287*time.Second),
		entry("MIRROR", policy.TCP, "203.0.113.50:23", "203.0.113.2:51023", 0, 86*time.Second+1),
		entry("PINGS", policy.ICMP, "192.0.2.1:0", "10.0.0.1:0", 1, time.Second),
		entry("PINGS", 47, "192.0.2.1:0", "10.0.0.1:0", 0, time.Second),
		entry("MIRROR6", policy.TCP, "[2001:db8::1]:179", "[2001:db8::2]:11000", 2, 243*time.Second),
	}}
	four := `Reflexive IP access list MIRROR
     permit tcp host 203.0.113.50 eq 443 host 203.0.113.2 eq 51022 (4 matches) (time left 287)
     permit tcp host 203.0.113.50 eq telnet host 203.0.113.2 eq 51023 (time left 87)
Reflexive IP access list PINGS
     permit icmp host 192.0.2.1 host 10.0.0.1 echo-reply (1 match) (time left 1)
     permit gre host 192.0.2.1 host 10.0.0.1 (time left 1)
Reflexive IP access list NOBODY
`
	six := `IPv6 access list MIRROR6 (reflexive)
    permit tcp host 2001:DB8::1 eq bgp host 2001:DB8::2 eq 11000 (2 matches) (time left 243) sequence 1
`
	lists := `Extended IP access list OUT
    10 permit tcp any any reflect MIRROR
    20 permit icmp any any reflect PINGS
Extended IP access list IN
    10 evaluate MIRROR
    20 evaluate PINGS
    30 evaluate NOBODY
`
	lists6 := "IPv6 access list OUT6\n    permit tcp any any reflect MIRROR6 sequence 10\n"
	shows(t, m, n, map[string]string{
		"show ip access-lists":         lists + four,
		"show ipv6 access-list":        lists6 + six,
		"show access-lists":            lists + lists6 + four + six,
		"show ip access-lists PINGS":   "Reflexive IP access list PINGS\n" + strings.Split(four, "PINGS\n")[1][:strings.Index(strings.Split(four, "PINGS\n")[1], "Reflexive")],
		"show access-lists MIRROR6":    six,
		"show ip access-lists MIRROR6": "",
		"show access-lists IN":         lists[strings.Index(lists, "Extended IP access list IN"):],
	})
	if got := screenOf(t, m, n, "show access-lists MIRROR | json"); strings.Count(got, `"kind": "reflexive"`) != 2 || !strings.Contains(got, `"timeLeft": 287`) {
		t.Errorf("json:\n%s", got)
	}
}

// What the node knows completes words, and every view is refused in words
// where there is no node.
func TestNodeViewsComplete(t *testing.T) {
	n := &node{
		services: []Service{{Name: "web", Namespace: "shop", Ports: make([]ServicePort, 1)}},
		names:    []LearnedName{{Name: "api.example.com", Expires: noon}, {Name: "api.example.com", Address: netip.MustParseAddr("192.0.2.1"), Expires: noon}},
	}
	m := &memory{source: policedPair + "ip access-list extended OUT\n permit tcp any any reflect MIRROR\n", revision: 1}
	var out strings.Builder
	o := options(m, &out)
	o.Agent = n
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"show services sh":                         "op/web ",
		"show ip slb vservers s":                   "hop/web ",
		"show dns host a":                          "pi.example.com ",
		"show hosts a":                             "pi.example.com ",
		"show police":                              " ",
		"show ip access-lists M":                   "IRROR ",
		"show policy-map type inspect zone-pair I": "N ",
		"show policy-map in":                       "terface ",
	} {
		if got, choices := s.Complete(text); got != want {
			t.Errorf("%s<Tab>: %q (%q), want %q", text, got, choices, want)
		}
	}
	o.Agent = nil
	if s, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"show services", "show ip slb reals", "show dns", "show hosts", "show police"} {
		if err := s.Run(t.Context(), line); err != nil {
			t.Fatal(err)
		}
		s.Complete(line + " a")
	}
	if got := strings.Count(out.String(), "% No enforcer: "); got != 5 {
		t.Errorf("%d refusals of 5:\n%s", got, out.String())
	}
}
