package datapath

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// waitAndTell waits as waitForPackets does and gives the time at which it was
// known that no packet is judged any more that was being judged at the call.
// Memory that programs read is not written before the end of the grace period
// all the same, which the kernel itself relies on.
func waitAndTell() (known time.Time, err error) {
	var enough atomic.Bool
	var visitor sync.WaitGroup
	var visited time.Time
	visitor.Go(func() {
		if visitCPUs(&enough) == nil {
			visited = time.Now()
		}
	})
	err = waitForPackets()
	known = time.Now()
	enough.Store(true)
	visitor.Wait()
	if !visited.IsZero() && visited.Before(known) {
		known = visited
	}
	return known, err
}

// waitForPackets returns when no program runs that started before the call:
// the barrier waits for an RCU grace period (membarrier(2)). With one processor
// online the kernel has it return at once: who calls runs, so that nobody reads,
// which does not hold where readers can be interrupted.
func waitForPackets() error {
	if realtime() {
		return waitByMap()
	}
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
	switch errno {
	case 0:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.EPERM: // kernels with nohz_full CPUs, or without membarrier; filters of system calls
		return waitByMap()
	}
	return fmt.Errorf("wait for packets under way: %w", errno)
}

// waitByMap puts a map into an array of maps, which the kernel does not answer
// before no program can hold what was there (maybe_wait_bpf_programs, Linux
// 4.20). It takes as long as the barrier.
func waitByMap() (err error) {
	spec := ebpf.MapSpec{Name: "wait", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	inner, err := ebpf.NewMap(&spec)
	if err != nil {
		return fmt.Errorf("wait for packets under way: %w", err)
	}
	defer func() { err = errors.Join(err, inner.Close()) }()
	outer, err := ebpf.NewMap(&ebpf.MapSpec{Name: "wait", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: &spec})
	if err != nil {
		return fmt.Errorf("wait for packets under way: %w", err)
	}
	defer func() { err = errors.Join(err, outer.Close()) }()
	if err := outer.Put(uint32(0), inner); err != nil {
		return fmt.Errorf("wait for packets under way: %w", err)
	}
	return nil
}
