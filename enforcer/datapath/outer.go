package datapath

import (
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// waitsAtOnce is how many system calls wait for one grace period together.
const waitsAtOnce = 64

// waitsForEach says that the kernel waits for a grace period with each map of
// an array of maps, also where several are put in at once, and with each that
// is only looked up (before Linux 6.8).
var waitsForEach = sync.OnceValue(func() bool {
	version, err := features.LinuxVersionCode()
	return err == nil && version < 6<<16|8<<8
})

// lookupsAtOnce is how many maps are opened and written side by side.
func lookupsAtOnce() int {
	if waitsForEach() {
		return waitsAtOnce
	}
	return runtime.GOMAXPROCS(0)
}

// putMaps puts maps into an array of maps, with few waits for grace periods.
func putMaps(outer *ebpf.Map, slots []uint32, inner []*ebpf.Map) error {
	if len(slots) > 1 && !waitsForEach() {
		fds := make([]uint32, len(inner))
		for i, m := range inner {
			fds[i] = uint32(m.FD())
		}
		if _, err := outer.BatchUpdate(slots, fds, nil); err == nil {
			return nil
		}
	}
	return putEach(outer, slots, inner)
}

func putEach(outer *ebpf.Map, slots []uint32, inner []*ebpf.Map) error {
	bySlot := make(map[uint32]*ebpf.Map, len(slots))
	for i, slot := range slots {
		bySlot[slot] = inner[i]
	}
	return inParallel(waitsAtOnce, slots, func(slot uint32) error { return outer.Put(slot, bySlot[slot]) })
}
