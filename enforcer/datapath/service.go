package datapath

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// MaxBackends is the largest number of backends behind a service's port: a
// connection to it is judged once for each.
const MaxBackends = 256

// A Service is a port of a virtual address, and what is ready behind it.
type Service struct {
	Addr     netip.Addr
	Protocol uint8 // one that has ports
	Port     uint16
	// Backends are of Addr's family, MaxBackends at most. Of several that deny
	// a packet the first one's line counts it.
	Backends []netip.AddrPort
}

func (s *Service) equal(t *Service) bool {
	return s.Addr == t.Addr && s.Protocol == t.Protocol && s.Port == t.Port && slices.Equal(s.Backends, t.Backends)
}

/*
Sets of services

Services change seldom, so that they do not take part in the halves of each
push. They lie in a set, 1 or 2; hooks name the set that is live with them, and
so a push that changes hooks and services together is one flip. A set is written
while no hook names it, and emptied when the last hook that did is gone. 0 is no
set: the programs do not look.
*/

// serviceSet is what a set holds, by the maps' keys.
type serviceSet struct {
	services map[bpf.AcliumServiceKey]bpf.AcliumService
	backends map[bpf.AcliumBackendKey]bpf.AcliumBackend
}

// chooseSet gives the number of the set that a state's services will lie in,
// and reports whether it is to be written.
func (d *Datapath) chooseSet(s *State) (set uint32, write bool) {
	switch {
	case len(s.Services) == 0:
		return 0, false
	case d.set != 0 && d.setKnown && slices.EqualFunc(d.state.Services, s.Services, func(a, b Service) bool { return a.equal(&b) }):
		return d.set, false
	}
	return 1 + d.set%2, true
}

// checkServices refuses what the maps cannot say.
func checkServices(services []Service) error {
	type port struct {
		addr     netip.Addr
		protocol uint8
		port     uint16
	}
	seen := map[port]bool{}
	for i := range services {
		s := &services[i]
		at := port{s.Addr, s.Protocol, s.Port}
		name := netip.AddrPortFrom(s.Addr, s.Port)
		switch {
		case !policy.HasPorts(s.Protocol):
			return fmt.Errorf("service at %s: protocol %d has no ports", s.Addr, s.Protocol)
		case seen[at]:
			return fmt.Errorf("service at %s: protocol %d stands twice", name, s.Protocol)
		case len(s.Backends) > MaxBackends:
			return fmt.Errorf("service at %s: %d backends, want %d at most", name, len(s.Backends), MaxBackends)
		}
		seen[at] = true
	}
	return nil
}

// setOf gives the entries of a set. Services with the same backends share them.
func setOf(services []Service, set uint32) serviceSet {
	out := serviceSet{map[bpf.AcliumServiceKey]bpf.AcliumService{}, map[bpf.AcliumBackendKey]bpf.AcliumBackend{}}
	known, next := map[string]uint32{}, uint32(0)
	for _, s := range services {
		list := fmt.Sprint(s.Backends)
		first, ok := known[list]
		if !ok {
			first, known[list] = next, next
			for _, b := range s.Backends {
				out.backends[bpf.AcliumBackendKey{Number: next, Set: set}] = bpf.AcliumBackend{Addr: bpf.AcliumIpAddr{Bytes: b.Addr().As16()}, Port: b.Port()}
				next++
			}
		}
		key := bpf.AcliumServiceKey{Addr: bpf.AcliumIpAddr{Bytes: s.Addr.As16()}, Port: s.Port, Protocol: s.Protocol, Set: uint8(set)}
		out.services[key] = bpf.AcliumService{First: first, Count: uint32(len(s.Backends))}
	}
	return out
}

// prepareServices chooses the set and refuses services that do not fit.
func (d *Datapath) prepareServices(p *push) error {
	p.set, p.writeSet = d.chooseSet(p.state)
	if !p.writeSet {
		return nil
	}
	if err := checkServices(p.state.Services); err != nil {
		return err
	}
	p.services = setOf(p.state.Services, p.set)
	if n, limit := len(p.services.services), int(d.maps.Maps["service_map"].MaxEntries()/2); n > limit {
		return fmt.Errorf("%d ports of services, want %d at most", n, limit)
	}
	if n, limit := len(p.services.backends), int(d.maps.Maps["backend_map"].MaxEntries()/2); n > limit {
		return fmt.Errorf("%d backends of services, want %d at most", n, limit)
	}
	return nil
}

// writeServices fills the set of a push, which no hook names.
func (d *Datapath) writeServices(p *push) error {
	if !p.writeSet {
		return nil
	}
	if err := d.emptySet(p.set); err != nil {
		return err
	}
	for key, b := range p.services.backends {
		if err := d.maps.Maps["backend_map"].Put(key, b); err != nil {
			return fmt.Errorf("write backend: %w", err)
		}
	}
	for key, s := range p.services.services {
		if err := d.maps.Maps["service_map"].Put(key, s); err != nil {
			return fmt.Errorf("write service: %w", err)
		}
	}
	return nil
}

// emptySet takes away what a set holds; 0 holds nothing.
func (d *Datapath) emptySet(set uint32) error {
	if set == 0 {
		return nil
	}
	return errors.Join(
		deleteKeys(d.maps.Maps["service_map"], func(k bpf.AcliumServiceKey) bool { return uint32(k.Set) == set }),
		deleteKeys(d.maps.Maps["backend_map"], func(k bpf.AcliumBackendKey) bool { return k.Set == set }))
}

func deleteKeys[K any](m *ebpf.Map, accept func(K) bool) error {
	var key K
	var found []K
	value := make([]byte, m.ValueSize())
	all := m.Iterate()
	for all.Next(&key, &value) {
		if accept(key) {
			found = append(found, key)
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("read services: %w", err)
	}
	for _, k := range found {
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete service: %w", err)
		}
	}
	return nil
}

// adoptServices finds out which set the live hooks name. What it holds is not
// read: the next push with services writes the other one.
func (d *Datapath) adoptServices(live map[hookKey]bpf.AcliumHook) {
	for _, hook := range live {
		d.set = cmp.Or(d.set, hook.Services)
	}
}
