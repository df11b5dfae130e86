package enforcer

import (
	"net/netip"

	"aclium/translate/policy"
)

// dnsPort is where servers are asked.
const dnsPort = 53

// answerers says which servers' addresses a pod of this node may answer from,
// by the index of its host device: its own, and those of services that it
// stands behind. A port without lists checks no source address, so whoever is
// there could answer in a server's name.
type answerers map[uint32]map[netip.Addr]bool

// may reports whether an answer of the server may come by the device. Whoever
// is behind a device that is no pod's is not known here.
func (a answerers) may(device uint32, server netip.Addr) bool {
	addresses, isPod := a[device]
	return !isPod || addresses[server]
}

func answerersOf(r *record, node nodeFacts) answerers {
	out, pods := answerers{}, map[netip.Addr]map[netip.Addr]bool{}
	for i := range r.Endpoints {
		p := &r.Endpoints[i]
		index, here := node.devices[p.Interface]
		if !here {
			continue
		}
		own := map[netip.Addr]bool{}
		out[uint32(index)] = own
		for _, a := range p.Addresses {
			own[a], pods[a] = true, own
		}
	}
	for _, s := range r.ports {
		if s.Protocol != policy.UDP || s.Port != dnsPort {
			continue
		}
		for _, b := range s.Backends {
			if own := pods[b.Addr()]; own != nil {
				own[s.Addr] = true
			}
		}
	}
	return out
}

// placeFirst is place where nobody has been placed yet: answers are read as soon
// as patterns are known, and every device would be believed.
func (n *namebook) placeFirst(r *record, node nodeFacts) {
	n.mu.Lock()
	placed := n.servers != nil
	n.mu.Unlock()
	if !placed {
		n.place(r, node)
	}
}

// place follows a push: pods hang on these devices. It goes before the push's
// patterns are adopted, so that no answer is believed without it.
func (n *namebook) place(r *record, node nodeFacts) {
	servers := answerersOf(r, node)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers = servers
}
