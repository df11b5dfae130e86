package grammar

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var asaModeLines = map[Mode]string{
	ModeGlobal: "name 10.0.0.6 NAME1; name 2001:db8::6 NAME2; names", ModeInterface: "interface eth0", ModeTimeRange: "time-range T", ModeNetworkObject: "object network O",
	ModeServiceObject: "object service S", ModeASANetworkGroup: "name 10.0.0.6 NAME1; object-group network G", ModeASAServiceGroup: "object-group service H",
	ModeTCPGroup: "object-group service T tcp", ModeUDPGroup: "object-group service U udp", ModeTCPUDPGroup: "object-group service B tcp-udp",
	ModeProtocolGroup: "object-group protocol P", ModeICMPGroup: "object-group icmp-type I", ModeUserGroup: "object-group user E",
	ModeSecurityGroup: "object-group security C", ModeNetworkServices: "object-group network-service N",
}

// asaFile reads lines as a file of an ASA.
func asaFile(t testing.TB, lines string) (*Config, []Notice) {
	t.Helper()
	c, notices, err := ParseDialect("fw", strings.NewReader(strings.ReplaceAll(lines, "; ", "\n")), ASA)
	if err != nil {
		t.Fatalf("%s: %v", lines, err)
	}
	return c, notices
}

// TestASAGroupsOfPorts: behind a source an object-group is one of ports when
// its kind or the rest of the line says so. It does not matter whether the
// groups are defined before or behind the line.
func TestASAGroupsOfPorts(t *testing.T) {
	const groups = "object-group network N; object-group network M; object-group service P tcp; object-group service Q tcp"
	const line = "access-list X extended permit tcp any "
	for _, test := range []struct{ groups, rest, ports, destination, last string }{
		{groups, "object-group N", "", "N", ""},
		{groups, "object-group N log", "", "N", ""},
		{groups, "object-group N eq 80", "", "N", "eq"},
		{groups, "object-group P any", "P", "any", ""},
		{groups, "object-group P host 10.0.0.1 eq 80", "P", "host", "eq"},
		{groups, "object-group N object-group P", "", "N", "P"},
		{groups, "object-group P object-group N", "P", "N", ""},
		{groups, "object-group P object-group N object-group Q", "P", "N", "Q"},
		{groups, "object-group P object-group N log inactive", "P", "N", ""},
		{groups, "eq 80 object-group N object-group P", "eq", "N", "P"},
		// One kind is enough, and none leaves the usual reading.
		{"object-group network N", "object-group P object-group N", "P", "N", ""},
		{"object-group service P tcp", "object-group P object-group N", "P", "N", ""},
		{"object-group network N", "object-group N object-group P", "", "N", "P"},
		{"object-group service P tcp", "object-group N object-group P", "", "N", "P"},
		{"hostname H", "object-group N object-group P", "", "N", "P"},
	} {
		for _, text := range []string{test.groups + "; " + line + test.rest, line + test.rest + "; " + test.groups} {
			c, _ := asaFile(t, text)
			a := c.ACL("X").Entries[0].ACE
			got := []string{portText(a.SourcePorts), a.Destination.Group.Text, portText(a.DestinationPorts)}
			if a.Destination.Kind != AddressGroup {
				got[1], _, _ = strings.Cut(string(a.Destination.appendASA(nil)[1:]), " ")
			}
			if want := []string{test.ports, test.destination, test.last}; !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
			for _, p := range []Position{a.Destination.Pos, a.Destination.Group.Pos, a.SourcePorts.Group.Pos, a.DestinationPorts.Group.Pos} {
				if p.IsValid() && p.File != "fw" {
					t.Errorf("%s: position %s", text, p)
				}
			}
			checkRoundTrip(t, text, c)
		}
	}
}

func portText(c Compare) string {
	if c.Op == InGroup {
		return c.Group.Text
	}
	return c.Op.String()
}

