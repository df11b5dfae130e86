package enforcer

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
)

// nodeFacts are what the plan depends on of the node itself.
type nodeFacts struct {
	// devices maps names to interface indexes. A device that was made again
	// under its old name has another index.
	devices map[string]int
	// addresses are those of all the node's own devices, loopback included.
	addresses map[netip.Addr]bool
}

// readNode asks the kernel, in the network namespace of the process.
func readNode() (nodeFacts, error) {
	facts := nodeFacts{devices: map[string]int{}, addresses: map[netip.Addr]bool{}}
	devices, err := net.Interfaces()
	if err != nil {
		return facts, fmt.Errorf("list the node's devices: %w", err)
	}
	for _, d := range devices {
		facts.devices[d.Name] = d.Index
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return facts, fmt.Errorf("list the node's addresses: %w", err)
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			facts.addresses[prefix.Addr().Unmap()] = true
		}
	}
	return facts, nil
}

// of keeps the devices that the record speaks of, so that others may come and
// go unnoticed.
func (n nodeFacts) of(r *record) nodeFacts {
	out := nodeFacts{devices: map[string]int{}, addresses: n.addresses}
	for name := range r.devices() {
		if index, exists := n.devices[name]; exists {
			out.devices[name] = index
		}
	}
	return out
}

func (n nodeFacts) equal(m nodeFacts) bool {
	return maps.Equal(n.devices, m.devices) && maps.Equal(n.addresses, m.addresses)
}

// devices gives the names of all devices that the record asks for.
func (r *record) devices() map[string]bool {
	names := map[string]bool{}
	for i := range r.Endpoints {
		names[r.Endpoints[i].Interface] = true
	}
	for i := range r.Policies {
		names[r.Policies[i].Subject.Interface] = true
	}
	delete(names, "")
	return names
}
