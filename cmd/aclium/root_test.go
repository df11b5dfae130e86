package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func runWith(t *testing.T, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(append([]string{"/usr/bin/aclium"}, args...), strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

func TestTroubleIsSaidOnceOnStderr(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"version", "--nonsense"}, {"version", "more"}, {"version", "-o", "xml"}} {
		status, out, errOut := runWith(t, args...)
		if status != statusTrouble || out != "" {
			t.Errorf("%q: status %d, stdout %q, want 2 and nothing", args, status, out)
		}
		if !strings.HasPrefix(errOut, "aclium: ") || strings.Count(errOut, "\n") > 3 {
			t.Errorf("%q: stderr %q", args, errOut)
		}
	}
}

func TestFindingsEndWithOneAndNoWord(t *testing.T) {
	var errOut bytes.Buffer
	c := &cobra.Command{RunE: func(*cobra.Command, []string) error { return errFindings }, SilenceErrors: true, SilenceUsage: true}
	c.SetArgs(nil)
	if status := statusOf(c.Execute(), &errOut); status != statusFindings || errOut.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, errOut.String())
	}
}

func TestVersionIsOneLineOrJSON(t *testing.T) {
	status, out, _ := runWith(t, "version")
	if status != statusClean || !strings.HasPrefix(out, "aclium ") || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d, %q", status, out)
	}
	_, out, _ = runWith(t, "version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Version == "" {
		t.Errorf("%q: %v", out, err)
	}
}

func TestKubectlPluginCallsItselfSo(t *testing.T) {
	if got := displayName("kubectl-acl"); got != "kubectl acl" {
		t.Errorf("got %q", got)
	}
	if got := displayName("aclium"); got != "aclium" {
		t.Errorf("got %q", got)
	}
}

func TestCompletionIsThere(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, out, _ := runWith(t, "completion", shell); status != statusClean || len(out) < 100 {
			t.Errorf("%s: status %d, %d bytes", shell, status, len(out))
		}
	}
}
