package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aclium/translate/policy"
)

const demoExample = "../../examples/02-three-tier"

// runDemoOn gives the exit status and everything that was said.
func runDemoOn(t *testing.T, dir string) (int, string) {
	t.Helper()
	c := program("demo", dir)
	out, err := c.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

func TestDemo(t *testing.T) {
	needRoot(t)
	status, out := runDemoOn(t, demoExample)
	if status != statusClean || !strings.Contains(out, "every counter is exact") {
		t.Errorf("status %d:\n%s", status, out)
	}
	if _, err := os.Lstat(demoDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", demoDir, err)
	}
	// One expectation is turned around: the demo must say that it is wrong.
	status, out = runDemoOn(t, turnedAround(t))
	if status != statusFindings || !strings.Contains(out, "<-- WRONG") || !strings.Contains(out, "WRONG results: 1") {
		t.Errorf("a wrong expectation: status %d:\n%s", status, out)
	}
}

func TestDemoReadsTheScreen(t *testing.T) {
	got := readScreen(`Extended IP access list FROM
    10 permit tcp any host 10.0.0.1 eq www (25 matches)
    20 deny ip any any log (1 match)
    30 permit ip any any
Standard IP access list 7
    10 permit 10.0.0.0, wildcard bits 0.0.0.255 (3 matches)
IPv6 access list SIX
    permit tcp any any eq www (16 matches) sequence 10
    deny ipv6 any any log sequence 20
`)
	want := map[policy.RuleID]uint64{
		{ACL: "FROM", Seq: 10}: 25, {ACL: "FROM", Seq: 20}: 1, {ACL: "7", Seq: 10}: 3, {ACL: "SIX", Seq: 10}: 16,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// turnedAround copies the example with one attempt, which is answered and
// expected to be silent.
func turnedAround(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demoExample)); err != nil {
		t.Fatal(err)
	}
	text := []byte("frontend tcp/80 10.1.20.5 silent\n")
	if err := os.WriteFile(filepath.Join(dir, "traffic.txt"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
