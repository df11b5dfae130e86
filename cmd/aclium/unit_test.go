package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const unitFile = "../../examples/systemd/aclium-enforcer.service"

// settings reads a unit: section and key, with the values in order.
func settings(t *testing.T, text string) map[string][]string {
	t.Helper()
	found, section := map[string][]string{}, ""
	for i, line := range strings.Split(text, "\n") {
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case ok:
			found[section+"/"+key] = append(found[section+"/"+key], value)
		default:
			t.Errorf("line %d is no setting: %q", i+1, line)
		}
	}
	return found
}

// The unit starts the agent with flags that it has, and lets its enforcement
// outlive it.
func TestUnitStartsTheAgent(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	unit := settings(t, string(text))
	words := strings.Fields(strings.Join(unit["Service/ExecStart"], " "))
	if len(words) < 2 || words[1] != "enforcer" {
		t.Fatalf("ExecStart=%q", words)
	}
	c := newEnforcerCommand()
	if err := c.ParseFlags(words[2:]); err != nil {
		t.Error(err)
	}
	if err := c.Args(c, c.Flags().Args()); err != nil {
		t.Error(err)
	}
	for _, kept := range []string{"--socket /run/aclium/", "--state /var/lib/aclium", "--pin /sys/fs/bpf/"} {
		if !strings.Contains(strings.Join(words, " "), kept) {
			t.Errorf("ExecStart lacks %s, which the unit's directories are made for", kept)
		}
	}
	for key, want := range map[string]string{
		"Service/Type": "notify", "Service/Restart": "always", "Service/StateDirectory": "aclium", "Service/RuntimeDirectory": "aclium",
		"Service/NoNewPrivileges": "yes", "Service/ProtectSystem": "strict", "Service/ProtectKernelTunables": "no",
		"Unit/AssertPathIsMountPoint": "/sys/fs/bpf",
	} {
		if !slices.Equal(unit[key], []string{want}) {
			t.Errorf("%s=%q, want %q", key, unit[key], want)
		}
	}
	// With a command at the stop, a restart would take the filters off.
	if unit["Service/ExecStop"] != nil || unit["Service/ExecStopPost"] != nil {
		t.Error("the unit has a command at its stop")
	}
}

// systemd itself reads the unit without a complaint.
func TestUnitIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze")
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "aclium")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "aclium-enforcer.service")
	if err := os.WriteFile(path, regexp.MustCompile(`/usr/local/bin/aclium`).ReplaceAll(text, []byte(program)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
