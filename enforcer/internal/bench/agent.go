package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"aclium/enforcer/client"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// agentSizes are the lists that the agent is given.
var agentSizes = []int{10000, 100000}

// agents measures the whole agent, beside which the product's command must
// lie: how long it takes to enforce one changed line that comes through its
// socket, and what it keeps in memory then.
func (b *bench) agents() error {
	for _, n := range agentSizes {
		if n > b.sizes[len(b.sizes)-1] {
			continue
		}
		if err := b.agentOf(n); err != nil {
			return fmt.Errorf("%d rules: %w", n, err)
		}
	}
	return nil
}

// agent is a running agent with a directory of its own.
type agent struct {
	*client.Client
	process *exec.Cmd
	binary  string
	args    []string
}

func (b *bench) startAgent(dir string) (a *agent, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own command: %w", err)
	}
	socket := filepath.Join(dir, "socket")
	a = &agent{binary: filepath.Join(filepath.Dir(self), "aclium")}
	a.args = []string{"enforcer", "--socket", socket, "--state", filepath.Join(dir, "state"), "--pin", filepath.Join(pinsOf(os.Getpid()), "agent")}
	a.process = exec.Command(a.binary, a.args...)
	a.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.process.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	for range 200 {
		if a.Client, err = client.Dial(socket); err == nil {
			if _, err = a.Health(context.Background()); err == nil {
				return a, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, firstOf(fmt.Errorf("the agent does not answer: %w", err), a.stop())
}

// stop ends the agent and takes everything off that it enforced.
func (a *agent) stop() error {
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the agent: %w", err)
	}
	if err := a.process.Wait(); err != nil {
		return fmt.Errorf("wait for the agent: %w", err)
	}
	if out, err := exec.Command(a.binary, append(a.args, "--remove")...).CombinedOutput(); err != nil {
		return fmt.Errorf("take off what the agent enforced: %w: %s", err, out)
	}
	return nil
}

// resident gives the agent's memory, MiB.
func (a *agent) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the agent's status: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kilobytes float64
			_, err := fmt.Sscan(rest, &kilobytes)
			return kilobytes / 1024, err
		}
	}
	return 0, fmt.Errorf("the agent's status has no VmRSS")
}

func (b *bench) agentOf(n int) (err error) {
	b.say("agent: %d rules", n)
	dir, err := os.MkdirTemp("", "aclium-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := addPair("eth0", "peth0"); err != nil {
		return err
	}
	defer func() { err = firstOf(err, removeDevice("eth0")) }()
	a, err := b.startAgent(dir)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, a.stop()) }()
	return b.timeAgent(a, *ruleset.New(ruleset.Own, n, policy.IPv4, seed))
}

func (b *bench) timeAgent(a *agent, list policy.Policy) error {
	ctx := context.Background()
	at := labels{Part: "agent", Shape: string(ruleset.Own), Rules: len(list.Rules), Unit: "ms"}
	put := func(metric string) error {
		desired, err := a.Desired(ctx)
		if err != nil {
			return err
		}
		desired.Policies = []policy.Policy{list}
		started := time.Now()
		if _, err := a.Put(ctx, desired); err != nil {
			return err
		}
		b.add(at.of(metric), milliseconds(started))
		return nil
	}
	if err := put("first load"); err != nil {
		return err
	}
	for range min(b.rounds, 5) {
		list.Rules = changeLine(list.Rules)
		if err := put("one line"); err != nil {
			return err
		}
	}
	time.Sleep(5 * time.Second) // what the pushes took and nothing holds is given back
	resident, err := a.resident()
	if err != nil {
		return err
	}
	at.Unit = "MiB"
	b.add(at.of("resident"), resident)
	return nil
}

func removeDevice(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err != nil {
		return fmt.Errorf("remove device %s: %w", name, err)
	}
	return nil
}
