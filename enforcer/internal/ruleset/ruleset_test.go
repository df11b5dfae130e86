package ruleset

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"aclium/translate/policy"
)

var everyShape = append(Shapes(), Exact, Disjoint)

func TestListsHaveTheirSizeAndDifferentRules(t *testing.T) {
	for _, shape := range everyShape {
		for _, n := range []int{10, 100, 3000} {
			for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
				p := New(shape, n, f, 1)
				if len(p.Rules) != n {
					t.Errorf("%s %d %s: %d rules", shape, n, f, len(p.Rules))
				}
				if err := p.Validate(); err != nil {
					t.Errorf("%s %d %s: %v", shape, n, f, err)
				}
				texts, matches := map[string]bool{}, map[string]bool{}
				for i := range p.Rules {
					texts[p.Rules[i].Text] = true
					matches[fmt.Sprint(p.Rules[i].Match)] = true
				}
				if len(texts) != n || len(matches) != n {
					t.Errorf("%s %d %s: %d texts and %d matches", shape, n, f, len(texts), len(matches))
				}
			}
		}
	}
}

func TestTheSeedDecidesEverything(t *testing.T) {
	for _, shape := range everyShape {
		one, same, other := New(shape, 300, policy.IPv4, 7), New(shape, 300, policy.IPv4, 7), New(shape, 300, policy.IPv4, 8)
		if !reflect.DeepEqual(one, same) || reflect.DeepEqual(one, other) {
			t.Errorf("%s: the list does not depend on the seed alone", shape)
		}
		if !reflect.DeepEqual(Flows(one, 10, 50, 3), Flows(same, 10, 50, 3)) {
			t.Errorf("%s: the traffic does not depend on the seed alone", shape)
		}
	}
}

// The generator judges its lists with a walk that leaves rules out. It must
// say what the contract says, for every shape, family and kind of packet.
func TestWalkAgreesWithEval(t *testing.T) {
	for _, shape := range everyShape {
		for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
			p := New(shape, 400, f, 3)
			skipAhead(p)
			w := NewWalk(p)
			packets := Random(p, 3000, 4)
			for i := range packets {
				if i%16 == 0 {
					packets[i].Fragment = policy.Later
				}
				action, line := p.Eval(&packets[i])
				if a, l := w.Eval(&packets[i]); a != action || l != line {
					t.Fatalf("%s %s: %+v: the walk says %v at %d, Eval %v at %d", shape, f, packets[i], a, l, action, line)
				}
			}
		}
	}
}

// skipAhead makes some denies leave a stretch of the list, as class-maps do.
func skipAhead(p *policy.Policy) {
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Action == policy.Deny && i%3 == 0 {
			r.Action, r.Goto = policy.Next, min(i+40, len(p.Rules))
		}
	}
}

// Rules that can never decide are few, and those that a single earlier rule
// covers fewer still; nearly a third of the traffic is permitted.
func TestRulesDecidePackets(t *testing.T) {
	for _, shape := range everyShape {
		const n = 1000
		p := New(shape, n, policy.IPv4, 5)
		w := NewWalk(p)
		hit := map[int]bool{}
		for i := range p.Rules {
			for _, packet := range insideOne(&p.Rules[i], 50) {
				if !p.Rules[i].Matches(&packet) {
					t.Fatalf("%s: %+v is not inside %s", shape, packet, p.Rules[i].Text)
				}
				_, line := w.Eval(&packet)
				hit[line] = true
			}
		}
		delete(hit, policy.Implicit)
		if share := float64(n-len(hit)) / n; share > 0.08 {
			t.Errorf("%s: %.1f%% of the rules decide nothing", shape, 100*share)
		}
		permitted := 0
		packets := Random(p, 8000, 6)
		for i := range packets {
			if a, _ := w.Eval(&packets[i]); a == policy.Permit {
				permitted++
			}
		}
		if permitted < 8000/4 || permitted > 8000*3/4 {
			t.Errorf("%s: %d of 8000 packets permitted", shape, permitted)
		}
		t.Logf("%s: %d of %d rules decide, %d of 8000 packets permitted", shape, len(hit), n, permitted)
	}
}

func insideOne(r *policy.Rule, n int) []policy.Packet {
	return Inside(&policy.Policy{Family: policy.IPv4, Rules: []policy.Rule{*r}}, n, 9)
}

