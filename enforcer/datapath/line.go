package datapath

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// lines hands out counter ids. A line keeps its id as long as some push names
// it: the pinned counter_id_map remembers the ids across processes, so that
// counters outlive the agent. Id 0 is "not counted".
type lines struct {
	pinned *ebpf.Map
	ids    map[bpf.AcliumCounterName]uint32
	free   []uint32 // ids that are not taken, the next one last
	shown  map[uint32]policy.Counter
	// zero empties the counters of an id.
	zero func(id uint32) error
}

func loadLines(pinned *ebpf.Map, limit uint32) (*lines, error) {
	l := &lines{pinned: pinned, ids: map[bpf.AcliumCounterName]uint32{}, shown: map[uint32]policy.Counter{}}
	taken := map[uint32]bool{0: true}
	var name bpf.AcliumCounterName
	var id uint32
	all := pinned.Iterate()
	for all.Next(&name, &id) {
		l.ids[name], taken[id] = id, true
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read counter ids: %w", err)
	}
	for id := limit - 1; id > 0; id-- {
		if !taken[id] {
			l.free = append(l.free, id)
		}
	}
	return l, nil
}

// allocation is the ids of one push.
type allocation struct {
	lines *lines
	ids   map[bpf.AcliumCounterName]uint32
	fresh []bpf.AcliumCounterName
	shown map[uint32]policy.Counter
	left  []uint32
}

// listNumbers are the counter ids of one list.
type listNumbers struct {
	lines    []uint32
	implicit uint32
}

func (n *listNumbers) line(i int) uint32 { return n.lines[i] }

func (l *lines) begin() *allocation {
	return &allocation{lines: l, ids: map[bpf.AcliumCounterName]uint32{}, shown: map[uint32]policy.Counter{}, left: l.free}
}

// numbers gives every line of a list its id. Lines of equal text are told
// apart by their order, but for those of one RuleID, which count together.
func (a *allocation) numbers(p *policy.Policy) (*listNumbers, error) {
	n := &listNumbers{lines: make([]uint32, len(p.Rules))}
	type key struct{ acl, text string }
	seen, last := map[key]int{}, map[key]policy.RuleID{}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Uncounted {
			continue
		}
		k := key{r.ID.ACL, r.Text}
		if seen[k] == 0 || last[k] != r.ID {
			seen[k]++
			last[k] = r.ID
		}
		id, err := a.number(p, r.ID, r.Text, seen[k])
		if err != nil {
			return nil, err
		}
		n.lines[i] = id
	}
	var err error
	n.implicit, err = a.number(p, p.ID(policy.Implicit), "", 0)
	return n, err
}

func (a *allocation) number(p *policy.Policy, id policy.RuleID, text string, ordinal int) (uint32, error) {
	name := nameOf(p, id.ACL, text, ordinal)
	number, ok := a.ids[name]
	if !ok {
		number, ok = a.lines.ids[name]
	}
	if !ok {
		if len(a.left) == 0 {
			return 0, fmt.Errorf("policy %q: more lines than the %d counters of this enforcer", p.ACL, a.lines.pinned.MaxEntries()-1)
		}
		number = a.left[len(a.left)-1]
		a.left = a.left[:len(a.left)-1]
		a.fresh = append(a.fresh, name)
	}
	a.ids[name] = number
	a.shown[number] = policy.Counter{RuleID: id, Text: text, Direction: p.Direction, Subject: p.Subject.Name}
	return number, nil
}

// nameOf identifies a line by what it says and where it stands, not by its
// place in the list.
func nameOf(p *policy.Policy, acl, text string, ordinal int) (name bpf.AcliumCounterName) {
	h := sha256.New()
	for _, part := range []string{p.Subject.Name, p.Direction.String(), p.ACL, acl, text} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	h.Write([]byte{byte(ordinal >> 24), byte(ordinal >> 16), byte(ordinal >> 8), byte(ordinal)})
	copy(name.Bytes[:], h.Sum(nil))
	return name
}

// store pins the new ids, with empty counters, before any program uses them.
func (a *allocation) store() error {
	for _, name := range a.fresh {
		if err := a.lines.zero(a.ids[name]); err != nil {
			return err
		}
		if err := a.lines.pinned.Put(name, a.ids[name]); err != nil {
			return fmt.Errorf("write counter id: %w", err)
		}
	}
	return nil
}

// settle forgets the lines that the push no longer names. No program counts on
// them any more.
func (a *allocation) settle() error {
	l := a.lines
	old := l.ids
	l.ids, l.shown, l.free = a.ids, a.shown, a.left
	for name, id := range old {
		if _, kept := a.ids[name]; kept {
			continue
		}
		if err := l.forget(name, id); err != nil {
			return err
		}
	}
	return nil
}

// abandon gives the new ids back.
func (a *allocation) abandon() error {
	for _, name := range a.fresh {
		if err := a.lines.pinned.Delete(name); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete counter id: %w", err)
		}
	}
	return nil
}

func (l *lines) forget(name bpf.AcliumCounterName, id uint32) error {
	if err := l.pinned.Delete(name); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("delete counter id: %w", err)
	}
	l.free = append(l.free, id)
	return nil
}
