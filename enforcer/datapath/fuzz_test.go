package datapath

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

var (
	fuzzFrames = flag.Int("frames", 200_000, "how many frames TestFuzzedFrames runs")
	fuzzSeed   = flag.Uint64("frames-seed", 1, "the first scenario of TestFuzzedFrames")
)

// framesEach is how many frames meet the lists of one scenario, changeEvery
// when the lists are changed under them, and batch how many are run before the
// counters are compared.
const (
	framesEach  = 4000
	changeEvery = 1000
	batch       = 500
)

// TestFuzzedFrames holds the kernel programs against the reference of the
// whole packet path, which begins with the frame's bytes (package wire) and
// ends with the walk of the lists: random lists of every kind of field on a
// node's interface or a pod's port, and frames made for their lines, whole and
// broken. Both must agree on the verdict, on what was counted where, and on
// why a packet was dropped.
func TestFuzzedFrames(t *testing.T) {
	k := newKernel(t)
	began, told := time.Now(), time.Now()
	total := &fuzzTally{}
	for seed := *fuzzSeed; total.run < *fuzzFrames; seed++ {
		runScenario(k, seed, batch, total)
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%d frames in %v, %v\n", total.run, time.Since(began).Round(time.Second), total)
		}
	}
	t.Logf("%d frames in %v, %v", total.run, time.Since(began).Round(time.Second), total)
	total.check(t)
}

// fuzzTally is what a run saw.
type fuzzTally struct {
	run, refused          int // by the kernel, before any program
	wellFormed, permitted int
	malformed, nonIP      int
	reasons               map[string]int
}

func (f *fuzzTally) String() string {
	return fmt.Sprintf("%d well-formed, of which %d permitted, %d malformed, %d not IP, %d not run; %v",
		f.wellFormed, f.permitted, f.malformed, f.nonIP, f.refused, f.reasons)
}

func (f *fuzzTally) check(t *testing.T) {
	if 10*f.permitted < 3*f.wellFormed {
		t.Errorf("%d of %d well-formed frames permitted, want 30%%", f.permitted, f.wellFormed)
	}
	if 10*f.malformed < f.run || 4*f.wellFormed < f.run {
		t.Errorf("%d of %d frames malformed and %d well-formed, so the test sees too little", f.malformed, f.run, f.wellFormed)
	}
}

func (f *fuzzTally) add(v *ruling) {
	f.run++
	switch v.kind {
	case wire.IP:
		f.wellFormed++
		if v.accept {
			f.permitted++
		}
	case wire.Malformed:
		f.malformed++
	default:
		f.nonIP++
	}
	if f.reasons == nil {
		f.reasons = map[string]int{}
	}
	f.reasons[v.why]++
}

// A scenario is one device with its lists, and the referee of its packets.
type scenario struct {
	*kernel
	port   *port
	aim    *aim
	judge  referee
	seed   uint64
	runner *runner
	flags  bpf.AcliumHookFlags
	want   expected
	drops  map[bpf.AcliumDropReason]uint64
	before map[bpf.AcliumDropReason]uint64
	trace  []string
}

// runScenario runs the frames of one seed. Where the counters of a batch are
// wrong it runs them again one by one, to name the frame.
func runScenario(k *kernel, seed uint64, each int, total *fuzzTally) {
	k.Helper()
	s := newScenario(k, seed)
	for i := range framesEach {
		if i%changeEvery == 0 {
			s.change(i)
		}
		s.step(i, total)
		if i%each != each-1 && i != framesEach-1 {
			continue
		}
		if wrong := s.compare(); wrong != "" {
			if each > 1 {
				runScenario(k, seed, 1, &fuzzTally{})
			}
			k.Fatalf("seed %d, frame %d: %s\n%s", seed, i, wrong, s.trace)
		}
	}
}