// The shapes are told apart by what ClassBench's authors found in the lists
// that they stand for.
func TestShapesHaveTheirStatistics(t *testing.T) {
	share := func(shape Shape, what func(*policy.Match) bool) float64 {
		p := New(shape, 5000, policy.IPv4, 11)
		n := 0
		for i := range p.Rules {
			if what(&p.Rules[i].Match) {
				n++
			}
		}
		return float64(n) / float64(len(p.Rules))
	}
	open := func(m *policy.Match) bool { return m.Source.Any || m.Destination.Any }
	tcp := func(m *policy.Match) bool { return m.Services[0].Protocols == policy.Bytes(policy.TCP) }
	from := func(m *policy.Match) bool { return !m.Services[0].SourcePorts.All() }
	for _, c := range []struct {
		name       string
		shape      Shape
		low, high  float64
		proportion func(*policy.Match) bool
	}{
		{"one end open", ACL1, 0.05, 0.2, open}, {"one end open", FW1, 0.45, 0.65, open}, {"one end open", IPC1, 0.1, 0.3, open},
		{"TCP", ACL1, 0.75, 0.9, tcp}, {"TCP", FW1, 0.5, 0.65, tcp}, {"TCP", IPC1, 0.4, 0.55, tcp},
		{"source ports", ACL1, 0, 0, from}, {"source ports", FW1, 0.1, 0.3, from}, {"source ports", IPC1, 0.1, 0.3, from},
	} {
		if got := share(c.shape, c.proportion); got < c.low || got > c.high {
			t.Errorf("%s: %s in %.2f of the rules, want %.2f to %.2f", c.shape, c.name, got, c.low, c.high)
		}
	}
}

func TestDisjointRulesAreDisjoint(t *testing.T) {
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		var ranges []policy.AddrRange
		for _, r := range New(Disjoint, 3000, f, 2).Rules {
			ranges = append(ranges, r.Match.Destination.Addresses[0])
		}
		slices.SortFunc(ranges, func(a, b policy.AddrRange) int { return a.First.Compare(b.First) })
		for i := 1; i < len(ranges); i++ {
			if ranges[i-1].Last.Compare(ranges[i].First) >= 0 {
				t.Fatalf("%v and %v overlap", ranges[i-1], ranges[i])
			}
		}
	}
}

// RFC 1071: with its checksum in place an IPv4 header sums up to all ones.
func TestFramesAreWhole(t *testing.T) {
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		p := New(FW1, 50, f, 2)
		for _, packet := range Random(p, 500, 3) {
			b := Frame(&packet)
			if len(b) != FrameLength {
				t.Fatalf("%d bytes", len(b))
			}
			if f == policy.IPv6 {
				if int(binary.BigEndian.Uint16(b[18:])) != len(b)-54 {
					t.Fatal("wrong payload length")
				}
				continue
			}
			sum := uint32(0)
			for i := 14; i < 34; i += 2 {
				sum += uint32(binary.BigEndian.Uint16(b[i:]))
			}
			if sum>>16+sum&0xffff != 0xffff || int(binary.BigEndian.Uint16(b[16:])) != len(b)-14 {
				t.Fatalf("bad header % x", b[14:34])
			}
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, shape := range everyShape {
		b.Run(string(shape), func(b *testing.B) {
			for b.Loop() {
				New(shape, 100_000, policy.IPv4, 1)
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	for _, shape := range Shapes() {
		p := New(shape, 100_000, policy.IPv4, 1)
		w, packets, i := NewWalk(p), Random(p, 4096, 2), 0
		b.Run(string(shape), func(b *testing.B) {
			for b.Loop() {
				w.Eval(&packets[i%len(packets)])
				i++
			}
		})
	}
}

// A seed gives the same list whatever was made before.
func TestListsDependOnTheirSeedAlone(t *testing.T) {
	before := map[Shape]*policy.Policy{}
	for range 2 {
		for _, shape := range everyShape {
			p := New(shape, 1000, policy.IPv4, 5)
			if before[shape] != nil && !reflect.DeepEqual(before[shape], p) {
				t.Errorf("%s: another list than before", shape)
			}
			before[shape] = p
		}
	}
}
