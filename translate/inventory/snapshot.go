package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// A Snapshot is what a cluster said of itself at one time.
type Snapshot struct {
	// Versions are the resource versions of the lists, by resource, for
	// whoever must show what an answer rests on.
	Versions map[string]string
	// Pods hold every pod that policies can select: not those of the host's
	// network, and not those that have ended.
	Pods     []Pod
	Services []ClusterService
	// PodCIDRs are the nodes' ranges for pods.
	PodCIDRs []netip.Prefix
	// Missing says what could not be read, and why.
	Missing []string
}

// A ClusterService is a service as the cluster describes it.
type ClusterService struct {
	Namespace, Name string
	Addresses       []netip.Addr
	Labels          map[string]string // of its pods; empty when endpoints are given by hand
	Ports           []ClusterPort
	// Endpoints are the addresses behind it that are ready.
	Endpoints []netip.Addr
}

// A ClusterPort is one port of a service with the ports behind it: one, but
// where pods give one name to different ports.
type ClusterPort struct {
	Protocol uint8
	Port     uint16
	Targets  []uint16
}

// FromSnapshot gives the inventory of a cluster: one workload for each owner of
// pods, with its selector and its pods' addresses of the time. Owners whose pods
// no stable label tells apart are one workload. Notes say what the inventory
// leaves out and what is to be known about it, in a stable order. The error is
// an ErrorList: two pods with one address.
func FromSnapshot(s *Snapshot) (*Inventory, []string, error) {
	g := &grouper{builder: newBuilder(), universe: newUniverse(s.Pods), snapshot: s, notes: slices.Clone(s.Missing)}
	g.workloads()
	g.clusterCIDRs()
	for i := range s.Services {
		g.clusterService(&s.Services[i])
	}
	inv, err := g.finish()
	if err != nil {
		return nil, g.notes, err
	}
	slices.SortFunc(inv.Workloads, func(a, b Workload) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(inv.Services, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return inv, g.notes, nil
}

// A grouper makes an inventory out of a snapshot.
type grouper struct {
	*builder
	*universe
	snapshot *Snapshot
	notes    []string
}

func (g *grouper) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// A crew is the classes of the pods of one owner, or of several that no label
// tells apart.
type crew struct {
	namespace string
	owners    []Owner
	classes   []int
}

// crews joins what cannot be told apart: the owners that share a class.
func (g *grouper) crews() []crew {
	leader := make([]int, len(g.classes)) // of each class; itself at first
	first := map[string]int{}             // the first class of each owner
	for c := range leader {
		leader[c] = c
	}
	find := func(c int) int {
		for leader[c] != c {
			c = leader[c]
		}
		return c
	}
	for i := range g.pods {
		p := &g.pods[i]
		if p.Owner == (Owner{}) {
			continue
		}
		key := p.Namespace + "\x00" + p.Owner.Kind + "\x00" + p.Owner.Name
		if c, known := first[key]; known {
			leader[find(g.of[i])] = find(c)
		} else {
			first[key] = g.of[i]
		}
	}
	byLeader := map[int]*crew{}
	for c := range g.classes {
		l := find(c)
		if byLeader[l] == nil {
			byLeader[l] = &crew{namespace: g.classes[c].namespace}
		}
		byLeader[l].take(g, c)
	}
	out := make([]crew, 0, len(byLeader))
	for _, l := range slices.Sorted(maps.Keys(byLeader)) {
		out = append(out, *byLeader[l])
	}
	slices.SortFunc(out, func(a, b crew) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.ownerNames(), b.ownerNames()), cmp.Compare(g.itself(a.classes[0]), g.itself(b.classes[0])))
	})
	return out
}

func (c *crew) take(g *grouper, class int) {
	c.classes = append(c.classes, class)
	for _, i := range g.classes[class].pods {
		if o := g.pods[i].Owner; o != (Owner{}) && !slices.Contains(c.owners, o) {
			c.owners = append(c.owners, o)
		}
	}
	slices.SortFunc(c.owners, func(a, b Owner) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind)) })
}

