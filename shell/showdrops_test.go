package shell

import (
	"context"
	"errors"
	"strings"
	"testing"

	"aclium/translate/policy"
)

// node is an agent that answers what it is told.
type node struct {
	drops    []Drop
	state    AgentState
	services []Service
	names    []LearnedName
	policers []policy.PoliceCounter
	entries  []policy.Reflected
}

func (n *node) Services(context.Context) ([]Service, error) { return n.services, nil }

func (n *node) Names(context.Context) ([]LearnedName, error) { return n.names, nil }

func (n *node) Policers(context.Context) ([]policy.PoliceCounter, error) { return n.policers, nil }

func (n *node) Reflected(context.Context) ([]policy.Reflected, error) { return n.entries, nil }

func (n *node) Drops(context.Context) ([]Drop, error) { return n.drops, nil }

func (n *node) State(context.Context) (AgentState, error) { return n.state, nil }

// screenOf gives the screen of one command.
func screenOf(t *testing.T, m *memory, n *node, lines ...string) string {
	t.Helper()
	var out strings.Builder
	o := options(m, &out)
	o.Agent, o.Privileged = n, true
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := s.Run(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestShowDropsNamesLinesAndReasons(t *testing.T) {
	counter := func(seq uint32, a policy.Action, text string, n uint64) policy.Counter {
		return policy.Counter{RuleID: policy.RuleID{ACL: "WEB", Seq: seq}, Action: a, Text: text, Direction: policy.Ingress, Subject: "workload BACKEND", Node: "n1", Packets: n, Bytes: 60 * n}
	}
	m := &memory{counters: []policy.Counter{
		counter(0, policy.Deny, "", 2), counter(10, policy.Permit, "permit tcp any any", 99), counter(20, policy.Deny, "deny tcp any any eq telnet", 12), counter(30, policy.Deny, "deny udp any any", 0),
	}}
	n := &node{drops: []Drop{{"fragment", 0, 0}, {"spoofed", 3, 180}}}
	want := `access list WEB: 20 deny tcp any any eq telnet
    workload BACKEND out on n1: 12 packets, 720 bytes
access list WEB: implicit deny
    workload BACKEND out on n1: 2 packets, 120 bytes
-------------------------------------------------------------------------
Global Drop Stats                         Packets                  Octets
-------------------------------------------------------------------------
fragment                                        0                       0
spoofed                                         3                     180
  spoofed: the source address is not the pod's own
`
	if got := screenOf(t, m, n, "show drops"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := screenOf(t, m, n, "show drops | json"); !strings.Contains(got, `"reason": "spoofed"`) || !strings.Contains(got, `"seq": 20`) {
		t.Errorf("json:\n%s", got)
	}
	if got := screenOf(t, m, n, "show drops | include spoofed "); strings.Count(got, "\n") != 1 {
		t.Errorf("filtered:\n%s", got)
	}
}

// Whoever reads counters is told that nothing is dropped, or not as written.
func TestAuditIsLoud(t *testing.T) {
	m := &memory{source: "access-list 1 deny any\n", revision: 1}
	for _, command := range []string{"show access-lists", "show ip access-lists", "show drops", "show version", "show policy-map type inspect zone-pair"} {
		if got := screenOf(t, m, &node{}, command); strings.Contains(got, "AUDIT") || strings.Contains(got, "NOT ENFORCED") {
			t.Errorf("%s without audit:\n%s", command, got)
		}
		if got := screenOf(t, m, &node{state: AgentState{Audit: true}}, command); !strings.Contains(got, "% AUDIT MODE: nothing is dropped") {
			t.Errorf("%s in audit mode:\n%s", command, got)
		}
		if got := screenOf(t, m, &node{state: AgentState{Error: "a\nb"}}, command); !strings.Contains(got, "% NOT ENFORCED: a; b\n") {
			t.Errorf("%s with a fault:\n%s", command, got)
		}
	}
}

// What a change leaves undone is told once, and the change is the running
// configuration all the same.
func TestUnfinishedChangeIsInForce(t *testing.T) {
	m := &memory{revision: 1, left: Unfinished{errors.New("the change is in force, but\nsomething is left")}}
	n := &node{state: AgentState{Unfinished: "something\nis left"}}
	for _, typed := range [][]string{
		{"configure terminal", "access-list 1 deny any", "end"},
		{"configure terminal", "access-list 2 deny any", "end"},
	} {
		if got := screenOf(t, m, n, typed...); !strings.Contains(got, "% The change is in force, but; something is left\n") || strings.Contains(got, "unchanged") {
			t.Errorf("%s:\n%s", typed[1], got)
		}
	}
	if got := screenOf(t, m, n, "show access-lists"); m.revision != 3 || !strings.Contains(got, "% NOT FINISHED: something; is left\n") || !strings.Contains(got, "access list 2") {
		t.Errorf("revision %d:\n%s", m.revision, got)
	}
}

// Programs before the lists are told with every view of counters, a few by name.
func TestProgramsAheadAreLoud(t *testing.T) {
	n := &node{state: AgentState{Ahead: []string{"a", "b", "c", "d", "e"}}}
	got := screenOf(t, &memory{source: "access-list 1 deny any\n", revision: 1}, n, "show access-lists")
	for _, want := range []string{"% PACKETS MAY PASS UNSEEN: a\n", "UNSEEN: c\n", "UNSEEN: 2 programs more"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
