package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const twoPods = `
name: pair
node: {addresses: [10.9.255.1, "fd09::ffff"]}
pods:
- name: client
  namespace: shop
  labels: {app: client}
  addresses: [10.9.1.5, "fd09::1:5"]
- name: server
  namespace: shop
  labels: {app: server}
  addresses: [10.9.2.5, "fd09::2:5", 10.9.2.6]
  listen: [tcp/80, udp/53]
outside:
- name: elsewhere
  addresses: [198.51.100.7]
  listen: [tcp/443]
`

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces are made")
	}
}

func mustParse(t *testing.T, text string) *Spec {
	t.Helper()
	s, err := Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options puts labs into a directory with a short path, as sockets need.
func options(t *testing.T) Options {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return Options{Dir: filepath.Join(dir, "labs")}
}

func up(t *testing.T, text string) (*Lab, Options) {
	t.Helper()
	needRoot(t)
	o := options(t)
	l, err := Up(t.Context(), mustParse(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := Down(l.spec.Name, o); err != nil {
			t.Error(err)
		}
	})
	return l, o
}

func TestPodsReachEachOther(t *testing.T) {
	l, _ := up(t, twoPods)
	for _, from := range []string{"client", "node", "shop/client"} {
		for _, to := range []string{"10.9.2.5", "10.9.2.6", "fd09::2:5"} {
			reach(t, l, from, netip.MustParseAddr(to))
		}
	}
	elsewhere, err := l.Pod("elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := elsewhere.Connect(netip.MustParseAddrPort("10.9.2.5:80"), time.Second); got != Answered || err != nil {
		t.Errorf("from the outside: %v, %v", got, err)
	}
	if got, err := elsewhere.Connect(netip.MustParseAddrPort("[fd09::2:5]:80"), time.Second); got != Unreachable || err != nil {
		t.Errorf("without IPv6: %v, %v, want unreachable", got, err)
	}
}

func reach(t *testing.T, l *Lab, from string, to netip.Addr) {
	t.Helper()
	pod, err := l.Pod(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		want Outcome
		what string
		do   func() (Outcome, error)
	}{
		{Answered, "tcp/80", func() (Outcome, error) { return pod.Connect(netip.AddrPortFrom(to, 80), time.Second) }},
		{Refused, "tcp/81", func() (Outcome, error) { return pod.Connect(netip.AddrPortFrom(to, 81), time.Second) }},
		{Answered, "udp/53", func() (Outcome, error) { return pod.SendUDP(netip.AddrPortFrom(to, 53), time.Second) }},
		{Refused, "udp/54", func() (Outcome, error) { return pod.SendUDP(netip.AddrPortFrom(to, 54), time.Second) }},
		{Answered, "ping", func() (Outcome, error) { return pod.Ping(to, time.Second) }},
	} {
		if got, err := try.do(); got != try.want || err != nil {
			t.Errorf("%s to %s %s: %v, %v, want %v", from, to, try.what, got, err, try.want)
		}
	}
}

// The machine's own network has the same devices and routes while a lab is up.
func TestMachineNetworkIsUntouched(t *testing.T) {
	needRoot(t)
	before := ownNetwork(t)
	_, _ = up(t, twoPods)
	if after := ownNetwork(t); after != before {
		t.Errorf("before:\n%s\nwith a lab:\n%s", before, after)
	}
}

func ownNetwork(t *testing.T) string {
	t.Helper()
	devices, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(devices)
	for _, f := range []string{"/proc/net/route", "/proc/net/ipv6_route", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		b, _ := os.ReadFile(f)
		for line := range strings.Lines(string(b)) {
			if strings.HasSuffix(f, "ipv6_route") {
				line = line[:min(len(line), 110)] // counters follow
			}
			text += line
		}
	}
	return text
}

func TestUpTwiceAndDownTwice(t *testing.T) {
	l, o := up(t, twoPods)
	if _, err := Up(t.Context(), &l.spec, o); err == nil || !strings.Contains(err.Error(), "pair is up already") {
		t.Errorf("a second up: %v", err)
	}
	reach(t, l, "client", netip.MustParseAddr("10.9.2.5"))
	for i, want := range []bool{true, false} {
		if existed, err := Down("pair", o); existed != want || err != nil {
			t.Errorf("down %d: %v, %v", i, existed, err)
		}
	}
	nothingLeft(t, l, o)
	if _, err := Open("pair", o); !errors.Is(err, ErrNotUp) {
		t.Errorf("open after down: %v", err)
	}
}

func nothingLeft(t *testing.T, l *Lab, o Options) {
	t.Helper()
	if _, err := os.Lstat(o.Dir); err == nil {
		t.Errorf("%s is left", o.Dir)
	}
	if mounts, err := mountsBelow(filepath.Dir(o.Dir)); len(mounts) > 0 || err != nil {
		t.Errorf("mounts are left: %q, %v", mounts, err)
	}
	if left := processesOf(t, o.Dir); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// processesOf gives the command lines that speak of the directory or listen
// for a lab of this binary.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		text := strings.ReplaceAll(string(b), "\x00", " ")
		if strings.Contains(text, dir) || strings.HasPrefix(text, self+" lab") {
			found = append(found, text)
		}
	}
	return found
}