func newScenario(k *kernel, seed uint64) *scenario {
	s := &scenario{kernel: k, port: newPort(seed), seed: seed, runner: newRunner(), want: expected{},
		drops: map[bpf.AcliumDropReason]uint64{}, before: map[bpf.AcliumDropReason]uint64{}}
	empty(k, k.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(k, k.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	for addr, id := range s.port.owners {
		ifindex := uint32(0)
		if s.port.own(addr) {
			ifindex = loopback
		}
		k.place(addr, id.ID, ifindex)
	}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	if seed%2 == 0 {
		s.flags = bpf.AcliumHookFlagsHOOK_POD | pick(s.port.world, []bpf.AcliumHookFlags{0, 0, bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT})
	}
	s.judge = referee{pod: s.flags != 0, end: s.port.end, counted: map[policy.RuleID]counterOf{}, gate: policy.NewGate(nil, nil, s.port.own)}
	for r := range bpf.AcliumDropReasonDROP_REASONS {
		s.before[r] = k.dropped(r)
	}
	return s
}

// change puts other lists on the device.
func (s *scenario) change(generation int) {
	ingress, egress := s.port.lists(policy.Ingress, generation, s.flags), s.port.lists(policy.Egress, generation, s.flags)
	if len(ingress)+len(egress) == 0 {
		ingress = append(ingress, s.port.list(fmt.Sprint("only", generation), policy.Ingress, policy.Dual, 20))
		ingress[0].Subject.AllowSpoofed = s.flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED != 0
		ingress[0].Subject.NoHostPermit = s.flags&bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT != 0
	}
	for _, l := range slices.Concat(ingress, egress) {
		enrich(s.port.world, l)
	}
	s.judge.replace(ingress, egress)
	s.bind(s.port.ids, s.flags, ingress, egress)
	var addrs []netip.Addr
	addrs = append(append(addrs, s.port.addrs4...), s.port.addrs6...)
	smith := &smith{Rand: rand.New(rand.NewPCG(s.seed, uint64(generation)))}
	s.aim = newAim(smith, s.judge.lists, addrs, s.port.end)
}

// enrich lets some lines look at what only a node's lists look at, as far as
// the kernel carries it out.
func enrich(w *world, l *policy.Policy) {
	for i := range l.Rules {
		m := &l.Rules[i].Match
		if w.one(6) {
			m.TrafficClass = someBytes(w)
		}
		if l.Rules[i].BeyondNode() != "" {
			m.TrafficClass = nil
		}
		if w.one(6) {
			m.HopLimit = someBytes(w)
		}
		if l.Rules[i].BeyondNode() != "" {
			m.HopLimit = nil
		}
		for j := range m.Services {
			if l.Rules[i].BeyondNode() != "" {
				m.Services[j].Protocols[0] &^= 1 << policy.IGMP
			}
		}
	}
}

// someBytes gives a range of bytes, or those with a bit.
func someBytes(w *world) *policy.ByteSet {
	first, span, bit := uint8(w.IntN(256)), uint8(w.IntN(200)), uint8(1)<<w.IntN(8)
	set := policy.BytesWhere(func(v uint8) bool { return v-first <= span })
	if w.one(2) {
		set = policy.BytesWhere(func(v uint8) bool { return v&bit != 0 })
	}
	return &set
}

// step runs one frame and notes what the referee says about it.
func (s *scenario) step(i int, total *fuzzTally) {
	s.Helper()
	d, p := s.aim.next()
	if s.judge.pod && !s.aim.one(8) {
		s.atPort(d, &p)
	}
	frame := s.aim.frame(&p)
	if s.aim.one(2) {
		frame = s.aim.spoil()
	}
	frame = frame[:min(len(frame), maxFrame)]
	segments := 1
	if s.aim.one(32) {
		segments = 2 + s.aim.IntN(4)
	}
	s.runner.ctx.IngressIfindex, s.runner.ctx.GSOSegs, s.runner.ctx.GSOSize = 7, 0, 0
	local := s.aim.one(4)
	if local {
		s.runner.ctx.IngressIfindex = 0
	}
	if segments > 1 {
		s.runner.ctx.GSOSegs, s.runner.ctx.GSOSize = uint32(segments), 100
	}
	program := s.programOf(d)
	if !s.judge.pod {
		program = s.programOf(d.Opposite())
	}
	got, err := s.runner.verdict(program, frame)
	if errors.Is(err, errNotRun) {
		total.refused++
		return
	}
	s.must(err)
	v := s.judge.judge(d, frame, segments, local)
	total.add(&v)
	if verdict := map[bool]int{true: permit, false: drop}[v.accept]; got != verdict {
		s.Fatalf("seed %d, frame %d, %v, %d segments, local %v: got %d, the reference says %d: %v\n%x", s.seed, i, d, segments, local, got, verdict, v, frame)
	}
	s.expect(&v)
	s.trace = append(s.trace[:0], fmt.Sprintf("%v, %d segments, local %v, %v\n%x\n", d, segments, local, v, frame))
	if v.kind == wire.IP {
		s.aim.note(d, &v.packet)
	}
}

// atPort makes the packet one of the pod's.
func (s *scenario) atPort(d policy.Direction, p *policy.Packet) {
	own := s.port.pods[p.Family()][0]
	if d == policy.Egress {
		p.Source.Addr = own
	} else {
		p.Destination.Addr = own
	}
}

func (s *scenario) expect(v *ruling) {
	for _, line := range v.lines {
		c := s.want[line]
		c.packets, c.bytes = c.packets+uint64(v.segments), c.bytes+uint64(v.bytes)
		s.want[line] = c
	}
	if v.drop != 0 {
		s.drops[v.drop] += uint64(v.segments)
	}
}

// compare says which counters are not as the referee has it; empty when all
// are.
func (s *scenario) compare() (wrong string) {
	s.Helper()
	for name, id := range s.kernel.lines {
		packets, bytes := s.count(s.CounterMap, id)
		if want := s.want[name]; packets != want.packets || bytes != want.bytes {
			wrong += fmt.Sprintf("%s line %d: counted %d packets, %d bytes; want %d, %d\n", name.acl, name.line, packets, bytes, want.packets, want.bytes)
		}
	}
	for r := range bpf.AcliumDropReasonDROP_REASONS {
		if n := s.dropped(r) - s.before[r]; n != s.drops[r] {
			wrong += fmt.Sprintf("drops of reason %d: counted %d, want %d\n", r, n, s.drops[r])
		}
	}
	return wrong
}
