package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// A Drift is one thing in which a cluster is not what an inventory says.
type Drift struct {
	// Kind is "addresses" (pods have others than the workload's), "empty" (a
	// workload selects no pods), "unused" (no pod has the workload's addresses),
	// "foreign" (a pod of someone else has one), "shared" (two workloads select
	// one pod), "outside" (a pod is outside of clusterCIDRs) or "service".
	Kind string
	// Name is the workload's or the service's; empty for pods outside.
	Name    string
	Message string
	Source  policy.Source
}

// fewAddresses is how many addresses in a row are looked at one by one. Larger
// ranges are networks, of which most addresses are nobody's.
const fewAddresses = 16

// Drift compares the inventory with a cluster of today, workload by workload in
// the inventory's order. Address families in which a workload has no addresses
// are not compared.
func (i *Inventory) Drift(s *Snapshot) []Drift {
	d := &drifter{inventory: i, snapshot: s, owner: map[netip.Addr]int{}, by: make([][]int, len(s.Pods))}
	d.index()
	for w := range i.Workloads {
		var selected []int
		for _, k := range d.candidates(i.Workloads[w].Selector) {
			if i.Workloads[w].Selector.Matches(d.labels[k]) {
				selected, d.by[k] = append(selected, k), append(d.by[k], w)
			}
		}
		d.selected(&i.Workloads[w], selected)
		d.addresses(&i.Workloads[w], selected)
	}
	d.pods()
	d.services()
	return d.out
}

type drifter struct {
	inventory *Inventory
	snapshot  *Snapshot
	owner     map[netip.Addr]int // the pod of each address
	sorted    []netip.Addr
	labels    []map[string]string
	all       []int            // every pod
	inside    map[string][]int // the pods of each namespace
	by        [][]int          // the workloads that select each pod
	out       []Drift
}

func (d *drifter) index() {
	d.inside = map[string][]int{}
	for k := range d.snapshot.Pods {
		p := &d.snapshot.Pods[k]
		d.labels, d.all = append(d.labels, p.EndpointLabels()), append(d.all, k)
		d.inside[p.Namespace] = append(d.inside[p.Namespace], k)
		for _, a := range p.Addresses {
			d.owner[a] = k
		}
	}
	d.sorted = slices.SortedFunc(maps.Keys(d.owner), netip.Addr.Compare)
}

// candidates gives the pods that a selector can select at all.
func (d *drifter) candidates(s policy.Selector) []int {
	if namespace, _ := splitSelector(s); namespace != "" {
		return d.inside[namespace]
	}
	return d.all
}

// taken gives the addresses of a range that pods have.
func (d *drifter) taken(r policy.AddrRange) []netip.Addr {
	from, _ := slices.BinarySearchFunc(d.sorted, r.First, netip.Addr.Compare)
	to := from
	for to < len(d.sorted) && d.sorted[to].Compare(r.Last) <= 0 {
		to++
	}
	return d.sorted[from:to]
}

func (d *drifter) add(kind, name string, at policy.Source, format string, args ...any) {
	d.out = append(d.out, Drift{kind, name, fmt.Sprintf(format, args...), at})
}

// some gives the first few of a list.
func some(all []string) string {
	if n := len(all); n > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), n-5)
	}
	return strings.Join(all, ", ")
}

func (w *Workload) has(a netip.Addr) bool {
	return slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.Has(a) })
}

// speaksOf reports whether a workload has addresses of an address's family.
func (w *Workload) speaksOf(a netip.Addr) bool {
	return slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.First.BitLen() == a.BitLen() })
}

// selected compares the pods that a workload selects with its addresses.
func (d *drifter) selected(w *Workload, pods []int) {
	if len(pods) == 0 {
		d.add("empty", w.Name, w.Source, "workload %s (%s) selects no pods today", w.Name, w.Selector)
		return
	}
	var strange []string
	for _, k := range pods {
		p := &d.snapshot.Pods[k]
		i := slices.IndexFunc(p.Addresses, func(a netip.Addr) bool { return w.speaksOf(a) && !w.has(a) })
		if i >= 0 {
			strange = append(strange, fmt.Sprintf("%s %s", p, p.Addresses[i]))
		}
	}
	if len(strange) > 0 {
		slices.Sort(strange)
		d.add("addresses", w.Name, w.Source, "workload %s selects %s today, %d whose address is not in the inventory: %s", w.Name, count(len(pods), "pod"), len(strange), some(strange))
	}
}

// addresses compares the addresses of a workload with the pods that have them.
func (d *drifter) addresses(w *Workload, pods []int) {
	var unused, foreign []string
	for _, r := range w.Addresses {
		taken := d.taken(r)
		for _, a := range taken {
			if k := d.owner[a]; !slices.Contains(pods, k) {
				foreign = append(foreign, fmt.Sprintf("%s is %s's", a, &d.snapshot.Pods[k]))
			}
		}
		unused = append(unused, free(r, taken)...)
	}
	if len(unused) > 0 && len(pods) > 0 {
		d.add("unused", w.Name, w.Source, "%s of workload %s belongs to no pod", some(unused), w.Name)
	}
	if len(foreign) > 0 {
		slices.Sort(foreign)
		d.add("foreign", w.Name, w.Source, "addresses of workload %s are those of pods that it does not select: %s", w.Name, some(foreign))
	}
}

