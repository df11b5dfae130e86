package datapath

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"reflect"
	"sync"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// lines hands out counter ids. A line keeps its id as long as some push names
// it: the pinned counter_map remembers whose an id is, so that counters
// outlive the agent. Id 0 is "not counted".
type lines struct {
	counters *counters
	ids      map[lineName]uint32
	lists    map[listName]*numbered
	where    []standing // by id: the line of the live state
	free     []uint32   // ids that were given back, the longest rested first
	next     uint32     // the smallest id that was never taken
}

// lineName identifies a line by what it says and where it stands, not by its
// place in the list.
type lineName [16]byte

// listName tells lists apart over pushes.
type listName struct {
	acl, subject string
	direction    policy.Direction
	family       policy.Family
}

func listNameOf(p *policy.Policy) listName {
	return listName{p.ACL, p.Subject.Name, p.Direction, p.Family}
}

// numbered is a list with the counter ids of its lines.
type numbered struct {
	policy   policy.Policy
	lines    []uint32
	implicit uint32
}

func (n *numbered) line(i int) uint32 { return n.lines[i] }

// standing is a line of a list; policy.Implicit is the implicit one.
type standing struct {
	list *numbered
	line int
}

// resting is how many ids that were given back are left alone, so that a log
// event on its way does not name another line.
const resting = 4096

func loadLines(c *counters) *lines {
	l := &lines{counters: c, ids: map[lineName]uint32{}, lists: map[listName]*numbered{}, next: 1}
	for id := uint32(1); id < min(uint32(len(c.chunks))*chunkSize, c.limit); id++ {
		if name := c.name(id); name.Taken != 0 {
			l.ids[name.Bytes], l.next = id, id+1
		}
	}
	for id := uint32(1); id < l.next; id++ {
		if c.name(id).Taken == 0 {
			l.free = append(l.free, id)
		}
	}
	return l
}

// stands says whether a line of the live state has the id.
func (l *lines) stands(id uint32) bool { return int(id) < len(l.where) && l.where[id].list != nil }

// at gives the line that has the id, if one has.
func (l *lines) at(id uint32) (policy.Counter, bool) {
	if !l.stands(id) {
		return policy.Counter{}, false
	}
	s := l.where[id]
	p := &s.list.policy
	c := policy.Counter{RuleID: p.ID(s.line), Direction: p.Direction, Action: policy.Deny, Subject: p.Subject.Name}
	if s.line != policy.Implicit {
		c.Text, c.Action = p.Rules[s.line].Text, p.Rules[s.line].Action
	}
	return c, true
}

// allocation is the ids of one push.
type allocation struct {
	lines  *lines
	lists  map[listName]*numbered
	order  []*numbered
	fresh  map[lineName]uint32
	popped int    // of lines.free
	next   uint32 // as lines.next
}

func (l *lines) begin() *allocation {
	return &allocation{lines: l, lists: map[listName]*numbered{}, fresh: map[lineName]uint32{}, next: l.next}
}

// numbers gives every line of a list its id. Lines of equal text are told
// apart by their order, but for those of one RuleID, which count together.
func (a *allocation) numbers(p *policy.Policy) (*numbered, error) {
	name := listNameOf(p)
	if n := a.lists[name]; n != nil && sameRules(n.policy.Rules, p.Rules) {
		return n, nil
	}
	n := a.lines.lists[name]
	if n == nil || !sameList(&n.policy, p) {
		var err error
		if n, err = a.number(p, n); err != nil {
			return nil, err
		}
	}
	a.lists[name] = n
	a.order = append(a.order, n)
	return n, nil
}

// sameRules says that the rules are not only equal but the very same.
func sameRules(a, b []policy.Rule) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// sameList says that a list is the one that the live state has.
func sameList(a, b *policy.Policy) bool {
	if !sameRules(a.Rules, b.Rules) {
		return false
	}
	x, y := *a, *b
	x.Rules, y.Rules = nil, nil
	return reflect.DeepEqual(x, y)
}

// number gives the ids to a list that the live state has in another form, or
// not at all (nil): lines at its begin and end that stayed keep theirs.
func (a *allocation) number(p *policy.Policy, old *numbered) (*numbered, error) {
	n := &numbered{policy: *p, lines: make([]uint32, len(p.Rules))}
	head, tail := 0, 0
	if old != nil {
		n.implicit = old.implicit
		head, tail = unchanged(old.policy.Rules, p.Rules)
		copy(n.lines, old.lines[:head])
		copy(n.lines[len(n.lines)-tail:], old.lines[len(old.lines)-tail:])
	} else {
		id, err := a.id(p, p.ID(policy.Implicit).ACL, "", 0)
		if err != nil {
			return nil, err
		}
		n.implicit = id
	}
	return n, a.numberFrom(n, head, len(p.Rules)-tail)
}

// numberFrom gives ids to the lines from first to before end. No other line
// of the list says what one of these says.
func (a *allocation) numberFrom(n *numbered, first, end int) error {
	type key struct{ acl, text string }
	type occurrence struct {
		ordinal int
		last    policy.RuleID
	}
	seen := map[key]occurrence{}
	for i := first; i < end; i++ {
		r := &n.policy.Rules[i]
		if r.Uncounted {
			continue
		}
		k := key{r.ID.ACL, r.Text}
		o := seen[k]
		if o.ordinal == 0 || o.last != r.ID {
			o = occurrence{o.ordinal + 1, r.ID}
			seen[k] = o
		}
		id, err := a.id(&n.policy, r.ID.ACL, r.Text, o.ordinal)
		if err != nil {
			return err
		}
		n.lines[i] = id
	}
	return nil
}

