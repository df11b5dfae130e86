package translate

import (
	"net/netip"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// A network is the meaning of an object-group of addresses and workloads.
type network struct {
	peers policy.Peers
	// ipv4 and ipv6 say that a member is an address of that family.
	ipv4, ipv6 bool
	// unsaid says why a member has no meaning in a policy; empty otherwise.
	unsaid string
	// other is the first member that is no workload, or nil.
	other *grammar.Member
	done  bool
}

// A serviceSet is the meaning of an object-group of services.
type serviceSet struct {
	services []policy.Service
	// icmp says that a member is ICMP, which is a protocol of IPv4 alone.
	icmp bool
	done bool
}

// resolveGroups gives every object-group its meaning. Groups may hold groups,
// but not themselves.
func (t *compiler) resolveGroups() {
	for _, g := range t.config.ObjectGroups {
		switch {
		case g.Kind.HoldsServices():
			t.serviceGroup(g)
		case g.Kind.HoldsAddresses():
			t.networkGroup(g)
		}
	}
}

func (t *compiler) networkGroup(g *grammar.ObjectGroup) *network {
	if n := t.networks[g]; n != nil {
		return n
	}
	n := &network{}
	t.networks[g] = n
	for _, m := range g.Members {
		t.networkMember(n, g, m)
	}
	n.done = true
	return n
}

func (t *compiler) networkMember(n *network, g *grammar.ObjectGroup, m *grammar.Member) {
	p := &n.peers
	switch m.Kind {
	case grammar.AnyMember:
		p.Any = true
	case grammar.HostMember:
		n.address(policy.AddrRange{First: m.First, Last: m.First})
	case grammar.RangeMember:
		n.address(policy.AddrRange{First: m.First, Last: m.Last})
	case grammar.SubnetMember:
		n.family(m.First)
		addMasked(p, m.First, m.Wildcard)
	case grammar.WorkloadMember:
		p.Selectors = append(p.Selectors, selectorOf(m))
		return
	case grammar.GroupMember, grammar.ObjectMember:
		if sub := t.nestedGroup(g, m); sub != nil {
			if !sub.Kind.HoldsAddresses() {
				t.fail(m.Group.Pos, "object-group %s holds %s, want addresses", m.Group.Text, held[sub.Kind])
				return
			}
			inner := t.networkGroup(sub)
			if !inner.done {
				t.cycle(m)
				return
			}
			n.include(inner, m)
		}
		return
	case grammar.EntityMember:
		t.entity(p, m)
	case grammar.FQDNMember:
		p.FQDNs = append(p.FQDNs, m.Word.Text)
		if t.config.Dialect == grammar.ASA { // it may mean the addresses of one family
			n.unsaid = "fqdn " + m.Word.Text + " has no addresses that are known here"
		}
	default:
		n.unsaid = m.String() + " has no addresses that are known here"
	}
	if n.other == nil {
		n.other = m
	}
}

// nestedGroup finds the group that a member names.
func (t *compiler) nestedGroup(g *grammar.ObjectGroup, m *grammar.Member) *grammar.ObjectGroup {
	sub := t.config.ObjectGroup(m.Group.Text)
	if sub == nil {
		t.undefined(m.Group, "object-group", t.groupsOf(g.Kind))
	}
	return sub
}

func (t *compiler) cycle(m *grammar.Member) {
	t.fail(m.Group.Pos, "object-group %s holds itself", m.Group.Text)
}

func (t *compiler) groupsOf(kinds ...grammar.GroupKind) (out []definition) {
	for _, g := range t.config.ObjectGroups {
		if slices.Contains(kinds, g.Kind) {
			out = append(out, definition{g.Name, g.Pos})
		}
	}
	return out
}

func (n *network) address(r policy.AddrRange) {
	n.family(r.First)
	n.peers.Addresses = append(n.peers.Addresses, r)
}

func (n *network) family(a netip.Addr) {
	n.ipv4, n.ipv6 = n.ipv4 || a.Is4(), n.ipv6 || a.Is6()
}

// manyAddresses is how many ranges a group collects before they are joined:
// groups that hold the same others over and over must not grow without bound.
const manyAddresses = 1 << 14

// maxServices is how many services a group may hold with the groups in it.
const maxServices = 1 << 16

// include adds what another group holds.
func (n *network) include(o *network, by *grammar.Member) {
	n.peers.Any = n.peers.Any || o.peers.Any
	n.peers.Addresses = append(n.peers.Addresses, o.peers.Addresses...)
	if len(n.peers.Addresses) > manyAddresses {
		n.peers.Addresses = newAddrSet(n.peers.Addresses...)
	}
	n.peers.Masked = append(n.peers.Masked, o.peers.Masked...)
	n.peers.Selectors = append(n.peers.Selectors, o.peers.Selectors...)
	n.peers.Entities = append(n.peers.Entities, o.peers.Entities...)
	n.peers.FQDNs = append(n.peers.FQDNs, o.peers.FQDNs...)
	n.ipv4, n.ipv6 = n.ipv4 || o.ipv4, n.ipv6 || o.ipv6
	if n.unsaid == "" {
		n.unsaid = o.unsaid
	}
	if o.other != nil && n.other == nil {
		n.other = by
	}
}

var entities = map[string]policy.Entity{
	"world": policy.World, "cluster": policy.Cluster, "host": policy.Host,
	"remote-node": policy.RemoteNode, "kube-apiserver": policy.KubeAPIServer,
}

func (t *compiler) entity(p *policy.Peers, m *grammar.Member) {
	e, ok := entities[m.Word.Text]
	if !ok {
		t.fail(m.Word.Pos, "unknown entity %s, want world, cluster, host, remote-node or kube-apiserver", m.Word.Text)
		return
	}
	p.Entities = append(p.Entities, e)
}

// addMasked adds the addresses under a wildcard: an interval when its one bits
// are the last ones, else the mask itself, which is never expanded.
func addMasked(p *policy.Peers, addr, wildcard netip.Addr) {
	if bits, ok := trailingOnes(wildcard); ok {
		prefix := netip.PrefixFrom(addr, addr.BitLen()-bits)
		p.Addresses = append(p.Addresses, policy.PrefixRange(prefix))
		return
	}
	p.Masked = append(p.Masked, policy.Masked{Addr: addr, Wildcard: wildcard})
}

// trailingOnes counts the one bits of a wildcard when none of them has a zero
// bit behind it.
func trailingOnes(wildcard netip.Addr) (ones int, ok bool) {
	zeros := true
	for _, b := range wildcard.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			one := b>>bit&1 == 1
			if one {
				zeros = false
				ones++
			} else if !zeros {
				return 0, false
			}
		}
	}
	return ones, true
}

