package grammar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// screen formats completions as IOS does below a "?".
func screen(all []Completion) string {
	width := 0
	for _, c := range all {
		width = max(width, len(c.Token))
	}
	var b strings.Builder
	for _, c := range all {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, c.Token, c.Help), " ") + "\n")
	}
	return b.String()
}

func TestHelp(t *testing.T) {
	for _, test := range []struct{ before, line, want string }{
		{"", "access-list ", `
  <1-99>       IP standard access list
  <100-199>    IP extended access list
  <1300-1999>  IP standard access list (expanded range)
  <2000-2699>  IP extended access list (expanded range)
`},
		{"", "ip access-list ", `
  extended             Extended Access List
  fqdn                 FQDN Access List
  helper               Lists and helper addresses
  log-update           Control access list log updates
  logging              Control access list logging
  match-local-traffic  Filter the packets of the device itself
  persistent           Keep sequence numbers over a reload
  resequence           Resequence Access List
  role-based           Role-based Access List
  standard             Standard Access List
`},
		{"ip access-list extended A", "permit tcp any ", `
  A.B.C.D       Destination address
  any           Any destination host
  eq            Match only packets on a given port number
  gt            Match only packets with a greater port number
  host          A single destination host
  lt            Match only packets with a lower port number
  neq           Match only packets not on a given port number
  object-group  Destination network object group
  range         Match only packets in the range of port numbers
`},
		{"ip access-list extended A; permit tcp any any reflect MIRROR", "evaluate ", `
  MIRROR  Access-list name
  WORD    Access-list name
`},
		{"ip access-list extended A", "permit tcp any any l", `
  log        Log matches against this entry
  log-input  Log matches against this entry, including input interface
  lt         Match only packets with a lower port number
`},
		// A line of global configuration has help in every mode.
		{"interface eth0", "ip access-list standard ", `
  <1-99>       IP standard access list
  <1300-1999>  IP standard access list (expanded range)
  WORD         Access-list name
`},
		// What the configuration defines is offered, in its own letters.
		{"object-group network WEB; object-group service S; object-group network Db; ip access-list extended A", "permit ip object-group ", `
  Db    Object group name
  WEB   Object group name
  WORD  Object group name
`},
		{"zone security DEV", "zone-pair security P source ", `
  DEV      Name of zone
  WORD     Name of zone
  default  Default zone
  self     System defined zone
`},
		{"policy-map type inspect P; class class-default", "drop ", `
  log   Log the packets
  <cr>
`},
		{"", "no access-list 101 ", `
  deny     Specify packets to reject
  dynamic  Specify a DYNAMIC list of PERMITs or DENYs
  permit   Specify packets to forward
  remark   Access list entry comment
  <cr>
`},
		{"object-group network WEB; object-group v6-network SIX", "identity map 2001:db8::/32 ", `
  SIX   Object group name
  WEB   Object group name
  WORD  Object group name
`},
		{"ip access-list role-based RB", "cts role-based permissions from unknown to 10 ", `
  RB    Role-based access list name
  WORD  Role-based access list name
  ipv4  IPv4
  ipv6  IPv6
`},
		{"class-map type inspect http C", "match request ", `
  arg          Argument of the URI
  body         Message body
  header       Header field
  method       Request method
  port-misuse  Other applications on this port
  uri          Uniform resource identifier
`},
		{"policy-map type inspect http HP; policy-map type inspect P; class type inspect C", "service-policy http ", `
  HP    HTTP policy-map name
  WORD  HTTP policy-map name
`},
	} {
		got, err := typed(t, test.before+"; ").Help(test.line)
		if err != nil {
			t.Errorf("%s?: %v", test.line, err)
		}
		if diff := gocmp.Diff(test.want[1:], screen(got)); diff != "" {
			t.Errorf("%s? (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestHelpErrors(t *testing.T) {
	for line, want := range map[string]ErrorKind{"nonsense": Invalid, "nonsense ": Invalid, "zon s": Ambiguous, "access-list 5x ": Invalid} {
		_, err := NewSession(&Config{}).Help(line)
		if bad, ok := err.(*LineError); !ok || bad.Kind != want {
			t.Errorf("%s?: %v, want kind %d", line, err, want)
		}
	}
}

// examples has a word for each kind of argument that is not a range.
var sampleWords = map[string][]string{
	"Word": {"NAME", "in", "any"}, "Reflexive": {"MIRROR", "timeout"}, "Cookie": {"COOKIE"}, "Text": {"free text ! with 7"}, "Label": {"app", "app=web", "!app", "x.io/a!=b"},
	"LabelValues": {"(a,b)", "(a, b)"}, "Pattern": {"*.example.com"}, "Port": {"eth0", "Gi"}, "PortNumber": {"0/0"},
	"Address": {"10.1.2.3"}, "Wildcard": {"0.0.0.255", "0.255.0.255"}, "Netmask": {"255.255.0.0"}, "Length": {"/24"},
	"AddressLength": {"10.0.0.0/8"}, "Address6": {"2001:db8::1"}, "Prefix6": {"2001:db8::/32", "::/0"}, "Namespace": {"my-ns"},
	"Wildcard6": {"::ffff", "0:0:ff::ffff"}, "HostName": {"www.example.com", "srv-1"}, "Country": {"USA", "deu"},
	"StdNumber": {"1", "1999"}, "Hours": {"-5", "0", "13"}, "Time": {"9:05", "23:59"}, "MAC": {"0011.2233.4455"}, "EtherType": {"0x0800"}, "ExtNumber": {"100", "2699"}, "ListNumber": {"7"},
}

func sampleOf(r *rand.Rand, c *class) string {
	if words := sampleWords[c.name]; words != nil {
		return words[r.IntN(len(words))]
	}
	if len(c.names) > 0 && (r.IntN(2) == 0 || len(c.rows) == 0) {
		return c.names[r.IntN(len(c.names))].word
	}
	var from, to int
	if n, _ := fmt.Sscanf(c.rows[0].word, "<%d-%d>", &from, &to); n == 2 && !c.free {
		return itoa(from + r.IntN(to-from+1))
	}
	return "NAME" + itoa(r.IntN(9))
}

// sentence walks the automaton at random and gives a line of the language.
func sentence(r *rand.Rand, l *language, m Mode) string {
	s, words := l.start[m], []string{}
	for len(words) < 60 {
		edges := slices.Concat(s.ordered, s.keywords)
		if len(edges) == 0 || s.accepts != nil && r.IntN(4) == 0 {
			break
		}
		e := edges[r.IntN(len(edges))]
		word := e.keyword
		if word == "" {
			word = sampleOf(r, e.class)
		}
		// The word may also be a keyword here; then that is where it leads.
		taken, _ := s.match(word)
		if taken == nil && e.keyword == "" && !e.class.accepts(word) {
			panic("no sample word for " + className(e.class) + ": " + word)
		}
		if taken == nil {
			continue
		}
		words = append(words, word)
		s = l.next(taken)
	}
	return strings.Join(words, " ")
}

// modeLines bring a session into each mode of each dialect.
var modeLines = [dialectCount]map[Mode]string{
	IOS:  iosModeLines,
	ASA:  asaModeLines,
	NXOS: {ModeGlobal: ""},
	IOSXR: {
		ModeGlobal: "", ModeXRList: "ipv4 access-list A", ModeXRList6: "ipv6 access-list B", ModeXREthernet: "ethernet-services access-list E",
		ModeXRNetworks: "object-group network ipv4 N", ModeXRNetworks6: "object-group network ipv6 N", ModeXRPorts: "object-group port P",
		ModeInterface: "interface GigabitEthernet0/0/0/0",
	},
}

var iosModeLines = map[Mode]string{
	ModeGlobal: "", ModeStandardACL: "ip access-list standard A", ModeExtendedACL: "ip access-list extended B", ModeIPv6ACL: "ipv6 access-list C",
	ModeNetworkGroup: "object-group network G", ModeNetworkGroup6: "object-group v6-network H", ModeServiceGroup: "object-group service S",
	ModeInterface: "interface eth0", ModeZone: "zone security Z", ModeZonePair: "zone-pair security P source Z destination self",
	ModeClassMap: "class-map type inspect M", ModePolicyMap: "policy-map type inspect N", ModePolicyClass: "policy-map type inspect N; class type inspect M",
	ModeTimeRange:    "time-range T",
	ModeParameterMap: "parameter-map type inspect P", ModeRegexMap: "parameter-map type regex R", ModeHTTPClassMap: "class-map type inspect http C",
	ModeHTTPPolicyMap: "policy-map type inspect http P", ModeHTTPPolicyClass: "policy-map type inspect http P; class type inspect http C",
	ModeTerminal: "line vty 0 4", ModeMACList: "mac access-list extended M",
	ModeServiceGroup6: "object-group v6-service T", ModePatternGroup: "object-group fqdn F", ModeRegionGroup: "object-group geo E",
	ModeTagGroup: "object-group security U", ModePolicyAddresses: "object-group ip address Y", ModePolicyPorts: "object-group ip port Q",
	ModeRoleList: "ip access-list role-based RB", ModeRoleList6: "ipv6 access-list role-based RB6",
	ModeDomainList: "ip access-list fqdn DL", ModeDomainList6: "ipv6 access-list fqdn DL6",
}

// TestRandomLines feeds every mode with lines of its language. The walk and
// the parsers must agree on them, an accepted line must survive printing, and
// a refused one must change nothing.
func TestRandomLines(t *testing.T) {
	for d := range dialectCount {
		for m := ModeGlobal; m < modeCount; m++ {
			if languageOf(d).has(m) {
				t.Run(d.String()+m.Prompt(), func(t *testing.T) { checkRandomLines(t, d, m) })
			}
		}
	}
}

func checkRandomLines(t *testing.T, d Dialect, m Mode) {
	r := rand.New(rand.NewPCG(1, uint64(m)))
	const lines = 400
	accepted := 0
	for range lines {
		s := typedIn(t, d, modeLines[d][m]+"; ")
		if s.Mode != m {
			t.Fatalf("%q leads to %s", modeLines[d][m], s.Mode.Prompt())
		}
		line, before := sentence(r, languageOf(d), m), s.Config.text()
		_, err := s.Line(Position{}, line)
		if bad, ok := err.(*LineError); ok {
			if bad.Msg == "unexpected words" {
				t.Errorf("%s: the parser does not take what the walk takes", line)
			}
			if s.Config.text() != before || s.Mode != m {
				t.Errorf("%s: refused (%s) and changed something", line, bad)
			}
			continue
		}
		accepted++
		checkRoundTrip(t, line, s.Config)
	}
	if accepted < lines/4 {
		t.Errorf("only %d lines were accepted", accepted)
	}
}

// TestAbbreviations shortens every word as far as it stays alone; the line
// means the same.
func TestAbbreviations(t *testing.T) {
	for full, short := range map[string]string{
		"access-list 101 permit tcp any any eq www":                      "acc 101 per tc an an eq ww",
		"access-list 101 deny udp host 10.0.0.1 any range tftp snmp log": "ACCESS-L 101 DEN UD H 10.0.0.1 AN RA TF SNMP LOG",
		"class-map type inspect match-any C":                             "clas t i match-any C",
		"zone-pair security P source self destination default":           "zone-p s P so self d default",
		"policy-map type inspect P":                                      "po ty in P",
		"interface workload W":                                           "int wo W",
		"ipv6 access-list V":                                             "ipv6 ac V",
	} {
		if a, b := typed(t, full).Config.text(), typed(t, short).Config.text(); a != b {
			t.Errorf("%s gives\n%s, want\n%s", short, b, a)
		}
	}
	// A name is never completed: zones may be called S and D.
	if z := typed(t, "zone-pair security P source S destination D").Config.ZonePair("P"); z.Source.Text != "S" || z.Destination.Text != "D" {
		t.Errorf("zones %s and %s", z.Source.Text, z.Destination.Text)
	}
}

func TestRangesAgreeWithTheWords(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		c := Compare{Op: Op(r.IntN(int(Range) + 1))}
		count := [...]int{0, 1 + r.IntN(10), 1 + r.IntN(10), 1, 1, 2}[c.Op]
		for range count {
			c.Values = append(c.Values, Value{Number: uint32(r.IntN(16))})
		}
		if c.Op == Range {
			slices.SortFunc(c.Values, func(a, b Value) int { return int(a.Number) - int(b.Number) })
		}
		got := c.Ranges(15)
		for n := uint32(0); n < 16; n++ {
			in := slices.ContainsFunc(got, func(x [2]uint32) bool { return x[0] <= n && n <= x[1] })
			if in != holds(c, n) {
				t.Fatalf("%+v: %d is %v in %v", c, n, in, got)
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i][0] <= got[i-1][1] {
				t.Fatalf("%+v: %v is not ascending", c, got)
			}
		}
	}
}

func holds(c Compare, n uint32) bool {
	listed := slices.ContainsFunc(c.Values, func(v Value) bool { return v.Number == n })
	switch c.Op {
	case Eq:
		return listed
	case Neq:
		return !listed
	case Lt:
		return n < c.Values[0].Number
	case Gt:
		return n > c.Values[0].Number
	case Range:
		return c.Values[0].Number <= n && n <= c.Values[1].Number
	}
	return true
}

// TestNames checks the tables where they differ by protocol or are easily
// mistaken.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		line  string
		ports uint32
	}{
		{"tcp any any eq exec", 512}, {"udp any any eq biff", 512}, {"tcp any any eq login", 513}, {"udp any any eq who", 513},
		{"tcp any any eq cmd", 514}, {"tcp any any eq syslog", 514}, {"udp any any eq syslog", 514}, {"tcp any any eq ftp", 21},
		{"tcp any any eq ftp-data", 20}, {"tcp any any eq www", 80}, {"tcp any any eq telnet", 23}, {"udp any any eq snmptrap", 162},
		{"udp any any eq non500-isakmp", 4500}, {"tcp any any eq drip", 3949}, {"tcp any any eq msrpc", 135}, {"udp any any eq dnsix", 195},
		{"tcp any any eq whois", 43}, {"udp any any eq xdmcp", 177}, {"tcp any any eq pop3", 110}, {"udp any any eq bootps", 67},
	} {
		e := typed(t, "ip access-list extended A; permit "+test.line).Config.ACL("A").Entries[0]
		if got := e.ACE.DestinationPorts.Values[0].Number; got != test.ports {
			t.Errorf("%s is %d, want %d", test.line, got, test.ports)
		}
	}
	for line, want := range map[string][2]int{
		"ip access-list extended A; permit icmp any any packet-too-big":              {3, 4},
		"ipv6 access-list A; permit icmp any any packet-too-big":                     {2, -1},
		"ip access-list extended A; permit icmp any any unreachable":                 {3, -1},
		"ip access-list extended A; permit icmp any any echo-reply":                  {0, -1},
		"ip access-list extended A; permit icmp any any reassembly-timeout":          {11, 1},
		"ip access-list extended A; permit icmp any any administratively-prohibited": {3, 13},
		"ip access-list extended A; permit icmp any any 255 255":                     {255, 255},
		"ipv6 access-list A; permit icmp any any renum-seq-number":                   {138, 255},
		"ipv6 access-list A; permit icmp any any nd-na":                              {136, -1},
	} {
		m := typed(t, line).Config.ACL("A").Entries[0].ACE.ICMP
		if int(m.Type) != want[0] || int(m.Code) != want[1] {
			t.Errorf("%s is %d/%d", line, m.Type, m.Code)
		}
	}
	for _, word := range []string{"tcp any any eq https", "tcp any any eq ssh", "udp any any eq www", "tcp any any eq snmp", "ahp any any eq 5"} {
		if _, err := typed(t, "ip access-list extended A").Line(Position{}, "permit "+word); err == nil {
			t.Errorf("permit %s is accepted", word)
		}
	}
}

// bigFile has n lines of one list, no two the same.
func bigFile(n int) string {
	var b strings.Builder
	b.WriteString("ip access-list extended BIG\n")
	for i := range n {
		fmt.Fprintf(&b, " permit tcp 10.%d.%d.0 0.0.0.255 host 192.0.2.%d eq %d\n", i>>8&255, i&255, i%250, 1+i>>16)
	}
	return b.String()
}

// TestBigFilesTakeLinearWork compares the allocations of one line in a small
// and in a large file.
func TestBigFilesTakeLinearWork(t *testing.T) {
	perLine := func(n int, edits string) float64 {
		text := bigFile(n) + edits
		return testing.AllocsPerRun(1, func() {
			c, _, err := ParseFile("big", strings.NewReader(text))
			if err != nil || len(c.ACL("BIG").Entries) < n/2 {
				t.Fatal(err)
			}
			_ = c.Clone().text()
		}) / float64(n)
	}
	var edits strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&edits, " no %d\n", 20*i+10)
	}
	if small, large := perLine(1000, ""), perLine(10000, edits.String()); large > 2*small {
		t.Errorf("%.0f allocations for a line of 1,000, %.0f for one of 10,000", small, large)
	}
}
