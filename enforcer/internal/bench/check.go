package main

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// verdicts of the programs.
const (
	passed  = -1 // TC_ACT_UNSPEC: other programs have their turn
	dropped = 2  // TC_ACT_SHOT
)

// checkShape runs packets one by one through the product's own program and
// compares every verdict and every counter with the walk of the lines.
func (b *bench) checkShape(shape ruleset.Shape, s *stage, lists []*policy.Policy) error {
	program, err := s.program()
	if err != nil {
		return err
	}
	defer program.Close()
	for i, list := range lists {
		index, err := indexOf(s.devices[i])
		if err != nil {
			return err
		}
		c := &check{list: list, walk: ruleset.NewWalk(list), program: program, ifindex: index, want: make([]uint64, len(list.Rules)+1)}
		if err := c.run(s, b.packets); err != nil {
			return fmt.Errorf("%d rules: %w", b.sizes[i], err)
		}
		b.say("%s: %d rules: %d packets have the verdict and the counter of the walk, %d permitted", shape, b.sizes[i], b.packets, c.permitted)
		at := labels{Part: "check", Shape: string(shape), Rules: b.sizes[i], Unit: "packets"}
		b.add(at.of("packets"), float64(b.packets))
		b.add(at.of("permitted"), float64(c.permitted))
	}
	return nil
}

// check is the comparison of one list.
type check struct {
	list      *policy.Policy
	walk      *ruleset.Walk
	program   *ebpf.Program
	ifindex   int
	want      []uint64 // packets by line, the implicit one last
	permitted int
}

func (c *check) run(s *stage, n int) error {
	before, err := c.counts(s)
	if err != nil {
		return err
	}
	for done := 0; done < n; done += traceLength {
		packets := ruleset.Random(c.list, min(traceLength, n-done), seed+1+uint64(done))
		if err := c.verdicts(packets); err != nil {
			return err
		}
	}
	after, err := c.counts(s)
	if err != nil {
		return err
	}
	for line, want := range c.want {
		if got := after[line] - before[line]; got != want {
			return fmt.Errorf("line %d counted %d packets, the walk %d", line, got, want)
		}
	}
	return nil
}

// verdicts walks on the other processors while the program runs on this one.
func (c *check) verdicts(packets []policy.Packet) error {
	lines, next := make([]int, len(packets)), atomic.Int64{}
	permits := make([]bool, len(packets))
	var walkers sync.WaitGroup
	for range 2 {
		walkers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(packets); i = int(next.Add(1)) - 1 {
				action, line := c.walk.Eval(&packets[i])
				lines[i], permits[i] = line, action == policy.Permit
			}
		})
	}
	got := make([]int32, len(packets))
	var err error
	for i := range packets {
		if got[i], _, err = testRun(c.program, ruleset.Frame(&packets[i]), c.ifindex, 1); err != nil {
			break
		}
	}
	walkers.Wait()
	for i := 0; i < len(packets) && err == nil; i++ {
		want := int32(dropped)
		if permits[i] {
			want = passed
			c.permitted++
		}
		if got[i] != want {
			err = fmt.Errorf("verdict %d, the walk says %d at line %d: %+v", got[i], want, lines[i], packets[i])
		}
		c.want[(lines[i]+len(c.want))%len(c.want)]++
	}
	return err
}

// counts gives the packets of every line, the implicit one last.
func (c *check) counts(s *stage) ([]uint64, error) {
	all, err := s.Counters()
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(c.want))
	for i := range all {
		if all[i].ACL == c.list.ACL {
			// Sequence numbers are 10, 20 and so on; 0 is the implicit line.
			out[(int(all[i].Seq)/10-1+len(out))%len(out)] += all[i].Packets
		}
	}
	return out, nil
}
