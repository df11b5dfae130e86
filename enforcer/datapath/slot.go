package datapath

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
)

// tableMaps are the arrays of maps, by size class.
var tableMaps = [bpf.AcliumTableClassTABLE_CLASSES]string{"table_64k_map", "table_256k_map", "table_1m_map", "table_4m_map", "table_16m_map", "table_64m_map", "table_256m_map"}

// place is a slot of a size class.
type place struct{ class, slot uint32 }

// hasSpare says whether tables of the class keep a spare: those of up to 4 MiB.
func hasSpare(class uint32) bool { return class <= uint32(bpf.AcliumTableClassTABLE_CLASS_4M) }

// slots knows which table lies where.
//
// To put a map into an array of maps is a system call of 4 to 16 ms, as it
// waits for a grace period. So each class in use keeps a spare map in a slot of
// its own: a push writes its table there through mmap, and the table that it
// replaces becomes the spare once no packet can read it. Where tables are large
// the memory is worth more than the time: there are no spares, but foresee makes
// the map that a push will need while its list is compiled.
type slots struct {
	outer  [bpf.AcliumTableClassTABLE_CLASSES]*ebpf.Map
	lister slotLister
	live   map[place]bool // of the live hooks
	spare  map[place]bool // has a map that no program reads
}

func newSlots(c *ebpf.Collection) *slots {
	s := &slots{live: map[place]bool{}, spare: map[place]bool{}}
	s.lister = slotLister{c.Programs["list_slots"], c.Maps["table_slots_map"]}
	for class, name := range tableMaps {
		s.outer[class] = c.Maps[name]
	}
	return s
}

// adopt takes over the slots of an earlier process: the hooks that are live
// say which tables are in use.
func (s *slots) adopt(hooks []bpf.AcliumHook) error {
	for _, h := range hooks {
		for _, ref := range h.Tables[:h.Count] {
			s.live[place{ref.Class, ref.Slot}] = true
		}
	}
	filled, err := s.lister.filled()
	if err != nil {
		return err
	}
	for class, slots := range filled {
		for _, slot := range slots {
			if at := (place{uint32(class), slot}); !s.live[at] {
				s.spare[at] = true
			}
		}
	}
	return s.trim()
}

// upload is the tables of one push.
type upload struct {
	slots *slots
	used  map[place]bool         // by the push's hooks
	fresh map[place]*Table       // those of them that are to be written
	next  [len(tableMaps)]uint32 // all slots before are taken
}

func (s *slots) begin() *upload {
	return &upload{slots: s, used: map[place]bool{}, fresh: map[place]*Table{}}
}

// keep uses a table of the live state again.
func (u *upload) keep(at place) { u.used[at] = true }

// add finds a place for a table: a spare of its class, or of the next one, which
// is fit, if the list lives there. One whose table is sometimes smaller than a
// class and sometimes larger would else have no spare at any change. Where there
// are no spares, a list that shrank for good would only hold the memory.
func (u *upload) add(t *Table, lives place) (place, error) {
	class := uint32(t.Class)
	fit := [...]uint32{class, class}
	if lives.class == class+1 && hasSpare(lives.class) {
		fit[0] = lives.class
	}
	for _, c := range fit {
		for at := range u.slots.spare {
			if at.class == c && !u.used[at] {
				u.used[at], u.fresh[at] = true, t
				return at, nil
			}
		}
	}
	limit := u.slots.outer[class].MaxEntries()
	for ; u.next[class] < limit; u.next[class]++ {
		if at := (place{class, u.next[class]}); !u.slots.live[at] && !u.used[at] {
			u.used[at], u.fresh[at] = true, t
			return at, nil
		}
	}
	return place{}, fmt.Errorf("no room for a table of %d bytes: %d of that size are loaded", classSizes[class], limit)
}

// store writes the new tables.
func (u *upload) store() error {
	var missing []place
	for at := range u.fresh {
		if !u.slots.spare[at] {
			missing = append(missing, at)
		}
	}
	if err := u.slots.make(missing); err != nil {
		return err
	}
	return inParallel(lookupsAtOnce(), slices.Collect(maps.Keys(u.fresh)), func(at place) error {
		return u.slots.write(at, u.fresh[at])
	})
}

