package datapath

import (
	"errors"
	"flag"
	"fmt"
	"maps"
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

// changes is how often the lists of a scenario are changed under its frames,
// batch how many frames are run before the counters are compared.
const (
	changes = 8
	batch   = 500
)

// framesEach is how many frames meet each list: more in a long run, where
// finding the packets for its lines would take longer than running them.
func framesEach() int {
	if *fuzzFrames > 1_000_000 {
		return 5000
	}
	return 2500
}

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
	lines, reachable      int
	unsure                int // searches for a packet that gave up
	missed                int // frames decided by a line that was called unreachable
	reasons               map[string]int
}

func (f *fuzzTally) String() string {
	return fmt.Sprintf("%d well-formed, of which %d permitted, %d malformed, %d not IP, %d not run; of %d lines %d are reachable and decided one, %d are undecided; %v",
		f.wellFormed, f.permitted, f.malformed, f.nonIP, f.refused, f.lines, f.reachable, f.unsure, f.reasons)
}

func (f *fuzzTally) check(t *testing.T) {
	f.checkShares(t)
	if f.reachable == 0 || 10*f.unsure > f.reachable {
		t.Errorf("of %d lines %d are reachable and %d undecided", f.lines, f.reachable, f.unsure)
	}
	if f.missed > 0 {
		t.Errorf("%d frames were decided by lines that were called unreachable", f.missed)
	}
}

// checkShares wants enough frames of each kind.
func (f *fuzzTally) checkShares(t *testing.T) {
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
	// run gives the kernel's verdict.
	run    func(d policy.Direction, frame []byte, segments int, local bool) (int, error)
	flags  bpf.AcliumHookFlags
	want   expected
	drops  map[bpf.AcliumDropReason]uint64
	before map[bpf.AcliumDropReason]uint64
	// reachable are the lines that decide a packet, by the direction.
	reachable map[policy.Direction]map[counterOf]policy.Packet
	unsure    map[policy.Direction]bool // some may be missing there
	last      func() string             // the last frame and what the referee said
}

// runScenario runs the frames of one seed. Where the counters of a batch are
// wrong it runs them again one by one, to name the frame.
func runScenario(k *kernel, seed uint64, batch int, total *fuzzTally) {
	k.Helper()
	s := newScenario(k, seed)
	for change := range changes {
		if change%2 == 0 {
			s.forget() // before the kernel does, for want of room
		}
		s.change(change)
		s.reachAll(total)
		for i := range framesEach() {
			s.step(total)
			if i%batch != batch-1 && i != framesEach()-1 {
				continue
			}
			if wrong := s.compare(); wrong != "" {
				if batch > 1 {
					runScenario(k, seed, 1, &fuzzTally{})
				}
				k.Fatalf("seed %d, list %d, frame %d: %s\n%s", seed, change, i, wrong, s.last())
			}
		}
	}
}

func newScenario(k *kernel, seed uint64) *scenario {
	s := &scenario{kernel: k, port: newPort(seed), seed: seed, runner: newRunner(), want: expected{},
		reachable: map[policy.Direction]map[counterOf]policy.Packet{}, unsure: map[policy.Direction]bool{},
		drops: map[bpf.AcliumDropReason]uint64{}, before: map[bpf.AcliumDropReason]uint64{}}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	s.run = s.testRun
	if seed%2 == 0 {
		s.flags = bpf.AcliumHookFlagsHOOK_POD | pick(s.port.world, []bpf.AcliumHookFlags{0, 0, bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT})
	}
	if s.flags == 0 {
		s.port.atNode(seed)
	}
	s.judge = referee{pod: s.flags != 0, end: s.port.end, counted: map[policy.RuleID]counterOf{}, gate: policy.NewGate(nil, nil, s.port.own)}
	s.populate()
	for r := range bpf.AcliumDropReasonDROP_REASONS {
		s.before[r] = k.dropped(r)
	}
	return s
}

// atNode gives a node's interface the whole world, not a few peers.
func (p *port) atNode(seed uint64) {
	w := newWorld(seed)
	p.addrs4, p.addrs6, p.ids = w.addrs4, w.addrs6, w.identities
	p.owners = map[netip.Addr]Identity{}
	for addr, id := range w.owners {
		at := slices.IndexFunc(p.ids, func(i Identity) bool { return i.ID == id })
		p.owners[addr] = p.ids[at]
	}
	p.nets = map[netip.Prefix]Identity{
		netip.MustParsePrefix("10.1.0.0/16"): p.ids[4], netip.MustParsePrefix("10.1.2.0/24"): p.ids[5],
		netip.MustParsePrefix("2001:db8:0:1::/64"): p.ids[4], netip.MustParsePrefix("2001:db8:0:1:200::/72"): p.ids[5],
	}
}

