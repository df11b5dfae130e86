package datapath

import (
	"fmt"
	"math/bits"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
)

// slotLister knows which slots of the table maps hold a map, whoever put it
// there. The kernel would answer a question about a single slot, but before
// Linux 6.8 not within one grace period.
type slotLister struct {
	program *ebpf.Program
	found   *ebpf.Map
}

// filled gives the slots by size class, in ascending order.
func (l slotLister) filled() (filled [len(tableMaps)][]uint32, err error) {
	for class := range uint32(len(tableMaps)) {
		if err := l.found.Put(class, &bpf.AcliumTableSlots{}); err != nil {
			return filled, fmt.Errorf("list the tables: %w", err)
		}
	}
	if _, err := l.program.Run(&ebpf.RunOptions{}); err != nil {
		return filled, fmt.Errorf("list the tables: %w", err)
	}
	for class := range filled {
		var found bpf.AcliumTableSlots
		if err := l.found.Lookup(uint32(class), &found); err != nil {
			return filled, fmt.Errorf("list the tables: %w", err)
		}
		filled[class] = ones(found.Words[:])
	}
	return filled, nil
}

// ones gives the numbers of the bits that are set.
func ones(words []uint64) (set []uint32) {
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			set = append(set, uint32(64*i+bits.TrailingZeros64(w)))
		}
	}
	return set
}
