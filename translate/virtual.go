package translate

import (
	"fmt"
	"slices"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

/*
Services

A list from a router names the address of a service, a policy object sees the
packet behind it: on its way to a backend, at the target port. What an object
says of (backend, target port) holds for packets that came by the service, by
any of its ports that lead there, and for those that came directly. So it says
the service's verdict, where a line names the service: permitted when all ports
that lead there are, and no line denies the backend there by its own addresses.

	permit tcp any host VIP eq 80      VIP:80 -> app=web, port 8080
	becomes
	permit tcp any (app=web) eq 8080, deny tcp any (app=web) eq 8080

Several ports that lead to one are several lists, one for each port, that stand
in series. A service that no line names is judged by its backends.
*/

// A way is a port of a service's address.
type way struct {
	service *inventory.Service
	addr    policy.AddrRange
	port    *inventory.ServicePort
}

func (v way) String() string {
	return fmt.Sprintf("service %s at %s port %d", v.service.Name, v.addr.First, v.port.Port)
}

// A landing is where ways lead: pods at a port.
type landing struct {
	pods policy.Selector
	ways []way
}

// services gives what a line says of a port, on packets to another port.
func (g *landing) services(s []policy.Service, port uint16) (out []policy.Service) {
	at := g.ways[0].port
	for i := range s {
		if s[i].Protocols.Has(at.Protocol) && s[i].DestinationPorts.Has(port) && s[i].ICMP.All() {
			one := s[i]
			one.Protocols = policy.Bytes(at.Protocol)
			one.DestinationPorts = policy.NewRanges(policy.Range{First: at.Target, Last: at.Target})
			out = append(out, one)
		}
	}
	return out
}

// names reports whether a line names the way's address, and fits its port.
func (v way) names(r *policy.Rule) bool {
	g := landing{ways: []way{v}}
	return !r.Match.Destination.Any && v.has(&r.Match.Destination) && len(g.services(r.Match.Services, v.port.Port)) > 0
}

func (v way) has(p *policy.Peers) bool {
	in := func(m policy.Masked) bool { return m.Has(v.addr.First) }
	return p.Any || slices.ContainsFunc(p.Addresses, func(r policy.AddrRange) bool { return r.Has(v.addr.First) }) || slices.ContainsFunc(p.Masked, in)
}

// throughServices gives the policies as objects see the packets of services.
func (o *orderer) throughServices(policies []policy.Policy) (out []policy.Policy) {
	if o.options.Inventory == nil || len(o.options.Inventory.Services) == 0 {
		return policies
	}
	for i := range policies {
		p := &policies[i]
		ways := o.ways(p)
		landings := landingsOf(p, ways)
		switch {
		case len(p.Subject.Selectors) == 0 || p.Subject.Nodes || len(ways) == 0:
			out = append(out, *p)
		case len(landings) > 0 && slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Action == policy.Next }):
			o.note(p, nil, policy.Refused, "a class of a zone names %s, which is judged by its backends alone", landings[0].ways[0])
			o.options.Withheld = append(slices.Clone(o.options.Withheld), *p)
		default:
			out = append(out, o.variants(p, landings, ways)...)
		}
	}
	return out
}

// ways gives all ways of the policy's family.
func (o *orderer) ways(p *policy.Policy) (out []way) {
	for i := range o.options.Inventory.Services {
		s := &o.options.Inventory.Services[i]
		for _, a := range s.Addresses {
			if f := map[bool]policy.Family{true: policy.IPv4, false: policy.IPv6}[a.Is4()]; p.Family != f {
				continue
			}
			for k := range s.Ports {
				out = append(out, way{s, policy.AddrRange{First: a, Last: a}, &s.Ports[k]})
			}
		}
	}
	return out
}

// landingsOf gives where the ways lead that some line names.
func landingsOf(p *policy.Policy, ways []way) (out []landing) {
	index := map[string]int{}
	for _, v := range ways {
		key := fmt.Sprint(v.port.Backends.String(), v.port.Protocol, v.port.Target)
		at, ok := index[key]
		if !ok {
			at, index[key] = len(out), len(out)
			out = append(out, landing{pods: v.port.Backends})
		}
		out[at].ways = append(out[at].ways, v)
	}
	return slices.DeleteFunc(out, func(g landing) bool {
		return !slices.ContainsFunc(g.ways, func(v way) bool {
			return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return v.names(&r) })
		})
	})
}

// variants gives the lists whose series is the policy.
func (o *orderer) variants(p *policy.Policy, landings []landing, ways []way) (out []policy.Policy) {
	most, direct := 1, []policy.Rule(nil)
	for i := range landings {
		most = max(most, len(landings[i].ways))
		direct = append(direct, o.direct(p, &landings[i])...)
		o.reportWays(p, &landings[i])
	}
	rest := o.withoutServices(p, ways)
	for k := range most {
		q := *p
		q.Rules = nil
		for i := range landings {
			g := &landings[i]
			q.Rules = append(q.Rules, g.by(p, g.ways[k%len(g.ways)])...)
		}
		q.Rules = append(q.Rules, rest...)
		out = append(out, q)
	}
	if direct != nil {
		q := *p
		q.Rules = slices.Concat(direct, rest)
		out = append(out, q)
	}
	return out
}

