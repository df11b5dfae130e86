package datapath

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// A stage is what scenarios are played on.
type stage struct {
	*kernel
	devices []uint32 // the first one is the loopback device
	// steered says that the frames carry the time, coarse that it goes in whole
	// seconds.
	steered, coarse bool
}

// A scenario is a node with one to three filtered devices and what they share.
type scenario struct {
	*kernel
	port    *port
	mall    *mall   // nil without services
	naming  *naming // nil without names
	flavour flavour
	sites   []*site
	seed    uint64
	runner  *runner
	clock   fuzzClock
	entries *policy.Reflexive
	policer *policy.Policer
	classes []*policy.Police
	// run gives the kernel's verdict on a frame.
	run    func(at *site, d policy.Direction, frame []byte, segments int, local bool) (int, error)
	want   expected
	drops  map[bpf.AcliumDropReason]uint64
	before map[bpf.AcliumDropReason]uint64
	last   func() string // the last frame and what the referee said
}

// play runs the frames of one seed. Where the counters of a batch are wrong it
// runs them again one by one, to name the frame.
func (o stage) play(seed uint64, batch int, total *fuzzTally) {
	o.Helper()
	s := newScenario(o, seed)
	for change := range changes {
		if change%2 == 0 {
			s.forget() // before the kernel does, for want of room
		}
		s.change(change)
		found := map[counterOf]bool{}
		hours := s.hours()
		for hour := range hours {
			if hour > 0 {
				s.nextHour()
			}
			s.reachAll(total, found)
			for i := range framesEach() / hours {
				s.step(total)
				if i%batch != batch-1 && i != framesEach()/hours-1 {
					continue
				}
				if wrong := s.compare(); wrong != "" {
					if batch > 1 {
						o.play(seed, 1, &fuzzTally{})
					}
					o.Fatalf("seed %d, list %d, hour %d, frame %d: %s\n%s", seed, change, hour, i, wrong, s.last())
				}
			}
		}
		total.reachable += len(found)
		for _, l := range s.allLists() {
			total.lines += len(l.Rules) + 1
		}
	}
}

func newScenario(o stage, seed uint64) *scenario {
	s := &scenario{kernel: o.kernel, seed: seed, runner: newRunner(), want: expected{}, clock: fuzzClock{steered: o.steered, coarse: o.coarse},
		entries: policy.NewReflexive(), policer: policy.NewPolicer(),
		drops: map[bpf.AcliumDropReason]uint64{}, before: map[bpf.AcliumDropReason]uint64{}}
	o.lines = map[counterOf]uint32{}
	o.must(clearCounters(o.kernel))
	s.run = s.testRun
	s.port = newPort(seed)
	s.flavour = flavourOf(s.port, o.steered)
	s.classes = someClasses(s.port.Rand, seed)
	s.choose(o.devices)
	if s.flavour.named {
		s.naming = newNaming(s)
	}
	s.populate()
	for r := range bpf.AcliumDropReasonDROP_REASONS {
		s.before[r] = o.dropped(r)
	}
	return s
}

// choose says what stands where: a pod's port, a node's interface, or both
// beside each other.
func (s *scenario) choose(devices []uint32) {
	kinds := uint64(2)
	if len(devices) > 1 {
		kinds = 4
	}
	kind := s.seed / 2 % kinds
	if kinds == 2 {
		kind = s.seed % 2
	}
	if kind == 1 {
		s.flavour.services, s.flavour.named = false, false
		s.port.atNode(s.seed)
		s.addNode(devices[0])
		return
	}
	if s.flavour.services {
		s.mall = newMall(s.seed)
		s.port = s.mall.port
	}
	if kind == 0 {
		s.addPod(devices[0], s.port.pods)
		return
	}
	s.addNode(devices[0])
	s.addPod(devices[1], s.port.pods)
	if kind == 3 {
		peers := map[policy.Family][]netip.Addr{}
		for f, all := range s.port.peers {
			peers[f] = all[:1]
		}
		s.addPod(devices[2], peers)
	}
}

func (s *scenario) addNode(ifindex uint32) {
	at := &site{scenario: s, ifindex: ifindex, audit: s.seed%11 == 3}
	at.judge = newReferee(at)
	s.sites = append(s.sites, at)
}

func (s *scenario) addPod(ifindex uint32, own map[policy.Family][]netip.Addr) {
	at := &site{scenario: s, ifindex: ifindex, pod: true, audit: s.seed%11 == 5, own: own}
	at.flags = pick(s.port.world, []bpf.AcliumHookFlags{0, 0, bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT})
	if s.port.one(2) { // the hook knows its pod's addresses by heart
		at.knownOwn[0].Bytes, at.knownOwn[1].Bytes = own[policy.IPv4][0].As16(), own[policy.IPv6][0].As16()
	}
	at.judge = newReferee(at)
	s.sites = append(s.sites, at)
}

// atNode gives a node's interface the whole world, not a few peers.
func (p *port) atNode(seed uint64) {
	w := newWorld(seed)
	p.Addrs4, p.Addrs6, p.ids = w.Addrs4, w.Addrs6, w.identities()
	p.owners = map[netip.Addr]Identity{}
	for addr, id := range w.Owners {
		at := slices.IndexFunc(p.ids, func(i Identity) bool { return i.ID == id })
		p.owners[addr] = p.ids[at]
	}
	p.nets = map[netip.Prefix]Identity{
		netip.MustParsePrefix("10.1.0.0/16"): p.ids[4], netip.MustParsePrefix("10.1.2.0/24"): p.ids[5],
		netip.MustParsePrefix("2001:db8:0:1::/64"): p.ids[4], netip.MustParsePrefix("2001:db8:0:1:200::/72"): p.ids[5],
	}
}

