package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aclium/enforcer/lab"
)

const clientServer = `
name: real
pods:
- {name: client, labels: {app: client}, addresses: [10.6.1.1]}
- {name: server, labels: {app: server}, addresses: [10.6.1.2], listen: [tcp/80]}
`

// labIn runs the lab command of the real program on labs of its own.
func labIn(t *testing.T) func(args ...string) (int, string) {
	t.Helper()
	needRoot(t)
	base, err := os.MkdirTemp("/tmp", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir := filepath.Join(base, "labs")
	return func(args ...string) (int, string) {
		c := program(append([]string{"lab", "--dir", dir}, args...)...)
		out, _ := c.CombinedOutput()
		return c.ProcessState.ExitCode(), string(out)
	}
}

func TestLabFromUpToDown(t *testing.T) {
	run := labIn(t)
	file := writeFile(t, "lab.yaml", clientServer)
	defer run("down", file)
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{0, "default/server  app=server  10.6.1.2   v1-server  tcp/80", []string{"up", file}},
		{2, "lab real is up already", []string{"up", file}},
		{0, "2 pods", []string{"status", file}},
		{0, "from the pod", []string{"exec", "real", "client", "--", "echo", "from the pod"}},
		{7, "", []string{"exec", file, "client", "--", "sh", "-c", "exit 7"}},
		{0, "10.6.1.1", []string{"exec", "real", "client", "--", "cat", "/proc/net/fib_trie"}},
		{2, "has no pod nobody", []string{"exec", "real", "nobody", "--", "true"}},
		{2, "executable file not found", []string{"exec", "real", "client", "--", "no-such-program"}},
		{0, "", []string{"down", file}},
		{0, "was not up", []string{"down", file}},
		{2, "lab real is not up", []string{"status", "real"}},
	} {
		if status, out := run(c.args...); status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("%q: status %d, want %d, and %q in\n%s", c.args, status, c.status, c.want, out)
		}
	}
}

func TestLabStatusFindsADeadAgent(t *testing.T) {
	run := labIn(t)
	file := writeFile(t, "lab.yaml", clientServer)
	defer run("down", file)
	if status, out := run("up", file); status != statusClean {
		t.Fatal(out)
	}
	status, out := run("status", "real", "-o", "json")
	var s lab.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil || status != statusClean || !s.Sound() {
		t.Fatalf("status %d, %v:\n%s", status, err, out)
	}
	agent, err := os.FindProcess(s.Agent.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if status, out = run("status", "real"); status == statusFindings {
			break
		}
	}
	if status != statusFindings || !strings.Contains(out, "does not run") {
		t.Errorf("status %d:\n%s", status, out)
	}
}
