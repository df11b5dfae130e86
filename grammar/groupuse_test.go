package grammar

import (
	"errors"
	"strings"
	"testing"
)

const usedGroups = `object-group network SRC; host 10.0.0.1; object-group network OUTER; group-object SRC; object-group network FREE; host 10.0.0.9; ` +
	`object-group service SVC; tcp eq 443; object-group v6-service SVC6; tcp eq 443; object-group fqdn NAMES; pattern a; object-group ip port PORTS; eq 80; ` +
	`ip access-list extended A; 10 permit tcp object-group SRC any; 20 permit object-group SVC any any; 30 permit tcp any fqdn-group NAMES; ` +
	`40 permit tcp any portgroup PORTS any; ipv6 access-list V; permit object-group SVC6 any any`

// TestUsedGroupsStay refuses at a prompt what takes a group away from a line,
// and says which line.
func TestUsedGroupsStay(t *testing.T) {
	for lines, want := range map[string]string{
		"no object-group network SRC":                                   "% Object-group SRC cannot be deleted: line 10 of access-list A uses it\n",
		"default object-group service SVC":                              "% Object-group SVC cannot be deleted: line 20 of access-list A uses it\n",
		"no object-group v6-service SVC6":                               "% Object-group SVC6 cannot be deleted: line 10 of access-list V uses it\n",
		"no object-group fqdn NAMES":                                    "% Object-group NAMES cannot be deleted: line 30 of access-list A uses it\n",
		"no object-group ip port PORTS":                                 "% Object-group PORTS cannot be deleted: line 40 of access-list A uses it\n",
		"object-group network SRC; no host 10.0.0.1":                    "% Object-group SRC cannot be emptied: line 10 of access-list A uses it\n",
		"ip access-list extended A; no 10; no object-group network SRC": "% Object-group SRC cannot be deleted: object-group OUTER uses it\n",

		"no object-group network FREE":                                          "",
		"no object-group network OUTER":                                         "",
		"object-group network SRC; host 10.0.0.2; no host 10.0.0.1":             "",
		"object-group network FREE; no host 10.0.0.9":                           "",
		"ip access-list extended A; no 20; no object-group service SVC":         "",
		"no ip access-list extended A; object-group service SVC; no tcp eq 443": "",
	} {
		s := typed(t, usedGroups)
		got, before := "", ""
		for line := range strings.SplitSeq(lines, "; ") {
			before = s.Config.text()
			_, err := s.Line(Position{}, line)
			var bad *LineError
			if errors.As(err, &bad) {
				got = bad.IOS(0)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
		if want != "" && s.Config.text() != before {
			t.Errorf("%s: refused and changed something", lines)
		}
	}
}

// TestUsedGroupsStayInFiles lets a file take a group away that it defines
// again, and no other.
func TestUsedGroupsStayInFiles(t *testing.T) {
	const before = "object-group network SRC\n host 10.0.0.1\nip access-list extended A\n permit ip object-group SRC any\n"
	for text, want := range map[string]string{
		"no object-group network SRC\n":                                               "x:1:1: object-group SRC is used by line 10 of access-list A at x:4:25, and would be gone or empty",
		"  no object-group network SRC\nobject-group network SRC\n":                   "x:1:3: object-group SRC is used by line 10 of access-list A at x:4:25, and would be gone or empty",
		"object-group network SRC\n no host 10.0.0.1\n":                               "x:2:2: object-group SRC is used by line 10 of access-list A at x:4:25, and would be gone or empty",
		"no object-group network SRC\nobject-group network SRC\n host 10.0.0.2\n":     "",
		"object-group network SRC\n no host 10.0.0.1\n host 10.0.0.2\n":               "",
		"no object-group network SRC\nno ip access-list extended A\n":                 "",
		"no object-group network SRC\nobject-group v6-network SRC\n host 2001::1\n":   "",
		"object-group network SRC\n host 10.0.0.2\nno object-group network MISSING\n": "",
	} {
		c, _, err := ParseFile("x", strings.NewReader(before))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Merge("x", strings.NewReader(text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
		if want != "" && c.text() != mustText(t, before) {
			t.Errorf("%q: refused and changed something:\n%s", text, c.text())
		}
	}
}

func mustText(t *testing.T, text string) string {
	c, _, err := ParseFile("x", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c.text()
}

// TestNesting refuses circles and other types where they are typed.
func TestNesting(t *testing.T) {
	for _, test := range []struct{ before, line, want string }{
		{"object-group network A", "group-object A", "% An object-group cannot hold itself\n"},
		{"object-group network A; group-object B; object-group network B", "group-object A", "% An object-group cannot hold itself: A holds B\n"},
		{"object-group service A; group-object B; object-group service B; group-object C; object-group service C", "group-object A", "% An object-group cannot hold itself: A holds C\n"},
		{"object-group v6-network S; object-group network A", "group-object S", "% Object-group S is of type v6-network and cannot be nested in one of type network\n"},
		{"object-group service S; object-group v6-service A", "group-object S", "% Object-group S is of type service and cannot be nested in one of type v6-service\n"},
		{"object-group geo A; group-object G; exit", "object-group fqdn G", "% An object-group of another type holds G already\n"},
		{"object-group network A; exit", "object-group service A", "% An object-group with the name A and another type already exists\n"},
	} {
		s := typed(t, test.before)
		before := s.Config.text()
		_, err := s.Line(Position{}, test.line)
		var bad *LineError
		if !errors.As(err, &bad) || bad.IOS(0) != test.want {
			t.Errorf("%s; %s: %v, want %s", test.before, test.line, err, test.want)
		}
		if s.Config.text() != before {
			t.Errorf("%s; %s: refused and changed something", test.before, test.line)
		}
	}
	// A diamond is no circle.
	typed(t, "object-group network D; host 10.0.0.1; object-group network B; group-object D; object-group network C; group-object D; object-group network A; group-object B; group-object C")
	_, _, err := ParseFile("x", strings.NewReader("object-group network A\n group-object L\n host 10.0.0.1\nobject-group service L\n tcp\n"))
	if err == nil || err.(ErrorList)[0].Render() != "x:2:15: object-group L is of another type than A and cannot be nested in it\n group-object L\n              ^\n" {
		t.Errorf("a type that is told further down: %v", err)
	}
}