func (c *crew) ownerNames() string {
	var names []string
	for _, o := range c.owners {
		names = append(names, o.Kind+" "+o.Name)
	}
	return strings.Join(names, ", ")
}

// workloads makes the workloads of all owners.
func (g *grouper) workloads() {
	for _, c := range g.crews() {
		if len(c.owners) > 1 {
			g.note("%s of namespace %s have pods that no stable label tells apart: they are one workload", c.ownerNames(), c.namespace)
		}
		selectors := g.split(c.classes)
		for n, s := range selectors {
			g.crewWorkload(&c, s, n)
		}
	}
}

// crewWorkload makes the workload of one selector of a crew, its n-th.
func (g *grouper) crewWorkload(c *crew, s policy.Selector, n int) {
	name := nameOf(s)
	if len(c.owners) > 0 {
		name = c.namespace + "/" + c.owners[0].Name
	}
	if n > 0 && len(c.owners) > 0 {
		name += fmt.Sprintf(".%d", n+1)
	}
	if _, taken := g.named[name]; taken && len(c.owners) > 0 {
		name += "." + strings.ToLower(c.owners[0].Kind)
	}
	for _, taken := g.named[name]; taken; _, taken = g.named[name] {
		name += "+"
	}
	w, ok := g.workload(name, s, policy.Source{File: "cluster " + name})
	if !ok {
		return
	}
	for _, class := range c.classes {
		if !selects(s, &g.classes[class]) {
			continue
		}
		for _, i := range g.classes[class].pods {
			for _, a := range g.pods[i].Addresses {
				g.claim(w, policy.AddrRange{First: a, Last: a}, policy.Source{File: "cluster pod " + g.pods[i].String()})
			}
		}
	}
	if slices.ContainsFunc(s, func(t policy.Term) bool { return t.Op == policy.NotIn || t.Op == policy.DoesNotExist }) {
		g.note("workload %s is told apart by labels that its pods lack (%s): pods of tomorrow may lack them too", name, s)
	}
}

// selects reports whether a selector on namespaces and stable labels holds for
// a class.
func selects(s policy.Selector, c *class) bool {
	return !slices.ContainsFunc(s, func(t policy.Term) bool {
		if t.Key == policy.NamespaceKey {
			return !t.Matches(map[string]string{t.Key: c.namespace})
		}
		return !t.Matches(c.labels)
	})
}

// clusterCIDRs takes the nodes' ranges of each family in which they hold all
// pods. Ranges that miss a pod would call it a stranger.
func (g *grouper) clusterCIDRs() {
	for _, bits := range []int{32, 128} {
		var nodes []policy.AddrRange
		for _, p := range g.snapshot.PodCIDRs {
			if p.Addr().BitLen() == bits {
				nodes = append(nodes, policy.PrefixRange(p))
			}
		}
		nodes = canonicalRanges(nodes)
		outside := g.podsOutside(bits, nodes)
		switch {
		case len(nodes) > 0 && len(g.podsOutside(bits, nil)) == 0:
			g.note("no pod with an %s address shows that the nodes' podCIDRs are in use: clusterCIDRs of %s are left out, give them by hand", familyName(bits), familyName(bits))
		case len(nodes) == 0 && len(outside) > 0:
			g.note("the nodes name no podCIDRs for %s: clusterCIDRs are left out, give them by hand", familyName(bits))
		case len(outside) > 0:
			g.note("%s outside of the nodes' podCIDRs (%s first): clusterCIDRs of %s are left out, give them by hand", count(len(outside), "pod"), outside[0], familyName(bits))
		default:
			for _, r := range nodes {
				g.out.ClusterCIDRs = append(g.out.ClusterCIDRs, prefixesOf(r)...)
			}
		}
	}
	if len(g.out.ClusterCIDRs) > 0 {
		g.note("clusterCIDRs are the podCIDRs of the nodes of today: a node that joins brings another; the range that the cluster was made with is better")
	}
}

func familyName(bits int) string { return map[int]string{32: "IPv4", 128: "IPv6"}[bits] }

