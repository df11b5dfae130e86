package kube

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"aclium/translate/policy"
)

// readCilium reads the spec and the specs of a CiliumNetworkPolicy or a
// CiliumClusterwideNetworkPolicy.
func readCilium(o *object, f fields) {
	spec, specs := f.at("spec"), f.at("specs")
	if !spec.present() && len(specs.list()) == 0 {
		f.fail("want a spec or specs")
	}
	o.stream.decoder.cilium = true
	rules := map[policy.Direction]int{}
	if spec.present() {
		o.ciliumSpec(spec, rules)
	}
	for _, s := range specs.list() {
		o.ciliumSpec(s, rules)
	}
}

// ciliumSpec reads one spec: a policy for each direction that it has rules
// for. numbers counts the object's rules of a direction over all its specs.
func (o *object) ciliumSpec(v value, numbers map[policy.Direction]int) {
	f := v.fields("endpointSelector", "nodeSelector", "ingress", "ingressDeny", "egress", "egressDeny",
		"enableDefaultDeny", "labels", "description", "log")
	f.at("description").text()
	f.at("log").fields("value").at("value").text()
	subject := o.ciliumSubject(f)
	deny := f.at("enableDefaultDeny").fields("ingress", "egress")
	some := false
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		side := map[policy.Direction]string{policy.Ingress: "ingress", policy.Egress: "egress"}[d]
		permits, denies, isolates := f.at(side), f.at(side+"Deny"), deny.at(side)
		if len(permits.list())+len(denies.list()) == 0 {
			if isolates.truth() {
				isolates.fail("without a rule in %s, versions of Cilium differ about this", side)
			}
			continue
		}
		some = true
		// The annotation counts the denies first, as the lists of a target with denies do.
		rules := slices.Concat(o.ciliumRules(denies, d, policy.Deny, subject.Nodes), o.ciliumRules(permits, d, policy.Permit, subject.Nodes))
		p := o.policy(subject, d, rules)
		p.Open = isolates.present() && !isolates.truth()
		if n := numbers[d]; n > 0 {
			renumber(p.Rules, o.acl(), n)
		}
		numbers[d] += len(p.Rules)
		o.stream.decoder.union = append(o.stream.decoder.union, p)
	}
	if !some {
		v.fail("has no rule in ingress, ingressDeny, egress or egressDeny, which Cilium refuses")
	}
}

// renumber goes on counting the rules of an earlier spec.
func renumber(rules []policy.Rule, acl string, after int) {
	for i := range rules {
		rules[i].ID = policy.RuleID{ACL: acl, Seq: uint32(after + i + 1)}
	}
}

// ciliumSubject reads what a spec stands on: pods of the object's namespace,
// or nodes where the object has none.
func (o *object) ciliumSubject(f fields) policy.Subject {
	pods, nodes := f.at("endpointSelector"), f.at("nodeSelector")
	switch {
	case pods.present() == nodes.present():
		f.fail("want either an endpointSelector or a nodeSelector")
	case nodes.present() && o.namespace != "":
		nodes.fail("stands in a %s alone", "CiliumClusterwideNetworkPolicy")
	case nodes.present():
		s := o.subject(nodes.selector(ciliumKey))
		s.Nodes = true
		return s
	}
	s := pods.selector(ciliumKey)
	if o.namespace == "" {
		return o.subject(s)
	}
	for _, t := range s {
		if t.Key == policy.NamespaceKey && (t.Op != policy.In || !slices.Equal(t.Values, []string{o.namespace})) {
			pods.fail("names a namespace, and the object stands on its own one, %s, alone", o.namespace)
		}
	}
	return o.subject(append(s, o.home()))
}

// ciliumKey takes the source off the key of a label: a pod's labels come from
// Kubernetes, and "any" is every source.
func ciliumKey(v value, key string) string {
	source, rest, found := strings.Cut(key, ":")
	if !found {
		source, rest = "any", key
	}
	if source != "any" && source != "k8s" {
		v.fail("labels of %s are not known, want k8s or any before the colon", source)
	}
	if len(validation.IsQualifiedName(rest)) > 0 {
		v.fail("%q is no key of a label", key)
	}
	if label, ok := strings.CutPrefix(rest, namespaceLabelPrefix); ok {
		return namespaceKey(v, label)
	}
	return rest
}

// peerSelector reads a selector of peers, which means the object's own
// namespace unless it speaks of namespaces.
func (o *object) peerSelector(v value) policy.Selector {
	s := v.selector(ciliumKey)
	if o.namespace == "" || slices.ContainsFunc(s, func(t policy.Term) bool {
		return t.Key == policy.NamespaceKey || strings.HasPrefix(t.Key, namespaceLabelPrefix)
	}) {
		return s
	}
	return append(s, o.home())
}

// ciliumRules reads the rules of one section. The peers stand in Source.
func (o *object) ciliumRules(v value, d policy.Direction, a policy.Action, host bool) (out []policy.Rule) {
	side := map[policy.Direction]string{policy.Ingress: "from", policy.Egress: "to"}[d]
	for _, item := range v.list() {
		out = append(out, o.ciliumRule(item, side, a, host)...)
	}
	return out
}

