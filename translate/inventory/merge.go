package inventory

import (
	"slices"

	"aclium/translate/policy"
)

// A Mapping says that an address range stood for the pods of a name: one line
// of a configuration's identity map.
type Mapping struct {
	Name string
	// Selectors are the pods of the name: the workload lines of its
	// object-group.
	Selectors []policy.Selector
	Addresses []policy.AddrRange
	Source    policy.Source
}

// FromConfig gives the inventory of a configuration's identity maps. Lines of
// one name describe one workload together. The error is an ErrorList: overlaps,
// and names whose pods no single selector can say.
func FromConfig(maps []Mapping) (*Inventory, error) {
	b := newBuilder()
	b.join = true
	for _, m := range maps {
		s, ok := oneSelector(m.Selectors)
		if !ok {
			b.errors.fail(m.Source, "object-group %s has %d workload lines that no single selector can say, want one for an identity map", m.Name, len(m.Selectors))
			continue
		}
		if i, ok := b.workload(m.Name, s, m.Source); ok {
			for _, r := range m.Addresses {
				b.claim(i, r, m.Source)
			}
		}
	}
	return b.finish()
}

// oneSelector gives the selector of a union: selectors that differ in the
// values of one key alone are one with all values.
func oneSelector(all []policy.Selector) (policy.Selector, bool) {
	if len(all) == 0 {
		return nil, false
	}
	out := canonicalSelector(all[0])
	for _, s := range all[1:] {
		var ok bool
		if out, ok = join(out, canonicalSelector(s)); !ok {
			return nil, false
		}
	}
	return out, true
}

func join(a, b policy.Selector) (policy.Selector, bool) {
	if len(a) != len(b) {
		return nil, false
	}
	out, differ := slices.Clone(a), 0
	for i := range a {
		if a[i].String() == b[i].String() {
			continue
		}
		if a[i].Key != b[i].Key || a[i].Op != policy.In || b[i].Op != policy.In {
			return nil, false
		}
		values := slices.Concat(a[i].Values, b[i].Values)
		slices.Sort(values)
		out[i].Values = slices.Compact(values)
		differ++
	}
	return out, differ <= 1
}

// Merge gives what two inventories say together; either may be nil. A workload
// of the same name and pods has the addresses of both. What contradicts is an
// ErrorList that names both places.
func Merge(a, b *Inventory) (*Inventory, error) {
	m := newBuilder()
	m.join = true
	for _, inv := range []*Inventory{a, b} {
		if inv != nil {
			m.include(inv)
		}
	}
	return m.finish()
}

func (b *builder) include(inv *Inventory) {
	for _, w := range inv.Workloads {
		if i, ok := b.workload(w.Name, w.Selector, w.Source); ok {
			for _, r := range w.Addresses {
				b.claim(i, r, w.Source)
			}
		}
	}
	for _, name := range slices.Sorted(mapKeys(inv.Interfaces)) {
		at := policy.Source{}
		if w := inv.Workload(inv.Interfaces[name]); w != nil {
			at = w.Source
		}
		b.faces(name, inv.Interfaces[name], at)
	}
	for _, p := range inv.ClusterCIDRs {
		b.clusterCIDR(p)
	}
	for _, s := range inv.Services {
		b.service(s)
	}
}
