package datapath

import (
	"fmt"
	"net/netip"
)

// A Refused is the error of an Apply that cannot enforce a state for the
// state's own fault: it means two things, or more than fits. Nothing has
// changed, and asking again is no use.
type Refused struct{ Err error }

// Error gives the reason.
func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap gives the reason.
func (r *Refused) Unwrap() error { return r.Err }

// checkRoom refuses a state that does not fit into the kernel's maps, before
// anything is written. During a push a map holds the old and the new.
func (d *Datapath) checkRoom(p *push) error {
	if limit := int(d.maps.Maps["hook_map"].MaxEntries()) / 2; len(p.hooks) > limit {
		return fmt.Errorf("lists stand on %d places (a direction of an interface each, both of a pod's), want %d at most", len(p.hooks), limit)
	}
	for name, what := range map[string]string{"address_map": "addresses", "ipcache_map": "prefixes"} {
		fits := func(a netip.Prefix) bool { return a.IsSingleIP() == (name == "address_map") }
		next, both := countBoth(p.state.Addresses, d.state.Addresses, fits)
		limit := int(d.maps.Maps[name].MaxEntries())
		if next > limit {
			return fmt.Errorf("%d %s, want %d at most", next, what, limit)
		}
		if both > limit {
			return fmt.Errorf("%d %s with those that they replace, want %d at most: replace them in two steps", both, what, limit)
		}
	}
	return nil
}

// countBoth gives how many keys fit in the first map, and in either.
func countBoth[K comparable, V any](next, old map[K]V, fits func(K) bool) (n, both int) {
	for k := range next {
		if fits(k) {
			n++
		}
	}
	both = n
	for k := range old {
		if _, stays := next[k]; !stays && fits(k) {
			both++
		}
	}
	return n, both
}
