package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// A builder makes one inventory out of statements from one or several places
// and finds what contradicts.
type builder struct {
	out    Inventory
	errors ErrorList
	claims []claim
	// named and selected find workloads by their name and by their selector's
	// text.
	named, selected map[string]int
	// broken holds names of workloads with errors of their own, so that nobody
	// misses them.
	broken map[string]bool
	// join lets a workload of the same name and selector be described twice.
	join       bool
	interfaces map[string]policy.Source
	services   map[string]policy.Source
	virtual    []claim
}

// A claim is a range of addresses with the workload, by its index, that they
// are of.
type claim struct {
	policy.AddrRange
	owner  int
	source policy.Source
}

func newBuilder() *builder {
	return &builder{
		named: map[string]int{}, selected: map[string]int{}, broken: map[string]bool{},
		interfaces: map[string]policy.Source{}, services: map[string]policy.Source{},
	}
}

// workload takes a workload and gives its index; false when it contradicts
// another one. It leaves the addresses to claim.
func (b *builder) workload(name string, s policy.Selector, at policy.Source) (int, bool) {
	s = canonicalSelector(s)
	i, known := b.named[name]
	k, same := b.selected[s.String()]
	switch {
	case strings.ContainsFunc(name, isBlank) || name == "":
		b.errors.fail(at, "%q is no name of a workload, want one word", name)
		return 0, false
	case known && same && i == k && b.join:
		return i, true
	case known && b.join:
		b.errors.fail(at, "workload %s is %s here and %s at %s", name, s, b.out.Workloads[i].Selector, b.out.Workloads[i].Source)
		return 0, false
	case known:
		b.errors.fail(at, "workload %s is there at %s", name, b.out.Workloads[i].Source)
		return 0, false
	case same:
		b.errors.fail(at, "workload %s selects the same pods as workload %s at %s, want one name for both", name, b.out.Workloads[k].Name, b.out.Workloads[k].Source)
		return 0, false
	case len(s) == 0:
		b.errors.fail(at, "workload %s has no namespace and no labels, want at least one", name)
		return 0, false
	}
	n := len(b.out.Workloads)
	b.named[name], b.selected[s.String()] = n, n
	b.out.Workloads = append(b.out.Workloads, Workload{Name: name, Selector: s, Source: at})
	return n, true
}

func isBlank(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }

func (b *builder) claim(owner int, r policy.AddrRange, at policy.Source) {
	b.claims = append(b.claims, claim{r, owner, at})
}

func (b *builder) faces(name, workload string, at policy.Source) {
	first, known := b.interfaces[name]
	switch {
	case known && b.out.Interfaces[name] == workload:
		return
	case known:
		b.errors.fail(at, "interface %s faces %s here and %s at %s", name, workload, b.out.Interfaces[name], first)
		return
	}
	if b.out.Interfaces == nil {
		b.out.Interfaces = map[string]string{}
	}
	b.interfaces[name], b.out.Interfaces[name] = at, workload
}

// known reports an error when a workload is not there.
func (b *builder) known(name string, at policy.Source) (int, bool) {
	i, ok := b.named[name]
	if ok || b.broken[name] {
		return i, ok
	}
	hint := ""
	for _, w := range b.out.Workloads {
		if strings.EqualFold(w.Name, name) {
			hint = fmt.Sprintf(" (did you mean %s?)", w.Name)
		}
	}
	b.errors.fail(at, "workload %s is not described here, want one of workloads%s", name, hint)
	return 0, false
}

func (b *builder) service(s Service) {
	key := s.Namespace + "/" + s.Name
	if at, known := b.services[key]; known {
		b.errors.fail(s.Source, "service %s is there at %s", key, at)
		return
	}
	b.services[key] = s.Source
	for _, a := range s.Addresses {
		b.virtual = append(b.virtual, claim{policy.AddrRange{First: a, Last: a}, -1 - len(b.out.Services), s.Source})
	}
	b.out.Services = append(b.out.Services, s)
}

// finish looks at what only the whole can show and gives the inventory.
func (b *builder) finish() (*Inventory, error) {
	b.overlaps()
	for _, name := range slices.Sorted(mapKeys(b.out.Interfaces)) {
		b.known(b.out.Interfaces[name], b.interfaces[name])
	}
	if err := b.errors.Err(); err != nil {
		return nil, err
	}
	ranges := make([][]policy.AddrRange, len(b.out.Workloads))
	for _, c := range b.claims {
		ranges[c.owner] = append(ranges[c.owner], c.AddrRange)
	}
	for i := range b.out.Workloads {
		b.out.Workloads[i].Addresses = canonicalRanges(ranges[i])
	}
	return &b.out, nil
}

// overlaps finds addresses that two workloads or services have. Sorted by
// their first address, a range overlaps one before it when it starts before
// the furthest end.
func (b *builder) overlaps() {
	all := slices.Concat(b.claims, b.virtual)
	slices.SortStableFunc(all, func(x, y claim) int {
		return cmp.Or(x.First.Compare(y.First), x.Last.Compare(y.Last))
	})
	var furthest, other claim // other is the furthest of another owner
	for i, c := range all {
		for _, f := range []claim{furthest, other} {
			if i > 0 && f.First.IsValid() && f.owner != c.owner && f.First.BitLen() == c.First.BitLen() && c.First.Compare(f.Last) <= 0 {
				b.clash(f, c)
				break
			}
		}
		switch {
		case i == 0 || c.First.BitLen() != furthest.First.BitLen():
			furthest, other = c, claim{}
		case furthest.Last.Less(c.Last):
			if furthest.owner != c.owner {
				other = furthest
			}
			furthest = c
		case c.owner != furthest.owner && (!other.First.IsValid() || other.Last.Less(c.Last)):
			other = c
		}
	}
}

// clash says that two claims share addresses, at the place of the later one.
func (b *builder) clash(f, c claim) {
	if after(f.source, c.source) {
		f, c = c, f
	}
	b.errors.fail(c.source, "%s of %s overlaps %s of %s at %s", RangeText(c.AddrRange), b.ownerName(c), RangeText(f.AddrRange), b.ownerName(f), f.source)
}

func after(a, b policy.Source) bool {
	return a.File == b.File && (a.Line > b.Line || a.Line == b.Line && a.Column > b.Column)
}

func (b *builder) ownerName(c claim) string {
	if c.owner < 0 {
		s := &b.out.Services[-1-c.owner]
		return "service " + s.Namespace + "/" + s.Name
	}
	return "workload " + b.out.Workloads[c.owner].Name
}

// clusterCIDR takes a range of the pods' addresses; one that another holds is
// no news.
func (b *builder) clusterCIDR(p netip.Prefix) {
	covered := func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }
	if slices.ContainsFunc(b.out.ClusterCIDRs, covered) {
		return
	}
	b.out.ClusterCIDRs = append(slices.DeleteFunc(b.out.ClusterCIDRs, p.Overlaps), p)
}
