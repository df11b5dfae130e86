package enforcer

import (
	"cmp"
	"context"
	"slices"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// kernel is the real datapath, in the words of the wire.
type kernel struct{ *datapath.Datapath }

// Drops gives the reasons in alphabetical order.
func (k kernel) Drops() ([]client.Drop, error) {
	reasons, err := k.Datapath.Drops()
	if err != nil {
		return nil, err
	}
	var drops []client.Drop
	for reason, c := range reasons {
		drops = append(drops, client.Drop{Reason: reason, Packets: c.Packets, Bytes: c.Bytes})
	}
	slices.SortFunc(drops, func(a, b client.Drop) int { return cmp.Compare(a.Reason, b.Reason) })
	return drops, nil
}

// Events calls f with every logged packet until ctx ends.
func (k kernel) Events(ctx context.Context, f func(policy.Event)) error {
	events, err := k.Datapath.Events(ctx)
	if err != nil {
		return err
	}
	for event := range events {
		f(event)
	}
	return nil
}