// TestASAAddresses holds every form of an address to what it means.
func TestASAAddresses(t *testing.T) {
	for text, want := range map[string]struct {
		kind           AddressKind
		addr, wildcard string
	}{
		"any":                                  {AnyAddress, "invalid IP", "invalid IP"},
		"any4":                                 {AnyAddress, "0.0.0.0", "255.255.255.255"},
		"any6":                                 {AnyAddress, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"0.0.0.0 0.0.0.0":                      {AnyAddress, "0.0.0.0", "255.255.255.255"},
		"::/0":                                 {AnyAddress, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"host 10.1.2.3":                        {HostAddress, "10.1.2.3", "0.0.0.0"},
		"10.1.2.3 255.255.255.255":             {HostAddress, "10.1.2.3", "0.0.0.0"},
		"host 2001:db8::1":                     {HostAddress, "2001:db8::1", "::"},
		"2001:db8::1/128":                      {HostAddress, "2001:db8::1", "::"},
		"10.1.2.3 255.255.255.0":               {MaskedAddress, "10.1.2.0", "0.0.0.255"},
		"2001:db8::/32":                        {MaskedAddress, "2001:db8::", "::ffff:ffff:ffff:ffff:ffff:ffff"},
		"host web":                             {HostAddress, "10.0.0.6", "0.0.0.0"},
		"web 255.255.0.0":                      {MaskedAddress, "10.0.0.0", "0.0.255.255"},
		"host six":                             {HostAddress, "2001:db8::5", "::"},
		"interface outside":                    {InterfaceAddress, "invalid IP", "invalid IP"},
		"object O":                             {AddressObject, "invalid IP", "invalid IP"},
		"object-group G":                       {AddressGroup, "invalid IP", "invalid IP"},
		"object-group-network-service Sa.a.S-": {NetworkServices, "invalid IP", "invalid IP"},
	} {
		for _, line := range []string{"permit ip any " + text, "permit ip " + text + " any"} {
			c, _ := asaFile(t, "name 10.0.0.6 web; name 2001:db8::5 six; access-list X extended "+line)
			a := c.ACL("X").Entries[0].ACE.Destination
			if strings.HasSuffix(line, "any") {
				a = c.ACL("X").Entries[0].ACE.Source
			}
			if a.Kind != want.kind || a.Addr.String() != want.addr || a.Wildcard.String() != want.wildcard {
				t.Errorf("%s: kind %d, %s %s, want %v", line, a.Kind, a.Addr, a.Wildcard, want)
			}
			checkRoundTrip(t, line, c)
		}
	}
}

// TestASAEditing edits a list; each state is the numbers and what the lines
// permit, with "#" for a remark.
func TestASAEditing(t *testing.T) {
	const x, permit = "access-list X ", "extended permit ip any host 10.0.0."
	for _, test := range []struct{ lines, want string }{
		{x + permit + "1; " + x + permit + "2", "1:1 2:2"},
		{x + permit + "1; " + x + "line 1 " + permit + "2", "1:2 2:1"},
		{x + permit + "1; " + x + "line 99 " + permit + "2; " + x + "line 2 remark r", "1:1 2:# 3:2"},
		{x + permit + "1; " + x + permit + "2; " + x + permit + "1", "1:1 2:2"},
		{x + permit + "1; " + x + permit + "2; " + x + "line 2 " + permit + "1 inactive", "1:1i 2:2"},
		{x + permit + "1 inactive; " + x + permit + "2; " + x + permit + "1 log", "1:1 2:2"},
		{x + permit + "1; " + x + permit + "2; " + x + permit + "3; no " + x + permit + "2", "1:1 2:3"},
		{x + permit + "1; " + x + permit + "2; no " + x + "line 1 " + permit + "1 log", "1:2"},
		{x + "remark r; " + x + permit + "1; " + x + "remark r; no " + x + "line 3 remark r", "1:# 2:1"},
		{x + "remark r; " + x + permit + "1; no " + x + "remark r", "1:1"},
		{x + permit + "1; no " + x + permit + "1", ""},
		{x + permit + "1; clear configure access-list X", ""},
		{x + permit + "1; clear configure access-list", ""},
	} {
		files, _ := asaFile(t, test.lines)
		for _, c := range []*Config{files, typedIn(t, ASA, test.lines).Config} {
			if got := linesOf(c.ACL("X")); got != test.want {
				t.Errorf("%s: %q, want %q", test.lines, got, test.want)
			}
			checkRoundTrip(t, test.lines, c)
		}
	}
}

func linesOf(a *ACL) string {
	var out []string
	if a == nil {
		return ""
	}
	for _, e := range a.Entries {
		text := "#"
		if e.ACE != nil {
			text = itoa(int(e.ACE.Destination.Addr.As4()[3]))
			if e.ACE.Inactive {
				text += "i"
			}
		}
		out = append(out, itoa(int(e.Seq))+":"+text)
	}
	return strings.Join(out, " ")
}

// TestASAShowIsTheList: the list and what "show access-list" prints of it
// become the same.
func TestASAShowIsTheList(t *testing.T) {
	saved, _ := asaFile(t, "access-list X remark a; access-list X extended permit tcp any object-group G eq ssh; access-list X extended deny ip any any inactive")
	for _, indent := range []string{"  ", ""} {
		shown, _ := asaFile(t, "access-list X line 1 remark a; "+
			"access-list X line 2 extended permit tcp any object-group G eq ssh (hitcnt=5) 0x03d99b12; "+
			indent+"access-list X line 2 extended permit tcp any host 10.0.0.1 eq ssh (hitcnt=2) 0x3d99b12; "+
			indent+"access-list X line 2 extended permit tcp any host 10.0.0.2 eq ssh (hitcnt=3) 0x93d99b12; "+
			"access-list X line 3 extended deny ip any any inactive (hitcnt=0) (inactive) 0x8b7c4bc4")
		if a, b := saved.text(), shown.text(); a != b {
			t.Errorf("shown:\n%swant:\n%s", b, a)
		}
	}
}

// TestASAAliases: a name is printed where it was typed; the address is when
// the name is gone.
func TestASAAliases(t *testing.T) {
	const lines = "names; name 10.0.0.6 web; object network O;  host web; object-group network G;  network-object host web; access-list X extended permit ip host web any"
	c, _ := asaFile(t, lines)
	if n := strings.Count(c.text(), " web\n") + strings.Count(c.text(), " web "); n != 4 {
		t.Errorf("%d places in\n%s", n, c.text())
	}
	before := c.Clone()
	again, _ := asaFile(t, lines+"; no name 10.0.0.6 web; access-list X extended permit ip host 10.0.0.6 any")
	if text := again.text(); strings.Contains(text, "web") || strings.Count(text, "host 10.0.0.6") != 3 {
		t.Errorf("without the name:\n%s", text)
	}
	if before.text() != c.text() {
		t.Error("a clone is another text")
	}
}

// TestASANames checks the tables where they differ from those of IOS.
func TestASANames(t *testing.T) {
	for line, want := range map[string]uint32{
		"tcp any any eq https": 443, "tcp any any eq ssh": 22, "tcp any any eq rsh": 514, "tcp any any eq cmd": 514, "tcp any any eq ldaps": 636,
		"tcp any any eq sqlnet": 1521, "tcp any any eq kerberos": 750, "udp any any eq radius": 1645, "udp any any eq www": 80, "tcp any any eq http": 80,
		"tcp any any eq h323": 1720, "udp any any eq secureid-udp": 5510, "tcp any any eq aol": 5190, "tcp any any eq ftp-data": 20,
		"udp any any eq dnsix": 195, "tcp any any eq nfs": 2049, "udp any any eq sip": 5060, "tcp any any eq pcanywhere-data": 5631,
	} {
		c, _ := asaFile(t, "access-list X extended permit "+line)
		if got := c.ACL("X").Entries[0].ACE.DestinationPorts.Values[0].Number; got != want {
			t.Errorf("%s is %d, want %d", line, got, want)
		}
	}
	for line, want := range map[string][3]int{
		"icmp any any echo": {1, 8, -1}, "icmp any any unreachable 4": {1, 3, 4}, "icmp any any 3 4": {1, 3, 4}, "icmp6 any any echo": {58, 128, -1},
		"icmp6 any any neighbor-advertisement": {58, 136, -1}, "icmp6 any any membership-report": {58, 131, -1}, "icmp any any time-exceeded": {1, 11, -1},
		"icmp6 any any packet-too-big": {58, 2, -1}, "icmp any any mobile-redirect": {1, 32, -1},
	} {
		c, _ := asaFile(t, "access-list X extended permit "+line)
		a := c.ACL("X").Entries[0].ACE
		if got := [3]int{int(a.Protocol.Number), int(a.ICMP.Type), int(a.ICMP.Code)}; got != want {
			t.Errorf("%s is %v, want %v", line, got, want)
		}
	}
	for word, want := range map[string]Protocol{
		"ah": {Number: 51}, "esp": {Number: 50}, "ipsec": {Number: 50}, "pptp": {Number: 47}, "snp": {Number: 109}, "icmp6": {Number: 58}, "ip": {Any: true}, "0": {}, "137": {Number: 137},
	} {
		c, _ := asaFile(t, "access-list X extended permit "+word+" any any")
		got := c.ACL("X").Entries[0].ACE.Protocol
		if got.Pos = (Position{}); got != want {
			t.Errorf("%s is %v, want %v", word, got, want)
		}
	}
}

// hugeASA is a configuration of a few kilobytes whose list expands to 327,925
// elements.
func hugeASA() string {
	var b strings.Builder
	group := func(name, kind, line string, n int) {
		fmt.Fprintf(&b, "object-group %s %s\n", strings.Fields(kind)[0], name+strings.TrimPrefix(kind, strings.Fields(kind)[0]))
		for i := range n {
			fmt.Fprintf(&b, line, i>>8, i&255)
		}
	}
	group("A", "network", " network-object host 10.0.%d.%d\n", 300)
	group("B", "network", " network-object host 10.1.%d.%d\n", 200)
	b.WriteString(" group-object C\n")
	group("C", "network", " network-object host 10.2.%d.%d\n", 18)
	group("P", "service tcp", " port-object range %d00 1%03d\n", 5)
	b.WriteString("access-list X extended permit tcp object-group A object-group B object-group P\n")
	for i := range 925 {
		fmt.Fprintf(&b, "access-list X extended permit tcp any host 10.3.%d.%d eq https\n", i>>8, i&255)
	}
	b.WriteString("access-list X remark end\naccess-group X in interface outside\n")
	return b.String()
}

// TestASAElements counts what it does not expand: 300 x 218 x 5 + 925.
func TestASAElements(t *testing.T) {
	c, _ := asaFile(t, hugeASA())
	if n := c.Elements(c.ACL("X")); n != 327925 {
		t.Errorf("%d elements, want 327925", n)
	}
	for text, want := range map[string]uint64{
		"access-list X extended permit ip any any":               1,
		"access-list X extended permit ip object-group NONE any": 0,
		"object-group network G;  network-object host 1.1.1.1;  group-object G2; object-group network G2;  group-object G; access-list X extended permit ip object-group G object-group G": 1,
		"object-group service S;  service-object tcp-udp destination eq 53;  service-object icmp; access-list X extended permit object-group S any any":                                    3,
		"object-group icmp-type I;  icmp-object echo;  icmp-object 3; access-list X extended permit icmp any any object-group I":                                                           2,
	} {
		c, _ := asaFile(t, text)
		if n := c.Elements(c.ACL("X")); n != want {
			t.Errorf("%s: %d elements, want %d", text, n, want)
		}
	}
	big := &Config{Dialect: ASA}
	g := &ObjectGroup{Kind: NetworkGroup, Name: "G", Members: make([]*Member, 1<<20)}
	for i := range g.Members {
		g.Members[i] = &Member{Kind: AnyMember}
	}
	big.ObjectGroups = []*ObjectGroup{g}
	for i := range 4 {
		h := &ObjectGroup{Kind: NetworkGroup, Name: "G" + itoa(i)}
		for range 1 << 10 {
			h.Members = append(h.Members, &Member{Kind: GroupMember, Group: Name{Text: "G" + strings.TrimPrefix(itoa(i-1), "-1")}})
		}
		big.ObjectGroups = append(big.ObjectGroups, h)
	}
	end := Address{Kind: AddressGroup, Group: Name{Text: "G3"}}
	a := &ACL{Entries: []*Entry{{ACE: &ACE{Dialect: ASA, Source: end, Destination: end}}}}
	if n := big.Elements(a); n != math.MaxUint64 {
		t.Errorf("%d elements, want as many as there are numbers", n)
	}
}

// TestASAParseDoesNotExpand bounds the memory of a configuration by its text:
// the elements would take a hundred times as much.
func TestASAParseDoesNotExpand(t *testing.T) {
	text := hugeASA()
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			asaFile(b, text)
		}
	})
	if limit := int64(100 * len(text)); result.AllocedBytesPerOp() > limit {
		t.Errorf("%d bytes for a text of %d", result.AllocedBytesPerOp(), len(text))
	}
}

