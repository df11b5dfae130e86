package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/datapath"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// changeRounds is how many times more rounds there are than in the other parts:
// a change takes milliseconds, of which anything else on the machine takes some.
const changeRounds = 5

// changeSizes are the lists of which one line is changed.
var changeSizes = []int{10000, 100000}

// changes measures how long a new state takes: compiling it from nothing, and
// the way of one changed line into the kernel.
func (b *bench) changes() error {
	for _, n := range changeSizes {
		if n > b.sizes[len(b.sizes)-1] {
			continue
		}
		for _, shape := range ruleset.Shapes() {
			if err := b.changeOf(shape, n); err != nil {
				return fmt.Errorf("%s, %d rules: %w", shape, n, err)
			}
		}
	}
	return nil
}

func (b *bench) changeOf(shape ruleset.Shape, n int) (err error) {
	b.say("change: %s, %d rules", shape, n)
	list := ruleset.New(shape, n, policy.IPv4, seed)
	at := labels{Part: "change", Shape: string(shape), Rules: n, Unit: "ms"}
	if err := b.timeCompile(at, list); err != nil {
		return err
	}
	s, err := newStage("change", 3*n, "w0")
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, s.close()) }()
	before, err := mapMemory(s.pins)
	if err != nil {
		return err
	}
	started := time.Now()
	if err := s.put([]*policy.Policy{list}); err != nil {
		return err
	}
	b.add(at.of("first load"), milliseconds(started))
	if err := b.addMemory(at, s, before); err != nil {
		return err
	}
	return b.timeChanges(at, s)
}

// timeChanges changes one line again and again, until enough changes were not
// disturbed or it has been tried often: while the host gives a processor to
// others, nothing of what is measured runs on it. Where it hardly leaves the
// machine alone, all changes count.
func (b *bench) timeChanges(at labels, s *stage) error {
	var all, own []float64
	want, then := changeRounds*b.rounds, readTicks()
	for tries := 0; tries < 3*want && len(own) < want; tries++ {
		l := &s.state.Ports[0].Ingress[0]
		l.Rules = changeLine(l.Rules)
		runtime.GC() // as the agent does when pushes rest
		before, started := readTicks(), time.Now()
		if err := s.Apply(s.state); err != nil {
			return err
		}
		b.add(at.of("one line, to the return"), milliseconds(started))
		live := float64(s.Live().Microseconds()) / 1000
		if all = append(all, live); readTicks().stolen == before.stolen {
			own = append(own, live)
		}
	}
	if len(own) < b.rounds {
		own = all
	}
	for _, v := range all {
		b.add(at.of("one line, disturbed or not"), v)
	}
	for _, v := range own {
		b.add(at.of("one line"), v)
	}
	at.Unit = "%"
	b.add(at.of("taken by others"), readTicks().since(then))
	return nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// changeLine gives the rules with another action on the line in the middle,
// which makes it another line. The rules given are left alone.
func changeLine(rules []policy.Rule) []policy.Rule {
	out := slices.Clone(rules)
	r := &out[len(out)/2]
	old := r.Action
	r.Action = policy.Permit + policy.Deny - old
	r.Text = r.Action.String() + strings.TrimPrefix(r.Text, old.String())
	return out
}

func (b *bench) timeCompile(at labels, list *policy.Policy) error {
	for range b.rounds {
		started := time.Now()
		if _, err := datapath.Compile(list, nil, func(line int) uint32 { return uint32(line + 2) }); err != nil {
			return err
		}
		b.add(at.of("compile"), milliseconds(started))
	}
	return nil
}

// addMemory adds what the kernel keeps: all maps that are pinned and, in maps
// of maps, all that are in them; and how much of that came with the list.
func (b *bench) addMemory(at labels, s *stage, before uint64) error {
	after, err := mapMemory(s.pins)
	if err != nil {
		return err
	}
	at.Unit = "MiB"
	b.add(at.of("maps"), float64(after)/(1<<20))
	b.add(at.of("maps of the list"), float64(after-before)/(1<<20))
	return nil
}

// mapMemory sums up what the maps below a pin path take, bytes.
func mapMemory(pins string) (sum uint64, err error) {
	found := 0
	err = filepath.WalkDir(pins, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		m, err := ebpf.LoadPinnedMap(path, nil)
		if err != nil {
			return nil // a link or a program
		}
		defer m.Close()
		n, err := memoryOf(m)
		sum += n
		found++
		return err
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("no map is pinned below %s", pins)
	}
	return sum, err
}

func memoryOf(m *ebpf.Map) (uint64, error) {
	info, err := m.Info()
	if err != nil {
		return 0, fmt.Errorf("look at a map: %w", err)
	}
	sum, _ := info.Memlock()
	if m.Type() != ebpf.ArrayOfMaps && m.Type() != ebpf.HashOfMaps {
		return sum, nil
	}
	var key []byte
	var inner ebpf.MapID
	all := m.Iterate()
	for all.Next(&key, &inner) {
		i, err := ebpf.NewMapFromID(inner)
		if err != nil {
			return 0, fmt.Errorf("open an inner map: %w", err)
		}
		n, err := memoryOf(i)
		i.Close()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	if err := all.Err(); err != nil {
		return 0, fmt.Errorf("read a map of maps: %w", err)
	}
	return sum, nil
}
