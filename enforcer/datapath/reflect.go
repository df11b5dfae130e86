package datapath

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// reflexives are the numbers of the reflexive lists that are in use, by their
// names. A list keeps its number, because tables that stay in force hold it;
// its entries stand under its name and outlive it.
type reflexives map[string]uint8

// maxReflexives is how many reflexive lists can be numbered, from 1.
const maxReflexives = int(bpf.AcliumReflexiveConstREFLEXIVE_LISTS) - 1

// reflexivesOf numbers the reflexive lists of a state, those of the one before
// as they were.
func reflexivesOf(s *State, before reflexives) (reflexives, error) {
	r := reflexives{}
	for i := range s.Ports {
		for _, l := range slices.Concat(s.Ports[i].Ingress, s.Ports[i].Egress) {
			for j := range l.Rules {
				for _, name := range reflexiveNames(&l.Rules[j]) {
					r[name] = before[name]
				}
			}
		}
	}
	if len(r) > maxReflexives {
		return nil, fmt.Errorf("%d reflexive lists are in use, want %d at most", len(r), maxReflexives)
	}
	taken := map[uint8]bool{}
	for _, n := range r {
		taken[n] = true
	}
	next := uint8(1)
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if r[name] != 0 {
			continue
		}
		for taken[next] {
			next++
		}
		taken[next], r[name] = true, next
	}
	return r, nil
}

// reflexiveNames gives the lists that a rule evaluates and reflects into.
func reflexiveNames(r *policy.Rule) (names []string) {
	if r.Match.Evaluate != "" {
		names = append(names, r.Match.Evaluate)
	}
	if r.Reflect != nil {
		names = append(names, r.Reflect.List)
	}
	return names
}

// number gives the number of a list, 1 to 63.
func (r reflexives) number(name string) (uint8, error) {
	n, known := r[name]
	if !known {
		return 0, fmt.Errorf("reflexive list %q has no number", name)
	}
	return n, nil
}

// evaluated gives a bit for each list that a line of the lists evaluates.
func (r reflexives) evaluated(lists []policy.Policy) (set uint64, err error) {
	for i := range lists {
		for j := range lists[i].Rules {
			if name := lists[i].Rules[j].Match.Evaluate; name != "" {
				set |= 1 << r[name]
			}
		}
	}
	if n, most := bits.OnesCount64(set), int(bpf.AcliumReflexiveConstEVALUATED_LISTS); n > most {
		return 0, fmt.Errorf("%d reflexive lists are evaluated in one direction, want %d at most", n, most)
	}
	return set, nil
}

// names gives what the programs know the numbers by.
func (r reflexives) names() (out bpf.AcliumReflexiveLists) {
	for name, n := range r {
		out.Names[n] = reflexiveKey(name)
	}
	return out
}

// reflexiveKey is what entries of a list stand under. It must not be 0, which
// is no list.
func reflexiveKey(name string) uint64 {
	h := sha256.Sum256([]byte(name))
	return max(1, binary.BigEndian.Uint64(h[:]))
}

// writeReflexives makes an idle half of reflexive_map know the lists of a push.
func (d *Datapath) writeReflexives(half byte, r reflexives) error {
	if err := d.maps.Maps["reflexive_map"].Put(uint32(half), r.names()); err != nil {
		return fmt.Errorf("write reflexive lists: %w", err)
	}
	return nil
}
