package main

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// pods measures a pod's port, where connections are tracked: the first packet
// of a connection that nobody knows, and the packets of one that is open.
func (b *bench) pods() (err error) {
	s, err := newStage("pods", 2*b.total(), b.deviceNames("q")...)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, s.close()) }()
	lists := b.lists(ruleset.Own)
	for _, l := range lists {
		l.Stateful = true
		l.Subject = policy.Subject{Name: "workload " + l.ACL, Selectors: []policy.Selector{nil}}
	}
	b.say("pods: loading")
	if err := s.put(lists); err != nil {
		return err
	}
	program, err := s.program()
	if err != nil {
		return err
	}
	defer program.Close()
	t, err := newTrace("tc_egress", program)
	if err != nil {
		return err
	}
	defer t.close()
	maps, err := mapsOf(program)
	if err != nil {
		return err
	}
	connections := maps["conn_map"]
	if connections == nil {
		return errors.New("the program has no conn_map")
	}
	fresh, open, err := b.podTimings(s, lists)
	if err != nil {
		return err
	}
	for round := range b.rounds {
		b.say("pods: round %d of %d", round+1, b.rounds)
		for i := range lists {
			if err := b.timeConnections(t, connections, &fresh[i], 1); err != nil {
				return err
			}
			if err := b.timeConnections(t, connections, &open[i], 2); err != nil {
				return err
			}
		}
	}
	return nil
}

// podTimings gives, for each list, a trace of first packets and one of open
// connections.
func (b *bench) podTimings(s *stage, lists []*policy.Policy) (fresh, open []timing, err error) {
	for i, list := range lists {
		at := labels{Part: "pods", Shape: string(ruleset.Own), Rules: b.sizes[i], Unit: "ns/packet"}
		index, err := indexOf(s.devices[i])
		if err != nil {
			return nil, nil, err
		}
		first := opening(list, traceLength)
		some := make([]policy.Packet, traceLength)
		for j := range some {
			some[j] = first[j%flows]
		}
		for _, m := range []struct {
			traffic string
			packets []policy.Packet
			into    *[]timing
		}{{"new connections", first, &fresh}, {"open connections", some, &open}} {
			at.Traffic = m.traffic
			packed, err := pack(m.packets)
			if err != nil {
				return nil, nil, err
			}
			*m.into = append(*m.into, timing{at, packed, index})
		}
	}
	return fresh, open, nil
}

// opening gives different packets that open a permitted connection of TCP.
func opening(list *policy.Policy, n int) (out []policy.Packet) {
	walk := ruleset.NewWalk(list)
	for round := uint64(0); len(out) < n; round++ {
		for _, p := range ruleset.Inside(list, n, seed+round) {
			p.Protocol, p.ICMPType, p.ICMPCode, p.Flags = policy.TCP, 0, 0, policy.SYN
			p.SourcePort = uint16(1024 + len(out)%60000)
			if a, _ := walk.Eval(&p); a == policy.Permit && len(out) < n {
				out = append(out, p)
			}
		}
	}
	return out
}

// timeConnections forgets all connections and takes the time of the last of
// some runs of the trace.
func (b *bench) timeConnections(t *trace, connections *ebpf.Map, m *timing, runs int) error {
	if err := forget(connections); err != nil {
		return err
	}
	if err := t.write(m.packed); err != nil {
		return err
	}
	return alone(func() error {
		frame := likeFrame()
		var took, taking float64
		for range runs {
			_, d, err := testRun(t.filter, frame, m.ifindex, traceLength)
			if err != nil {
				return err
			}
			took = float64(d.Nanoseconds())
		}
		for range 2 {
			_, d, err := testRun(t.taking, frame, m.ifindex, traceLength)
			if err != nil {
				return err
			}
			taking = float64(d.Nanoseconds())
		}
		b.add(m.labels.of("net"), took-taking)
		return nil
	})
}

// forget empties the map of connections.
func forget(m *ebpf.Map) error {
	const atOnce = 8192
	keys, values := make([]bpf.AcliumConnKey, atOnce), make([]bpf.AcliumConn, atOnce)
	var cursor ebpf.MapBatchCursor
	for {
		_, err := m.BatchLookupAndDelete(&cursor, keys, values, nil)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("forget connections: %w", err)
		}
	}
}
