package shell

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"aclium/translate/policy"
)

// logged is an agent that has a log.
type logged struct{ events []policy.Event }

func (l *logged) Events(_ context.Context, f func(policy.Event)) error {
	for _, e := range l.events {
		f(e)
	}
	return nil
}

func (l *logged) Log(context.Context) ([]policy.Event, error) { return l.events, nil }

func (l *logged) add(source string) {
	l.events = append(l.events, policy.Event{
		RuleID: policy.RuleID{ACL: "WEB", Seq: 20}, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Action: policy.Deny, Protocol: policy.TCP,
		Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort("10.0.0.2:80"), Packets: 1, Sequence: uint64(len(l.events) + 1),
	})
}

func TestShowLoggingShowsTheAgentsLog(t *testing.T) {
	var out strings.Builder
	agent := &logged{}
	s, err := New(t.Context(), Options{Out: &out, Applier: &memory{}, Events: agent, Privileged: true})
	if err != nil {
		t.Fatal(err)
	}
	show := func() string {
		out.Reset()
		if err := s.Run(t.Context(), "show logging"); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	agent.add("10.0.0.1:1")
	agent.add("10.0.0.1:2")
	const line1 = "*Jan  2 03:04:05.000: %SEC-6-IPACCESSLOGP: list WEB denied tcp 10.0.0.1(1) -> 10.0.0.2(80), 1 packet\n"
	if got := show(); !strings.Contains(got, line1) || strings.Index(got, "10.0.0.1(1)") > strings.Index(got, "10.0.0.1(2)") {
		t.Errorf("got\n%s\nwant both lines in order", got)
	}
	if err := s.Run(t.Context(), "clear logging"); err != nil {
		t.Fatal(err)
	}
	agent.add("10.0.0.1:3")
	if got := show(); strings.Contains(got, "10.0.0.1(2)") || !strings.Contains(got, "10.0.0.1(3)") || !strings.Contains(got, ", 1 messages logged") {
		t.Errorf("after clear logging:\n%s", got)
	}
	// A new agent counts from 1 again.
	agent.events = nil
	agent.add("10.0.0.1:4")
	if got := show(); !strings.Contains(got, "10.0.0.1(4)") {
		t.Errorf("after a restart:\n%s", got)
	}
}

func TestMonitorShowsLinesOnlyWhenAsked(t *testing.T) {
	agent := &logged{}
	agent.add("10.0.0.1:1")
	s, err := New(t.Context(), Options{Out: &strings.Builder{}, Applier: &memory{}, Events: agent, Privileged: true})
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	watch := func() {
		if err := s.Watch(t.Context(), func(line string) { shown = append(shown, line) }); err != nil {
			t.Fatal(err)
		}
	}
	watch()
	if len(shown) != 0 {
		t.Errorf("shown without terminal monitor: %q", shown)
	}
	if err := s.Run(t.Context(), "terminal monitor"); err != nil {
		t.Fatal(err)
	}
	if watch(); len(shown) != 1 || !strings.Contains(shown[0], "%SEC-6-IPACCESSLOGP") {
		t.Errorf("shown: %q", shown)
	}
}
