package trace_test

import (
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate/trace"
)

// What the packet says of TOS, TTL, the moment and IGMP decides the lines that
// look at them; the clock is an hour ahead of UTC.
func TestNodeOnlyWords(t *testing.T) {
	const text = `clock timezone CET 1
time-range WORK
 periodic weekdays 9:00 to 17:00
ip access-list extended X
 10 deny tcp any any dscp ef
 20 deny tcp any any ttl lt 2
 30 permit tcp any any time-range WORK
 40 permit igmp any any host-query
 50 evaluate R
`
	c, _, err := grammar.ParseFile("x.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const syn = "tcp 10.0.0.1 1 10.0.0.2 80"
	for _, test := range []struct {
		packet, at string
		verdict    trace.Verdict
		seq        uint32
	}{
		{syn + " dscp ef", "", trace.Deny, 10},
		{syn + " traffic-class 187", "", trace.Deny, 10},
		{syn + " dscp 0 ttl 1", "", trace.Deny, 20},
		{syn + " dscp 0 ttl 64", "2026-03-02 09:00", trace.Permit, 30},
		{syn + " dscp 0 ttl 64", "2026-03-02T16:00:59Z", trace.Permit, 30},
		{syn + " dscp 0 ttl 64", "2026-03-02 08:59", trace.Undecided, 50},
		{syn + " dscp 0 ttl 64", "2026-03-02T16:01:00Z", trace.Undecided, 50},
		{syn + " dscp 0 ttl 64", "", trace.Undecided, 30},
		{syn + " dscp 0", "2026-03-02 09:00", trace.Undecided, 20},
		{"igmp 10.0.0.1 host-query 224.0.0.1", "", trace.Permit, 40},
		{"igmp 10.0.0.1 17 224.0.0.1", "", trace.Permit, 40},
		{"igmp 10.0.0.1 18 224.0.0.1", "", trace.Undecided, 50},
		{"ip 2 10.0.0.1 224.0.0.1", "", trace.Undecided, 40},
	} {
		p, err := trace.Parse(grammar.IOS, test.packet)
		if err != nil {
			t.Fatal(err)
		}
		if test.at != "" {
			if p.At, err = trace.ParseMoment(c, test.at); err != nil {
				t.Fatal(err)
			}
		}
		r, err := trace.Walk(c, "X", false, &p)
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != test.verdict || r.Last() == nil || r.Last().ID.Seq != test.seq {
			t.Errorf("%s at %q: %s at %+v, want %s at %d", test.packet, test.at, r.Verdict, r.Last(), test.verdict, test.seq)
		}
	}
}
