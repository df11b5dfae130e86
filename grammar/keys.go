package grammar

import (
	"bytes"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
)

// entryKeys finds the entries of a list by what they say. It is only a cache:
// a list that was cloned or made by hand has none, and builds it.
type entryKeys struct {
	// aces maps the hash of an ACE's text to its number. An ACE whose hash
	// another has stands under its whole text.
	aces map[uint64]uint32
	rest map[string]uint32
	hash func([]byte) uint64
	// subnets are the entries of a standard list that cover more than one
	// host: the numbers by address for each wildcard.
	subnets map[netip.Addr]map[netip.Addr][]uint32
	// waiting holds the remarks that have no number.
	waiting map[string]bool
	// late holds ACEs by their number that are not among the entries yet; see
	// insertLate.
	late map[uint32]*Entry
	// asked is the ACE whose text stands in mine; other is room for the text
	// of another.
	asked       *ACE
	mine, other []byte
}

var keySeed = maphash.MakeSeed()

func hashText(text []byte) uint64 { return maphash.Bytes(keySeed, text) }

// built gives the keys.
func (a *ACL) built() *entryKeys {
	if a.keys == nil {
		a.keys = newKeys(hashText)
		for _, e := range a.Entries {
			a.addKey(e)
		}
	}
	return a.keys
}

func newKeys(hash func([]byte) uint64) *entryKeys {
	return &entryKeys{
		aces: map[uint64]uint32{}, rest: map[string]uint32{}, hash: hash,
		subnets: map[netip.Addr]map[netip.Addr][]uint32{}, waiting: map[string]bool{}, late: map[uint32]*Entry{},
	}
}

// same gives the number of the ACE that says the same, that is: has the same
// canonical text.
func (a *ACL) same(ace *ACE) (seq uint32, ok bool) {
	k := a.built()
	if seq, ok = k.aces[k.hash(k.text(ace))]; ok && a.says(seq, k.mine) {
		return seq, true
	}
	seq, ok = k.rest[string(k.mine)]
	return seq, ok
}

// text gives the canonical text of an ACE in the room for it.
func (k *entryKeys) text(ace *ACE) []byte {
	if k.asked != ace {
		k.mine, k.asked = ace.append(k.mine[:0], false), ace
	}
	return k.mine
}

// says reports whether the ACE with the number has the text.
func (a *ACL) says(seq uint32, text []byte) bool {
	e := a.ace(seq)
	if e == nil {
		return false
	}
	a.keys.other = e.ACE.append(a.keys.other[:0], false)
	return bytes.Equal(a.keys.other, text)
}

// addKey takes a new entry into the keys.
func (a *ACL) addKey(e *Entry) {
	k := a.keys
	if e.ACE == nil {
		if e.Seq == 0 {
			k.waiting[e.Remark] = true
		}
		return
	}
	if h := k.hash(k.text(e.ACE)); k.aces[h] == 0 {
		k.aces[h] = e.Seq
	} else {
		k.rest[string(k.mine)] = e.Seq
	}
	if s := &e.ACE.Source; e.ACE.Kind == Standard && s.Kind != HostAddress && s.Kind <= MaskedAddress {
		if k.subnets[s.Wildcard] == nil {
			k.subnets[s.Wildcard] = map[netip.Addr][]uint32{}
		}
		k.subnets[s.Wildcard][s.Addr] = append(k.subnets[s.Wildcard][s.Addr], e.Seq)
	}
}

// removeKey forgets an entry that is in the list.
func (a *ACL) removeKey(e *Entry) {
	k := a.built()
	if e.ACE == nil {
		if e.Seq == 0 {
			delete(k.waiting, e.Remark)
		}
		return
	}
	if h := k.hash(k.text(e.ACE)); k.aces[h] == e.Seq {
		delete(k.aces, h)
	} else {
		delete(k.rest, string(k.mine))
	}
	if of := k.subnets[e.ACE.Source.Wildcard]; e.ACE.Kind == Standard && of != nil {
		of[e.ACE.Source.Addr] = slices.DeleteFunc(of[e.ACE.Source.Addr], func(seq uint32) bool { return seq == e.Seq })
	}
}

// covering gives the lowest number of the standard entries that cover the
// host, 0 when none does.
func (k *entryKeys) covering(host netip.Addr) (lowest uint32) {
	for wildcard, of := range k.subnets {
		for _, seq := range of[clear(host, wildcard)] {
			if lowest == 0 || seq < lowest {
				lowest = seq
			}
		}
	}
	return lowest
}

// A file may type the entries of a list in any order of their numbers. To put
// each in its place would move all that stand behind it, so that entries which
// are not the last are late: they are collected and put into the list together.

// fewLate is the number of late entries up to which a short list takes no
// more.
const fewLate = 1000

// insertLate keeps an ACE for settle.
func (l *line) insertLate(a *ACL, e *Entry) {
	l.room.late = a
	a.keys.late[e.Seq] = e
	if len(a.keys.late) > fewLate+len(a.Entries)/4 {
		a.settle()
	}
}

// settle gives the list with late entries its order before another statement
// runs, and at the end of a file. So only addACE meets late entries.
func (s *Session) settle(next *statement) {
	if s.room.running != next {
		s.settleNow()
	}
	s.room.running = next
}

func (s *Session) settleNow() {
	if s.room.late != nil {
		s.room.late.settle()
		s.room.late = nil
	}
}

// settle puts the late entries into the list.
func (a *ACL) settle() {
	if a.keys == nil || len(a.keys.late) == 0 {
		return
	}
	late := slices.SortedFunc(maps.Values(a.keys.late), func(d, e *Entry) int { return int(d.Seq) - int(e.Seq) })
	a.keys.late = map[uint32]*Entry{}
	merged := make([]*Entry, 0, len(a.Entries)+len(late))
	for _, e := range a.Entries {
		for len(late) > 0 && e.Seq > late[0].Seq {
			merged, late = append(merged, late[0]), late[1:]
		}
		merged = append(merged, e)
	}
	a.Entries = merged
}

// keptIndex finds the kept statements of one place by their key. What is
// appended to the slice is added; when a statement went away, which moves those
// behind it, the index is built again.
type keptIndex struct {
	place *[]*Statement
	of    []*Statement
	byKey map[string]int
}

// find gives the index of the known statement with the key, -1 when there is
// none.
func (x *keptIndex) find(place *[]*Statement, key string) int {
	all := *place
	n := len(x.of)
	if x.place != place || len(all) < n || n > 0 && all[n-1] != x.of[n-1] {
		x.place, x.byKey, n = place, map[string]int{}, 0
	}
	for i, s := range all[n:] {
		if _, taken := x.byKey[s.key]; s.Known && !taken {
			x.byKey[s.key] = n + i
		}
	}
	x.of = all
	if at, ok := x.byKey[key]; ok {
		return at
	}
	return -1
}
