package main

import (
	"bytes"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// needLab skips an example whose lab cannot run here, and takes the lab away
// behind it.
func needLab(t *testing.T, commands string) {
	t.Helper()
	found := regexp.MustCompile(`(?m)^aclium lab down (\S+)$`).FindStringSubmatch(commands)
	if found == nil {
		if strings.Contains(commands, "\naclium lab ") {
			t.Fatal("an example that runs a lab ends with aclium lab down NAME")
		}
		return
	}
	needRoot(t)
	spec, err := readLab("lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("nft"); err != nil && len(spec.Services) > 0 {
		t.Skip("needs the program nft: services are translated on the node")
	}
	if status := program("lab", "status", found[1]); status.Run() == nil {
		t.Skipf("a lab %s is up: the example must not take it down", found[1])
	}
	t.Cleanup(func() {
		if out, err := program("lab", "down", found[1]).CombinedOutput(); err != nil {
			t.Errorf("lab down: %v\n%s", err, out)
		}
	})
}

// alone runs a command line in a process of its own: labs start this program
// as their children.
func alone(t *testing.T, args ...string) (out, errOut string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := program(args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), c.ProcessState.ExitCode()
}

// volatile is what differs from run to run on a screen: times, ports that the
// kernel chose, and how many packets TCP took for the same words.
var volatile = []struct{ what, becomes string }{
	{`\*[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d\.\d{3}`, "*TIME"},
	{`\(time left \d+\)`, "(time left N)"},
	{`\b(eq )?(3[2-9]|[45]\d|6[0-5])\d{3}\b`, "${1}PORT"},
	{`(?m)^(.* permit tcp .*|.*evaluate .*)\(\d+ matches\)`, "${1}(N matches)"},
}

// settled takes what is volatile off a screen. Entries of reflexive lists
// stand in the order of their ports, and TCP's goes away soon after it is done.
func settled(screen string) string {
	for _, v := range volatile {
		screen = regexp.MustCompile(v.what).ReplaceAllString(screen, v.becomes)
	}
	return screen
}

func TestVolatileIsTakenOff(t *testing.T) {
	const a = `*Nov 21 19:28:19.619: %SEC-6-IPACCESSLOGP: list A denied udp 10.1.30.5(56287) -> 198.51.100.7(69), 1 packet
    10 permit tcp any any eq www (5 matches)
     permit udp host 198.51.100.7 eq domain host 10.1.30.5 eq 32796 (1 match) (time left 54)
`
	const b = `*Dec  1 09:08:19.000: %SEC-6-IPACCESSLOGP: list A denied udp 10.1.30.5(32768) -> 198.51.100.7(69), 1 packet
    10 permit tcp any any eq www (6 matches)
     permit udp host 198.51.100.7 eq domain host 10.1.30.5 eq 60999 (1 match) (time left 9)
`
	if settled(a) != settled(b) {
		t.Errorf("%s\ndiffers from\n%s", settled(a), settled(b))
	}
	for _, other := range []string{
		strings.Replace(a, "(69)", "(70)", 1), strings.Replace(a, "(1 match)", "(2 matches)", 1), strings.Replace(a, "1 packet", "2 packets", 1), strings.Replace(a, "denied", "permitted", 1),
	} {
		if settled(other) == settled(a) {
			t.Errorf("not told from another:\n%s", other)
		}
	}
}
