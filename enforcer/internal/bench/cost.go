package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// seed makes every run of the command measure the same lists and packets.
const seed = 20261121

// flows is how many flows the traffic of few flows has.
const flows = 1000

// traffics are the two kinds of traffic, by name.
var traffics = []struct {
	name string
	make func(p *policy.Policy, n int) []policy.Packet
}{
	{"random", func(p *policy.Policy, n int) []policy.Packet { return ruleset.Random(p, n, seed) }},
	{"flows", func(p *policy.Policy, n int) []policy.Packet { return ruleset.Flows(p, flows, n, seed) }},
}

// costs measures every shape: the sizes of one shape stand on devices of their
// own at the same time and take turns.
func (b *bench) costs() error {
	for _, shape := range ruleset.Shapes() {
		if err := b.costOf(shape); err != nil {
			return fmt.Errorf("%s: %w", shape, err)
		}
	}
	return nil
}

func (b *bench) costOf(shape ruleset.Shape) (err error) {
	lists := b.lists(shape)
	s, err := newStage("cost", 2*b.total(), b.deviceNames("c")...)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, s.close()) }()
	b.say("%s: loading", shape)
	if err := s.put(lists); err != nil {
		return err
	}
	if b.wants("cost") {
		if err := b.timeShape(shape, s, lists); err != nil {
			return err
		}
	}
	if b.wants("check") {
		return b.checkShape(shape, s, lists)
	}
	return nil
}

// lists gives the shape's lists, by size.
func (b *bench) lists(shape ruleset.Shape) (out []*policy.Policy) {
	for _, n := range b.sizes {
		out = append(out, ruleset.New(shape, n, policy.IPv4, seed))
	}
	return out
}

func (b *bench) total() (n int) {
	for _, size := range b.sizes {
		n += size + 1
	}
	return n
}

func (b *bench) deviceNames(prefix string) (out []string) {
	for i := range b.sizes {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// timing is one trace on one device.
type timing struct {
	labels
	packed  []byte
	ifindex int
}

// timeShape measures in rounds: each round takes every timing once, so that
// what disturbs the machine for a while disturbs all of them.
func (b *bench) timeShape(shape ruleset.Shape, s *stage, lists []*policy.Policy) error {
	program, err := s.program()
	if err != nil {
		return err
	}
	defer program.Close()
	t, err := newTrace("tc_ingress", program)
	if err != nil {
		return err
	}
	defer t.close()
	var all []timing
	for i, list := range lists {
		index, err := indexOf(s.devices[i])
		if err != nil {
			return err
		}
		for _, traffic := range traffics {
			packed, err := pack(traffic.make(list, traceLength))
			if err != nil {
				return err
			}
			all = append(all, timing{
				labels: labels{Part: "cost", Shape: string(shape), Rules: b.sizes[i], Traffic: traffic.name, Unit: "ns/packet"},
				packed: packed, ifindex: index,
			})
		}
	}
	for round := range b.rounds {
		b.say("%s: round %d of %d", shape, round+1, b.rounds)
		for i := range all {
			if err := b.timeOne(t, &all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// timeOne runs a trace twice and takes the time of the second run.
func (b *bench) timeOne(t *trace, m *timing) error {
	if err := t.write(m.packed); err != nil {
		return err
	}
	var total sample
	err := alone(func() (err error) {
		total, err = t.measure(m.ifindex)
		return err
	})
	if err != nil {
		return err
	}
	b.add(m.labels.of("total"), total.filter-(total.taking-total.empty))
	b.add(m.labels.of("net"), total.filter-total.taking)
	b.add(labels{Part: "cost", Metric: "empty", Unit: "ns/packet"}, total.empty)
	b.add(labels{Part: "cost", Metric: "taking", Unit: "ns/packet"}, total.taking)
	return nil
}

// sample is the mean time of a packet in each of a trace's programs, ns.
type sample struct{ empty, taking, filter float64 }

func (t *trace) measure(ifindex int) (s sample, err error) {
	frame := likeFrame()
	for _, m := range []struct {
		into    *float64
		program *ebpf.Program
	}{{&s.empty, t.empty}, {&s.taking, t.taking}, {&s.filter, t.filter}} {
		for range 2 {
			_, d, err := testRun(m.program, frame, ifindex, traceLength)
			if err != nil {
				return s, err
			}
			*m.into = float64(d.Nanoseconds())
		}
	}
	return s, nil
}

// alone runs f on one processor, before all that can wait: what else the
// machine does must not be measured. f is to be short.
func alone(f func() error) error {
	return onThread(func() error {
		var cpus, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &cpus); err != nil {
			return fmt.Errorf("read the processors: %w", err)
		}
		for cpu := range 1024 {
			if cpus.IsSet(cpu) {
				one.Zero()
				one.Set(cpu) // the last one: the first has most interrupts
			}
		}
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("stay on a processor: %w", err)
		}
		first := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 10}
		if err := unix.SchedSetAttr(0, first, 0); err != nil {
			return fmt.Errorf("become a real-time thread: %w", err)
		}
		return f()
	})
}
