package translate_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"aclium/translate"
	"aclium/translate/policy"
)

// boundOnNode is a named list on a node's own interface.
func boundOnNode(lines, before string) string {
	return before + "ip access-list extended L\n" + lines + "interface eth0\n ip access-group L in\n"
}

// TestScheduleAgreesWithTheClock holds what a time-range becomes to the reading
// of its lines, minute by minute: between its changes it does not change.
func TestScheduleAgreesWithTheClock(t *testing.T) {
	for _, zone := range []string{"", "clock timezone CET 1\n", "clock timezone IST 5 30\n", "clock timezone NST -3 30\n"} {
		for _, lines := range []string{
			"periodic weekdays 9:00 to 17:00", "periodic daily 22:00 to 6:00", "periodic Friday 18:00 to Monday 6:00", "periodic Monday 8:30 to 8:30",
			"absolute start 12:34 1 March 2026 end 23:59 3 March 2026", "absolute end 0:00 3 March 2026\n periodic weekend 0:00 to 23:59",
			"periodic Sunday 0:00 to 23:59\n periodic Monday 0:00 to 0:00\n periodic Tuesday Thursday 23:59 to 0:00",
		} {
			c := mustParse(t, boundOnNode(" permit ip any any time-range T\n", zone+"time-range T\n "+lines+"\n"))
			policies, _, err := translate.Compile(c)
			if err != nil {
				t.Fatal(err)
			}
			s, r := policies[0].Rules[0].Match.Time, c.TimeRanges()[0]
			if s == nil {
				t.Fatalf("%q has no schedule", lines)
			}
			from := time.Date(2026, 2, 26, 0, 0, 30, 0, time.UTC)
			until := from.Add(9 * 24 * time.Hour)
			changes := s.Changes(from, until)
			was := s.Active(from)
			for at := from; at.Before(until); at = at.Add(time.Minute) {
				want := r.Active(at.Add(c.Clock().Offset))
				if s.Active(at) != want {
					t.Fatalf("%q %q: at %v active is %v", zone, lines, at, !want)
				}
				changed := slices.ContainsFunc(changes, func(c time.Time) bool { return c.After(at.Add(-time.Minute)) && !c.After(at) })
				if (want != was) != changed {
					t.Fatalf("%q %q: at %v it changes: %v, and is in Changes: %v", zone, lines, at, want != was, changed)
				}
				was = want
			}
		}
	}
}

// What only a node looks at is carried to the node and refused everywhere else:
// a permit is left out, a deny keeps its list out.
func TestObjectsRefuseNodeOnly(t *testing.T) {
	const pods = "object-group network W\n workload namespace d label app=w\ntime-range T\n periodic daily 9:00 to 17:00\n"
	for _, words := range []string{"dscp ef", "precedence 5", "tos 4", "ttl lt 2", "time-range T"} {
		for _, action := range []string{"permit", "deny"} {
			text := pods + "ip access-list extended L\n " + action + " tcp any any eq 80 " + words + "\n permit udp any any\ninterface workload W\n ip access-group L out\n"
			policies, findings, err := translate.Compile(mustParse(t, text))
			if err != nil || len(findings) > 0 {
				t.Fatalf("%s: %v %v", words, findings, err)
			}
			for _, target := range translate.Targets() {
				if target.Verbatim {
					continue
				}
				stack, findings := translate.Order(policies, translate.OrderOptions{Target: target})
				i := slices.IndexFunc(findings, func(f policy.Finding) bool { return f.ID.Seq == 10 && f.State == policy.Refused })
				if i < 0 || !strings.Contains(findings[i].Reason, strings.Fields(words)[0]) {
					t.Errorf("%s, %s %s: findings %v", target.Name, action, words, findings)
				}
				if n := len(stack.Policies()); (n == 0) != (action == "deny") {
					t.Errorf("%s, %s %s: %d policies", target.Name, action, words, n)
				}
				web := policy.Packet{Source: policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.1")}, Destination: policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.1"), Labels: map[string]string{policy.NamespaceKey: "d", "app": "w"}}, Protocol: policy.TCP, DestinationPort: 80, Flags: policy.SYN}
				if a, _ := stack.Judge(policy.Ingress, &web); action == "permit" && a == policy.Permit {
					t.Errorf("%s permits what %q permits", target.Name, words)
				}
			}
		}
	}
}

// A line that names a time-range which is not defined is always active, as in
// IOS, and that is told.
func TestUndefinedTimeRange(t *testing.T) {
	policies, findings, err := translate.Compile(mustParse(t, boundOnNode(" deny tcp any any time-range GONE\n permit ip any any\n", "")))
	if err != nil || policies[0].Rules[0].Match.Time != nil {
		t.Fatal(err, policies)
	}
	if len(findings) != 1 || !strings.Contains(findings[0].Reason, "GONE is not defined: the lines that name it are always active") {
		t.Errorf("findings %v", findings)
	}
}

// What is not known exactly is refused.
func TestNodeOnlyRefused(t *testing.T) {
	for reason, lines := range map[string]string{
		"clock summer-time": "clock summer-time CEST recurring\ntime-range T\n periodic daily 9:00 to 17:00\nip access-list extended L\n deny ip any any time-range T\n",
		"igmp type 12":      "ip access-list extended L\n deny igmp any any 12\n",
	} {
		_, findings, err := translate.Compile(mustParse(t, lines+"interface eth0\n ip access-group L in\n"))
		if refused := translate.Refused(findings); err != nil || refused == nil || !strings.Contains(refused.Error(), reason) {
			t.Errorf("%s: %v %v", reason, refused, err)
		}
	}
}

// A reflexive list stands on a node's own interface alone: a pod's port has
// connections.
func TestReflexiveLists(t *testing.T) {
	const lines = "ip reflexive-list timeout 120\nip access-list extended OUT\n permit tcp any any reflect R\n permit udp any any reflect R timeout 30\nip access-list extended IN\n deny icmp any any\n evaluate R\n"
	policies, _, err := translate.Compile(mustParse(t, lines+"interface eth0\n ip access-group OUT out\n ip access-group IN in\n"))
	if err != nil || len(policies) != 2 {
		t.Fatal(err, policies)
	}
	out, in := policies[0].Rules, policies[1].Rules
	if policies[0].ACL != "OUT" {
		out, in = in, out
	}
	if *out[0].Reflect != (policy.Reflect{List: "R", Timeout: 120 * time.Second}) || *out[1].Reflect != (policy.Reflect{List: "R", Timeout: 30 * time.Second}) {
		t.Errorf("reflects into %v and %v", out[0].Reflect, out[1].Reflect)
	}
	if len(in) != 2 || in[1].Match.Evaluate != "R" || in[1].Action != policy.Permit {
		t.Errorf("evaluates by %+v", in)
	}
	for _, p := range policies {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
	policies, findings, err := translate.Compile(mustParse(t, "object-group network W\n workload label app=w\n"+lines+"interface workload W\n ip access-group OUT in\n ip access-group IN out\n"))
	if err != nil || len(policies) != 2 || len(findings) != 3 {
		t.Fatal(err, policies, findings)
	}
	for _, p := range policies {
		for i := range p.Rules {
			if p.Rules[i].BeyondObject() != "" {
				t.Errorf("a pod's port has %s", p.Rules[i].BeyondObject())
			}
		}
	}
}