func BenchmarkASAElements(b *testing.B) {
	text := hugeASA()
	b.ReportAllocs()
	for b.Loop() {
		c, _ := asaFile(b, text)
		if n := c.Elements(c.ACL("X")); n != 327925 {
			b.Fatal(n)
		}
	}
}

func FuzzASA(f *testing.F) {
	for name, text := range samples(f) {
		if strings.Contains(name, "asa") {
			f.Add(text)
		}
	}
	f.Add(hugeASA()[:4000])
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := ParseDialect("fuzz", strings.NewReader(text), ASA)
		if list, ok := err.(ErrorList); ok {
			_ = list.Render(&strings.Builder{})
		}
		unknown := func(s *Statement) bool { return !s.Known }
		keeps := func(i *Interface) bool { return slices.ContainsFunc(i.Other, unknown) }
		for _, a := range c.ACLs {
			_ = c.Elements(a)
		}
		if !slices.ContainsFunc(c.Other, unknown) && !slices.ContainsFunc(c.Interfaces, keeps) {
			checkRoundTrip(t, "fuzz", c)
		}
	})
}

// TestASARandomFiles reads random lines of all modes as one file: few names are
// shared by everything, so that lists, groups and names get in each other's
// way.
func TestASARandomFiles(t *testing.T) {
	r, l := rand.New(rand.NewPCG(11, 12)), languageOf(ASA)
	var modes []Mode
	for m := range asaModeLines {
		modes = append(modes, m)
	}
	slices.Sort(modes)
	for range 300 {
		lines := []string{"name 10.0.0.6 NAME1", "name 10.0.0.7 NAME2"}
		for range 40 {
			m := modes[0]
			if r.IntN(2) == 0 {
				m = modes[r.IntN(len(modes))]
			}
			no := ""
			if r.IntN(5) == 0 {
				no = "no "
			}
			if m != ModeGlobal {
				lines = append(lines, strings.Split(asaModeLines[m], "; ")...)
			}
			lines = append(lines, " "+no+sentence(r, l, m))
		}
		text := strings.Join(lines, "\n")
		c, _, _ := ParseDialect("random", strings.NewReader(text), ASA)
		checkRoundTrip(t, text, c)
		for _, a := range c.ACLs {
			for i, e := range a.Entries {
				if int(e.Seq) != i+1 {
					t.Fatalf("%s: line %d of %s has number %d", text, i+1, a.Name, e.Seq)
				}
			}
		}
		if diff := gocmp.Diff(c.text(), c.Clone().text()); diff != "" {
			t.Fatalf("%s: a clone is another text:\n%s", text, diff)
		}
	}
}