// populate tells the kernel who the addresses belong to.
func (s *scenario) populate() {
	s.Helper()
	empty(s, s.AddressMap, new(bpf.AcliumIpAddr), nil)
	empty(s, s.IpcacheMap, new(bpf.AcliumIpcacheKey), nil)
	empty(s, s.PolicerMap, new(uint32), nil)
	empty(s, s.NameMap, new(bpf.AcliumIpAddr), nil)
	for addr, id := range s.port.owners {
		ifindex := uint32(0)
		for _, at := range s.sites {
			if at.owns(addr) {
				ifindex = at.ifindex
			}
		}
		s.place(addr, id.ID, ifindex)
	}
	for prefix, id := range s.port.nets {
		s.must(s.IpcacheMap.Put(ipcacheKey(prefix), bpf.AcliumIpcacheValue{Identity: id.ID}))
	}
	empty(s, s.HookMap, new(bpf.AcliumHookKey), nil)
	s.services = 0
}

// change puts other lists on the devices, and other services behind them.
func (s *scenario) change(generation int) {
	s.Helper()
	s.rename(generation)
	for _, at := range s.sites {
		ingress, egress := at.draw(policy.Ingress, generation, s.port.IntN(4)), at.draw(policy.Egress, generation, s.port.IntN(4))
		if len(ingress)+len(egress) == 0 && len(s.sites) == 1 {
			ingress = at.draw(policy.Ingress, generation, 1)
		}
		at.judge.replace(ingress, egress)
	}
	if s.flavour.services && (generation == 0 || s.port.one(2)) {
		s.mall.restock()
		services := slices.Clone(s.mall.services)
		s.put(services)
		for _, at := range s.sites {
			at.judge.gate.SetServices(s.mall.behind(services))
		}
	}
	s.bindAll()
	for i, at := range s.sites {
		at.point(&smith{Rand: rand.New(rand.NewPCG(s.seed, uint64(generation*8+i)))})
	}
}

// forget ends all connections and entries, in the kernel and at the referees.
func (s *scenario) forget() {
	s.Helper()
	empty(s, s.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(s, s.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	empty(s, s.EntryMap, new(bpf.AcliumEntryKey), nil)
	s.entries = policy.NewReflexive()
	for _, at := range s.sites {
		at.judge.forget(s.entries)
	}
}

// step makes one frame and runs it, on one of the devices.
func (s *scenario) step(total *fuzzTally) {
	s.tick()
	at := s.sites[s.port.IntN(len(s.sites))]
	d, p := at.aim.next()
	if at.pod && !at.aim.one(8) {
		at.atPort(d, &p)
	}
	if s.mall != nil && d == policy.Egress && at.aim.one(3) {
		at.toService(&p)
	}
	frame := at.aim.frame(&p)
	if at.aim.one(2) && !(at.pod && at.aim.one(2)) {
		frame = at.aim.spoil()
	}
	frame = frame[:min(len(frame), maxFrame)]
	segments := 1
	if at.aim.one(32) {
		segments = 2 + at.aim.IntN(4)
	}
	at.offer(d, frame, segments, at.aim.one(4), total)
}

// testRun runs the program that a frame of the direction meets.
func (s *scenario) testRun(at *site, d policy.Direction, frame []byte, segments int, local bool) (int, error) {
	ctx := &s.runner.ctx
	ctx.IngressIfindex, ctx.GSOSegs, ctx.GSOSize, ctx.Ifindex = 7, 0, 0, at.ifindex
	if local {
		ctx.IngressIfindex = 0
	}
	if segments > 1 {
		ctx.GSOSegs, ctx.GSOSize = uint32(segments), 100
	}
	ctx.Tstamp = 0
	if s.clock.steered {
		ctx.Tstamp = s.clock.stamp()
	}
	if at.pod {
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
	if got := s.buckets().ExceededPackets; got != s.drops[bpf.AcliumDropReasonDROP_POLICE] {
		wrong += fmt.Sprintf("buckets: %d packets exceeded, want %d\n", got, s.drops[bpf.AcliumDropReasonDROP_POLICE])
	}
	return wrong
}

// offer runs a frame on the port and compares the verdict with the referee's.
func (at *site) offer(d policy.Direction, frame []byte, segments int, local bool, total *fuzzTally) (v ruling) {
	s := at.scenario
	got, err := s.run(at, d, frame, segments, local)
	if errors.Is(err, errNotRun) {
		total.refused++
		return v
	}
	if err != nil {
		s.Fatal(err)
	}
	v = at.judge.judge(d, frame, segments, local)
	total.add(&v)
	s.expect(&v)
	s.last = func() string {
		return fmt.Sprintf("device %d, %v, %d segments, local %v, at %v, %v\n%x", at.ifindex, d, segments, local, s.clock.now, v, frame)
	}
	if verdict := verdictOf(v.accept || v.audited); got != verdict {
		s.Fatalf("seed %d: got %d, the reference says %d: %s", s.seed, got, verdict, s.last())
	}
	at.missed(d, &v, total)
	return v
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
	if v.audited {
		s.drops[bpf.AcliumDropReasonDROP_AUDIT] += uint64(v.segments)
	}
}
