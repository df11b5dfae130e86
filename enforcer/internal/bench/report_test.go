package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// A goal is met at its limit and missed above it, and the worst shape decides.
func TestGoalsNameTheWorst(t *testing.T) {
	b := &bench{sizes: []int{10, 10000}, started: time.Now()}
	for _, shape := range ruleset.Shapes() {
		b.add(costOf(shape, 10, "random", "total"), 100)
		b.add(costOf(shape, 10000, "random", "total"), 150)
	}
	if text := b.goalTable(); !strings.Contains(text, "10000 rules over 10 rules, random | 3.00 x | 1.50 x | met |") {
		t.Errorf("got\n%s", text)
	}
	b.add(costOf(ruleset.FW1, 10000, "flows", "total"), 10) // no other size: no ratio
	b.samples[costOf(ruleset.FW1, 10000, "random", "total")] = []float64{290, 320, 310}
	text := b.goalTable()
	if !strings.Contains(text, "| 3.00 x | 3.10 x | **missed** |") || strings.Contains(text, "flows") {
		t.Errorf("got\n%s", text)
	}
}

// Only what stands between the marks is replaced, and a document without them
// is left alone.
func TestTablesAreReplacedInPlace(t *testing.T) {
	b := &bench{sizes: []int{10}, started: time.Now()}
	file := filepath.Join(t.TempDir(), "doc.md")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("head\n" + tablesBegin + "\nold\n" + tablesEnd + "\ntail\n")
	for range 2 {
		if err := b.writeInto(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "head\n" + tablesBegin + "\n\n" + b.markdown() + "\n" + tablesEnd + "\ntail\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	write("nothing")
	if err := b.writeInto(file); err == nil {
		t.Error("a document without marks was accepted")
	}
}

// Every section's rules are those that a packet to it can match, which the
// contract says by itself.
func TestDissectKeepsWhatADestinationCanMeet(t *testing.T) {
	for _, shape := range []ruleset.Shape{ruleset.ACL1, ruleset.FW1, ruleset.Disjoint} {
		p := ruleset.New(shape, 200, policy.IPv4, 4)
		sections := dissect(p)
		for _, packet := range ruleset.Random(p, 500, 5) {
			in := map[int]bool{}
			for _, s := range sections {
				if s.Has(packet.Destination.Addr) {
					for _, i := range s.rules {
						in[i] = true
					}
				}
			}
			for i := range p.Rules {
				if p.Rules[i].Match.Destination.Has(&packet.Destination) != in[i] {
					t.Fatalf("%s: %s: rule %d, in its section %v", shape, packet.Destination.Addr, i, in[i])
				}
			}
		}
	}
}