// TestASABindings: one list stands at each place, and the last one typed does.
func TestASABindings(t *testing.T) {
	const in, out = "access-group A in interface outside", "access-group A out interface outside"
	for text, want := range map[string]string{
		in + "; " + out + "; access-group A global":                                       in + "|" + out + "|access-group A global",
		in + "; access-group B in interface outside":                                      "access-group B in interface outside",
		in + "; access-group A in interface outside per-user-override":                    in + " per-user-override",
		in + "; access-group B in interface outside control-plane":                        in + "|access-group B in interface outside control-plane",
		in + "; " + out + "; no " + in + "; access-group B in interface inside":           out + "|access-group B in interface inside",
		in + "; no access-group B in interface outside":                                   in,
		"access-group A global; access-group B global; no " + in:                          "access-group B global",
		in + "; " + out + "; no " + out + "; no " + in + "; access-group C global; " + in: "access-group C global|" + in,
	} {
		c, _ := asaFile(t, text)
		before := c.Clone()
		var got []string
		for _, b := range c.Bindings {
			got = append(got, b.asaText())
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %s", text, got, want)
		}
		checkRoundTrip(t, text, c)
		_, err := NewSession(c).Line(Position{}, "access-group Z global")
		if err != nil || strings.Contains(before.text(), "Z") {
			t.Errorf("%s: a clone was changed: %v", text, err)
		}
	}
}
