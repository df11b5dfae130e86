package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclium/enforcer/client"
)

// The test binary is the real program when it is told so.
func init() {
	if os.Getenv("ACLIUM_MAIN") == "1" {
		main()
	}
}

// program gives the command that runs the real main.
func program(args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = "aclium"
	c.Env = append(os.Environ(), "ACLIUM_MAIN=1")
	return c
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to load programs into the kernel")
	}
}

// An agent that cannot run says why in one line and ends with 2.
func TestEnforcerSaysWhyItCannotRun(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	l, err := net.Listen("unix", at("live"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(name string) {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("file")
	write("damaged/state.json")
	write("pinned/hook_map")
	for name, c := range map[string]struct {
		args []string
		uid  uint32
		want string
	}{
		"no root":         {[]string{"--state", at("s1"), "--socket", at("a")}, 65534, "root"},
		"no root, remove": {[]string{"--remove", "--pin", at("p")}, 65534, "root"},
		"socket in use":   {[]string{"--state", at("s2"), "--socket", at("live")}, 0, fmt.Sprint("process ", os.Getpid())},
		"live, remove":    {[]string{"--remove", "--socket", at("live"), "--pin", at("p")}, 0, "stop it first"},
		"no socket":       {[]string{"--state", at("s3"), "--socket", at("file")}, 0, "no socket"},
		"state is a file": {[]string{"--state", at("file"), "--socket", at("b")}, 0, "state directory"},
		"state damaged":   {[]string{"--state", at("damaged"), "--socket", at("c")}, 0, "damaged"},
		"state lost":      {[]string{"--state", at("s4"), "--socket", at("d"), "--pin", at("pinned")}, 0, "has no state"},
		"argument":        {[]string{"start"}, 0, "start"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := program(append([]string{"enforcer"}, c.args...)...)
			if c.uid != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
			}
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			_ = cmd.Run()
			text := errOut.String()
			if status := cmd.ProcessState.ExitCode(); status != statusTrouble || out.Len() > 0 {
				t.Errorf("status %d, stdout %q, want 2 and nothing", status, out.String())
			}
			if !strings.HasPrefix(text, "aclium: ") || strings.Count(text, "\n") != 1 || !strings.Contains(text, c.want) {
				t.Errorf("stderr %q, want one line about %q", text, c.want)
			}
		})
	}
}

// agentPlace is where a test's agent keeps its things.
type agentPlace struct {
	dir, pin string
	flags    []string
}

func (p agentPlace) socket() string { return filepath.Join(p.dir, "socket") }

// start runs the real agent in the network namespace of the calling thread and
// waits until it answers, which takes an emulated machine a while.
func (p agentPlace) start(t *testing.T) (*exec.Cmd, *client.Client) {
	t.Helper()
	args := []string{"enforcer", "--socket", p.socket(), "--state", filepath.Join(p.dir, "state"), "--pin", p.pin, "--name", "worker-1"}
	cmd := program(append(args, p.flags...)...)
	log := &bytes.Buffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if c, err := client.Dial(p.socket()); err == nil {
			h, err := c.Health(context.Background())
			if err == nil && h.PID == cmd.Process.Pid {
				t.Cleanup(c.Close)
				return cmd, c
			}
		}
		select {
		case <-ended:
			t.Fatalf("the agent ended: %s", log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent does not answer")
		}
	}
}
