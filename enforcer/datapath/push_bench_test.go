package datapath

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// BenchmarkPush changes one line of a list in turn. It reports the time from
// the call to the flip, of which compiling is a part, to where nothing is judged
// by the old list any more, and to the return.
func BenchmarkPush(b *testing.B) {
	for _, lines := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			d := openForBenchmark(b)
			list := ruleset.New(ruleset.Own, lines, policy.IPv4, 1)
			states := []State{nodeState(list), nodeState(withOneLineChanged(list))}
			var flips, lives, returns, compiles []time.Duration
			for i := 0; b.Loop() || i < 5; i++ {
				start := time.Now()
				p, err := d.prepare(&states[i%2])
				compiled := time.Since(start)
				if err == nil {
					err = d.install(p)
				}
				flip := time.Since(start)
				if err == nil {
					err = d.finish(p, start)
				}
				if err != nil {
					b.Fatal(err)
				}
				if i > 1 {
					compiles, flips, lives, returns = append(compiles, compiled), append(flips, flip), append(lives, d.live), append(returns, time.Since(start))
				}
			}
			report(b, compiles, "ms-prepared")
			report(b, flips, "ms-flip")
			report(b, lives, "ms-live")
			report(b, returns, "ms-return")
			start := time.Now()
			if _, err := d.Counters(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(start).Seconds()*1000, "ms-counters")
		})
	}
}

// report gives the median.
func report(b *testing.B, times []time.Duration, unit string) {
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1000, unit)
}

func openForBenchmark(b *testing.B) *Datapath {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	pins := filepath.Join(bpffs, fmt.Sprintf("aclium-bench-%d", os.Getpid()))
	d, err := Open(Options{PinPath: pins, Node: "node"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		d.Close()
		if err := Remove(pins); err != nil {
			b.Error(err)
		}
	})
	return d
}

// nodeState puts a list on the loopback device.
func nodeState(lists ...*policy.Policy) State {
	port := Port{Interface: "lo"}
	for _, p := range lists {
		q := *p
		q.Direction = policy.Ingress
		q.Subject = policy.Subject{Name: "interface lo", Interface: "lo"}
		port.Ingress = append(port.Ingress, q)
	}
	return State{Ports: []Port{port}}
}

// withOneLineChanged gives the list with another line in its middle.
func withOneLineChanged(p *policy.Policy) *policy.Policy {
	q := *p
	q.Rules = slices.Clone(p.Rules)
	r := &q.Rules[len(q.Rules)/2]
	r.Text = "permit tcp any any eq 4711"
	r.Action = policy.Permit
	s := policy.ServiceOf(policy.Bytes(policy.TCP))
	s.DestinationPorts = policy.NewRanges(policy.Range{First: 4711, Last: 4711})
	r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{s}}
	return &q
}
