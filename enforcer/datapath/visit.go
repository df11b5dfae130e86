package datapath

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// visitCPUs runs on every processor in turn. When it returns nil, no packet is
// judged any more that was being judged at the call: programs for packets run
// with bottom halves disabled, so that nothing else gets the processor before
// they end, this thread included. That is some ten times quicker than a grace
// period, which waits for ticks of clocks.
//
// It gives an error where it proves nothing: on a kernel that may interrupt
// such programs (PREEMPT_RT), on processors that the process may not use, and
// when enough was set before it had been everywhere.
func visitCPUs(enough *atomic.Bool) error {
	if realtime() {
		return errors.New("programs can be interrupted on this kernel")
	}
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return fmt.Errorf("list processors: %w", err)
	}
	cpus, err := parseCPUs(string(text))
	if err != nil {
		return fmt.Errorf("list processors: %w", err)
	}
	runtime.LockOSThread()
	var home unix.CPUSet
	if err := unix.SchedGetaffinity(0, &home); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("read the affinity: %w", err)
	}
	err = visit(cpus, enough)
	// A thread that cannot go home stays locked, which ends it with the
	// caller's goroutine.
	if failed := unix.SchedSetaffinity(0, &home); failed != nil {
		return errors.Join(err, fmt.Errorf("set the affinity: %w", failed))
	}
	runtime.UnlockOSThread()
	return err
}

func visit(cpus []int, enough *atomic.Bool) error {
	for _, cpu := range cpus {
		if enough.Load() {
			return errors.New("not all processors were visited")
		}
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("visit processor %d: %w", cpu, err)
		}
		if at, err := currentCPU(); err != nil || at != cpu {
			return errors.Join(fmt.Errorf("asked for processor %d and ran on %d", cpu, at), err)
		}
	}
	return nil
}

func currentCPU() (int, error) {
	var cpu uint32
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(cpu), nil
}

// realtime reports whether the kernel is built with PREEMPT_RT.
func realtime() bool {
	text, err := os.ReadFile("/sys/kernel/realtime")
	if err == nil {
		return strings.TrimSpace(string(text)) != "0"
	}
	var name unix.Utsname
	return unix.Uname(&name) != nil || strings.Contains(unix.ByteSliceToString(name.Version[:]), "PREEMPT_RT")
}

// parseCPUs reads the kernel's lists of processors, such as "0-3,6".
func parseCPUs(text string) (cpus []int, err error) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.Atoi(first)
		if err != nil {
			return nil, err
		}
		z, err := strconv.Atoi(last)
		if err != nil {
			return nil, err
		}
		for ; a <= z; a++ {
			cpus = append(cpus, a)
		}
	}
	return cpus, nil
}
