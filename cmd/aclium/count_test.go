package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"aclium/enforcer/client"
	"aclium/enforcer/lab"
	"aclium/translate/policy"
)

const tiers = `
name: tiers
pods:
- {name: a, namespace: n, labels: {app: a}, addresses: [10.7.1.1, "fd07::1:1"], listen: [tcp/80, tcp/81, udp/53, udp/54]}
- {name: b, namespace: n, labels: {app: b}, addresses: [10.7.2.1, "fd07::2:1"], listen: [tcp/80, tcp/81, udp/53, udp/54]}
- {name: c, namespace: n, labels: {app: c}, addresses: [10.7.3.1, "fd07::3:1"], listen: [tcp/80, tcp/81, udp/53, udp/54]}
outside:
- {name: w, addresses: [198.51.100.7, "2001:db8::7"], listen: [tcp/80, udp/53]}
`

// tiersUp runs the pods above with the real agent.
func tiersUp(t *testing.T) (*lab.Lab, *client.Client) {
	t.Helper()
	needRoot(t)
	t.Setenv("ACLIUM_MAIN", "1") // what the lab runs is this test binary
	spec, err := lab.Parse("lab.yaml", []byte(tiers))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := lab.Options{Dir: filepath.Join(dir, "labs")}
	l, err := lab.Up(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := lab.Down(spec.Name, o); err != nil {
			t.Error(err)
		}
	})
	return l, dial(t, l)
}

func dial(t *testing.T, l *lab.Lab) *client.Client {
	t.Helper()
	c, err := client.Dial(l.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func put(t *testing.T, c *client.Client, policies []policy.Policy) {
	t.Helper()
	d, err := c.Desired(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.Policies = policies
	if _, err := c.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}

// differences ends the tap and compares what it saw with the counters.
func differences(t *testing.T, l *lab.Lab, c *client.Client, tap *lab.Tap, policies []policy.Policy) []lab.Difference {
	t.Helper()
	if err := tap.Settle(500*time.Millisecond, time.Minute); err != nil {
		t.Error(err)
	}
	sightings, err := tap.Close()
	if err != nil {
		t.Fatal(err)
	}
	counters, err := c.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := lab.Compare(lab.Replay(l.Spec(), policies, sightings), counters)
	for i := range rows {
		if !rows[i].Equal() {
			t.Errorf("%v", &rows[i])
		}
	}
	return rows
}

// Random lists stand on real pods, real sockets talk, and every counter of the
// kernel is what policy.Gate makes of the packets that the tap saw.
func TestCountersAreWhatPodsSent(t *testing.T) {
	l, c := tiersUp(t)
	random := rand.New(rand.NewPCG(1, 2))
	outcomes, hit := map[lab.Outcome]int{}, 0
	for range 6 {
		policies := randomPolicies(random)
		put(t, c, policies)
		tap, err := l.Tap()
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			attempt := randomAttempt(random, l.Spec())
			outcome, err := l.Try(&attempt, 30*time.Millisecond)
			if err != nil {
				t.Fatalf("%v: %v", &attempt, err)
			}
			outcomes[outcome]++
		}
		for _, row := range differences(t, l, c, tap, policies) {
			if row.Expected.Packets > 0 {
				hit++
			}
		}
	}
	if outcomes[lab.Answered] < 20 || outcomes[lab.Silent] < 20 || hit < 30 {
		t.Errorf("attempts ended as %v, %d lines were hit: nothing was tested", outcomes, hit)
	}
}

// An agent that is killed leaves its lists in force and its counters running,
// and the next one takes both over: nothing that the pods sent goes uncounted.
func TestCountersOutliveTheAgent(t *testing.T) {
	l, c := tiersUp(t)
	web := policy.ServiceOf(policy.Bytes(policy.TCP))
	web.DestinationPorts = policy.Ranges{{First: 80, Last: 80}}
	policies := []policy.Policy{{
		ACL: "WEB", Direction: policy.Ingress, Family: policy.Dual, Stateful: true,
		Subject: policy.Subject{Name: "workload b", Selectors: []policy.Selector{apps("b")}},
		Rules: []policy.Rule{{
			ID: policy.RuleID{ACL: "WEB", Seq: 10}, Text: "permit tcp any any eq www", Action: policy.Permit,
			Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{web}},
		}},
	}}
	put(t, c, policies)
	tap, err := l.Tap()
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := lab.ParseAttempts("", []byte("a tcp/80 10.7.2.1 answered\na tcp/81 10.7.2.1 silent\na tcp/80 fd07::2:1 answered\na ping fd07::2:1 silent"), l.Spec())
	if err != nil {
		t.Fatal(err)
	}
	tryAll(t, l, attempts, "before the kill")
	status, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(status.Agent.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	tryAll(t, l, attempts, "without an agent")
	if err := l.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	tryAll(t, l, attempts, "with the next agent")
	for _, row := range differences(t, l, dial(t, l), tap, policies) {
		if row.Expected.Packets < 6 {
			t.Errorf("%v: every line was to be hit", &row)
		}
	}
}

func tryAll(t *testing.T, l *lab.Lab, attempts []lab.Attempt, when string) {
	t.Helper()
	for i := range attempts {
		if got, err := l.Try(&attempts[i], 300*time.Millisecond); got != attempts[i].Want || err != nil {
			t.Errorf("%s: %v: %v, %v, want %v", when, &attempts[i], got, err, attempts[i].Want)
		}
	}
}

func randomAttempt(r *rand.Rand, s *lab.Spec) lab.Attempt {
	from := []string{"a", "b", "c", "w"}[r.IntN(4)]
	to := s.Pods[r.IntN(len(s.Pods))].Addresses[r.IntN(2)]
	how := []string{"tcp/80", "tcp/81", "tcp/82", "udp/53", "udp/54", "udp/55", "ping"}[r.IntN(7)]
	return lab.Attempt{From: from, How: how, To: to}
}

// randomPolicies puts a list on some pods, directions and families.
func randomPolicies(r *rand.Rand) []policy.Policy {
	var policies []policy.Policy
	for _, app := range []string{"a", "b", "c"} {
		for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
			for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
				if r.IntN(3) > 0 {
					policies = append(policies, randomList(r, app, d, f))
				}
			}
		}
	}
	return policies
}

