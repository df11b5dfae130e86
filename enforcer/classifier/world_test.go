package classifier

import (
	"aclium/enforcer/internal/chance"
	"aclium/translate/policy"
)

// world is chance's with the identities as tables take them.
type world struct {
	*chance.World
}

func newWorld(seed uint64) *world { return &world{chance.New(seed)} }

func pick[T any](w *world, from []T) T { return chance.Pick(w.World, from) }

func (w *world) identities() (all []Identity) {
	for _, i := range w.Identities {
		all = append(all, Identity{ID: i.ID, Labels: i.Labels, Entity: i.Entity})
	}
	return all
}

func (w *world) one(in int) bool { return w.One(in) }

func (w *world) family(f policy.Family) policy.Family { return w.Family(f) }

func (w *world) packet(f policy.Family) policy.Packet { return w.Packet(f) }

func (w *world) list(acl string, d policy.Direction, f policy.Family, n int) *policy.Policy {
	return w.List(acl, d, f, n)
}
