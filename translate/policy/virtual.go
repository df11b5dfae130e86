package policy

import (
	"net/netip"
	"slices"
)

/*
Services

What a pod sends to a service still has the service's address where its port
sees it; which backend it reaches is decided behind that. So a packet to a port
of a service is judged once for each backend that is ready, with the backend as
its destination, and passes if it may reach all of them.

	to VIP:80, protocol TCP           judged as           lines
	  backend 10.0.0.1:8080  ------>  to 10.0.0.1:8080    10
	  backend 10.0.0.2:8080  ------>  to 10.0.0.2:8080    20 deny: dropped, counted on 20

A line that names the service's address, and not anybody's, means the service:
where it stands before the line that decides a backend, it decides that backend.
Such lines are found by what the list says of the packet as it is. One that
permits names nothing but addresses; one that denies may name others as well.

A packet that may reach all of them, but not under the same police, is dropped
as well: nobody knows yet whose limit it is under.

A port without a ready backend leads nowhere and is closed. What is sent to the
address otherwise, to another port or by a protocol without ports, leads to no
backend either, and is judged as it is.

What is emitted for a list says the same (translate, "Services"), or less.
*/

// A Backend is where a packet to a service may end up.
type Backend struct {
	Endpoint
	Port uint16
}

// Services gives the backends of a service's port that are ready, in an order
// that does not change, and whether the address has such a port.
type Services func(addr netip.Addr, protocol uint8, port uint16) ([]Backend, bool)

// SetServices tells which services there are. Connections are judged again, as
// after Replace.
func (g *Gate) SetServices(s Services) {
	g.services = s
	g.generation++
}

// walkService is walk for a packet to a service.
func (g *Gate) walkService(p *Packet, backends []Backend) Decision {
	if len(backends) == 0 {
		return Decision{Reason: NoBackend}
	}
	first := g.walkTo(p, &backends[0])
	for i := range backends[1:] {
		next := g.walkTo(p, &backends[1+i])
		if next.Accept == first.Accept && slices.EqualFunc(first.police, next.police, samePolice) {
			continue
		}
		if !next.Accept {
			first = next
		}
		first.Accept, first.Reason, first.police = false, MixedService, nil
		return first
	}
	return first
}

func samePolice(a, b *Police) bool { return a == b || a != nil && b != nil && *a == *b }

// walkTo is walk for a packet that a service takes to the backend.
func (g *Gate) walkTo(p *Packet, b *Backend) Decision {
	behind := *p
	behind.Destination, behind.DestinationPort = b.Endpoint, b.Port
	return g.series(Egress, p.Family(), func(list *Policy) (Action, int) {
		action, line := list.Eval(&behind)
		named, at := list.Eval(p)
		if at != Implicit && list.Rules[at].NamesAddress() && (line == Implicit || at < line) {
			return named, at
		}
		return action, line
	})
}

// NamesAddress reports whether the rule may mean a service by its address: it
// names addresses as destinations, and is not about everybody. A permit that is
// about others as well, such as pods, does not: they would be what it permits.
func (r *Rule) NamesAddress() bool {
	d := &r.Match.Destination
	others := len(d.Selectors) + len(d.Entities) + len(d.Outside) + len(d.FQDNs)
	return !d.Any && len(d.Addresses)+len(d.Masked) > 0 && (r.Action != Permit || others == 0)
}
