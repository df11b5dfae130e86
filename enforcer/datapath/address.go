package datapath

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
)

// ownAddresses are what a pod's hook knows by heart: one address of each
// family, IPv4 first.
type ownAddresses = [2]bpf.AcliumIpAddr

// ownedBy gives the addresses that the hooks of devices know by heart, the
// lowest of each family.
func ownedBy(addresses map[netip.Prefix]Address) map[string]ownAddresses {
	least := map[string][2]netip.Addr{}
	for p, a := range addresses {
		if a.Interface == "" || !p.IsSingleIP() {
			continue
		}
		have, family := least[a.Interface], 1
		if p.Addr().Unmap().Is4() {
			family = 0
		}
		if old := have[family]; !old.IsValid() || p.Addr().Less(old) {
			have[family] = p.Addr()
			least[a.Interface] = have
		}
	}
	owned := make(map[string]ownAddresses, len(least))
	for device, both := range least {
		var own ownAddresses
		for i, a := range both {
			if a.IsValid() {
				own[i].Bytes = a.As16()
			}
		}
		owned[device] = own
	}
	return owned
}

// addressBook is what the kernel's maps of addresses hold: single addresses in
// address_map and prefixes in ipcache_map, which programs do not ask while it is
// known to be empty.
type addressBook struct {
	single   map[bpf.AcliumIpAddr]bpf.AcliumIpcacheValue
	prefixes map[bpf.AcliumIpcacheKey]bpf.AcliumIpcacheValue
}

// bookOf gives what the maps are to hold for a state.
func bookOf(s *State, devices map[string]device) addressBook {
	b := addressBook{map[bpf.AcliumIpAddr]bpf.AcliumIpcacheValue{}, map[bpf.AcliumIpcacheKey]bpf.AcliumIpcacheValue{}}
	for p, a := range s.Addresses {
		value := bpf.AcliumIpcacheValue{Identity: a.Identity, Ifindex: devices[a.Interface].index}
		if key := ipcacheKey(p); p.IsSingleIP() {
			b.single[bpf.AcliumIpAddr{Bytes: key.Addr.Bytes}] = value
		} else {
			b.prefixes[key] = value
		}
	}
	return b
}

func (b addressBook) equal(c addressBook) bool {
	return maps.Equal(b.single, c.single) && maps.Equal(b.prefixes, c.prefixes)
}

// readAddresses gives what the maps hold.
func (d *Datapath) readAddresses() (b addressBook, err error) {
	if b.single, err = readBook[bpf.AcliumIpAddr](d.maps.Maps["address_map"]); err != nil {
		return b, err
	}
	b.prefixes, err = readBook[bpf.AcliumIpcacheKey](d.maps.Maps["ipcache_map"])
	return b, err
}

// writeAddresses turns what the maps hold into something else.
func (d *Datapath) writeAddresses(have, want addressBook) error {
	d.written = nil
	if err := d.turn(have, want); err != nil {
		return err
	}
	d.written = &want
	return nil
}

func (d *Datapath) turn(have, want addressBook) error {
	if len(want.prefixes) > 0 || len(have.prefixes) > 0 {
		if err := d.writeSettings(bpf.AcliumSettings{}); err != nil {
			return err
		}
	}
	if err := makeEqual(d.maps.Maps["address_map"], have.single, want.single); err != nil {
		return err
	}
	if err := makeEqual(d.maps.Maps["ipcache_map"], have.prefixes, want.prefixes); err != nil {
		return err
	}
	if len(want.prefixes) > 0 {
		return nil
	}
	return d.writeSettings(bpf.AcliumSettings{NoPrefixes: 1})
}

func (d *Datapath) writeSettings(s bpf.AcliumSettings) error {
	if err := d.maps.Maps["settings_map"].Put(uint32(0), s); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

func readBook[K comparable](m *ebpf.Map) (map[K]bpf.AcliumIpcacheValue, error) {
	have := map[K]bpf.AcliumIpcacheValue{}
	var key K
	var value bpf.AcliumIpcacheValue
	all := m.Iterate()
	for all.Next(&key, &value) {
		have[key] = value
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	return have, nil
}

// makeEqual makes a map that holds the one hold the other.
func makeEqual[K comparable](m *ebpf.Map, have, want map[K]bpf.AcliumIpcacheValue) error {
	for k, v := range want {
		if old, ok := have[k]; ok && old == v {
			continue
		}
		if err := m.Put(k, v); err != nil {
			return fmt.Errorf("write address: %w", err)
		}
	}
	for k := range have {
		if _, ok := want[k]; ok {
			continue
		}
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete address: %w", err)
		}
	}
	return nil
}

// ipcacheKey maps IPv4 into ::ffff:0:0/96, as the programs do.
func ipcacheKey(p netip.Prefix) (k bpf.AcliumIpcacheKey) {
	k.Prefixlen = uint32(128 - p.Addr().BitLen() + p.Bits())
	k.Addr.Bytes = p.Masked().Addr().As16()
	return k
}
