package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
)

var update = flag.Bool("update", false, "write what examples print as what is wanted; read the difference")

// noAgent skips a test on a machine whose own agent the shell would configure.
func noAgent(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(client.DefaultSocket); err == nil {
		t.Skipf("an agent listens on %s: the examples must not configure it", client.DefaultSocket)
	}
}

// Every example converts to the objects that stand beside it, and its
// transcript shows what the shell prints.
func TestExamples(t *testing.T) {
	noAgent(t)
	t.Chdir("../../examples")
	t.Setenv("NO_COLOR", "1")
	dirs, err := filepath.Glob("[0-9]*")
	if err != nil || len(dirs) < 3 {
		t.Fatalf("%d examples, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		in := filepath.Join(dir, "in.cfg")
		for file, target := range map[string]string{"policy.yaml": "networkpolicy", "cilium.yaml": "cilium"} {
			objects, report, _ := command("convert", "-t", target, in)
			same(t, filepath.Join(dir, file), objects)
			same(t, filepath.Join(dir, strings.TrimSuffix(file, ".yaml")+".report"), report)
		}
		screen, _, status := command("shell", "-f", in, "-c", "show object-group", "-c", "show access-lists", "-c", "show zone-pair security")
		if status != statusClean {
			t.Errorf("%s: the shell ends with %d", in, status)
		}
		same(t, filepath.Join(dir, "transcript.txt"), screen)
	}
}

// command runs a command line and gives what it prints and its status.
func command(args ...string) (out, errOut string, status int) {
	var stdout, stderr bytes.Buffer
	status = run(append([]string{"aclium"}, args...), strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), status
}

func same(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
