package datapath

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string][]int{"0\n": {0}, "0-3,6\n": {0, 1, 2, 3, 6}, "1,3-4": {1, 3, 4}} {
		if got, err := parseCPUs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a", "1-", "2-x"} {
		if got, err := parseCPUs(text); err == nil {
			t.Errorf("%q gives %v", text, got)
		}
	}
}

// sluggish is a program that notes when it begins, takes its time over a
// packet, and notes that it has ended.
func sluggish(t *testing.T, notes *ebpf.Map, takes time.Duration) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "sluggish", Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		btf.WithFuncMetadata(asm.LoadMapValue(asm.R6, notes.FD(), 0), function("sluggish", "skb")),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R6, asm.R1, asm.DWord),
		asm.FnKtimeGetNs.Call(),
		asm.Add.Imm(asm.R0, int32(takes)),
		asm.StoreMem(asm.RFP, -8, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R1, 1<<23),
		asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R2, Src: asm.PseudoFunc, Constant: -1}.WithReference("more"),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, -8),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnLoop.Call(),
		asm.Mov.Imm(asm.R1, 1),
		asm.Add.Imm(asm.R6, 8),
		asm.StoreXAdd(asm.R6, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, permit),
		asm.Return(),
		// more: 1 ends the loop
		btf.WithFuncMetadata(asm.LoadMem(asm.R6, asm.R2, 0, asm.DWord).WithSymbol("more"), function("more", "turn", "until")),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Mov.Imm(asm.R0, 0),
		asm.JLT.Reg(asm.R1, asm.R6, "on"),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return().WithSymbol("on"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// function describes a function of a program, which the kernel wants to know of
// one that is called back.
func function(name string, parameters ...string) *btf.Func {
	number := &btf.Int{Name: "u64", Size: 8}
	proto := &btf.FuncProto{Return: number}
	for _, p := range parameters {
		proto.Params = append(proto.Params, btf.FuncParam{Name: p, Type: number})
	}
	return &btf.Func{Name: name, Type: proto, Linkage: btf.StaticFunc}
}

// A packet that is being judged when the processors are visited has been
// judged when the visit is over.
func TestVisitOutlastsPackets(t *testing.T) {
	x := newBench(t)
	if runtime.NumCPU() < 2 {
		t.Skip("needs a processor for packets and another one for the visitor")
	}
	notes, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		t.Fatal(err)
	}
	defer notes.Close()
	memory, err := mapMemory(notes, 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.unmap()
	begun, ended := (*atomic.Uint64)(unsafe.Pointer(&memory.part[0])), (*atomic.Uint64)(unsafe.Pointer(&memory.part[8]))
	device := attachKey{uint32(x.index(x.b.Device)), ebpf.AttachTCXEgress}
	if err := (clsact{}).put(device, sluggish(t, notes, 20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	to := x.link(addrA, addrB, 53)
	const enough = 20
	sent := make(chan error, 1)
	var stop atomic.Bool
	defer stop.Store(true)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends
		stayOn(t, 0)
		var err error
		for err == nil && !stop.Load() {
			_, err = to.from.Write([]byte("x"))
		}
		sent <- err
	}()
	stayOn(t, 1) // as the test's own thread ends with it
	for met := 0; met < enough; {
		select {
		case err := <-sent:
			t.Fatal(err)
		default:
		}
		at := begun.Load()
		if ended.Load() >= at {
			runtime.Gosched()
			continue
		}
		if err := visitCPUs(new(atomic.Bool)); err != nil {
			t.Skip(err)
		}
		if n := ended.Load(); n < at {
			t.Fatalf("%d packets had begun before the visit, %d have ended after it", at, n)
		}
		met++
	}
	stop.Store(true)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// stayOn keeps the calling thread on a processor.
func stayOn(t *testing.T, cpu int) {
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Error(err)
	}
}

// A visit that is told that it is late proves nothing, and does not linger.
func TestVisitEndsEarly(t *testing.T) {
	var enough atomic.Bool
	enough.Store(true)
	if err := visitCPUs(&enough); err == nil {
		t.Error("a visit that went nowhere claims to be over")
	}
}
