package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func newShell(t *testing.T, m *memory) (*Shell, *strings.Builder) {
	t.Helper()
	out := &strings.Builder{}
	s, err := New(context.Background(), options(m, out))
	if err != nil {
		t.Fatal(err)
	}
	s.privileged = true
	return s, out
}

func run(t *testing.T, s *Shell, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := s.Run(context.Background(), line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// An empty list permits everything. A list that is typed again must never be
// in force before its block is left, however the block before it was left.
func TestNoListIsInForceWhileItIsTyped(t *testing.T) {
	m := &memory{}
	s, _ := newShell(t, m)
	run(t, s, "configure terminal",
		"object-group network BACKEND", "workload label app=backend",
		"interface workload BACKEND", "ip access-group WEB out",
		"ip access-list extended OTHER", "permit udp any any",
		"ip access-list extended WEB", "permit tcp any any eq 80", "deny ip any any",
		"ip access-list extended OTHER", "permit tcp any any",
		"interface workload BACKEND", "description done", "end")
	for i, text := range m.applied {
		_, after, found := strings.Cut(text, "ip access-list extended WEB\n")
		if found && !strings.HasPrefix(strings.TrimLeft(after, " 10"), "permit tcp any any eq www\n") {
			t.Errorf("apply %d has WEB half typed:\n%s", i+1, text)
		}
		if found && !strings.Contains(after, "deny") {
			t.Errorf("apply %d has WEB without its last line:\n%s", i+1, text)
		}
	}
	if n := len(m.applied); n != 6 {
		t.Errorf("%d applies, want one for each of the 6 blocks", n)
	}
	if !strings.Contains(m.source, "description done") || !strings.Contains(m.source, "permit tcp any any\n") {
		t.Errorf("in force at the end:\n%s", m.source)
	}
}

func TestGlobalLinesAreAppliedAtTheEndOnly(t *testing.T) {
	m := &memory{}
	s, _ := newShell(t, m)
	run(t, s, "configure terminal", "access-list 101 deny tcp any any eq 23", "access-list 101 permit ip any any")
	if len(m.applied) != 0 {
		t.Errorf("applied while it was typed:\n%s", m.applied[0])
	}
	run(t, s, "end", "configure terminal", "end", "configure terminal", "exit")
	if len(m.applied) != 1 {
		t.Errorf("%d applies, want 1: nothing was typed after the first", len(m.applied))
	}
}

// Two people configure at once: both changes are in force.
func TestConflictingChangesAreMerged(t *testing.T) {
	m := &memory{}
	s, out := newShell(t, m)
	run(t, s, "configure terminal", "ip access-list extended MINE", "permit ip any any")
	m.before = func(m *memory) {
		m.source += "ip access-list extended THEIRS\n 10 permit udp any any\n"
		m.revision++
	}
	run(t, s, "exit", "ip access-list extended MORE", "deny ip any any", "end")
	for _, want := range []string{"MINE", "THEIRS", "MORE"} {
		if !strings.Contains(m.source, "extended "+want) {
			t.Errorf("%s is not in force:\n%s\nscreen:\n%s", want, m.source, out)
		}
	}
}

func TestConflictWhileABlockFallsThrough(t *testing.T) {
	m := &memory{}
	s, out := newShell(t, m)
	run(t, s, "configure terminal", "ip access-list extended MINE", "permit ip any any")
	m.before = func(m *memory) {
		m.source += "ip access-list extended THEIRS\n 10 permit udp any any\n"
		m.revision++
	}
	run(t, s, "ip access-list extended MORE", "deny ip any any")
	if got := s.Prompt(); got != "R1(config-ext-nacl)#" {
		t.Errorf("prompt %s after the merge", got)
	}
	if strings.Contains(m.source, "MORE") {
		t.Errorf("MORE is in force while it is typed:\n%s", m.source)
	}
	run(t, s, "end")
	for _, want := range []string{"MINE", "THEIRS", "MORE\n 10 deny"} {
		if !strings.Contains(m.source, "extended "+want) {
			t.Errorf("%s is not in force:\n%s\nscreen:\n%s", want, m.source, out)
		}
	}
}

func TestRefusedCandidateIsKeptAndApplied(t *testing.T) {
	m := &memory{refuse: errors.New("no room")}
	s, out := newShell(t, m)
	run(t, s, "configure terminal", "ip access-list extended WEB", "permit ip any any", "end")
	if !strings.Contains(out.String(), "%Error: no room\n") || m.source != "" {
		t.Fatalf("in force %q, screen:\n%s", m.source, out)
	}
	run(t, s, "write memory")
	if strings.Contains(out.String(), "[OK]") {
		t.Error("write memory says OK though lines are not in force")
	}
	m.refuse = nil
	run(t, s, "configure terminal", "end", "write memory")
	if !strings.Contains(m.source, "WEB") || !strings.Contains(out.String(), "[OK]") {
		t.Errorf("in force %q, screen:\n%s", m.source, out)
	}
}

func TestRunningConfigPastesBack(t *testing.T) {
	m := &memory{}
	s, out := newShell(t, m)
	run(t, s, "configure terminal", "hostname R7", "object-group network BACKEND", "workload namespace prod label app=backend",
		"ip access-list extended WEB", "remark first", "permit tcp any host 10.0.0.1 range 80 90 log", "deny ip any any", "interface workload BACKEND",
		"ip access-group WEB out", "zone security A", "end")
	out.Reset()
	run(t, s, "show running-config")
	text := out.String()
	heading := "Building configuration...\n\nCurrent configuration : "
	body, ok := strings.CutPrefix(text, heading)
	if !ok || !strings.HasSuffix(text, "!\nend\n\n") {
		t.Fatalf("not IOS's frame:\n%s", text)
	}
	count, body, _ := strings.Cut(body, " bytes\n")
	if want := fmt.Sprint(len(body) - 1); count != want {
		t.Errorf("%s bytes are announced, %s follow", count, want)
	}
	again := &memory{}
	s2, out2 := newShell(t, again)
	run(t, s2, "configure terminal")
	for line := range strings.Lines(body) {
		run(t, s2, strings.TrimSuffix(line, "\n"))
	}
	if again.source != m.source || strings.Contains(out2.String(), "%") {
		t.Errorf("pasted back:\n%s\nwant:\n%s\nscreen:\n%s", again.source, m.source, out2)
	}
}

func TestHostIsCutInConfigurationModeOnly(t *testing.T) {
	m := &memory{source: "hostname distribution-switch-of-floor-3\n", revision: 1}
	s, _ := newShell(t, m)
	if got := s.Prompt(); got != "distribution-switch-of-floor-3#" {
		t.Error(got)
	}
	run(t, s, "configure terminal")
	if got := s.Prompt(); got != "distribution-switch-(config)#" {
		t.Error(got)
	}
}

// A node that goes away is said on every line that needs it, and the session
// goes on.
func TestNodeGoesAway(t *testing.T) {
	m := &memory{source: "access-list 5 permit any\n", revision: 1}
	s, out := newShell(t, m)
	m.gone = errors.New("no enforcer")
	run(t, s, "show access-lists", "configure terminal", "show running-config")
	if got := strings.Count(out.String(), "%Error: no enforcer\n"); got != 3 || s.Prompt() != "R1#" {
		t.Errorf("said %d times, want 3; screen:\n%s", got, out)
	}
	m.gone = nil
	out.Reset()
	run(t, s, "show access-lists")
	if want := "Standard IP access list 5\n    10 permit any\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}
