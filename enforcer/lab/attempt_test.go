package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseAttempts(t *testing.T) {
	s := mustParse(t, twoPods)
	got, err := ParseAttempts("t", []byte("# comment\n\nclient tcp/80 10.9.2.5 answered # why\nserver ping fd09::1:5 silent 3\n"), s)
	want := []Attempt{
		{"client", "tcp/80", netip.MustParseAddr("10.9.2.5"), Answered, 1},
		{"server", "ping", netip.MustParseAddr("fd09::1:5"), Silent, 3},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" || err != nil {
		t.Error(err, d)
	}
	for text, want := range map[string]string{
		"":                                  "t: no traffic",
		"\nclient tcp/80 10.9.2.5":          "t:2: want POD HOW",
		"nobody tcp/80 10.9.2.5 answered":   "t:1: lab pair has no pod nobody",
		"node ping 10.9.2.5 answered":       "t:1: traffic of the node",
		"client sctp/80 10.9.2.5 answered":  "t:1: \"sctp/80\" is no way",
		"client tcp/80 server answered":     "t:1: \"server\" is no address",
		"client tcp/80 10.9.2.5 ok":         "t:1: \"ok\" is no outcome",
		"client tcp/80 10.9.2.5 answered 0": "t:1: \"0\" is no number",
	} {
		if _, err := ParseAttempts("t", []byte(text), s); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestTry(t *testing.T) {
	l, _ := up(t, twoPods)
	attempts, err := ParseAttempts("t", []byte(`
client tcp/80 10.9.2.5 answered
client udp/53 fd09::2:5 answered
elsewhere ping 10.9.2.6 answered
client tcp/81 10.9.2.5 refused
elsewhere tcp/80 fd09::2:5 unreachable
client tcp/80 10.255.0.1 unreachable`), &l.spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		if got, err := l.Try(&a, time.Second); got != a.Want || err != nil {
			t.Errorf("%v: %v, %v, want %v", &a, got, err, a.Want)
		}
	}
}
