package classifier

import (
	"fmt"
	"os"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Workspaces go back to the system, after an error as well.
func TestWorkspacesAreGivenBack(t *testing.T) {
	good, bad := ruleset.New(ruleset.ACL1, longList, policy.IPv4, 1), ruleset.New(ruleset.ACL1, longList, policy.IPv4, 1)
	bad.Rules[longList-1].Match.Time = &policy.Schedule{Name: "T", Periods: []policy.Period{{Days: 127, From: 60, Span: 1}}}
	refuse := func(*policy.Schedule) (uint8, error) { return 0, fmt.Errorf("no window") }
	compile := func(n int) {
		for range n {
			if _, err := Compile(good, nil, Numbers{Counter: byLine}); err != nil {
				t.Fatal(err)
			}
			if _, err := Compile(bad, nil, Numbers{Counter: byLine, Window: refuse}); err == nil {
				t.Fatal("a line without a window was compiled")
			}
		}
	}
	compile(5)
	before := addressSpace(t)
	compile(100) // 200 workspaces of 3.5 MiB
	if grown := addressSpace(t) - before; grown > 256<<20 {
		t.Errorf("the address space has grown by %d MiB", grown>>20)
	}
}

// addressSpace gives the bytes that this process has mapped.
func addressSpace(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
