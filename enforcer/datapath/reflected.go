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

// listingTries bounds how often a listing of entries begins anew because the
// table changed under it.
const listingTries = 3

// Reflected gives the entries that live in the reflexive lists of the policies
// in force, by list and by what they permit. Of a table that changes all the
// time some entries may be missing.
func (d *Datapath) Reflected() ([]policy.Reflected, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lists := map[uint64]string{}
	for name := range d.reflexives {
		lists[reflexiveKey(name)] = name
	}
	out := []policy.Reflected{}
	if len(lists) == 0 {
		return out, nil
	}
	entries, err := readEntries(d.maps.Maps["entry_map"])
	if err != nil {
		return nil, err
	}
	now, clock := monotonic(), readClock()
	for key, e := range entries {
		if name := lists[key.List]; name != "" && e.Expires > now {
			r := reflectedOf(&key)
			r.List, r.Node, r.Packets, r.Expires = name, d.options.Node, e.Packets, clock.wall(e.Expires)
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b policy.Reflected) int {
		return cmp.Or(cmp.Compare(a.List, b.List), a.Destination.Compare(b.Destination), a.Source.Compare(b.Source),
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.ICMPType, b.ICMPType))
	})
	return out, nil
}

// readEntries reads a table that packets change meanwhile: an entry that goes
// away under the reader sends it back to the start.
func readEntries(m *ebpf.Map) (map[bpf.AcliumEntryKey]bpf.AcliumEntry, error) {
	out := map[bpf.AcliumEntryKey]bpf.AcliumEntry{}
	var key bpf.AcliumEntryKey
	var e bpf.AcliumEntry
	var err error
	for range listingTries {
		all := m.Iterate()
		for all.Next(&key, &e) {
			out[key] = e
		}
		if err = all.Err(); !errors.Is(err, ebpf.ErrIterationAborted) {
			break
		}
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the entries of reflexive lists: %w", err)
	}
	return out, nil
}

// reflectedOf gives what an entry permits.
func reflectedOf(k *bpf.AcliumEntryKey) policy.Reflected {
	r := policy.Reflected{Protocol: k.Protocol}
	source, destination := uint16(0), uint16(0)
	if policy.HasPorts(k.Protocol) {
		source, destination = k.Sport, k.Dport
	} else {
		r.ICMPType = uint8(k.Dport)
	}
	r.Source, r.Destination = netip.AddrPortFrom(addrOf(k.Saddr), source), netip.AddrPortFrom(addrOf(k.Daddr), destination)
	return r
}
