package kube

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"aclium/translate/policy"
)

// readNetworkPolicy reads a NetworkPolicy: one policy for each direction that
// it isolates its pods in. An absent list of peers or ports is everybody and
// everything, and an empty one is the same (networking.k8s.io/v1).
func readNetworkPolicy(o *object, f fields) {
	spec := f.at("spec")
	if !spec.present() {
		spec.fail("want a spec")
	}
	s := spec.fields("podSelector", "policyTypes", "ingress", "egress")
	pods := s.at("podSelector").selector(podKey)
	subject := o.subject(append(pods, o.home()))
	ingress, egress := s.at("ingress"), s.at("egress")
	in, out := policyTypes(s.at("policyTypes"), len(egress.list()) > 0)
	rulesIn, rulesOut := o.networkRules(ingress, "from"), o.networkRules(egress, "to")
	if in {
		o.add(subject, policy.Ingress, rulesIn)
	}
	if out {
		o.add(subject, policy.Egress, rulesOut)
	}
}

// home is the term that keeps a selector within the object's own namespace.
func (o *object) home() policy.Term {
	return policy.Term{Key: policy.NamespaceKey, Op: policy.In, Values: []string{o.namespace}}
}

// subject names what the object's policies stand on.
func (o *object) subject(s policy.Selector) policy.Subject {
	return policy.Subject{Name: orElse(o.annotations[forAnnotation], o.title()), Selectors: []policy.Selector{s}}
}

// add puts a policy among those that are a union.
func (o *object) add(s policy.Subject, d policy.Direction, rules []policy.Rule) {
	o.stream.decoder.union = append(o.stream.decoder.union, o.policy(s, d, rules))
}

// policy gives the object's policy of one direction.
func (o *object) policy(s policy.Subject, d policy.Direction, rules []policy.Rule) policy.Policy {
	p := policy.Policy{ACL: o.acl(), Subject: s, Direction: d, Family: policy.Dual, Stateful: true, Rules: rules}
	o.identify(p.Rules)
	for i := range p.Rules {
		if r := &p.Rules[i]; d == policy.Egress {
			r.Match.Source, r.Match.Destination = r.Match.Destination, r.Match.Source
		}
	}
	return p
}

// policyTypes gives the directions that are isolated. Without a list, ingress
// always is and egress is when there are rules for it.
func policyTypes(v value, someEgress bool) (in, out bool) {
	types := v.list()
	if len(types) == 0 {
		return true, someEgress
	}
	for _, t := range types {
		switch t.word("Ingress", "Egress") {
		case "Ingress":
			in = true
		default:
			out = true
		}
	}
	return in, out
}

// networkRules reads the rules of one direction. The peers stand in Source.
func (o *object) networkRules(v value, side string) (out []policy.Rule) {
	for _, item := range v.list() {
		f := item.fields(side, "ports")
		out = append(out, permit(item, policy.Match{
			Source: o.networkPeers(f.at(side)), Destination: policy.Everybody(), Services: networkServices(f.at("ports")),
		}))
	}
	return out
}

func permit(v value, m policy.Match) policy.Rule {
	return policy.Rule{Source: v.source(), Text: v.path, Action: policy.Permit, Match: m}
}

func (o *object) networkPeers(v value) (out policy.Peers) {
	peers := v.list()
	if len(peers) == 0 {
		return policy.Everybody()
	}
	for _, p := range peers {
		f := p.fields("podSelector", "namespaceSelector", "ipBlock")
		pods, namespaces, block := f.at("podSelector"), f.at("namespaceSelector"), f.at("ipBlock")
		switch {
		case block.present() && (pods.present() || namespaces.present()):
			p.fail("an ipBlock stands beside selectors")
		case block.present():
			out.Addresses = append(out.Addresses, block.block()...)
		case namespaces.present():
			out.Selectors = append(out.Selectors, append(namespaces.selector(namespaceKey), pods.selector(podKey)...))
		case pods.present():
			out.Selectors = append(out.Selectors, append(pods.selector(podKey), o.home()))
		default:
			p.fail("want a podSelector, a namespaceSelector or an ipBlock: nothing else says who this is")
		}
	}
	out.Addresses = joined(out.Addresses)
	return out
}

// block reads a prefix without some others inside it.
func (v value) block() []policy.AddrRange {
	f := v.fields("cidr", "except")
	whole := f.at("cidr").prefix()
	out := []policy.AddrRange{policy.PrefixRange(whole)}
	for _, e := range f.at("except").list() {
		hole := e.prefix()
		if hole.Bits() <= whole.Bits() || !whole.Contains(hole.Addr()) {
			e.fail("%s does not lie inside %s", hole, whole)
		}
		out = without(out, policy.PrefixRange(hole))
	}
	return out
}

// prefix reads an address range in the notation ADDRESS/LENGTH. Bits behind
// the length have no say, as in the API.
func (v value) prefix() netip.Prefix {
	p, err := netip.ParsePrefix(v.text())
	if err != nil || p.Addr().Is4In6() {
		v.fail("%q is no address range, want ADDRESS/LENGTH", v.text())
	}
	return p.Masked()
}

// prefixOrAddress reads an address range, or one address.
func (v value) prefixOrAddress() netip.Prefix {
	if a, err := netip.ParseAddr(v.text()); err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return v.prefix()
}

func prefixOf(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func networkServices(v value) []policy.Service {
	ports := v.list()
	if len(ports) == 0 {
		return []policy.Service{policy.AnyService()}
	}
	var out services
	for _, p := range ports {
		f := p.fields("protocol", "port", "endPort")
		protocol := policy.TCP
		if word := f.at("protocol"); word.present() {
			protocol = protocolNumbers[word.word("TCP", "UDP", "SCTP")]
		}
		port, end := f.at("port"), f.at("endPort")
		switch {
		case !port.present() && end.present():
			end.fail("stands without a port")
		case !port.present():
			out.add(protocol, policy.AllNumbers())
		case port.isNumber():
			out.add(protocol, portRange(port, end))
		case end.present():
			end.fail("stands beside the name of a port")
		default:
			out.name(protocol, portName(port, port.text()))
		}
	}
	return out
}

var protocolNumbers = map[string]uint8{"TCP": policy.TCP, "UDP": policy.UDP, "SCTP": policy.SCTP}

// portRange reads a port, or all ports up to another one.
func portRange(port, end value) policy.Ranges {
	first := port.number(1, 65535)
	last := first
	if end.present() {
		last = end.number(first, 65535)
	}
	return policy.NewRanges(policy.Range{First: uint16(first), Last: uint16(last)})
}

// portName checks the name of a port.
func portName(v value, name string) string {
	if problems := validation.IsValidPortName(name); len(problems) > 0 {
		v.fail("%q is no name of a port: %s", name, problems[0])
	}
	return name
}

// services collects services, with the ports of one protocol together.
type services []policy.Service

// add puts ports in.
func (s *services) add(protocol uint8, ports policy.Ranges) {
	i := slices.IndexFunc(*s, func(x policy.Service) bool { return x.Protocols == policy.Bytes(protocol) && x.PortNames == nil })
	if i < 0 {
		x := policy.ServiceOf(policy.Bytes(protocol))
		x.DestinationPorts = ports
		*s = append(*s, x)
		return
	}
	(*s)[i].DestinationPorts = (*s)[i].DestinationPorts.Union(ports)
}

// name puts a named port in.
func (s *services) name(protocol uint8, name string) {
	x := policy.ServiceOf(policy.Bytes(protocol))
	x.PortNames = []string{name}
	*s = append(*s, x)
}
