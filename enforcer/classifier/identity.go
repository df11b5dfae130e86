package classifier

import (
	"encoding/binary"
	"fmt"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// identities knows which of them the peers of a list hold. Identities that the
// list never tells apart are one class; class 0 is everybody that no peer
// holds, the unknown ones included.
type identities struct {
	list   []Identity // sorted by ID
	labels *labelIndex
	groups [][]int32 // members of each group, into list
	known  map[string]int32
	class  []uint32   // of each of list
	sets   [][]uint32 // the classes of each group, sorted
	count  uint32     // classes
}

func newIdentities(ids []Identity) (*identities, error) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b Identity) int { return int(int64(a.ID) - int64(b.ID)) })
	for i := 1; i < len(ids); i++ {
		if ids[i].ID == ids[i-1].ID {
			return nil, fmt.Errorf("identity %d is given twice", ids[i].ID)
		}
	}
	world := uint32(bpf.AcliumIdentityIDENTITY_WORLD)
	at, found := slices.BinarySearchFunc(ids, world, func(i Identity, id uint32) int { return int(int64(i.ID) - int64(id)) })
	if !found {
		ids = slices.Insert(ids, at, Identity{ID: world})
	}
	return &identities{list: ids, labels: newLabelIndex(ids), known: map[string]int32{}}, nil
}

// namesIdentities reports whether the peers name ends by anything but addresses.
func namesIdentities(p *policy.Peers) bool {
	return len(p.Selectors)+len(p.Entities)+len(p.FQDNs) > 0
}

// identityKey gives the same text for equal selectors, entities and names.
func identityKey(p *policy.Peers) string {
	if !namesIdentities(p) {
		return ""
	}
	return fmt.Sprintf("%q %v %q", p.Selectors, p.Entities, p.FQDNs)
}

// group gives the number of the identities that a peer's selectors, entities
// and names hold.
func (d *identities) group(p *policy.Peers) int32 {
	key := identityKey(p)
	if found, ok := d.known[key]; ok {
		return found
	}
	at := int32(len(d.groups))
	d.groups = append(d.groups, d.labels.members(p))
	d.known[key] = at
	return at
}

// classify numbers the classes.
func (c *compiler) classify() {
	d := c.identities
	in := make([][]byte, len(d.list)) // the groups that each is in
	for g, members := range d.groups {
		for _, m := range members {
			in[m] = binary.BigEndian.AppendUint32(in[m], uint32(g))
		}
	}
	d.class, d.count = make([]uint32, len(d.list)), 1
	known := map[string]uint32{"": 0}
	for i := range in {
		class, ok := known[string(in[i])]
		if !ok {
			class = d.count
			known[string(in[i])] = class
			d.count++
		}
		d.class[i] = class
	}
	d.sets = make([][]uint32, len(d.groups))
	for g, members := range d.groups {
		for _, m := range members {
			d.sets[g] = append(d.sets[g], d.class[m])
		}
		slices.Sort(d.sets[g])
		d.sets[g] = slices.Compact(d.sets[g])
	}
}

// uses reports whether the list looks at identities at all.
func (d *identities) uses() bool { return len(d.groups) > 0 }
