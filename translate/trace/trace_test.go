package trace_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
	"aclium/translate/trace"
)

// The walk, the walk over the text and the compiled rules give one verdict and
// one line.
func TestWalkAgreesWithTheOtherJudges(t *testing.T) {
	g := acltest.NewGenerator(9)
	verdicts := map[trace.Verdict]int{}
	for range 150 {
		list := g.List()
		c, _, err := grammar.ParseFile("list.cfg", strings.NewReader(list.Text))
		if err != nil {
			t.Fatal(err)
		}
		policies, _, err := translate.Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		judge := func(p *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, list.ACL, list.Stateful, p) }
		for _, p := range g.Packets(c, list.ACL, judge, 20) {
			r, err := trace.Walk(c, list.ACL, list.Stateful, &trace.Packet{Packet: p, SourceKnown: true, DestinationKnown: true})
			if err != nil {
				t.Fatalf("%v\n%s", err, list.Text)
			}
			verdicts[r.Verdict]++
			if len(policies) != 1 {
				continue // the list holds a deny that no policy can say
			}
			action, line := policies[0].Eval(&p)
			seq := uint32(0)
			if last := r.Last(); last != nil {
				seq = last.ID.Seq
			}
			if policies[0].ID(line).Seq != seq || (action == policy.Permit) != (r.Verdict == trace.Permit) {
				t.Fatalf("%s at %d here, %v at %d by the rules: %+v\n%s", r.Verdict, seq, action, policies[0].ID(line).Seq, p, list.Text)
			}
		}
	}
	if verdicts[trace.Permit] < 500 || verdicts[trace.Deny] < 500 || verdicts[trace.Undecided] > 0 {
		t.Errorf("verdicts %v: the test is lopsided", verdicts)
	}
}

// A packet prints in a form that reads back as the same packet.
func TestPacketsReadBack(t *testing.T) {
	for _, text := range []string{
		"tcp 10.0.0.9 40000 10.1.20.5 23 syn", "tcp 10.0.0.9 0 10.1.20.5 65535 syn ack fin rst psh urg", "udp 2001:db8::1 53 2001:db8::2 53",
		"sctp 10.0.0.9 1 10.1.20.5 2", "icmp 10.0.0.9 8 0 10.1.20.5", "icmp 2001:db8::1 128 0 2001:db8::2", "ip 47 10.0.0.9 10.1.20.5",
		"ip 6 10.0.0.9 10.1.20.5 fragment", "ip 58 10.0.0.9 10.1.20.5", "ip 1 2001:db8::1 2001:db8::2",
	} {
		p, err := trace.Parse(grammar.IOS, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := trace.String(&p.Packet); got != text {
			t.Errorf("%q prints as %q", text, got)
		}
	}
}

// Names are those of the language (IANA numbers).
func TestNamesInPackets(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 10.0.0.9 www 10.1.20.5 telnet":        "tcp 10.0.0.9 80 10.1.20.5 23 syn",
		"udp 10.0.0.9 domain 10.1.20.5 snmp":       "udp 10.0.0.9 53 10.1.20.5 161",
		"icmp 10.0.0.9 echo 10.1.20.5":             "icmp 10.0.0.9 8 0 10.1.20.5",
		"icmp 10.0.0.9 port-unreachable 10.1.20.5": "icmp 10.0.0.9 3 3 10.1.20.5",
		"icmp 10.0.0.9 11 10.1.20.5":               "icmp 10.0.0.9 11 0 10.1.20.5",
		"icmp ::1 echo-request ::2":                "icmp ::1 128 0 ::2",
		"ip esp 10.0.0.9 10.1.20.5":                "ip 50 10.0.0.9 10.1.20.5",
		"tcp 10.0.0.9 1 10.1.20.5 2 fragment":      "ip 6 10.0.0.9 10.1.20.5 fragment",
		"\ttcp  10.0.0.9 1\t10.1.20.5 2   rst ":    "tcp 10.0.0.9 1 10.1.20.5 2 rst",
	} {
		p, err := trace.Parse(grammar.IOS, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := trace.String(&p.Packet); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestBadPackets(t *testing.T) {
	for text, column := range map[string]int{
		"": 1, "tcp": 4, "gre 1.1.1.1 2.2.2.2": 1, "tcp 1.1.1.1 99999 2.2.2.2 1": 13, "tcp 1.1.1.1 1 2.2.2.2 1 syn foo": 29,
		"icmp 1.1.1.1 256 2.2.2.2": 14, "icmp 1.1.1.1 8 256 2.2.2.2": 16, "ip 256 1.1.1.1 2.2.2.2": 4, "ip ip 1.1.1.1 2.2.2.2": 4,
		"udp fe80::1%eth0 1 ::2 1": 5, "udp ::ffff:1.2.3.4 1 ::2 1": 5, "udp 1.1.1.1 1 ::2 1": 15, "tcp 1.1.1.1 eq 2.2.2.2 1": 13, "udp 1.1.1.1 1 2.2.2.2 1 fin": 25,
		"tcp 1.1.1.1 www!x 2.2.2.2 1": 13,
	} {
		_, err := trace.Parse(grammar.IOS, text)
		var mistake *grammar.Error
		if !errors.As(err, &mistake) {
			t.Errorf("%q: %v, want a mistake", text, err)
		} else if mistake.Pos.Column != column {
			t.Errorf("%q: column %d, want %d: %v", text, mistake.Pos.Column, column, err)
		}
	}
}

// What the packet does not say is never guessed, unless another word of the
// line decides.
func TestUndecided(t *testing.T) {
	const text = `ip access-list extended X
 permit tcp any any eq 80 time-range NIGHT
 deny ip any any dscp ef
time-range NIGHT
`
	c, _, err := grammar.ParseFile("x.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for packet, want := range map[string]struct {
		seq     uint32
		without string
	}{
		"tcp 10.0.0.1 1 10.0.0.2 80": {10, "its time-range (--at)"},
		"tcp 10.0.0.1 1 10.0.0.2 81": {20, "its dscp"},
	} {
		p, err := trace.Parse(grammar.IOS, packet)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trace.Walk(c, "X", false, &p)
		if err != nil {
			t.Fatal(err)
		}
		last := r.Last()
		if r.Verdict != trace.Undecided || last.ID.Seq != want.seq || last.Without != want.without {
			t.Errorf("%s: %s at %+v, want undecided at %d without %s", packet, r.Verdict, last, want.seq, want.without)
		}
	}
}

// The reason that is named is one whose field alone would make the line match,
// or that of an end.
func TestMismatchNamesAField(t *testing.T) {
	web := policy.ServiceOf(policy.Bytes(policy.TCP))
	web.DestinationPorts = policy.NewRanges(policy.Range{First: 80, Last: 80})
	rule := policy.Rule{Action: policy.Permit, Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{web}}}
	for packet, want := range map[string]string{
		"tcp 10.0.0.1 1 10.0.0.2 80": "", "tcp 10.0.0.1 1 10.0.0.2 81": "destination port 81", "udp 10.0.0.1 1 10.0.0.2 80": "protocol 17",
	} {
		p, err := trace.Parse(grammar.IOS, packet)
		if err != nil {
			t.Fatal(err)
		}
		got := trace.Mismatch(&rule, &p.Packet)
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", packet, got, want)
		}
	}
	if !slices.Contains(strings.Fields(trace.Usage), "[syn|ack|fin|rst|psh|urg]...") {
		t.Error("the usage does not name the flags")
	}
}
