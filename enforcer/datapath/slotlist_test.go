package datapath

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
)

// The lister finds the first and the last slot of each class, some between,
// and none of those that were emptied.
func TestFilledSlotsAreListed(t *testing.T) {
	k := newKernel(t)
	lister := slotLister{k.ListSlots, k.TableSlotsMap}
	var want [len(tableMaps)][]uint32
	for class := range want {
		outer, name := k.tableMap(bpf.AcliumTableClass(class))
		inner, err := ebpf.NewMap(k.spec.Maps[name].InnerMap)
		k.must(err)
		defer inner.Close()
		last := outer.MaxEntries() - 1
		want[class] = []uint32{0, uint32(5 + class), last - 1, last}
		for _, slot := range append([]uint32{last / 2}, want[class]...) {
			k.must(outer.Put(slot, inner))
		}
		k.must(outer.Delete(last / 2))
	}
	for range 2 { // the second time nothing of the first is left
		got, err := lister.filled()
		k.must(err)
		for class := range want {
			if !slices.Equal(got[class], want[class]) {
				t.Errorf("class %d: %v, want %v", class, got[class], want[class])
			}
		}
		outer, _ := k.tableMap(0)
		if len(want[0]) == 4 {
			k.must(outer.Delete(want[0][1]))
			want[0] = slices.Delete(want[0], 1, 2)
		}
	}
}
