package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const onePod = "name: one\npods: [{name: a, addresses: [10.0.0.1]}]\n"

// Trouble with a lab is one message on stderr, status 2, and nothing made.
func TestLabTrouble(t *testing.T) {
	good, dir := writeFile(t, "lab.yaml", onePod), filepath.Join(t.TempDir(), "labs")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no such file", []string{"up", "nosuch.yaml"}},
		{"is a directory", []string{"up", t.TempDir()}},
		{":1:1: the file is empty", []string{"up", writeFile(t, "empty.yaml", "")}},
		{":1:7: \"A\" is not a name", []string{"up", writeFile(t, "bad.yaml", strings.Replace(onePod, "one", "A", 1))}},
		{"accepts 1 arg", []string{"up"}},
		{"lab one is not up", []string{"status", good}},
		{"lab one is not up", []string{"status", "one"}},
		{"lab one is not up", []string{"exec", "one", "a", "--", "true"}},
		{"before the --", []string{"exec", "one", "--", "a", "true"}},
		{"requires at least 3", []string{"exec", "one", "a"}},
		{"no name of a lab", []string{"status", "ONE"}},
		{"unknown output", []string{"status", "one", "-o", "xml"}},
		{"the path of the enforcer's socket has", []string{"up", good, "--dir", "/tmp/" + strings.Repeat("x", 120)}},
	} {
		status, out, errOut := runWith(t, append([]string{"lab", "--dir", dir}, c.args...)...)
		if status != statusTrouble || out != "" || !strings.HasPrefix(errOut, "aclium: ") || !strings.Contains(errOut, c.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q, want %q", c.args, status, out, errOut, c.want)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Errorf("%s was made", dir)
	}
}

func TestLabDownOfNothingIsClean(t *testing.T) {
	status, out, errOut := runWith(t, "lab", "--dir", t.TempDir(), "down", "one")
	if status != statusClean || out != "" || !strings.Contains(errOut, "was not up") {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
}

// TestLabNeedsRoot runs the command as nobody, from a copy that nobody may run.
func TestLabNeedsRoot(t *testing.T) {
	dir, err := os.MkdirTemp("", "aclium-lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, file := filepath.Join(dir, "aclium"), filepath.Join(dir, "lab.yaml")
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(program, text, 0o755), os.WriteFile(file, []byte(onePod), 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "lab", "up", file)
	c.Args[0], c.Dir, c.Env = "aclium", dir, append(os.Environ(), "ACLIUM_MAIN=1")
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, _ := c.CombinedOutput()
	if status := c.ProcessState.ExitCode(); status != statusTrouble || !strings.Contains(string(out), "needs root") {
		t.Errorf("status %d, %q", status, out)
	}
}