// free gives the addresses of a range that nobody has taken; for a network it
// gives the whole, and only when nobody has any of it.
func free(r policy.AddrRange, taken []netip.Addr) (out []string) {
	for a := r.First; len(out) <= fewAddresses; a = a.Next() {
		if !slices.Contains(taken, a) {
			out = append(out, a.String())
		}
		if a == r.Last && len(out)+len(taken) <= fewAddresses {
			return out
		}
		if a == r.Last {
			break
		}
	}
	if len(taken) == 0 {
		return []string{RangeText(r)}
	}
	return nil
}

// pods finds pods of two workloads and pods outside of the cluster's ranges.
func (d *drifter) pods() {
	shared, outside := map[string][]string{}, []string{}
	places := map[string]*Workload{}
	for k := range d.snapshot.Pods {
		p := &d.snapshot.Pods[k]
		if a, b := d.rivals(p, d.by[k]); a != nil {
			key := a.Name + " and " + b.Name
			shared[key], places[key] = append(shared[key], p.String()), b
		}
		if i := slices.IndexFunc(p.Addresses, d.isOutside); i >= 0 {
			outside = append(outside, fmt.Sprintf("%s %s", p, p.Addresses[i]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(shared)) {
		slices.Sort(shared[key])
		d.add("shared", places[key].Name, places[key].Source, "workloads %s both select %s: each says that its pods have its addresses alone", key, some(shared[key]))
	}
	if len(outside) > 0 {
		slices.Sort(outside)
		d.add("outside", "", policy.Source{}, "%s outside of clusterCIDRs: %s", count(len(outside), "pod"), some(outside))
	}
}

// rivals gives two workloads that select a pod and both speak of the family of
// one of its addresses, which is in one of them at most.
func (d *drifter) rivals(p *Pod, by []int) (a, b *Workload) {
	for _, address := range p.Addresses {
		a = nil
		for _, w := range by {
			b = &d.inventory.Workloads[w]
			switch {
			case b.speaksOf(address) && a != nil:
				return a, b
			case b.speaksOf(address):
				a = b
			}
		}
	}
	return nil, nil
}

// isOutside reports an address of a family that clusterCIDRs speak of and that
// neither they nor a workload hold.
func (d *drifter) isOutside(a netip.Addr) bool {
	speaks := false
	for _, p := range d.inventory.ClusterCIDRs {
		if p.Contains(a) {
			return false
		}
		speaks = speaks || p.Addr().BitLen() == a.BitLen()
	}
	return speaks && !slices.ContainsFunc(d.inventory.Workloads, func(w Workload) bool { return w.has(a) })
}

// services compares addresses and ports of the services of both.
func (d *drifter) services() {
	live := map[string]*ClusterService{}
	for k := range d.snapshot.Services {
		s := &d.snapshot.Services[k]
		live[s.Namespace+"/"+s.Name] = s
	}
	for k := range d.inventory.Services {
		s := &d.inventory.Services[k]
		name := s.Namespace + "/" + s.Name
		if c := live[name]; c == nil {
			d.add("service", name, s.Source, "service %s is not in the cluster", name)
		} else if text := serviceText(s.Addresses, s.Ports); text != liveText(c) {
			d.add("service", name, s.Source, "service %s is %s in the inventory and %s in the cluster", name, text, liveText(c))
		}
	}
}

func liveText(c *ClusterService) string {
	var ports []ServicePort
	for _, p := range c.Ports {
		for _, t := range p.Targets {
			ports = append(ports, ServicePort{Protocol: p.Protocol, Port: p.Port, Target: t})
		}
	}
	return serviceText(c.Addresses, ports)
}

// serviceText gives addresses and ports in one form, whatever their order.
func serviceText(addresses []netip.Addr, ports []ServicePort) string {
	addresses = slices.SortedFunc(slices.Values(addresses), netip.Addr.Compare)
	var texts []string
	for _, p := range ports {
		texts = append(texts, fmt.Sprintf("%s %d to %d", protocolNames[p.Protocol], p.Port, p.Target))
	}
	slices.Sort(texts)
	return fmt.Sprintf("%v with %s", addresses, strings.Join(texts, ", "))
}

// Idle gives the clusterCIDRs in which no workload has an address, where there
// are workloads with addresses at all: ranges that may be another cluster's.
func (i *Inventory) Idle() (out []netip.Prefix) {
	var all []policy.AddrRange
	for _, w := range i.Workloads {
		all = append(all, w.Addresses...)
	}
	for _, p := range i.ClusterCIDRs {
		meets := func(r policy.AddrRange) bool { return p.Contains(r.First) || r.Has(p.Addr()) }
		if len(all) > 0 && !slices.ContainsFunc(all, meets) {
			out = append(out, p)
		}
	}
	return out
}

// Suggest says which pods have addresses today and what would select them:
// "shop/web-1: app=web selects 3 pods today, 1 not in the ACL".
func (s *Snapshot) Suggest(addresses []policy.AddrRange) string {
	var wanted []int
	var names []string
	for k := range s.Pods {
		p := &s.Pods[k]
		if slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return (&Workload{Addresses: addresses}).has(a) }) {
			wanted, names = append(wanted, k), append(names, p.String())
		}
	}
	if len(wanted) == 0 {
		return "no pod has these addresses today"
	}
	found := Select(s.Pods, wanted)
	selectors := found.Selectors
	if len(found.Twins) > 0 {
		selectors = found.Nearest
	}
	var texts []string
	for _, one := range selectors {
		texts = append(texts, one.String())
	}
	slices.Sort(names)
	closure := CloseOver(s.Pods, selectors, wanted)
	return fmt.Sprintf("%s today: %s %s", some(names), strings.Join(texts, " or "), &closure)
}
