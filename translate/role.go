package translate

import (
	"slices"

	"aclium/translate/policy"
)

/*
Roles. Where a target names ends by their role (Cilium's entities), nodes and
the API server are told apart from pods and from addresses:

	pods         by labels
	addresses    the world's, which contains the API server
	host         the packet's own node
	remote-node  the other nodes
	API server   an end of the world whose address is not known

Which address a node has is not known either. A permit by address does not
reach nodes; a deny by address takes all of them away from the lines below.
Both are narrower, and said so. A deny of the API server takes an address away
that nobody knows: only a deny rule of the target can say it.
*/

// roleSet is a set of ends that are known by their role.
type roleSet uint8

const (
	hostRole roleSet = 1 << iota
	remoteRole
	apiRole
	nodeRoles = hostRole | remoteRole
	everyRole = nodeRoles | apiRole
)

func (s space) allRoles() roleSet {
	if s.entities {
		return everyRole
	}
	return 0
}

// outside gives the world's addresses.
func (s space) outside(f policy.Family) addrSet { return wholeFamilies(f).minus(s.cluster) }

// addEntities adds what a permit reaches by the names of roles.
func (s space) addEntities(r region, entities []policy.Entity, f policy.Family) region {
	for _, e := range entities {
		switch e {
		case policy.World:
			r.addrs, r.roles = r.addrs.union(s.outside(f)), r.roles|apiRole
		case policy.Cluster:
			r.pods, r.roles = everyPod, r.roles|nodeRoles
		case policy.Host:
			r.roles |= hostRole
		case policy.RemoteNode:
			r.roles |= remoteRole
		case policy.KubeAPIServer:
			r.roles |= apiRole
		}
	}
	return r
}

// denied gives the region that a deny, or a jump, takes of the undecided.
func (s space) denied(k regionOf, p *policy.Peers, f policy.Family) *regionOf {
	if !s.entities || p.Any {
		return &k
	}
	if len(p.Addresses)+len(p.Masked) > 0 && k.roles != everyRole {
		k.doubt = everyRole &^ k.roles
		k.roles = everyRole
	}
	if slices.Contains(p.Entities, policy.KubeAPIServer) && !slices.Contains(p.Entities, policy.World) {
		k.unsure = "the address of the API server is not known"
	}
	return &k
}

// entitiesOf gives the roles of a rule's peers, and the addresses that none of
// them covers.
func (w *cellWalk) entitiesOf(r region) (addrs addrSet, out []policy.Entity) {
	if addrs = r.addrs; !w.space.entities {
		return addrs, nil
	}
	world := len(addrs) > 0 && slices.Equal(addrs, w.space.outside(w.part.families()))
	for _, c := range []struct {
		is bool
		e  policy.Entity
	}{
		{world, policy.World}, {r.roles&hostRole != 0, policy.Host}, {r.roles&remoteRole != 0, policy.RemoteNode},
		{r.roles&apiRole != 0 && !world, policy.KubeAPIServer},
	} {
		if c.is {
			out = append(out, c.e)
		}
	}
	if world {
		addrs = nil
	}
	return addrs, out
}
