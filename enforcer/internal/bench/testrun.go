package main

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// skBuff is the head of struct __sk_buff that a test run reads.
type skBuff struct {
	_              [9]uint32
	ingressIfindex uint32
	ifindex        uint32
	_              [37]uint32
}

// testRunAttr is bpf_attr of BPF_PROG_TEST_RUN. The library's own call gives
// either the time or takes a context, not both.
type testRunAttr struct {
	fd, retval        uint32
	inSize, outSize   uint32
	in, out           uint64
	repeat, duration  uint32
	ctxIn, ctxOut     uint32
	ctx, ctxResult    uint64
	flags, cpu, batch uint32
	_                 uint32
}

const bpfProgTestRun = 10

// testRun runs a program on a frame that comes in on the device, and gives its
// last verdict and the mean time of a run.
func testRun(p *ebpf.Program, frame []byte, ifindex, repeat int) (verdict int32, mean time.Duration, err error) {
	ctx := skBuff{ifindex: uint32(ifindex), ingressIfindex: uint32(ifindex)}
	a := testRunAttr{
		fd: uint32(p.FD()), repeat: uint32(repeat),
		inSize: uint32(len(frame)), in: uint64(uintptr(unsafe.Pointer(&frame[0]))),
		ctxIn: uint32(unsafe.Sizeof(ctx)), ctx: uint64(uintptr(unsafe.Pointer(&ctx))),
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_BPF, bpfProgTestRun, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a))
		if errno == unix.EINTR {
			continue
		}
		runtime.KeepAlive(frame)
		runtime.KeepAlive(&ctx)
		if errno != 0 {
			return 0, 0, fmt.Errorf("run the program: %w", errno)
		}
		return int32(a.retval), time.Duration(a.duration), nil
	}
}