// ciliumRule reads one rule; each of its toPorts is one of ours, because each
// looks at requests of its own.
func (o *object) ciliumRule(v value, side string, a policy.Action, host bool) (out []policy.Rule) {
	names := []string{"Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes", "Groups", "Requires"}
	if side == "to" {
		names = append(names, "FQDNs", "Services")
	}
	known := []string{"toPorts", "icmps", "authentication"}
	for _, n := range names {
		known = append(known, side+n)
	}
	f := v.fields(known...)
	f.at("authentication").refuse("mutual authentication is not in the model")
	ports, icmps := f.at("toPorts"), f.at("icmps")
	if len(ports.list()) > 0 && len(icmps.list()) > 0 {
		v.fail("icmps stand beside toPorts, which Cilium refuses")
	}
	peers, named := o.ciliumPeers(f, side, a)
	rule := func(at value, services []policy.Service) policy.Rule {
		r := permit(at, policy.Match{Source: peers, Destination: policy.Everybody(), Services: services})
		r.Action = a
		return r
	}
	switch {
	case len(ports.list()) > 0:
		for _, p := range ports.list() {
			services, http := ciliumPortRule(p, side, a, host)
			r := rule(p, services)
			r.Match.HTTP = http
			out = append(out, r)
		}
		return out
	case len(icmps.list()) > 0:
		return append(out, rule(v, ciliumICMPs(icmps)))
	case !named:
		// A rule that speaks of nothing matches nothing.
		return append(out, rule(v, nil))
	}
	return append(out, rule(v, []policy.Service{policy.AnyService()}))
}

// ciliumPeers reads the peers of a rule. Nothing said of them is everybody, an
// empty list nobody; named says that something was.
func (o *object) ciliumPeers(f fields, side string, a policy.Action) (out policy.Peers, named bool) {
	for _, n := range []string{"Nodes", "Groups", "Requires", "Services"} {
		f.at(side + n).refuse("the model has no such peers")
	}
	kinds := 0
	for _, kind := range []struct {
		name string
		read func(value)
	}{
		{"Endpoints", func(v value) { out.Selectors = append(out.Selectors, o.peerSelector(v)) }},
		{"Entities", func(v value) { v.entity(&out) }},
		{"CIDR", func(v value) { out.Outside = append(out.Outside, policy.PrefixRange(v.prefixOrAddress())) }},
		{"CIDRSet", func(v value) { out.Outside = append(out.Outside, v.cidrRule()...) }},
		{"FQDNs", func(v value) { out.FQDNs = append(out.FQDNs, v.fqdn()) }},
	} {
		list := f.at(side + kind.name)
		if !list.present() {
			continue
		}
		if kinds++; kinds > 1 {
			list.fail("stands beside peers of another kind, which Cilium refuses")
		}
		if a == policy.Deny && kind.name == "FQDNs" {
			list.fail("names cannot be denied in Cilium")
		}
		for _, item := range list.list() {
			kind.read(item)
		}
	}
	out.Outside = joined(out.Outside)
	if kinds == 0 {
		return policy.Everybody(), false
	}
	return out, true
}

// everyAddress are the addresses of a family.
var everyAddress = map[string]policy.AddrRange{
	"world-ipv4": policy.PrefixRange(prefixOf("0.0.0.0/0")),
	"world-ipv6": policy.PrefixRange(prefixOf("::/0")),
}

// entity adds the peers that an entity names.
func (v value) entity(p *policy.Peers) {
	word := v.word("all", "world", "world-ipv4", "world-ipv6", "cluster", "host", "remote-node", "kube-apiserver", "none")
	switch word {
	case "all":
		p.Any = true
	case "none":
	case "world-ipv4", "world-ipv6":
		p.Outside = append(p.Outside, everyAddress[word])
	default:
		var e policy.Entity
		if err := e.UnmarshalText([]byte(word)); err != nil {
			v.fail("%v", err)
		}
		p.Entities = append(p.Entities, e)
	}
}

// cidrRule reads an item of a CIDRSet.
func (v value) cidrRule() []policy.AddrRange {
	f := v.fields("cidr", "except", "cidrGroupRef", "cidrGroupSelector")
	for _, n := range []string{"cidrGroupRef", "cidrGroupSelector"} {
		f.at(n).refuse("groups of address ranges are not read: write the ranges here")
	}
	whole := f.at("cidr").prefix()
	out := []policy.AddrRange{policy.PrefixRange(whole)}
	for _, e := range f.at("except").list() {
		hole := e.prefix()
		if hole.Bits() < whole.Bits() || !whole.Contains(hole.Addr()) {
			e.fail("%s does not lie inside %s", hole, whole)
		}
		out = without(out, policy.PrefixRange(hole))
	}
	return out
}

// fqdn reads a name or a pattern, as policy.Peers has them.
func (v value) fqdn() string {
	f := v.fields("matchName", "matchPattern")
	name, pattern := f.at("matchName"), f.at("matchPattern")
	switch {
	case name.present() == pattern.present():
		v.fail("want either a matchName or a matchPattern")
	case name.present():
		return name.domain(false)
	}
	return pattern.domain(true)
}

// domain reads a DNS name, in which asterisks may stand for letters of a label.
func (v value) domain(asterisks bool) string {
	text := strings.ToLower(strings.TrimSuffix(v.text(), "."))
	for _, label := range strings.Split(text, ".") {
		bad := strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_*") != "" || label == ""
		if bad || !asterisks && strings.Contains(label, "*") {
			v.fail("%q is no name in DNS", v.text())
		}
		if strings.Contains(label, "**") {
			v.fail("%q stands for any number of labels, which the model cannot say", v.text())
		}
	}
	return text
}
