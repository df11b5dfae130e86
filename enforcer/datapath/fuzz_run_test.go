package datapath

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// testRun is what BPF_PROG_TEST_RUN takes (linux/bpf.h). The library's Run
// makes new buffers for each call, which costs more than the program.
type testRun struct {
	ProgFD, Retval      uint32
	SizeIn, SizeOut     uint32
	DataIn, DataOut     uint64
	Repeat, Duration    uint32
	ContextIn, CtxOut   uint32
	Context, ContextOut uint64
	Flags, CPU, Batch   uint32
	_                   uint32
}

// errNotRun says that the kernel did not run the frame: it wants an Ethernet
// header, and a whole IP header behind an IP EtherType.
var errNotRun = errors.New("the kernel does not run such a frame")

// maxFrame is the longest frame that is run: the kernel wants it in one page,
// with room in front of it and for struct skb_shared_info behind it.
const maxFrame = 3500

// A runner hands frames to programs. It is not safe for concurrent use.
type runner struct {
	run  testRun
	ctx  skBuff
	data [maxFrame]byte
	pin  runtime.Pinner
}

func newRunner() *runner {
	r := &runner{}
	r.pin.Pin(r) // the kernel is told where it lies
	r.ctx.Ifindex = loopback
	r.run.ContextIn, r.run.Context = uint32(unsafe.Sizeof(r.ctx)), uint64(uintptr(unsafe.Pointer(&r.ctx)))
	r.run.DataIn = uint64(uintptr(unsafe.Pointer(&r.data)))
	return r
}

// verdict runs a program once on a frame, with what r.ctx says about it.
func (r *runner) verdict(p *ebpf.Program, frame []byte) (int, error) {
	const command = 10 // BPF_PROG_TEST_RUN
	r.run.ProgFD, r.run.SizeIn = uint32(p.FD()), uint32(copy(r.data[:], frame))
	r.run.SizeOut = 0 // the kernel writes to it
	_, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(&r.run)), unsafe.Sizeof(r.run))
	switch errno {
	case 0:
		return int(int32(r.run.Retval)), nil
	case unix.EINVAL:
		return 0, errNotRun
	}
	return 0, fmt.Errorf("test run: %w", errno)
}
