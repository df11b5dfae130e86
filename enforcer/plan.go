package enforcer

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

// A plan is what the datapath is to be told, and what it was made from.
type plan struct {
	state datapath.State
	// missing names the devices that the record asks for and the node lacks.
	missing []string
	node    nodeFacts
	// retired are the label sets that only the tables still know.
	retired []identity.Assignment
}

// planner turns a record into a plan; it reads nothing but its fields.
//
//	policies -- Selects --+
//	endpoints ------------+--> ports: lists in series, per direction
//	node's devices -------+
//	endpoints, node's addresses, numbers --> identities, addresses
type planner struct {
	record *record
	node   nodeFacts
	audit  bool // no port drops anything
	// retired are label sets that nobody has any more. Tables know them for
	// one step longer, because addresses change hands one by one.
	retired []identity.Assignment
	// byIdentity remembers the series of pods with equal labels.
	byIdentity map[uint32]series
}

// series holds the lists that a packet passes, in order, per direction.
type series struct{ ingress, egress []policy.Policy }

func (p *planner) plan() plan {
	p.byIdentity = map[uint32]series{}
	out := plan{node: p.node, retired: p.retired, state: datapath.State{
		Identities: p.identities(), Addresses: p.addresses(), Services: p.record.ports, Logging: p.record.Logging,
	}}
	for _, port := range p.ports() {
		if _, exists := p.node.devices[port.Interface]; !exists {
			out.missing = append(out.missing, port.Interface)
			continue
		}
		port.Audit = p.audit
		out.state.Ports = append(out.state.Ports, port)
	}
	return out
}

// checkIdle refuses a list that stands on no port and could not: when a pod
// that it selects appears, it is too late to say so.
func checkIdle(r *record, s datapath.State) error {
	standing := map[place]policy.Family{}
	for _, port := range s.Ports {
		for _, list := range slices.Concat(port.Ingress, port.Egress) {
			standing[placeOf(&list)] |= list.Family
		}
	}
	for i := range r.Policies {
		list := &r.Policies[i]
		if standing[placeOf(list)]&list.Family != 0 {
			continue
		}
		if err := datapath.Check(list, s.Identities); err != nil {
			return refused{err}
		}
	}
	return nil
}

// A place is where a list stands; with its family it is unique.
type place struct {
	acl, subject string
	direction    policy.Direction
}

func placeOf(p *policy.Policy) place { return place{p.ACL, p.Subject.Name, p.Direction} }

// ports gives every device that some list stands on, in the order of their names.
func (p *planner) ports() []datapath.Port {
	var ports []datapath.Port
	for i := range p.record.Endpoints {
		e := &p.record.Endpoints[i]
		if e.Interface == "" {
			continue
		}
		s := p.seriesOf(e)
		if len(s.ingress)+len(s.egress) > 0 {
			ports = append(ports, datapath.Port{Interface: e.Interface, Pod: true, Ingress: s.ingress, Egress: s.egress})
		}
	}
	for _, name := range p.ownInterfaces() {
		s := p.collect(func(s *policy.Subject) bool { return s.Interface == name })
		ports = append(ports, datapath.Port{Interface: name, Ingress: s.ingress, Egress: s.egress})
	}
	slices.SortFunc(ports, func(a, b datapath.Port) int { return cmp.Compare(a.Interface, b.Interface) })
	return ports
}

// ownInterfaces gives the node's interfaces that a policy names.
func (p *planner) ownInterfaces() []string {
	names := map[string]bool{}
	for i := range p.record.Policies {
		if name := p.record.Policies[i].Subject.Interface; name != "" {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (p *planner) seriesOf(e *client.Endpoint) series {
	pod := policy.Endpoint{Labels: identity.Labels(e.Namespace, e.Labels)}
	id, _ := p.record.Identities.Number(pod.Labels)
	s, known := p.byIdentity[id]
	if !known {
		s = p.collect(func(s *policy.Subject) bool { return s.Selects(&pod) })
		p.byIdentity[id] = s
	}
	return s
}

// collect puts the lists on a subject into series. Towards a pod its zone is
// asked first, on the way from it last, as a packet crosses a router: the zone
// pair lies between the ports, the access-group on the port. Lists of one kind
// keep the order that the policies came in.
func (p *planner) collect(covers func(*policy.Subject) bool) series {
	var s series
	for i := range p.record.Policies {
		list := p.record.Policies[i]
		switch {
		case !covers(&list.Subject):
		case list.Direction == policy.Ingress:
			s.ingress = append(s.ingress, list)
		default:
			s.egress = append(s.egress, list)
		}
	}
	slices.SortStableFunc(s.ingress, func(a, b policy.Policy) int { return zoneRank(&b) - zoneRank(&a) })
	slices.SortStableFunc(s.egress, func(a, b policy.Policy) int { return zoneRank(&a) - zoneRank(&b) })
	return s
}

// zoneRank is 1 for the policy of a zone. Names of lists hold no blank, so
// none can be taken for one.
func zoneRank(p *policy.Policy) int {
	if strings.HasPrefix(p.ACL, "zone ") || strings.HasPrefix(p.ACL, "zone-pair ") {
		return 1
	}
	return 0
}

// identities gives the reserved identities, then those of label sets, sorted
// by number.
func (p *planner) identities() []datapath.Identity {
	out := []datapath.Identity{
		{ID: identity.Host, Entity: policy.Host},
		{ID: identity.World, Entity: policy.World},
		{ID: identity.RemoteNode, Entity: policy.RemoteNode},
		{ID: identity.KubeAPIServer, Entity: policy.KubeAPIServer},
	}
	for _, a := range slices.Concat(p.record.Identities.Assigned, p.retired) {
		if patterns, world := identity.PatternsOf(a.Labels); world {
			out = append(out, datapath.Identity{ID: a.ID, FQDNs: patterns})
			continue
		}
		out = append(out, datapath.Identity{ID: a.ID, Labels: a.Labels})
	}
	slices.SortFunc(out, func(a, b datapath.Identity) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// addresses says whose every known address is. The node's own addresses are
// the node's even where an endpoint claims one.
func (p *planner) addresses() map[netip.Prefix]datapath.Address {
	out := map[netip.Prefix]datapath.Address{}
	for i := range p.record.Endpoints {
		e := &p.record.Endpoints[i]
		id, _ := p.record.Identities.Number(identity.Labels(e.Namespace, e.Labels))
		port := e.Interface
		if _, exists := p.node.devices[port]; !exists {
			port = ""
		}
		for _, a := range e.Addresses {
			out[whole(a)] = datapath.Address{Identity: id, Interface: port}
		}
	}
	for a := range p.node.addresses {
		out[whole(a)] = datapath.Address{Identity: identity.Host}
	}
	return out
}

func whole(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// labelSets gives the label set of every endpoint, as selectors see it.
func labelSets(endpoints []client.Endpoint) []map[string]string {
	sets := make([]map[string]string, len(endpoints))
	for i := range endpoints {
		sets[i] = identity.Labels(endpoints[i].Namespace, endpoints[i].Labels)
	}
	return sets
}
