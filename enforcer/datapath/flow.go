package datapath

import (
	"slices"

	"aclium/enforcer/bpf"
)

// cacheFlags say what the remembered verdicts of a stateless port depend on.
// A field that no list looks at is left out, so that packets which differ in it
// only are one flow. A list with entries that packets make is never remembered.
func cacheFlags(port *Port) bpf.AcliumHookFlags {
	flags := bpf.AcliumHookFlagsHOOK_ANY_TRAFFIC_CLASS | bpf.AcliumHookFlagsHOOK_ANY_HOP_LIMIT
	for _, l := range slices.Concat(port.Ingress, port.Egress) {
		for i := range l.Rules {
			r := &l.Rules[i]
			if r.Match.TrafficClass != nil {
				flags &^= bpf.AcliumHookFlagsHOOK_ANY_TRAFFIC_CLASS
			}
			if r.Match.HopLimit != nil {
				flags &^= bpf.AcliumHookFlagsHOOK_ANY_HOP_LIMIT
			}
			if r.Match.Evaluate != "" || r.Reflect != nil || r.Police != nil {
				flags |= bpf.AcliumHookFlagsHOOK_NO_CACHE
			}
		}
	}
	return flags
}
