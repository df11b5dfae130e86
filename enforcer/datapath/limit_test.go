package datapath

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// A state that is larger than the kernel's maps is refused by its number, and
// what was enforced before still is.
func TestStateBeyondTheMapsIsRefused(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		o.edit = func(s *ebpf.CollectionSpec) {
			s.Maps["hook_map"].MaxEntries = 4
			s.Maps["address_map"].MaxEntries = 6
			s.Maps["ipcache_map"].MaxEntries = 1
		}
		d := x.open(o)
		defer d.Close()
		s := x.state(udpPorts("T", 53))
		x.apply(d, s)
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		with := func(prefixes ...string) State {
			next := x.state(udpPorts("NEXT", 54))
			next.Addresses = maps.Clone(s.Addresses)
			for _, p := range prefixes {
				next.Addresses[netip.MustParsePrefix(p)] = Address{Identity: 300}
			}
			return next
		}
		three := x.state(udpPorts("NEXT", 54))
		three.Ports = append(three.Ports, Port{Interface: x.a.Device, Pod: true, Ingress: three.Ports[0].Ingress})
		moved := with()
		moved.Addresses = map[netip.Prefix]Address{}
		for _, a := range []string{"10.9.0.1/32", "10.9.0.2/32", "10.9.0.3/32"} {
			moved.Addresses[netip.MustParsePrefix(a)] = Address{Identity: 300}
		}
		for want, next := range map[string]State{
			"stand on 4 places":      three,
			"7 addresses, want 6":    with("10.9.0.1/32", "10.9.0.2/32", "10.9.0.3/32"),
			"2 prefixes, want 1":     with("10.9.0.0/24", "10.8.0.0/24"),
			"7 addresses with those": moved,
		} {
			if err := d.Apply(next); !errors.As(err, new(*Refused)) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			if a, b := open.send(t, 2), shut.send(t, 1); a != 2 || b != 0 {
				t.Errorf("%s: %d and %d arrived, want 2 and 0", want, a, b)
			}
		}
	})
}
