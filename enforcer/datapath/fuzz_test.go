package datapath

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"aclium/enforcer/internal/testns"
	"aclium/enforcer/internal/wire"
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
// node's interface, on ports of pods, or on both side by side, and frames made
// for their lines, whole and broken. Both must agree on the verdict, on what
// was counted where, and on why a packet was dropped. In two of three scenarios
// the frames carry the time, so that idle times, time-ranges, reflexive lists
// and police are held to the nanosecond; in the third one the kernel's own
// clock runs.
func TestFuzzedFrames(t *testing.T) {
	t.Parallel()
	testns.New(t)
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little is alive
	devices := []uint32{loopback, newDevice(t, "pod1"), newDevice(t, "pod2")}
	plain := newKernelWith(t, func(spec *ebpf.CollectionSpec) {
		spec.Maps["conn_map"].MaxEntries = fuzzConns
		unhurried(spec) // no time passes for the referee, however busy the machine is
	})
	kernels := []*kernel{newSteeredKernel(plain, true), newSteeredKernel(plain, false), plain}
	began, told := time.Now(), time.Now()
	total := &fuzzTally{}
	for seed := *fuzzSeed; total.run < *fuzzFrames; seed++ {
		n := seed % uint64(len(kernels))
		o := stage{kernel: kernels[n], devices: devices, steered: n < 2, coarse: n == 1}
		o.play(seed, batch, total)
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
	// feats counts the packets that met what only some lists have.
	feats map[string]int
}

func (f *fuzzTally) String() string {
	return fmt.Sprintf("%d well-formed, of which %d permitted, %d malformed, %d not IP, %d not run; of %d lines %d are reachable and decided one, %d are undecided; %v; %v",
		f.wellFormed, f.permitted, f.malformed, f.nonIP, f.refused, f.lines, f.reachable, f.unsure, f.reasons, f.feats)
}

func (f *fuzzTally) check(t *testing.T) {
	f.checkShares(t)
	if f.reachable == 0 || 10*f.unsure > f.reachable {
		t.Errorf("of %d lines %d are reachable and %d undecided", f.lines, f.reachable, f.unsure)
	}
	for feat, share := range map[string]int{"direct table": 1000, "direct table of a pod": 10_000, "direct table in series": 10_000} {
		if least := f.run / share; f.feats[feat] < least {
			t.Errorf("%d frames met a %s, want %d", f.feats[feat], feat, least)
		}
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
		f.reasons, f.feats = map[string]int{}, map[string]int{}
	}
	f.reasons[v.why]++
	for _, feat := range v.feats {
		f.feats[feat]++
	}
}

// newDevice makes a device that nothing is sent on.
func newDevice(t *testing.T, name string) (ifindex uint32) {
	t.Helper()
	l := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-end"}
	if err := netlink.LinkAdd(l); err != nil {
		t.Fatal(err)
	}
	return uint32(l.Attrs().Index)
}