// id gives a line's id, a fresh one where it has none.
func (a *allocation) id(p *policy.Policy, acl, text string, ordinal int) (uint32, error) {
	name := nameOf(p, acl, text, ordinal)
	if id, ok := a.fresh[name]; ok {
		return id, nil
	}
	if id, ok := a.lines.ids[name]; ok {
		return id, nil
	}
	id, ok := a.take()
	if !ok {
		return 0, fmt.Errorf("policy %q: all lists together have more than %d lines, want %d at most with those that they replace", p.ACL, a.lines.counters.limit-1, a.lines.counters.limit-1)
	}
	a.fresh[name] = id
	return id, nil
}

func (a *allocation) take() (uint32, bool) {
	free := a.lines.free[a.popped:]
	if full := a.next >= a.lines.counters.limit; len(free) > 0 && (full || len(free) > resting) {
		a.popped++
		return free[0], true
	} else if full {
		return 0, false
	}
	a.next++
	return a.next - 1, true
}

// few is how many changed lines are worth a look at all others.
const few = 1000

// unchanged gives the number of lines at the begin and at the end of two lists
// that are the same and keep their names: none of the others says what one of
// them says, as equal lines are named by their order.
func unchanged(old, next []policy.Rule) (head, tail int) {
	if sameRules(old, next) {
		return len(next), 0
	}
	n := min(len(old), len(next))
	for head < n && sameLine(&old[head], &next[head]) {
		head++
	}
	for tail < n-head && sameLine(&old[len(old)-1-tail], &next[len(next)-1-tail]) {
		tail++
	}
	between := append(old[head:len(old)-tail:len(old)-tail], next[head:len(next)-tail]...)
	if len(between) > few {
		return 0, 0
	}
	var before bool
	var wait sync.WaitGroup
	wait.Go(func() { before = anySays(next[:head], between) })
	behind := anySays(next[len(next)-tail:], between)
	if wait.Wait(); before || behind {
		return 0, 0
	}
	return head, tail
}

func sameLine(a, b *policy.Rule) bool {
	return a.ID == b.ID && a.Uncounted == b.Uncounted && a.Text == b.Text
}

var textSeed = maphash.MakeSeed()

// anySays reports whether one of the lines has the text of one of the others.
// Equal hashes of different texts only make it careful.
func anySays(lines, others []policy.Rule) bool {
	texts := make(map[uint64]bool, len(others))
	var sieve uint64
	for i := range others {
		h := maphash.String(textSeed, others[i].Text)
		texts[h] = true
		sieve |= 1 << (h % 64)
	}
	for i := range lines {
		h := maphash.String(textSeed, lines[i].Text)
		if sieve>>(h%64)&1 != 0 && texts[h] {
			return true
		}
	}
	return false
}

// nameOf hashes what identifies a line. Names are pinned: another way to hash
// would begin all counters anew.
func nameOf(p *policy.Policy, acl, text string, ordinal int) (name lineName) {
	var space [256]byte
	b := space[:0]
	for _, part := range [...]string{p.Subject.Name, p.Direction.String(), p.ACL, acl, text} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(ordinal))
	sum := sha256.Sum256(b)
	copy(name[:], sum[:])
	return name
}

// store names the new ids, with empty counters, before any program uses them.
func (a *allocation) store() error {
	c := a.lines.counters
	if err := c.grow(a.next); err != nil {
		return err
	}
	if len(a.fresh) == 0 {
		return nil
	}
	taken := make([]bool, a.next)
	for name, id := range a.fresh {
		taken[id] = true
		*c.name(id) = bpf.AcliumCounterName{Bytes: name}
	}
	if err := c.clear(func(id uint32) bool { return int(id) < len(taken) && taken[id] }); err != nil {
		return err
	}
	for _, id := range a.fresh {
		c.name(id).Taken = 1
	}
	return nil
}

// commit follows the flip: the push's lines are the ones that stand.
func (a *allocation) commit() {
	l := a.lines
	for name, id := range a.fresh {
		l.ids[name] = id
	}
	l.free, l.next, l.lists = l.free[a.popped:], a.next, a.lists
	l.where = make([]standing, l.next)
	for _, n := range a.order {
		l.where[n.implicit] = standing{n, policy.Implicit}
		for i, id := range n.lines {
			if id != 0 {
				l.where[id] = standing{n, i}
			}
		}
	}
}

// settle forgets the lines that the push no longer names, when no program
// counts on them any more.
func (a *allocation) settle() {
	l := a.lines
	for id := uint32(1); id < l.next; id++ {
		if name := l.counters.name(id); !l.stands(id) && name.Taken != 0 {
			delete(l.ids, name.Bytes)
			name.Taken = 0
			l.free = append(l.free, id)
		}
	}
}

// abandon gives the new ids back.
func (a *allocation) abandon() {
	for _, id := range a.fresh {
		if int(id/chunkSize) < len(a.lines.counters.chunks) {
			a.lines.counters.name(id).Taken = 0
		}
	}
}
