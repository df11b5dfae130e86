package datapath

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// reload loads the programs anew with other constants.
func (k *kernel) reload(constants map[string]any) {
	k.Helper()
	spec, err := programSpec()
	k.must(err)
	for name, value := range constants {
		k.must(spec.Variables[name].Set(value))
	}
	k.reloaded = true
	k.closeTables()
	k.AcliumObjects.Close()
	k.must(loadable(spec).LoadAndAssign(&k.AcliumObjects, nil))
}

// stay keeps the test on one processor, whose working memory it reads.
func stay(t *testing.T) (cpu int) {
	t.Helper()
	var all, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for !all.IsSet(cpu) {
		cpu++
	}
	first.Set(cpu)
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.SchedSetaffinity(0, &all)
		runtime.UnlockOSThread()
	})
	return cpu
}

// read runs the program and gives its verdict and what it read of the frame.
func (k *kernel) read(data []byte, ctx skBuff) (verdict int, p bpf.AcliumScratch, ran bool) {
	k.Helper()
	ctx.Ifindex = loopback
	ret, err := k.TcIngress.Run(&ebpf.RunOptions{Data: data, Context: ctx, Repeat: 1})
	if errors.Is(err, unix.EINVAL) {
		return 0, p, false
	}
	k.must(err)
	var cells []bpf.AcliumScratch
	k.must(k.ScratchMap.Lookup(uint32(0), &cells))
	return int(int32(ret)), cells[k.cpu], true
}

// The two parsers read every frame alike: well-formed ones of all kinds, cut
// ones, and ones with bytes that were changed at random.
func TestParsersAgree(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	direct, careful := newKernel(t), newKernel(t)
	direct.cpu, careful.cpu = cpu, cpu
	careful.reload(map[string]any{"careful": true})
	for _, k := range []*kernel{direct, careful} {
		k.bind(nil, 0, permitAll(), nil)
	}
	ran, whole := 0, 0
	check := func(data []byte, ctx skBuff, what any) {
		t.Helper()
		got, a, ok := direct.read(data, ctx)
		want, b, _ := careful.read(data, ctx)
		if !ok {
			return
		}
		ran++
		if got != want || got == permit && a.Packet != b.Packet {
			t.Fatalf("%v: %x\ndirect  %d %+v\ncareful %d %+v", what, data, got, a.Packet, want, b.Packet)
		}
		if got == permit && b.Packet.Family != 0 {
			whole++
		}
	}
	for name, data := range someFrames() {
		for n := 15; n <= len(data); n++ {
			check(data[:n], skBuff{}, fmt.Sprint(name, " of ", n))
		}
	}
	w := newWorld(1)
	for range 3000 {
		p := w.packet(w.family(policy.Dual))
		data := frame(&p, w.dress(&p))
		ctx := skBuff{}
		if w.one(4) {
			ctx.GSOSegs, ctx.GSOSize = uint32(w.IntN(4)), 8
		}
		check(data, ctx, p)
		for range 5 {
			check(mutate(w, data), ctx, "mutated")
		}
	}
	if ran < 5000 || whole < 3000 {
		t.Errorf("%d frames were run and %d were whole, so the test sees too little", ran, whole)
	}
}

// mutate changes a few bytes behind the addresses of the Ethernet header, most
// of them where parsers look: version, lengths, fragment, next header, TCP's
// data offset.
func mutate(w *world, data []byte) []byte {
	out := append([]byte{}, data...)
	for range 1 + w.IntN(2) {
		at := 12 + w.IntN(min(len(out), 80)-12)
		if !w.one(3) {
			at = min(14+4*w.IntN(3)+pick(w, []int{0, 2, 3, 4, 5, 6, 7, 9, 20 + 12, 40 + 12}), len(out)-1)
		}
		out[at] = pick(w, []byte{0, 1, out[at] + 1, out[at] - 1, out[at] ^ 0x80, out[at] + 0x10, byte(w.IntN(256))})
	}
	if w.one(6) {
		out = out[:15+w.IntN(len(out)-15)]
	}
	return out
}

// Traffic class and hop limit are read, and IGMP's two bytes (RFC 2236).
func TestParserReadsHeaders(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	k := newKernel(t)
	k.cpu = cpu
	four, six := tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("2001:db8::1", "2001:db8::2")
	for _, careful := range []bool{false, true} {
		k.reload(map[string]any{"careful": careful})
		k.generation = 0
		k.bind(nil, 0, permitAll(), nil)
		data := frame(&four, frameOptions{})
		data[15], data[22] = 0xb9, 3
		if _, s, _ := k.read(data, skBuff{}); s.Packet.Tos != 0xb9 || s.Packet.HopLimit != 3 {
			t.Errorf("IPv4: got %+v", s.Packet)
		}
		data = frame(&six, frameOptions{})
		data[14], data[15], data[21] = 0x6b, 0x9f, 7
		if _, s, _ := k.read(data, skBuff{}); s.Packet.Tos != 0xb9 || s.Packet.HopLimit != 7 {
			t.Errorf("IPv6: got %+v", s.Packet)
		}
		data = append(frame(&four, frameOptions{})[:34], 0x16, 0x0a, 0, 0, 239, 1, 1, 1)
		data[17], data[23] = 28, 2
		if _, s, _ := k.read(data, skBuff{}); s.Packet.IcmpType != 0x16 || s.Packet.IcmpCode != 0x0a || s.Packet.Sport != 0 {
			t.Errorf("IGMP: got %+v", s.Packet)
		}
		data[17] = 27
		if verdict, _, _ := k.read(data, skBuff{}); verdict != drop {
			t.Errorf("IGMP of 7 bytes: got %d, want drop", verdict)
		}
	}
}
