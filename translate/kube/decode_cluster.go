package kube

import (
	"cmp"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// An orderedPolicy is a policy that is asked at a place among others.
type orderedPolicy struct {
	policy policy.Policy
	// order is compared first, then rank, then name.
	order float64
	rank  int
	name  string
	at    value
}

// sorted gives the policies in the order in which they are asked. Two of equal
// order whose actions differ are refused when the names do not decide, as
// nobody knows which of them is asked first.
func sorted(all []orderedPolicy, namesDecide func(a, b *orderedPolicy) bool) []policy.Policy {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b orderedPolicy) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	var out []policy.Policy
	for i := range all {
		for k := i - 1; k >= 0 && all[k].order == all[i].order && all[k].rank == all[i].rank; k-- {
			if !namesDecide(&all[k], &all[i]) && orderMatters(&all[k].policy, &all[i].policy) {
				all[i].at.fail("has the same order as %s, and nothing says which of them is asked first", all[k].at.object.title())
			}
		}
		out = append(out, all[i].policy)
	}
	return out
}

// orderMatters reports whether two policies may decide one packet differently.
func orderMatters(a, b *policy.Policy) bool {
	if a.Direction != b.Direction || strangers(&a.Subject, &b.Subject) {
		return false
	}
	for i := range a.Rules {
		for k := range b.Rules {
			if a.Rules[i].Action != b.Rules[k].Action {
				return true
			}
		}
	}
	return false
}

// strangers reports whether no pod is a pod of both subjects, as far as their
// terms show that by themselves.
func strangers(a, b *policy.Subject) bool {
	if a.Nodes != b.Nodes {
		return true
	}
	for _, s := range a.Selectors {
		for _, t := range b.Selectors {
			if !slices.ContainsFunc(s, func(x policy.Term) bool {
				return slices.ContainsFunc(t, func(y policy.Term) bool { return exclude(&x, &y) || exclude(&y, &x) })
			}) {
				return false
			}
		}
	}
	return len(a.Selectors) > 0 && len(b.Selectors) > 0
}

// exclude reports whether no pod satisfies both terms, of which the first wants
// values or no label at all.
func exclude(a, b *policy.Term) bool {
	switch {
	case a.Key != b.Key:
		return false
	case a.Op == policy.DoesNotExist:
		return b.Op == policy.In || b.Op == policy.Exists
	case a.Op == policy.In:
		return !slices.ContainsFunc(a.Values, func(v string) bool { return b.Matches(map[string]string{b.Key: v}) })
	}
	return false
}

// readClusterNetworkPolicy reads a ClusterNetworkPolicy: rules in order, which
// leave to the next tier what they do not decide.
func readClusterNetworkPolicy(o *object, f fields) {
	spec := f.at("spec")
	if !spec.present() {
		spec.fail("want a spec")
	}
	s := spec.fields("tier", "priority", "subject", "ingress", "egress")
	tier := s.at("tier").word("Admin", "Baseline")
	priority := s.at("priority").number(0, 1000)
	subject := o.subject(readClusterPods(s.at("subject"), nil))
	into := &o.stream.decoder.admin
	if tier == "Baseline" {
		into = &o.stream.decoder.baseline
	}
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		side, peers := "ingress", "from"
		if d == policy.Egress {
			side, peers = "egress", "to"
		}
		list := s.at(side).list()
		if len(list) == 0 {
			continue
		}
		if len(list) > 25 {
			s.at(side).fail("%d rules, and the API takes 25", len(list))
		}
		var rules []policy.Rule
		for _, item := range list {
			rules = append(rules, readClusterRule(item, peers))
		}
		p := o.policy(subject, d, rules)
		p.Open = true
		passOn(p.Rules)
		*into = append(*into, orderedPolicy{policy: p, order: float64(priority), name: o.name, at: spec})
	}
}

// passOn lets rules that pass a packet on leave their policy.
func passOn(rules []policy.Rule) {
	for i := range rules {
		if rules[i].Action == policy.Next {
			rules[i].Goto = len(rules)
		}
	}
}

var clusterActions = map[string]policy.Action{"Accept": policy.Permit, "Deny": policy.Deny, "Pass": policy.Next}

