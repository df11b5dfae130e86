package datapath

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// tableMaps are the arrays of maps, by size class.
var tableMaps = [bpf.AcliumTableClassTABLE_CLASSES]string{"table_small_map", "table_medium_map", "table_large_map", "table_huge_map"}

// place is a slot of a size class.
type place struct{ class, slot uint32 }

// slots knows which table lies where. Equal tables lie in one place.
type slots struct {
	outer  [bpf.AcliumTableClassTABLE_CLASSES]*ebpf.Map
	used   map[place]bool
	places map[[sha256.Size]byte]place
}

func newSlots(c *ebpf.Collection) *slots {
	s := &slots{used: map[place]bool{}, places: map[[sha256.Size]byte]place{}}
	for class, name := range tableMaps {
		s.outer[class] = c.Maps[name]
	}
	return s
}

// adopt keeps the tables that a hook of an earlier process uses; what they
// hold is not known.
func (s *slots) adopt(h bpf.AcliumHook) {
	for _, ref := range h.Tables[:h.Count] {
		s.used[place{ref.Class, ref.Slot}] = true
	}
}

// upload collects the tables of one push.
type upload struct {
	slots  *slots
	places map[[sha256.Size]byte]place
	fresh  map[place]*Table
	lists  map[listKey]place
}

// listKey is a list as it stands in one state: where its rules lie says that
// it is the same one on another port.
type listKey struct {
	acl, subject string
	direction    policy.Direction
	family       policy.Family
	rules        *policy.Rule
}

func (s *slots) begin() *upload {
	return &upload{slots: s, places: map[[sha256.Size]byte]place{}, fresh: map[place]*Table{}, lists: map[listKey]place{}}
}

// add compiles a list and finds a place for it.
func (u *upload) add(l *policy.Policy, ids []Identity, numbers *numbered) (ref bpf.AcliumTableRef, err error) {
	key := listKey{l.ACL, l.Subject.Name, l.Direction, l.Family, nil}
	if len(l.Rules) > 0 {
		key.rules = &l.Rules[0]
	}
	at, known := u.lists[key]
	if !known {
		table, err := Compile(l, ids, numbers.line)
		if err != nil {
			return ref, err
		}
		if at, err = u.find(table); err != nil {
			return ref, fmt.Errorf("policy %q: %w", l.ACL, err)
		}
		u.lists[key] = at
	}
	return bpf.AcliumTableRef{Class: at.class, Slot: at.slot}, nil
}

// find gives the place where an equal table lies, or a free one.
func (u *upload) find(t *Table) (place, error) {
	sum := sha256.Sum256(t.Bytes)
	at, known := u.places[sum]
	if !known {
		if at, known = u.slots.places[sum]; !known {
			var err error
			if at, err = u.free(uint32(t.Class)); err != nil {
				return at, err
			}
			u.fresh[at] = t
		}
		u.places[sum] = at
	}
	return at, nil
}

func (u *upload) free(class uint32) (place, error) {
	for slot := range u.slots.outer[class].MaxEntries() {
		at := place{class, slot}
		if !u.slots.used[at] && u.fresh[at] == nil {
			return at, nil
		}
	}
	return place{}, fmt.Errorf("no room for a table of %d bytes: %d of that size are loaded", classSizes[class], u.slots.outer[class].MaxEntries())
}

// store writes the tables that the kernel does not have.
func (u *upload) store() error {
	for at, table := range u.fresh {
		if err := u.slots.write(at, table); err != nil {
			return err
		}
	}
	return nil
}

func (s *slots) write(at place, t *Table) error {
	inner, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, KeySize: 4, ValueSize: uint32(t.Size()), MaxEntries: 1, Flags: mmapable,
	})
	if err != nil {
		return fmt.Errorf("make a table of %d bytes: %w", t.Size(), err)
	}
	defer inner.Close()
	memory, err := inner.Memory()
	if err != nil {
		return fmt.Errorf("map a table: %w", err)
	}
	if _, err := memory.WriteAt(t.Bytes, 0); err != nil {
		return fmt.Errorf("write a table: %w", err)
	}
	if err := s.outer[at.class].Put(at.slot, inner); err != nil {
		return fmt.Errorf("load a table: %w", err)
	}
	return nil
}

// mmapable is BPF_F_MMAPABLE.
const mmapable = 1 << 10

// settle makes the push's tables the known ones and empties all other places.
func (u *upload) settle() error {
	keep := map[place]bool{}
	for _, at := range u.places {
		keep[at] = true
	}
	old := u.slots.used
	u.slots.used, u.slots.places = keep, u.places
	return u.slots.empty(old, keep)
}

// abandon empties the places of a push that failed.
func (u *upload) abandon() error {
	fresh := map[place]bool{}
	for at := range u.fresh {
		fresh[at] = true
	}
	return u.slots.empty(fresh, u.slots.used)
}

func (s *slots) empty(places, except map[place]bool) error {
	for at := range places {
		if except[at] {
			continue
		}
		if err := s.outer[at.class].Delete(at.slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("free a table: %w", err)
		}
	}
	return nil
}
