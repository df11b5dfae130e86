package classifier

import (
	"math/bits"

	"aclium/translate/policy"
)

// A labelIndex answers which identities a selector holds without asking each:
// thousands of selectors over thousands of identities would take minutes. It
// knows the keys that were asked for.
type labelIndex struct {
	list []Identity
	pods bitset
	keys map[string]*labelKey
	// chosen and term are in use while a selector is answered.
	chosen, term bitset
}

// labelKey says which identities have a label, and with which value.
type labelKey struct {
	all    []int32
	values map[string][]int32
}

// bitset has a bit for each identity.
type bitset []uint64

func (b bitset) add(members []int32) {
	for _, m := range members {
		b[m/64] |= 1 << (m % 64)
	}
}

func newLabelIndex(list []Identity) *labelIndex {
	size := (len(list) + 63) / 64
	x := &labelIndex{list: list, pods: make(bitset, size), keys: map[string]*labelKey{}, chosen: make(bitset, size), term: make(bitset, size)}
	for i := range list {
		if list[i].Labels != nil {
			x.pods.add([]int32{int32(i)})
		}
	}
	return x
}

func (x *labelIndex) key(name string) *labelKey {
	if k := x.keys[name]; k != nil {
		return k
	}
	k := &labelKey{values: map[string][]int32{}}
	for i := range x.list {
		if v, ok := x.list[i].Labels[name]; ok {
			k.all = append(k.all, int32(i))
			k.values[v] = append(k.values[v], int32(i))
		}
	}
	x.keys[name] = k
	return k
}

// narrow leaves in chosen what a term holds, as policy.Term.Matches says.
func (x *labelIndex) narrow(t *policy.Term) {
	clear(x.term)
	k := x.key(t.Key)
	switch t.Op {
	case policy.Exists, policy.DoesNotExist:
		x.term.add(k.all)
	case policy.In, policy.NotIn:
		for _, v := range t.Values {
			x.term.add(k.values[v])
		}
	}
	turn := uint64(0)
	if t.Op == policy.NotIn || t.Op == policy.DoesNotExist {
		turn = ^turn
	}
	for i := range x.chosen {
		x.chosen[i] &= x.term[i] ^ turn
	}
}

// add puts into out what a selector holds.
func (x *labelIndex) add(s policy.Selector, out bitset) {
	copy(x.chosen, x.pods)
	for i := range s {
		x.narrow(&s[i])
	}
	for i := range out {
		out[i] |= x.chosen[i]
	}
}

// members gives the identities that a peer's selectors, entities and names hold.
func (x *labelIndex) members(p *policy.Peers) []int32 {
	out := make(bitset, len(x.pods))
	for _, s := range p.Selectors {
		x.add(s, out)
	}
	if rest := (policy.Peers{Entities: p.Entities, FQDNs: p.FQDNs}); namesIdentities(&rest) {
		for i := range x.list {
			if x.list[i].In(&rest) {
				out.add([]int32{int32(i)})
			}
		}
	}
	count := 0
	for _, w := range out {
		count += bits.OnesCount64(w)
	}
	members := make([]int32, 0, count)
	for i, w := range out {
		for ; w != 0; w &= w - 1 {
			members = append(members, int32(i*64+bits.TrailingZeros64(w)))
		}
	}
	return members
}