// readClusterRule reads one rule. The peers stand in Source.
func readClusterRule(v value, side string) policy.Rule {
	f := v.fields("name", "action", side, "protocols")
	f.at("name").text()
	r := permit(v, policy.Match{Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}})
	r.Action = clusterActions[f.at("action").word("Accept", "Deny", "Pass")]
	peers := f.at(side)
	if len(peers.list()) == 0 {
		peers.fail("want at least one peer")
	}
	for _, p := range peers.list() {
		readClusterPeer(p, side, r.Action, &r.Match.Source)
	}
	r.Match.Source.Addresses = joined(r.Match.Source.Addresses)
	protocols := f.at("protocols")
	if protocols.present() {
		r.Match.Services = clusterServices(protocols, &r.Match.Source)
	}
	return r
}

// readClusterPeer reads one peer, which has exactly one field.
func readClusterPeer(v value, side string, a policy.Action, out *policy.Peers) {
	known := []string{"namespaces", "pods"}
	if side == "to" {
		known = append(known, "networks", "nodes", "domainNames")
	}
	f := v.fields(known...)
	f.at("nodes").refuse("the model has no nodes by their labels as peers")
	networks, names := f.at("networks"), f.at("domainNames")
	if !networks.present() && !names.present() {
		out.Selectors = append(out.Selectors, readClusterPods(v, known))
		return
	}
	if len(f.named) != 1 {
		v.fail("want exactly one of %s", strings.Join(known, ", "))
	}
	if len(networks.list())+len(names.list()) == 0 {
		v.fail("want at least one item")
	}
	for _, n := range networks.list() {
		out.Addresses = append(out.Addresses, policy.PrefixRange(n.prefix()))
	}
	for _, n := range names.list() {
		if a != policy.Permit {
			n.fail("names go with Accept alone")
		}
		if strings.HasPrefix(n.text(), "*.") {
			n.fail("the asterisk stands for any number of labels here, which the model cannot say")
		}
		out.FQDNs = append(out.FQDNs, n.domain(false))
	}
}

// readClusterPods reads pods, by their namespaces alone or by their own labels too.
func readClusterPods(v value, known []string) policy.Selector {
	if known == nil {
		known = []string{"namespaces", "pods"}
	}
	f := v.fields(known...)
	namespaces, pods := f.at("namespaces"), f.at("pods")
	switch {
	case namespaces.present() == pods.present() || len(f.named) != 1:
		v.fail("want exactly one of %s", strings.Join(known, ", "))
	case namespaces.present():
		return namespaces.selector(namespaceKey)
	}
	p := pods.fields("namespaceSelector", "podSelector")
	return append(p.at("namespaceSelector").selector(namespaceKey), p.at("podSelector").selector(podKey)...)
}

// clusterServices reads protocols; the name of a port goes with every one.
func clusterServices(v value, peers *policy.Peers) (out services) {
	items := v.list()
	if len(items) == 0 {
		v.fail("want at least one protocol")
	}
	for _, item := range items {
		f := item.fields("tcp", "udp", "sctp", "destinationNamedPort")
		if len(f.named) != 1 {
			item.fail("want exactly one of tcp, udp, sctp and destinationNamedPort")
		}
		if name := f.at("destinationNamedPort"); name.present() {
			if len(peers.Addresses)+len(peers.FQDNs) > 0 {
				name.fail("only pods name their ports, and other peers stand in the rule")
			}
			for _, p := range []uint8{policy.TCP, policy.UDP, policy.SCTP} {
				out.name(p, portName(name, name.text()))
			}
			continue
		}
		for word, protocol := range protocolNumbers {
			if p := f.at(strings.ToLower(word)); p.present() {
				out.add(protocol, readClusterPort(p.fields("destinationPort").at("destinationPort")))
			}
		}
	}
	return out
}

// readClusterPort reads a port or a range of ports.
func readClusterPort(v value) policy.Ranges {
	f := v.fields("number", "range")
	number, ports := f.at("number"), f.at("range")
	if number.present() == ports.present() {
		v.fail("want either a number or a range")
	}
	if number.present() {
		return portRange(number, ports)
	}
	r := ports.fields("start", "end")
	first := r.at("start").number(1, 65534)
	last := r.at("end").number(first+1, 65535)
	return policy.NewRanges(policy.Range{First: uint16(first), Last: uint16(last)})
}