func randomList(r *rand.Rand, app string, d policy.Direction, f policy.Family) policy.Policy {
	p := policy.Policy{
		ACL: fmt.Sprintf("%s-%s-%s", app, d, f), Direction: d, Family: f, Stateful: true,
		Subject: policy.Subject{Name: "workload " + app, Selectors: []policy.Selector{apps(app)}},
	}
	for i := range 1 + r.IntN(6) {
		rule := policy.Rule{
			ID: policy.RuleID{ACL: p.ACL, Seq: uint32(i+1) * 10}, Text: fmt.Sprintf("line %d", i),
			Action: []policy.Action{policy.Permit, policy.Permit, policy.Deny}[r.IntN(3)],
			Match:  policy.Match{Source: randomPeers(r), Destination: randomPeers(r), Services: []policy.Service{randomService(r)}},
		}
		if r.IntN(4) == 0 { // an implicit permit
			rule.ID.Seq, rule.Action, rule.Uncounted = 0, policy.Permit, true
		}
		p.Rules = append(p.Rules, rule)
	}
	return p
}

func apps(names ...string) policy.Selector {
	return policy.Selector{{Key: "app", Op: policy.In, Values: names}}
}

func randomPeers(r *rand.Rand) policy.Peers {
	switch r.IntN(6) {
	case 0:
		return policy.Peers{Selectors: []policy.Selector{apps([]string{"a", "b", "c"}[r.IntN(3)])}}
	case 1:
		prefix := []string{"10.7.0.0/16", "10.7.2.0/23", "fd07::/32", "fd07::2:0/112", "198.51.100.0/24"}[r.IntN(5)]
		return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix(prefix))}}
	case 2:
		return policy.Peers{Entities: []policy.Entity{[]policy.Entity{policy.World, policy.Cluster}[r.IntN(2)]}}
	}
	return policy.Everybody()
}

func randomService(r *rand.Rand) policy.Service {
	protocol := []uint8{policy.TCP, policy.TCP, policy.UDP, policy.ICMP, policy.ICMPv6}[r.IntN(5)]
	s := policy.ServiceOf(policy.Bytes(protocol))
	switch {
	case r.IntN(4) == 0:
		return policy.AnyService()
	case policy.HasPorts(protocol) && r.IntN(2) == 0:
		first := []uint16{53, 54, 80, 81}[r.IntN(4)]
		s.DestinationPorts = policy.Ranges{{First: first, Last: first + uint16(r.IntN(3))}}
	case protocol == policy.TCP && r.IntN(4) == 0:
		s.Flags = policy.BytesWhere(func(f uint8) bool { return f&policy.ACK != 0 })
	}
	return s
}