// An up that is killed at any moment leaves something that down removes, and
// that the next up clears away.
func TestKilledUpIsClearedAway(t *testing.T) {
	needRoot(t)
	spec := mustParse(t, twoPods)
	halfMade := 0
	for delay := time.Millisecond; delay < 250*time.Millisecond; delay = delay*3/2 + time.Millisecond {
		o := options(t)
		l, err := newLab(spec.Name, o)
		if err != nil {
			t.Fatal(err)
		}
		killUpAfter(t, delay, o)
		if _, err := os.Stat(l.path(specFile)); err != nil {
			halfMade++
		}
		if halfMade%2 == 1 {
			if l, err = Up(t.Context(), spec, o); err == nil {
				reach(t, l, "client", netip.MustParseAddr("10.9.2.5"))
			} else if !strings.Contains(err.Error(), "is up already") {
				t.Errorf("up after %v: %v", delay, err)
			}
		}
		if _, err := Down(spec.Name, o); err != nil {
			t.Errorf("down after %v: %v", delay, err)
		}
		os.Remove(o.Dir)
		nothingLeft(t, l, o)
	}
	if halfMade < 3 {
		t.Errorf("only %d labs were half made: the test kills too late", halfMade)
	}
}

// killUpAfter runs Up in a process of its own and kills it.
func killUpAfter(t *testing.T, delay time.Duration, o Options) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestUpInAProcess$")
	cmd.Env = append(os.Environ(), "ACLIUM_TEST_UP="+o.Dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The clock runs from the moment that Up begins.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(o.Dir); err == nil {
			break
		}
	}
	time.Sleep(delay)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	// Children at the gate find it closed and go.
	time.Sleep(50 * time.Millisecond)
}

func TestUpInAProcess(t *testing.T) {
	dir := os.Getenv("ACLIUM_TEST_UP")
	if dir == "" {
		t.Skip("the other half of TestKilledUpIsClearedAway")
	}
	if _, err := Up(t.Context(), mustParse(t, twoPods), Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
}

func TestFailedUpLeavesNothing(t *testing.T) {
	needRoot(t)
	t.Setenv("ACLIUM_TEST_AGENT", "broken")
	o := options(t)
	spec := mustParse(t, twoPods)
	_, err := Up(t.Context(), spec, o)
	if err == nil || !strings.Contains(err.Error(), "no such kernel") {
		t.Errorf("an agent that cannot start: %v", err)
	}
	l, _ := newLab(spec.Name, o)
	nothingLeft(t, l, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Up(ctx, spec, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled up: %v", err)
	}
	nothingLeft(t, l, o)
}

func TestStatusSeesWhatDied(t *testing.T) {
	_, o := up(t, twoPods)
	l, err := Open("pair", o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Status(t.Context())
	if err != nil || !s.Sound() || s.Agent.Health.PID != s.Agent.PID {
		t.Fatalf("%+v, %v", s, err)
	}
	if s.Hosts[1].PID == 0 || s.Hosts[1].Device != "v1-server" || s.Hosts[0].PID != 0 {
		t.Errorf("%+v", s.Hosts)
	}
	if err := unix.Kill(s.Agent.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := l.stop(l.listener(&l.spec.Pods[1])); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if s, err = l.Status(t.Context()); err != nil || s.Sound() || s.Agent.PID != 0 || s.Agent.Error == "" || s.Hosts[1].PID != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A pid file whose process has ended may name somebody else by today.
func TestForeignProcessIsNotKilled(t *testing.T) {
	l, _ := up(t, twoPods)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	start, err := startTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Appendf(nil, "%d %d\n", cmd.Process.Pid, start-1)
	if err := os.WriteFile(l.path("run", "other"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.stop("other"); err != nil {
		t.Error(err)
	}
	if _, err := startTime(cmd.Process.Pid); err != nil {
		t.Errorf("the foreign process was killed: %v", err)
	}
}

// Of two that make the same lab at once, one does and the other is told so.
func TestOneOfTwoUpsWins(t *testing.T) {
	needRoot(t)
	o, spec := options(t), mustParse(t, twoPods)
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := Up(t.Context(), spec, o)
			errs <- err
		}()
	}
	first, second := <-errs, <-errs
	if (first == nil) == (second == nil) || !strings.Contains(fmt.Sprint(first, second), "is up already") {
		t.Errorf("%v and %v", first, second)
	}
	if _, err := Down(spec.Name, o); err != nil {
		t.Error(err)
	}
	l, _ := newLab(spec.Name, o)
	nothingLeft(t, l, o)
}
