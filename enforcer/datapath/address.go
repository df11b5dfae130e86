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

// writeAddresses makes the kernel's maps of addresses say what the state says,
// and reports whether that is another thing than before; it may be one even
// after an error. Single addresses lie in address_map and prefixes in
// ipcache_map, which programs do not ask while it is known to be empty.
func (d *Datapath) writeAddresses(s *State, devices map[string]device) (bool, error) {
	single := map[bpf.AcliumIpAddr]bpf.AcliumIpcacheValue{}
	prefixes := map[bpf.AcliumIpcacheKey]bpf.AcliumIpcacheValue{}
	for p, a := range s.Addresses {
		value := bpf.AcliumIpcacheValue{Identity: a.Identity, Ifindex: devices[a.Interface].index}
		if key := ipcacheKey(p); p.IsSingleIP() {
			single[bpf.AcliumIpAddr{Bytes: key.Addr.Bytes}] = value
		} else {
			prefixes[key] = value
		}
	}
	if len(prefixes) > 0 {
		if err := d.writeSettings(bpf.AcliumSettings{}); err != nil {
			return false, err
		}
	}
	changed, err := makeEqual(d.maps.Maps["address_map"], single)
	if err != nil {
		return changed, err
	}
	also, err := makeEqual(d.maps.Maps["ipcache_map"], prefixes)
	if err == nil && len(prefixes) == 0 {
		err = d.writeSettings(bpf.AcliumSettings{NoPrefixes: 1})
	}
	return changed || also, err
}

func (d *Datapath) writeSettings(s bpf.AcliumSettings) error {
	if err := d.maps.Maps["settings_map"].Put(uint32(0), s); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// makeEqual makes the map hold the entries and no others, and reports whether
// it touched it.
func makeEqual[K comparable](m *ebpf.Map, want map[K]bpf.AcliumIpcacheValue) (bool, error) {
	have := map[K]bpf.AcliumIpcacheValue{}
	var key K
	var value bpf.AcliumIpcacheValue
	all := m.Iterate()
	for all.Next(&key, &value) {
		have[key] = value
	}
	if err := all.Err(); err != nil {
		return false, fmt.Errorf("read addresses: %w", err)
	}
	if maps.Equal(want, have) {
		return false, nil
	}
	for k, v := range want {
		if old, ok := have[k]; ok && old == v {
			continue
		}
		if err := m.Put(k, v); err != nil {
			return true, fmt.Errorf("write address: %w", err)
		}
	}
	for k := range have {
		if _, ok := want[k]; ok {
			continue
		}
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return true, fmt.Errorf("delete address: %w", err)
		}
	}
	return true, nil
}

// ipcacheKey maps IPv4 into ::ffff:0:0/96, as the programs do.
func ipcacheKey(p netip.Prefix) (k bpf.AcliumIpcacheKey) {
	k.Prefixlen = uint32(128 - p.Addr().BitLen() + p.Bits())
	k.Addr.Bytes = p.Masked().Addr().As16()
	return k
}