func (g *grouper) podsOutside(bits int, ranges []policy.AddrRange) (out []string) {
	for i := range g.pods {
		for _, a := range g.pods[i].Addresses {
			if a.BitLen() == bits && !slices.ContainsFunc(ranges, func(r policy.AddrRange) bool { return r.Has(a) }) {
				out = append(out, g.pods[i].String())
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// prefixesOf gives the fewest prefixes that are a range.
func prefixesOf(r policy.AddrRange) (out []netip.Prefix) {
	for a := r.First; a.IsValid() && a.Compare(r.Last) <= 0; {
		bits := a.BitLen()
		for bits > 0 {
			p := netip.PrefixFrom(a, bits-1)
			if p != p.Masked() || r.Last.Less(policy.PrefixRange(p).Last) {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(a, bits)
		out, a = append(out, p), policy.PrefixRange(p).Last.Next()
	}
	return out
}

// clusterService takes a service whose pods and ports can be said.
func (g *grouper) clusterService(c *ClusterService) {
	backends, why := g.backends(c)
	s := Service{Name: c.Name, Namespace: c.Namespace, Addresses: c.Addresses, Source: policy.Source{File: "cluster service " + c.Namespace + "/" + c.Name}}
	for _, p := range c.Ports {
		if len(p.Targets) != 1 {
			why = cmp.Or(why, fmt.Sprintf("port %d leads to %s", p.Port, count(len(p.Targets), "different port")))
			continue
		}
		s.Ports = append(s.Ports, ServicePort{Protocol: p.Protocol, Port: p.Port, Target: p.Targets[0], Backends: backends})
	}
	if why != "" {
		g.note("service %s/%s is left out: %s", c.Namespace, c.Name, why)
		return
	}
	g.service(s)
}

// backends gives the selector of a service's pods: a workload's where it has
// the same pods, else the service's own labels where they last, else what
// Select finds. It says why there is none.
func (g *grouper) backends(c *ClusterService) (s policy.Selector, why string) {
	var pods []int
	for i := range g.pods {
		if g.behind(c, &g.pods[i]) {
			pods = append(pods, i)
		}
	}
	if a, ok := g.stranger(c, pods); ok {
		return nil, a.String() + " behind it is no address of its pods"
	}
	if len(pods) == 0 {
		return nil, "it stands for no pods"
	}
	for _, w := range g.out.Workloads {
		if selects(w.Selector, &g.classes[g.of[pods[0]]]) && g.same(w.Selector, pods) {
			return w.Selector, ""
		}
	}
	own := policy.Selector{equals(policy.NamespaceKey, c.Namespace)}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		own = append(own, equals(k, c.Labels[k]))
	}
	if own = canonicalSelector(own); len(own) > 1 && g.same(own, pods) {
		return own, ""
	}
	if found := g.find(pods); len(found.Selectors) == 1 {
		return found.Selectors[0], ""
	}
	return nil, "no stable labels select exactly its pods"
}

// stranger gives an endpoint of a service that is none of the pods' addresses.
func (g *grouper) stranger(c *ClusterService, pods []int) (netip.Addr, bool) {
	known := map[netip.Addr]bool{}
	for _, i := range pods {
		for _, a := range g.pods[i].Addresses {
			known[a] = true
		}
	}
	if i := slices.IndexFunc(c.Endpoints, func(a netip.Addr) bool { return !known[a] }); i >= 0 {
		return c.Endpoints[i], true
	}
	return netip.Addr{}, false
}

// behind reports whether a pod is one of a service's, ready or not; by its
// address where the service names no labels.
func (g *grouper) behind(c *ClusterService, p *Pod) bool {
	if len(c.Labels) == 0 {
		return slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return slices.Contains(c.Endpoints, a) })
	}
	if p.Namespace != c.Namespace {
		return false
	}
	for k, v := range c.Labels {
		if got, ok := p.Labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// same reports whether the stable part of a selector selects exactly the pods.
func (g *grouper) same(s policy.Selector, pods []int) bool {
	n := 0
	for k := range g.classes {
		if selects(s, &g.classes[k]) {
			n += len(g.classes[k].pods)
		}
	}
	return n == len(pods) && !slices.ContainsFunc(pods, func(i int) bool { return !selects(s, &g.classes[g.of[i]]) })
}
