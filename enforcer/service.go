package enforcer

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// A virtualPort is a port of an address that services share out.
type virtualPort struct {
	addr     netip.Addr
	protocol uint8
	port     uint16
}

// validateServices reports the first service that is not one: every service
// has a name, every port of an address belongs to one service alone, and no pod
// has a service's address.
func validateServices(services []client.Service, endpoints []client.Endpoint) error {
	pods := map[netip.Addr]string{}
	for i := range endpoints {
		for _, a := range endpoints[i].Addresses {
			pods[a] = podName(&endpoints[i])
		}
	}
	names, ports := map[string]bool{}, map[virtualPort]string{}
	for i := range services {
		s := &services[i]
		name := s.Namespace + "/" + s.Name
		if err := validateService(s, pods); err != nil {
			return fmt.Errorf("service %s: %w", name, err)
		}
		if names[name] {
			return fmt.Errorf("service %s stands twice", name)
		}
		names[name] = true
		for at := range virtualPorts(s) {
			if other, taken := ports[at]; taken {
				return fmt.Errorf("services %s and %s share port %d, protocol %d, of %s", other, name, at.port, at.protocol, at.addr)
			}
			ports[at] = name
		}
	}
	return nil
}

func validateService(s *client.Service, pods map[netip.Addr]string) error {
	switch {
	case s.Name == "":
		return fmt.Errorf("has no name")
	case s.Namespace == "":
		return fmt.Errorf("has no namespace")
	}
	for i, a := range s.Addresses {
		if !isUnicast(a) {
			return fmt.Errorf("%s is no address of a service", a)
		}
		if pod, taken := pods[a]; taken {
			return fmt.Errorf("has the address %s of endpoint %s", a, pod)
		}
		if slices.Contains(s.Addresses[:i], a) {
			return fmt.Errorf("has the address %s twice", a)
		}
	}
	seen := map[virtualPort]bool{}
	for i := range s.Ports {
		p := &s.Ports[i]
		if err := validateServicePort(p); err != nil {
			return fmt.Errorf("port %d: %w", p.Port, err)
		}
		at := virtualPort{protocol: p.Protocol, port: p.Port}
		if seen[at] {
			return fmt.Errorf("has port %d of protocol %d twice", p.Port, p.Protocol)
		}
		seen[at] = true
	}
	return nil
}

func validateServicePort(p *client.ServicePort) error {
	switch {
	case !policy.HasPorts(p.Protocol):
		return fmt.Errorf("protocol %d has no ports", p.Protocol)
	case p.Port == 0:
		return fmt.Errorf("want a port from 1 to 65535")
	}
	count := map[bool]int{}
	for i, b := range p.Backends {
		switch {
		case !isUnicast(b.Addr()) || b.Port() == 0:
			return fmt.Errorf("%s is no backend", b)
		case slices.Contains(p.Backends[:i], b):
			return fmt.Errorf("backend %s stands twice", b)
		}
		count[b.Addr().Is4()]++
		if count[b.Addr().Is4()] > datapath.MaxBackends {
			return fmt.Errorf("%d backends, want %d of a family at most", len(p.Backends), datapath.MaxBackends)
		}
	}
	return nil
}

// isUnicast reports whether an address may be a pod's or a service's.
func isUnicast(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// virtualPorts gives every port of every address, with its backends of the
// address's family in the order of their addresses.
func virtualPorts(s *client.Service) map[virtualPort][]netip.AddrPort {
	out := map[virtualPort][]netip.AddrPort{}
	for _, a := range s.Addresses {
		for _, p := range s.Ports {
			backends := slices.DeleteFunc(slices.Clone(p.Backends), func(b netip.AddrPort) bool { return b.Addr().Is4() != a.Is4() })
			slices.SortFunc(backends, netip.AddrPort.Compare)
			out[virtualPort{a, p.Protocol, p.Port}] = backends
		}
	}
	return out
}

// portsOf gives what the datapath is to know of services, in an order that
// depends on nothing but them.
func portsOf(services []client.Service) (out []datapath.Service) {
	for i := range services {
		for at, backends := range virtualPorts(&services[i]) {
			out = append(out, datapath.Service{Addr: at.addr, Protocol: at.protocol, Port: at.port, Backends: backends})
		}
	}
	slices.SortFunc(out, func(a, b datapath.Service) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port))
	})
	return out
}

// Services gives the known services.
func (e *Enforcer) Services() []client.Service { return e.current.Load().record.Services }

// PutServices replaces the set of known services.
func (e *Enforcer) PutServices(services []client.Service) error {
	e.changing.Lock()
	defer e.changing.Unlock()
	next := e.current.Load().record
	if err := validateServices(services, next.Endpoints); err != nil {
		return refused{err}
	}
	next.Services, next.ports = services, portsOf(services)
	return e.change(next)
}
