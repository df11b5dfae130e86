package grammar

import (
	"errors"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// typed gives a session that has accepted the lines, separated by "; ".
func typed(t testing.TB, lines string) *Session {
	t.Helper()
	return typedIn(t, IOS, lines)
}

func typedIn(t testing.TB, d Dialect, lines string) *Session {
	t.Helper()
	s := NewSession(&Config{Dialect: d})
	for line := range strings.SplitSeq(lines, "; ") {
		if _, err := s.Line(Position{}, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return s
}

// TestPromptErrors holds what IOS prints for the last line of each row, with
// the caret below the prompt of the mode, host name R1.
func TestPromptErrors(t *testing.T) {
	const invalid = "^\n% Invalid input detected at '^' marker.\n\n"
	for _, test := range []struct{ before, line, under, want string }{
		// The caret stands under the first letter that no keyword shares.
		{"", "hostnane S1", "R1(config)#hostna", invalid},
		{"", "  ip access-lost standard X", "R1(config)#  ip access-l", invalid},
		{"", "no ip accessXlist standard X", "R1(config)#no ip access", invalid},
		{"", "access-list 300 permit ip any any", "R1(config)#access-list ", invalid},
		{"", "access-list 101 deny any", "R1(config)#access-list 101 deny a", invalid}, // ahp
		{"", "access-list 100 permit 256 any any", "R1(config)#access-list 100 permit ", invalid},
		{"", "access-list 100 permit hoge any any", "R1(config)#access-list 100 permit ", invalid},
		{"", "access-list 10 permit udp any", "R1(config)#access-list 10 permit ", invalid},
		{"", "é", "R1(config)#", invalid},
		{"ip access-list extended X", "permit ip any any eq 80", "R1(config-ext-nacl)#permit ip any any ", invalid},
		{"ip access-list extended X", "permit tcp any any eq telnit", "R1(config-ext-nacl)#permit tcp any any eq teln", invalid},
		{"ip access-list extended X", "permit tcp any any eq 65536", "R1(config-ext-nacl)#permit tcp any any eq ", invalid},
		{"ip access-list extended X", "permit tcp any any log log", "R1(config-ext-nacl)#permit tcp any any log ", invalid},
		{"ip access-list extended X", "permt", "R1(config-ext-nacl)#perm", invalid},
		{"ip access-list extended X", "access-list 101 permit tcp any any eq foo", "R1(config-ext-nacl)#access-list 101 permit tcp any any eq f", invalid},
		{"object-group network G", "host 10.0.0.300", "R1(config-network-group)#host ", invalid},

		{"", "access-list 100 permit", "", "% Incomplete command.\n\n"},
		{"", "no", "", "% Incomplete command.\n\n"},
		{"", "zone", "", "% Incomplete command.\n\n"},
		{"", "zon", "", "% Ambiguous command:  \"zon\"\n"},
		{"", "zone-p", "", "% Incomplete command.\n\n"},
		{"", "i", "", "% Ambiguous command:  \"i\"\n"},
		{"ip access-list extended X", "permit tcp any any l", "", "% Ambiguous command:  \"permit tcp any any l\"\n"},
		{"ip access-list extended X", "permit tcp any any eq t", "", "% Ambiguous command:  \"permit tcp any any eq t\"\n"},

		{"", "access-list 100 permit tcp any eq 80 8080 any", "", "% Multiple ports are allowed on named ACLs only\n"},
		{"ip access-list extended X; 10 permit ip any any", "10 deny ip any any", "", "% Duplicate sequence number\n% Failed to add ace\n"},
		{"ip access-list extended X; 10 permit ip any any", "20 permit ip any any", "", "% Duplicate entry exists at sequence 10\n"},
		{"access-list 1 permit 172.16.0.0 0.0.255.255", "access-list 1 deny 172.16.0.1", "",
			"% Access rule can't be configured at higher sequence num as it is part of the existing rule at sequence num 10\n"},
		{"ip access-list extended X; remark A", "remark A", "", "Duplicate remark statement\n"},
		{"ipv6 access-list 101; exit", "access-list 101 permit tcp any any", "", "% The ACL cannot be created or an ACL with the same name but incompatible type already exists.\n"},
		{"ip access-list extended X; exit", "ip access-list standard X", "", "% A named Extended IP access list with this name already exists\n"},
		{"ipv6 access-list V", "permit ipv6 2001:DB8:13::/64 0.0.0.255 any", "R1(config-ipv6-acl)#permit ipv6 2001:DB8:13::/64 ", invalid},
		{"", "ipv6 access-list resequence V 100 100", "R1(config)#ipv6 access-list resequence ", invalid},
		{"ip access-list extended X; 2147483647 permit ip any any", "permit tcp any any", "", "% Exceeded maximum sequence number.\n"},
	} {
		s := NewSession(&Config{})
		for line := range strings.SplitSeq(test.before, "; ") {
			if _, err := s.Line(Position{}, line); err != nil {
				t.Fatal(err)
			}
		}
		before, mode := s.Config.text(), s.Mode
		_, err := s.Line(Position{}, test.line)
		var bad *LineError
		if !errors.As(err, &bad) {
			t.Errorf("%s: error %v", test.line, err)
			continue
		}
		want := test.want
		if want == invalid {
			want = strings.Repeat(" ", len(test.under)) + want
		}
		if got := bad.IOS(len("R1" + mode.Prompt())); got != want {
			t.Errorf("%s:\ngot\n%swant\n%s", test.line, got, want)
		}
		if s.Config.text() != before || s.Mode != mode {
			t.Errorf("%s: refused and changed something", test.line)
		}
	}
}

func TestSuggestions(t *testing.T) {
	for line, want := range map[string]string{
		"access-list 101 permit tcp any any eq telnit": `unexpected "telnit", want a TCP port (did you mean telnet?)`,
		"access-list 1 permt any":                      `unexpected "permt", want permit, deny or remark (did you mean permit?)`,
		"hostnane R1":                                  `unexpected "hostnane" (did you mean hostname?)`,
		"zone security":                                "unexpected end of line, want a zone or default",
	} {
		_, err := NewSession(&Config{}).Line(Position{}, line)
		if err == nil || !strings.HasPrefix(want, err.Error()) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestModes(t *testing.T) {
	for _, test := range []struct {
		lines string
		want  Mode
	}{
		{"ip access-list ext A", ModeExtendedACL},
		{"ip access-list standard 5", ModeStandardACL},
		{"ipv6 access-list V", ModeIPv6ACL},
		{"ip access-list extended A; exit", ModeGlobal},
		{"policy-map type inspect P; class type inspect C", ModePolicyClass},
		{"policy-map type inspect P; class type inspect C; exit", ModePolicyMap},
		{"policy-map type inspect P; class type inspect C; class class-default", ModePolicyClass},
		{"policy-map type inspect P; class type inspect C; end", ModeGlobal},
		// A line of global configuration leaves the mode; a comment does not.
		{"ip access-list extended A; hostname R1", ModeGlobal},
		{"ip access-list extended A; ip access-list standard B", ModeStandardACL},
		{"int eth0; ip access-list extended A", ModeExtendedACL},
		{"policy-map type inspect P; class type inspect C; zone security Z", ModeZone},
		{"object-group network G; ! comment; ", ModeNetworkGroup},
		{"zone security Z; zone-pair security P source Z destination self", ModeZonePair},
		{"int eth0; no ip access-list extended A", ModeGlobal},
	} {
		if s := typed(t, test.lines); s.Mode != test.want {
			t.Errorf("%s: %s, want %s", test.lines, s.Mode.Prompt(), test.want.Prompt())
		}
	}
	if !typed(t, "zone security Z; end").Ended || !typed(t, "exit").Ended || typed(t, "zone security Z; exit").Ended {
		t.Error("Ended is wrong")
	}
}

// TestNo takes back every kind of line: the configuration is as it was.
func TestNo(t *testing.T) {
	for _, test := range [][3]string{
		{"", "hostname R1", "no hostname"},
		{"", "access-list 101 permit ip any any", "no access-list 101"},
		{"", "ip access-list extended A", "no ip access-list extended A"},
		{"", "ipv6 access-list A", "no ipv6 access-list A"},
		{"", "object-group network G", "no object-group network G"},
		{"", "zone security Z", "no zone security Z"},
		{"", "zone-pair security P source A destination B", "no zone-pair security P"},
		{"", "zone-pair security P source A destination B", "no zone-pair security P source A destination B"},
		{"", "class-map type inspect match-any C", "no class-map type inspect match-any C"},
		{"", "class-map type inspect match-any C", "no class-map type inspect C"},
		{"", "policy-map type inspect P", "no policy-map type inspect P"},
		{"", "interface workload W", "no interface workload W"},
		{"", "ip access-list log-update threshold 5", "no ip access-list log-update threshold 5"},
		{"ip access-list extended A", "permit tcp any any eq 23", "no permit tcp any any eq telnet"},
		{"ip access-list extended A", "permit tcp any any eq 23", "no 10"},
		{"ip access-list extended A", "permit tcp any any eq 23", "no 10 permit tcp any any eq telnet"},
		{"ip access-list extended A", "remark x  y", "no remark x  y"},
		{"ip access-list extended A", "20 remark x", "no 20 remark x"},
		{"ip access-list standard A", "permit 10.0.0.0 0.0.0.255", "no permit 10.0.0.9 0.0.0.255"},
		{"ipv6 access-list A", "permit ipv6 any any", "no permit ipv6 any any"},
		{"ipv6 access-list A", "permit ipv6 any any", "no sequence 10"},
		{"access-list 101 permit ip any any", "access-list 101 deny udp any any", "no access-list 101 deny udp any any"},
		{"object-group network G", "host 10.0.0.1", "no host 10.0.0.1"},
		{"object-group network G", "workload label a in (x, y)", "no workload label a in (y,x)"},
		{"object-group network G", "description x", "no description"},
		{"object-group service G", "tcp eq 80", "no tcp www"},
		{"int eth0", "ip access-group A in", "no ip access-group A in"},
		{"int eth0", "ip access-group A in", "no ip access-group in"},
		{"int eth0", "ipv6 traffic-filter A out", "no ipv6 traffic-filter out"},
		{"int eth0", "zone-member security Z", "no zone-member security Z"},
		{"int eth0", "no ip host-permit", "ip host-permit"},
		{"int eth0", "no ip verify source", "default ip verify source"},
		{"zone-pair security P source A destination B", "service-policy type inspect X", "no service-policy type inspect X"},
		{"class-map type inspect C", "match protocol http", "no match protocol http"},
		{"class-map type inspect C", "match access-group 101", "no match access-group 101"},
		{"policy-map type inspect P", "class type inspect C", "no class type inspect C"},
		{"policy-map type inspect P; class type inspect C", "drop log", "no drop log"},
		{"policy-map type inspect P; class type inspect C", "inspect PARAMETERS", "no inspect"},
	} {
		s := typed(t, test[0])
		before := s.Config.text()
		if _, err := s.Line(Position{}, test[1]); err != nil {
			t.Errorf("%s: %v", test[1], err)
		}
		if s.Config.text() == before {
			t.Errorf("%s: changed nothing", test[1])
		}
		notices, err := s.Line(Position{}, test[2])
		if err != nil {
			t.Errorf("%s: %v", test[2], err)
		}
		for _, n := range notices {
			if n.State == NoEffect {
				t.Errorf("%s: %s", test[2], n)
			}
		}
		if got := s.Config.text(); got != before {
			t.Errorf("%s and %s (-before +after):\n%s", test[1], test[2], gocmp.Diff(before, got))
		}
		// Once more there is nothing to take back, and that is said.
		if n, err := s.Line(Position{}, test[2]); err == nil && len(n) == 0 && strings.HasPrefix(test[2], "no ip access-list") {
			t.Errorf("%s: silent without effect", test[2])
		}
	}
}

// TestRemovedLineMayComeBack types a line again after it was removed.
func TestRemovedLineMayComeBack(t *testing.T) {
	s := typed(t, "ip access-list standard A; permit 10.0.0.0 0.0.0.255; 20 permit 10.9.9.9; no 10; permit 10.0.0.1; permit 10.0.0.0 0.0.0.255")
	if got := s.Config.ACL("A").Entries; len(got) != 3 || got[1].Seq != 30 || got[2].Seq != 40 {
		t.Errorf("entries %v", got)
	}
}

// TestCloneIsApart edits a clone in every way; the original stays.
func TestCloneIsApart(t *testing.T) {
	text, err := os.ReadFile("testdata/coverage.cfg")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := ParseFile("coverage", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	before, d := c.text(), c.Clone()
	s := NewSession(d)
	for line := range strings.SplitSeq("hostname X; ip access-list standard MGMT; no 10; ip access-list resequence FULL 7 7; ip access-list extended FULL; 8 permit udp any any; remark new; no 7; "+
		"object-group network SRC; no host 10.1.1.1; host 10.9.9.9; description other; object-group service SVC; tcp 1; "+
		"class-map type inspect match-any WEB-CM; match protocol ftp; no match protocol http; policy-map type inspect IN-OUT; class class-default; pass; "+
		"no class type inspect ACL-CM; zone security INSIDE; description x; zone-pair security IN-OUT-ZP source INSIDE destination OUTSIDE; no service-policy; "+
		"interface GigabitEthernet0/0; no ip access-group in; no zone-member security; no access-list 101; no zone security OUTSIDE; ip access-list logging interval 9", "; ") {
		if _, err := s.Line(Position{}, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	d.Other[0].Words = "changed"
	if diff := gocmp.Diff(before, c.text()); diff != "" {
		t.Errorf("the original changed:\n%s", diff)
	}
}

func TestPositions(t *testing.T) {
	s := NewSession(&Config{})
	lines := []string{"ip access-list extended A", " permit tcp object-group É any eq 80 443 log", "interface eth0", "\tip access-group A in"}
	for i, line := range lines {
		if _, err := s.Line(Position{"f", i + 1, 3}, line); err != nil {
			t.Fatal(err)
		}
	}
	e := s.Config.ACL("A").Entries[0]
	at := func(column int) Position { return Position{"f", 2, 3 + column} }
	for name, pair := range map[string][2]Position{
		"entry":       {e.Pos, at(1)},
		"action":      {e.ACE.Pos, at(1)},
		"protocol":    {e.ACE.Protocol.Pos, at(8)},
		"group":       {e.ACE.Source.Group.Pos, at(25)},
		"destination": {e.ACE.Destination.Pos, at(27)},
		"second port": {e.ACE.DestinationPorts.Values[1].Pos, at(37)},
		"log":         {e.ACE.Log.Pos, at(41)},
		"binding":     {s.Config.Interface("eth0").Bindings[0].ACL.Pos, Position{"f", 4, 20}},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s at %s, want %s", name, pair[0], pair[1])
		}
	}
	if e.Text != strings.TrimSpace(lines[1]) {
		t.Errorf("text %q", e.Text)
	}
}

// TestRemarksGoWithTheirEntry checks where remarks stand and what they carry.
func TestRemarksGoWithTheirEntry(t *testing.T) {
	s := typed(t, "ip access-list extended A; remark a; permit tcp any any; remark c; 5 permit udp any any; 15 remark d; 15 permit icmp any any; remark e; permit ip any any; 5 remark b")
	want := "5 remark b|5 permit udp any any|10 remark a|10 permit tcp any any|15 remark d|15 remark c|15 permit icmp any any|25 remark e|25 permit ip any any"
	a := s.Config.ACL("A")
	var got []string
	for _, e := range a.Entries {
		got = append(got, a.entryText(e))
	}
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if !a.resequence(100, 10) || a.Entries[0].Seq != 100 || a.Entries[8].Seq != 130 || a.Entries[7].Seq != 130 || a.Entries[7].Remark != "e" {
		t.Error("remarks do not follow a resequence")
	}
	if a.resequence(maxSeq-1, 10) || a.Entries[0].Seq != 100 {
		t.Error("resequence past the end changed something")
	}
}

// A word of global configuration that abbreviates a longer one of the mode
// means itself, and a line in a group is no abbreviation of global
// configuration.
func TestAbbreviationsDoNotCrossModes(t *testing.T) {
	for text, want := range map[string]string{
		"interface eth0\n ip access-group A in\nzone security Z\n":    "zone security Z\n!\ninterface eth0\n ip access-group A in\n",
		"interface eth0\n zone-m security Z\n":                        "interface eth0\n zone-member security Z\n",
		"object-group service S\n tcp eq 80\n host H\n udp eq 5000\n": "object-group service S\n tcp eq www\n udp eq 5000\n",
	} {
		c, notices, err := ParseFile("x", strings.NewReader(text))
		if c.text() != want || len(notices) > 0 {
			t.Errorf("%q: %v\n%s\nwant\n%s", text, notices, c.text(), want)
		}
		if (err != nil) != strings.Contains(text, "host") {
			t.Errorf("%q: %v", text, err)
		}
	}
	s := typed(t, "object-group service S")
	if _, err := s.Line(Position{}, "t"); err == nil || err.(*LineError).Kind != Ambiguous {
		t.Errorf("t is %v", err)
	}
}
