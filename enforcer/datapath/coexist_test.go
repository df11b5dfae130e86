package datapath

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ways are the ways to attach that this kernel has. A kernel without TCX gets
// clsact unasked, which would test the same twice.
func ways() map[string]Options {
	all := map[string]Options{"clsact": {Clsact: true}}
	if haveTCX() {
		all["tcx"] = Options{}
	}
	return all
}

// eachWay runs the test for every way to attach, beside other tests.
func eachWay(t *testing.T, test func(t *testing.T, o Options)) {
	t.Helper()
	t.Parallel()
	eachWayAlone(t, func(t *testing.T, o Options) {
		t.Parallel()
		test(t, o)
	})
}

// eachWayAlone runs the test for every way to attach and nothing beside it: it
// counts what the whole process holds.
func eachWayAlone(t *testing.T, test func(t *testing.T, o Options)) {
	t.Helper()
	for name, o := range ways() {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

// stranger is somebody else's program, which counts IPv4 packets.
type stranger struct {
	t       *testing.T
	program *ebpf.Program
	counts  *ebpf.Map
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "stranger", Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, 16, asm.Word), // __sk_buff.protocol
		asm.HostTo(asm.BE, asm.R6, asm.Half),
		asm.JNE.Imm(asm.R6, unix.ETH_P_IP, "out"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, permit).WithSymbol("out"),
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); m.Close() })
	return &stranger{t, p, m}
}

func (s *stranger) count() (n uint64) {
	s.t.Helper()
	if err := s.counts.Lookup(uint32(0), &n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// attach puts the stranger first or last on what the device sends.
func (s *stranger) attach(ifindex int, clsact, first bool) {
	s.t.Helper()
	anchor, priority := link.Tail(), uint16(0xfff0)
	if first {
		anchor, priority = link.Head(), 1
	}
	if clsact {
		f := filterOn(attachKey{uint32(ifindex), ebpf.AttachTCXEgress}, s.program.FD())
		f.Name, f.Priority = "stranger", priority
		if err := netlink.FilterAdd(f); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: s.program, Attach: ebpf.AttachTCXEgress, Anchor: anchor})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
}

// Programs of others before and behind ours see what they would see without
// us, but for what we drop, and stay when ours goes.
func TestOthersKeepTheirPlace(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.state(udpPorts("T", 53)))
		index := x.index(x.b.Device)
		before, behind := newStranger(t), newStranger(t)
		before.attach(index, o.Clsact, true)
		behind.attach(index, o.Clsact, false)
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		step := func(what string, sent, arrived int, l udpLink, first, last uint64) {
			t.Helper()
			if n := l.send(t, sent); n != arrived || before.count() != first || behind.count() != last {
				t.Errorf("%s: %d arrived, want %d; others counted %d before and %d behind ours, want %d and %d",
					what, n, arrived, before.count(), behind.count(), first, last)
			}
		}
		step("permitted", 3, 3, open, 3, 3)
		step("denied", 2, 0, shut, 5, 3)
		x.apply(d, x.state(udpPorts("T", 53, 55))) // a push moves nobody
		step("denied again", 1, 0, shut, 6, 3)
		x.apply(d, State{})
		step("without ours", 4, 4, shut, 10, 7)
		if err := d.hooks.upgrade(); err != nil {
			t.Error(err)
		}
		step("after an upgrade of nothing", 1, 1, shut, 11, 8)
	})
}

// Whoever stands before ours is named with its place and number; whoever stands
// behind is not, and ours comes first on a device that others were on before.
func TestProgramsAheadAreNamed(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		index := x.index(x.b.Device)
		early, behind, ahead := newStranger(t), newStranger(t), newStranger(t)
		if !o.Clsact {
			early.attach(index, false, true) // first until we come
		}
		x.apply(d, x.state(udpPorts("T", 53)))
		behind.attach(index, o.Clsact, false)
		wantAhead(t, d)
		ahead.attach(index, o.Clsact, true)
		info, err := ahead.program.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		kind := "tcx"
		if o.Clsact {
			kind = "tc"
		}
		want := []Earlier{{x.b.Device, "egress", kind, "stranger", uint32(id)}}
		wantAhead(t, d, want...)
		if o.Clsact && haveTCX() { // TCX comes before every filter
			early.attach(index, false, false)
			info, err := early.program.Info()
			if err != nil {
				t.Fatal(err)
			}
			id, _ := info.ID()
			want = append([]Earlier{{x.b.Device, "egress", "tcx", "stranger", uint32(id)}}, want...)
			wantAhead(t, d, want...)
		}
		xdp := passAll(t)
		l, err := link.AttachXDP(link.XDPOptions{Program: xdp, Interface: index, Flags: link.XDPGenericMode})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err = xdp.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ = info.ID()
		wantAhead(t, d, append([]Earlier{{x.b.Device, "ingress", "xdp", "pass_all", uint32(id)}}, want...)...)
		x.apply(d, State{})
		wantAhead(t, d)
	})
}

func wantAhead(t *testing.T, d *Datapath, want ...Earlier) {
	t.Helper()
	if got, err := d.Ahead(); err != nil || !slices.Equal(got, want) {
		t.Errorf("ahead are %+v, %v, want %+v", got, err, want)
	}
}

func passAll(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "pass_all", Type: ebpf.XDP, License: "GPL", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R0, 2), // XDP_PASS
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
