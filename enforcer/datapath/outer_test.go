package datapath

import (
	"testing"

	"github.com/cilium/ebpf"
)

// Each way of putting maps into an array of maps puts each where it belongs.
func TestMapsArePutWhereTheyBelong(t *testing.T) {
	newBench(t)
	spec := ebpf.MapSpec{Name: "inner", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	for name, put := range map[string]func(*ebpf.Map, []uint32, []*ebpf.Map) error{"putMaps": putMaps, "putEach": putEach} {
		outer, err := ebpf.NewMap(&ebpf.MapSpec{Name: "outer", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 200, InnerMap: &spec})
		if err != nil {
			t.Fatal(err)
		}
		defer outer.Close()
		var slots []uint32
		var inner []*ebpf.Map
		for slot := uint32(199); slot > 0; slot -= 2 {
			m, err := ebpf.NewMap(&spec)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := m.Put(uint32(0), slot); err != nil {
				t.Fatal(err)
			}
			slots, inner = append(slots, slot), append(inner, m)
			if slot == 1 {
				break
			}
		}
		if err := put(outer, slots, inner); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, slot := range slots {
			var m *ebpf.Map
			var value uint32
			if err := outer.Lookup(slot, &m); err != nil {
				t.Fatalf("%s: slot %d: %v", name, slot, err)
			}
			if err := m.Lookup(uint32(0), &value); err != nil || value != slot {
				t.Errorf("%s: slot %d holds the map of %d: %v", name, slot, value, err)
			}
			m.Close()
		}
	}
}