// make puts spare maps into slots that have none.
func (s *slots) make(places []place) error {
	byClass := map[uint32][]uint32{}
	for _, at := range places {
		byClass[at.class] = append(byClass[at.class], at.slot)
	}
	for class, slots := range byClass {
		if err := s.makeClass(class, slots); err != nil {
			return err
		}
		for _, slot := range slots {
			s.spare[place{class, slot}] = true
		}
	}
	return nil
}

func (s *slots) makeClass(class uint32, slots []uint32) error {
	var inner []*ebpf.Map
	defer func() {
		for _, m := range inner {
			m.Close()
		}
	}()
	for range slots {
		m, err := ebpf.NewMap(&ebpf.MapSpec{
			Name: "table", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(classSizes[class]), MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
		})
		if err != nil {
			return fmt.Errorf("make a table of %d bytes: %w", classSizes[class], err)
		}
		inner = append(inner, m)
	}
	if err := putMaps(s.outer[class], slots, inner); err != nil {
		return fmt.Errorf("make room for a table of %d bytes: %w", classSizes[class], err)
	}
	return nil
}

// write fills a map that no program reads. What it held before stays behind
// the end of the table, where no offset of the table leads.
func (s *slots) write(at place, t *Table) error {
	var inner *ebpf.Map
	if err := s.outer[at.class].Lookup(at.slot, &inner); err != nil {
		return fmt.Errorf("open a table: %w", err)
	}
	defer inner.Close()
	m, err := mapMemory(inner, 0, len(t.Bytes))
	if err != nil {
		return fmt.Errorf("map a table: %w", err)
	}
	defer m.unmap()
	copy(m.part, t.Bytes)
	return nil
}

// commit follows the flip: no later push may write what packets read.
func (u *upload) commit() {
	for at := range u.used {
		u.slots.live[at] = true
		delete(u.slots.spare, at)
	}
}

// settle is for when no packet reads the old tables any more: they are the
// spares of the next push.
func (u *upload) settle() error {
	s := u.slots
	for at := range s.live {
		if !u.used[at] {
			delete(s.live, at)
			s.spare[at] = true
		}
	}
	return errors.Join(s.trim(), s.stock())
}

// trim frees all spares but one of each class in use.
func (s *slots) trim() error {
	var needed [len(tableMaps)]bool
	for at := range s.live {
		needed[at.class] = hasSpare(at.class)
	}
	var surplus []place
	for at := range s.spare {
		if !needed[at.class] {
			surplus = append(surplus, at)
		}
		needed[at.class] = false
	}
	// Each waits for a grace period, all for the same one.
	err := inParallel(waitsAtOnce, surplus, func(at place) error {
		if err := s.outer[at.class].Delete(at.slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("free a table: %w", err)
		}
		return nil
	})
	for _, at := range surplus {
		delete(s.spare, at)
	}
	return err
}

// stock makes the spares that are missing. Without one the next push is only
// slower, so a machine that has no memory for it is no error.
func (s *slots) stock() error {
	var has, needed [len(tableMaps)]bool
	for at := range s.spare {
		has[at.class] = true
	}
	for at := range s.live {
		needed[at.class] = hasSpare(at.class)
	}
	var missing []place
	for class := range tableMaps {
		if needed[class] && !has[class] {
			if slot, ok := s.empty(uint32(class)); ok {
				missing = append(missing, place{uint32(class), slot})
			}
		}
	}
	if err := s.make(missing); err != nil && !errors.Is(err, unix.ENOMEM) {
		return err
	}
	return nil
}

func (s *slots) empty(class uint32) (uint32, bool) {
	for slot := range s.outer[class].MaxEntries() {
		if at := (place{class, slot}); !s.live[at] && !s.spare[at] {
			return slot, true
		}
	}
	return 0, false
}

// inParallel calls f for each of the values, in as many goroutines as width
// says, and gives the errors.
func inParallel[T any](width int, values []T, f func(T) error) error {
	if len(values) == 1 {
		return f(values[0])
	}
	var wait sync.WaitGroup
	errs, places := make([]error, len(values)), make(chan struct{}, width)
	for i, v := range values {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			errs[i] = f(v)
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