// selectorOf gives the selector of a workload line; its terms are ANDed.
func selectorOf(m *grammar.Member) policy.Selector {
	s := policy.Selector{}
	if m.Namespace.Text != "" {
		s = append(s, policy.Term{Key: policy.NamespaceKey, Op: policy.In, Values: []string{m.Namespace.Text}})
	}
	for _, l := range m.Labels {
		term := policy.Term{Key: l.Key, Op: labelOps[l.Op]}
		if l.Op == grammar.In || l.Op == grammar.NotIn {
			term.Values = slices.Sorted(slices.Values(l.Values))
			term.Values = slices.Compact(term.Values)
		}
		s = append(s, term)
	}
	return s
}

var labelOps = map[grammar.LabelOp]policy.Op{
	grammar.Exists: policy.Exists, grammar.NotExists: policy.DoesNotExist,
	grammar.In: policy.In, grammar.NotIn: policy.NotIn,
}

func (t *compiler) serviceGroup(g *grammar.ObjectGroup) *serviceSet {
	if s := t.services[g]; s != nil {
		return s
	}
	s := &serviceSet{}
	t.services[g] = s
	for _, m := range g.Members {
		switch m.Kind {
		case grammar.ServiceMember, grammar.ProtocolMember:
			s.services = append(s.services, t.serviceOf(m.Service)...)
			s.icmp = s.icmp || namesICMP(m.Service)
			continue
		case grammar.PortMember:
			ports := *m.Service
			ports.Destination = m.Ports
			s.services = append(s.services, t.serviceOf(&ports)...)
			continue
		}
		sub := t.nestedGroup(g, m)
		if sub == nil {
			continue
		}
		if !sub.Kind.HoldsServices() {
			t.fail(m.Group.Pos, "object-group %s holds %s, want services", m.Group.Text, held[sub.Kind])
			continue
		}
		inner := t.serviceGroup(sub)
		if !inner.done {
			t.cycle(m)
			continue
		}
		s.services = append(s.services, inner.services...)
		s.icmp = s.icmp || inner.icmp
		if len(s.services) > maxServices {
			t.fail(m.Group.Pos, "object-group %s holds more than %d services", g.Name, maxServices)
			s.services = nil
		}
	}
	s.done = true
	return s
}

func namesICMP(s *grammar.Service) bool {
	return slices.ContainsFunc(s.Protocols, func(p grammar.Protocol) bool { return !p.Any && p.Number == policy.ICMP })
}
