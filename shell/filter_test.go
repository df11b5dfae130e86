package shell

import (
	"errors"
	"strings"
	"testing"

	"aclium/grammar"
)

const sample = `hostname R1
!
ip access-list extended WEB_IN
 10 permit tcp any any eq 80
 20 deny ip any any
!
interface workload BACKEND
 ip access-group WEB_IN out
!
ipv6 access-list V6
 remark to nowhere
end
`

func TestFilters(t *testing.T) {
	for _, c := range []struct{ filters, want string }{
		{"include host", "hostname R1\n"},
		{"i HOST", ""},
		{"inc ip(v6)* access-list|remark", "ip access-list extended WEB_IN\nipv6 access-list V6\n remark to nowhere\n"},
		{"exclude ^ |!", "hostname R1\nip access-list extended WEB_IN\ninterface workload BACKEND\nipv6 access-list V6\nend\n"},
		{"begin ipv6", "ipv6 access-list V6\n remark to nowhere\nend\n"},
		{"section access-list", "ip access-list extended WEB_IN\n 10 permit tcp any any eq 80\n 20 deny ip any any\nipv6 access-list V6\n remark to nowhere\n"},
		{"sec ^interface", "interface workload BACKEND\n ip access-group WEB_IN out\n"},
		{"count permit|deny", "Number of lines which match regexp = 2\n"},
		{"include _any_", " 10 permit tcp any any eq 80\n 20 deny ip any any\n"},
		{"include _an_", ""},
		{"include WEB_IN", "ip access-list extended WEB_IN\n ip access-group WEB_IN out\n"},
		{"include WEB[_]IN out", " ip access-group WEB_IN out\n"},
		{"include any | exclude deny", " 10 permit tcp any any eq 80\n"},
		{"include any | count deny", "Number of lines which match regexp = 1\n"},
		{"include permit | foo", " 10 permit tcp any any eq 80\n"},
		{"include nothing like it", ""},
		{"include any e", " 10 permit tcp any any eq 80\n"},
		{"include any  ", ""},
	} {
		_, filters, err := splitFilters("show x | "+c.filters, 0)
		if err != nil {
			t.Errorf("| %s: %v", c.filters, err)
			continue
		}
		got := sample
		for _, f := range filters {
			got = f.apply(got)
		}
		if c.filters == "include permit | foo" {
			c.want = "" // The bar is part of the expression: "permit " or " foo".
			for line := range strings.Lines(sample) {
				if strings.Contains(line, "permit ") || strings.Contains(line, " foo") {
					c.want += line
				}
			}
		}
		if got != c.want {
			t.Errorf("| %s:\ngot  %q\nwant %q", c.filters, got, c.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		kind   grammar.ErrorKind
		column int
	}{
		{"show x | foo y", grammar.Invalid, 10},
		{"show x | inclube y", grammar.Invalid, 15},
		{"show x | include", grammar.Incomplete, 0},
		{"show x | include ", grammar.Incomplete, 0},
		{"show x |", grammar.Incomplete, 0},
		{"show x | ", grammar.Incomplete, 0},
		{"show x | json y", grammar.Invalid, 15},
	} {
		_, _, err := splitFilters(c.text, 0)
		var e *grammar.LineError
		if !errors.As(err, &e) || e.Kind != c.kind || e.Column != c.column {
			t.Errorf("%q: got %+v, want kind %d column %d", c.text, err, c.kind, c.column)
		}
	}
	_, _, err := splitFilters("show x | include (", 0)
	if err == nil || err.Error() != "% Failed to compile regular expression." {
		t.Errorf("a bad expression: %v", err)
	}
}

// The caret of a line behind "do" stands where it stands on the screen.
func TestColumnsBehindDo(t *testing.T) {
	m := &memory{}
	s, out := newShell(t, m)
	run(t, s, "configure terminal")
	out.Reset()
	run(t, s, "do show clock | foo")
	if want := strings.Repeat(" ", len("R1(config)#do show clock | ")) + "^\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestJSONOfLines(t *testing.T) {
	got, err := jsonText(nil, "a \"b\"\nc\n")
	want := "[\n  {\n    \"line\": \"a \\\"b\\\"\"\n  },\n  {\n    \"line\": \"c\"\n  }\n]\n"
	if err != nil || got != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}