// populate tells the kernel who the addresses belong to, and at every other
// scenario which are the pod's by its hook.
func (s *scenario) populate() {
	s.Helper()
	empty(s, s.AddressMap, new(bpf.AcliumIpAddr), nil)
	empty(s, s.IpcacheMap, new(bpf.AcliumIpcacheKey), nil)
	for addr, id := range s.port.owners {
		ifindex := uint32(0)
		if s.port.own(addr) {
			ifindex = loopback
		}
		s.place(addr, id.ID, ifindex)
	}
	for prefix, id := range s.port.nets {
		s.must(s.IpcacheMap.Put(ipcacheKey(prefix), bpf.AcliumIpcacheValue{Identity: id.ID}))
	}
	clear(s.kernel.own[:])
	if s.judge.pod && s.seed%4 == 0 {
		s.kernel.own[0].Bytes = s.port.pods[policy.IPv4][0].As16()
		s.kernel.own[1].Bytes = s.port.pods[policy.IPv6][0].As16()
	}
}

// change puts other lists on the device.
func (s *scenario) change(generation int) {
	ingress, egress := s.draw(policy.Ingress, generation, s.port.IntN(4)), s.draw(policy.Egress, generation, s.port.IntN(4))
	if len(ingress)+len(egress) == 0 {
		ingress = s.draw(policy.Ingress, generation, 1)
	}
	s.judge.replace(ingress, egress)
	s.bind(s.port.ids, s.flags, ingress, egress)
	var addrs []netip.Addr
	addrs = append(append(addrs, s.port.addrs4...), s.port.addrs6...)
	smith := &smith{Rand: rand.New(rand.NewPCG(s.seed, uint64(generation)))}
	s.aim = newAim(smith, s.judge.lists, addrs, s.port.end)
}

// draw gives n lists of a direction, in series.
func (s *scenario) draw(d policy.Direction, generation, n int) (lists []*policy.Policy) {
	w := s.port.world
	longest := 8
	if !s.judge.pod {
		longest = 16
	}
	for i := range n {
		l := w.list(fmt.Sprint(d, i, "-", generation), d, pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual, policy.Dual}), 1+w.IntN(longest))
		l.Subject.AllowSpoofed = s.flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED != 0
		l.Subject.NoHostPermit = s.flags&bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT != 0
		enrich(w, l)
		lists = append(lists, l)
	}
	return lists
}