// by gives what the list says of one way, on the packets that come by it.
func (g *landing) by(p *policy.Policy, v way) (out []policy.Rule) {
	for _, r := range p.Rules {
		services := g.services(r.Match.Services, v.port.Port)
		if v.has(&r.Match.Destination) && len(services) > 0 {
			r.Match.Destination, r.Match.Services = policy.Peers{Selectors: []policy.Selector{g.pods}}, services
			out = append(out, r)
		}
	}
	return append(out, g.rule(p, policy.Deny))
}

// reportWays says of the lines that permit one of several ways that the others
// count as well, where the list decides them otherwise.
func (o *orderer) reportWays(p *policy.Policy, g *landing) {
	lines := func(v way) (ids []policy.RuleID) {
		for _, r := range g.by(p, v) {
			ids = append(ids, r.ID)
		}
		return ids
	}
	for _, v := range g.ways {
		if slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Action == policy.Permit && v.names(&r) }) {
			o.note(p, nil, policy.NoEffect, "who may use %s may reach port %d of the pods behind it by their own addresses, too: an object sees no difference", v, v.port.Target)
		}
	}
	for _, v := range g.ways[1:] {
		if slices.Equal(lines(v), lines(g.ways[0])) {
			continue
		}
		for i := range p.Rules {
			r := &p.Rules[i]
			named := slices.ContainsFunc(g.ways, func(v way) bool { return v.names(r) })
			if named && r.Action == policy.Permit {
				o.note(p, r, policy.Narrower, "%s and %s lead to one port, %d, of the same pods, and other lines decide them: only what all permit passes", g.ways[0], v, v.port.Target)
			}
		}
		return
	}
}

// rule decides all packets to the landing.
func (g *landing) rule(p *policy.Policy, a policy.Action) policy.Rule {
	return policy.Rule{ID: policy.RuleID{ACL: p.ACL}, Text: a.String() + " " + g.ways[0].String(), Action: a, Uncounted: true, Match: policy.Match{
		Source: policy.Everybody(), Destination: policy.Peers{Selectors: []policy.Selector{g.pods}},
		Services: g.services([]policy.Service{policy.AnyService()}, g.ways[0].port.Port),
	}}
}

// direct gives the denies of the landing's pods by their own addresses, each
// where the list has it; nil when there are none.
func (o *orderer) direct(p *policy.Policy, g *landing) (out []policy.Rule) {
	denies := false
	for i := range p.Rules {
		r := p.Rules[i]
		services := g.services(r.Match.Services, g.ways[0].port.Target)
		pods := o.meeting(&r.Match.Destination, r.Action == policy.Deny, g.pods, p.Family)
		if len(services) == 0 || len(pods) == 0 {
			continue
		}
		own := !slices.ContainsFunc(g.ways, func(v way) bool { return v.has(&r.Match.Destination) })
		switch {
		case own && r.ID.Seq == 0: // not a line of the list
		case own && r.Action == policy.Deny:
			denies = true
			o.mixed(p, &r, g, "denies")
		case own:
			o.mixed(p, &r, g, "permits")
		}
		if !own {
			r.Action = policy.Permit
		}
		r.Uncounted = true
		r.Match.Destination, r.Match.Services = policy.Peers{Selectors: pods.selectors()}, services
		out = append(out, r)
	}
	if !denies {
		return nil
	}
	return append(out, g.rule(p, policy.Permit))
}

// meeting gives the pods of a landing that an end is about, or for a deny may
// be about.
func (o *orderer) meeting(p *policy.Peers, deny bool, pods policy.Selector, f policy.Family) podSet {
	all := podsOf(p.Selectors)
	if p.Any {
		all = everyPod
	}
	if deny {
		doubtful, _ := o.ids.ownDoubt(p, f)
		all = all.union(doubtful)
	}
	return all.intersect(podsOf([]policy.Selector{pods}))
}

// mixed says that a line on the backends and those on their service are one to
// an object.
func (o *orderer) mixed(p *policy.Policy, r *policy.Rule, g *landing, does string) {
	for i := range p.Rules {
		for _, v := range g.ways {
			if v.names(&p.Rules[i]) {
				o.note(p, r, policy.Narrower, "%s what %s leads to, which line %d decides otherwise or may: only what both permit passes", does, v, p.Rules[i].ID.Seq)
				o.note(p, &p.Rules[i], policy.Narrower, "%s leads to pods at port %d, where line %d %s: only what both permit passes", v, v.port.Target, r.ID.Seq, does)
				return
			}
		}
	}
}

// withoutServices gives the rules without the addresses of services, which no
// packet has where objects see it.
func (o *orderer) withoutServices(p *policy.Policy, ways []way) []policy.Rule {
	var virtual addrSet
	for _, v := range ways {
		virtual = append(virtual, v.addr)
	}
	virtual = newAddrSet(virtual...)
	out := slices.Clone(p.Rules)
	for i := range out {
		d := &out[i].Match.Destination
		if d.Any || len(newAddrSet(d.Addresses...).intersect(virtual)) == 0 {
			continue
		}
		d.Addresses = newAddrSet(d.Addresses...).minus(virtual)
		fits := slices.ContainsFunc(ways, func(v way) bool { return v.names(&p.Rules[i]) })
		if d.Empty() && !fits {
			o.note(p, &p.Rules[i], policy.NoEffect, "no port of the service that it names fits the line")
		}
	}
	return out
}