// enrich leaves few lines empty, makes more of them permits, and lets some look
// at the traffic class and the hop limit.
func enrich(w *world, l *policy.Policy) {
	for i := range l.Rules {
		m := &l.Rules[i].Match
		if len(m.Services) == 0 && !w.one(8) {
			m.Services = append(m.Services, w.service())
		}
		for _, peers := range []*policy.Peers{&m.Source, &m.Destination} {
			peers.Addresses = slices.DeleteFunc(peers.Addresses, func(r policy.AddrRange) bool { return r.First.Is4In6() || r.Last.Is4In6() })
			if peers.Empty() && !w.one(8) {
				*peers = policy.Everybody()
			}
		}
		if w.one(3) && l.Rules[i].Action == policy.Deny {
			l.Rules[i].Action = policy.Permit
		}
		if w.one(10) {
			m.TrafficClass = someBytes(w)
		}
		if w.one(10) {
			m.HopLimit = someBytes(w)
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

// reachAll runs a packet for each line that can decide one, and wants it to.
func (s *scenario) reachAll(total *fuzzTally) {
	s.Helper()
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		lists := s.judge.lists[d]
		if len(lists) == 0 {
			continue
		}
		r := newReach(lists)
		found := map[counterOf]policy.Packet{}
		for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
			maps.Copy(found, r.witnesses(s.question(d, f)))
		}
		for _, l := range lists {
			total.lines += len(l.Rules) + 1
		}
		s.reachable[d], s.unsure[d] = found, r.unsure > 0
		total.reachable, total.unsure = total.reachable+len(found), total.unsure+r.unsure
		for _, l := range lists {
			for i := range len(l.Rules) + 1 {
				line := counterOf{l.ACL, i - 1}
				if p, ok := found[line]; ok && (i == 0 || !l.Rules[i-1].Uncounted) {
					s.meet(d, line, &p, total)
				}
			}
		}
	}
}

// question gives what reaches the lists of a direction.
func (s *scenario) question(d policy.Direction, f policy.Family) *question {
	q := &question{family: f, from: s.aim.addrs[f], to: s.aim.addrs[f], end: s.port.end, admits: func(*policy.Packet) bool { return true }}
	if !s.judge.pod {
		return q
	}
	q.admits = func(p *policy.Packet) bool {
		neighbour := f == policy.IPv6 && p.Protocol == policy.ICMPv6 && p.HopLimit == 255 && (p.ICMPType == 135 || p.ICMPType == 136)
		return p.Fragment != policy.Later && !neighbour
	}
	if d == policy.Egress && s.flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED == 0 {
		q.from = s.port.pods[f]
	}
	return q
}

// meet runs the packet, without any connections of before where it belongs to
// one, and wants the line to count it.
func (s *scenario) meet(d policy.Direction, line counterOf, p *policy.Packet, total *fuzzTally) {
	s.Helper()
	var v ruling
	for try := range 40 {
		if try == 20 {
			s.forget()
		}
		frame := s.aim.frame(p)
		if len(frame) > maxFrame || wire.Decode(frame, 1).Kind != wire.IP {
			continue
		}
		v = s.offer(d, frame, 1, false, total)
		if slices.Contains(v.lines, line) {
			return
		}
	}
	s.Errorf("seed %d: %s line %d does not decide the packet that reaches it: %v", s.seed, line.acl, line.line, v)
}

// forget ends all connections, in the kernel and at the referee.
func (s *scenario) forget() {
	s.Helper()
	empty(s, s.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(s, s.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	s.judge.gate = policy.NewGate(s.judge.lists[policy.Ingress], s.judge.lists[policy.Egress], s.port.own)
}

// step makes one frame and runs it.
func (s *scenario) step(total *fuzzTally) {
	d, p := s.aim.next()
	if s.judge.pod && !s.aim.one(8) {
		s.atPort(d, &p)
	}
	frame := s.aim.frame(&p)
	if s.aim.one(2) && !(s.judge.pod && s.aim.one(2)) {
		frame = s.aim.spoil()
	}
	frame = frame[:min(len(frame), maxFrame)]
	segments := 1
	if s.aim.one(32) {
		segments = 2 + s.aim.IntN(4)
	}
	s.offer(d, frame, segments, s.aim.one(4), total)
}

// offer runs a frame and compares the verdict with the referee's.
func (s *scenario) offer(d policy.Direction, frame []byte, segments int, local bool, total *fuzzTally) (v ruling) {
	got, err := s.run(d, frame, segments, local)
	if errors.Is(err, errNotRun) {
		total.refused++
		return v
	}
	s.must(err)
	v = s.judge.judge(d, frame, segments, local)
	total.add(&v)
	s.expect(&v)
	s.last = func() string {
		return fmt.Sprintf("%v, %d segments, local %v, %v\n%x", d, segments, local, v, frame)
	}
	if verdict := verdictOf(v.accept); got != verdict {
		s.Fatalf("seed %d: got %d, the reference says %d: %s", s.seed, got, verdict, s.last())
	}
	for _, line := range v.lines {
		if _, ok := s.reachable[d][line]; !ok && s.reachable[d] != nil && !s.unsure[d] && v.why == "line" {
			total.missed++
		}
	}
	if v.kind == wire.IP && (v.accept || s.aim.one(8)) {
		s.aim.note(d, &v.packet)
	}
	return v
}

// testRun runs the program that a frame of the direction meets.
func (s *scenario) testRun(d policy.Direction, frame []byte, segments int, local bool) (int, error) {
	ctx := &s.runner.ctx
	ctx.IngressIfindex, ctx.GSOSegs, ctx.GSOSize = 7, 0, 0
	if local {
		ctx.IngressIfindex = 0
	}
	if segments > 1 {
		ctx.GSOSegs, ctx.GSOSize = uint32(segments), 100
	}
	if s.judge.pod {
		return s.runner.verdict(s.programOf(d), frame)
	}
	return s.runner.verdict(s.programOf(d.Opposite()), frame)
}

func verdictOf(accept bool) int {
	if accept {
		return permit
	}
	return drop
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
