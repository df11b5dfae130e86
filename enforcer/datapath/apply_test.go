package datapath

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"aclium/translate/policy"
)

// Two lists of one name, and two names of one device: what is in force stays,
// rather than one of the two winning by chance.
func TestApplyRefusesWhatHasTwoMeanings(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("T", 53)))
	open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)

	lists := x.state(udpPorts("U", 53), udpPorts("U", 54), udpPorts("V", 53, 54))
	lists.Ports = append(lists.Ports, Port{Interface: x.a.Device, Pod: true, Ingress: []policy.Policy{udpPorts("V", 53, 54)}})
	if err := d.Apply(lists); !errors.As(err, new(*Refused)) || !strings.Contains(err.Error(), `two lists "U"`) {
		t.Errorf("two lists of one name: %v", err)
	}

	link, err := netlink.LinkByName(x.b.Device)
	if err == nil {
		err = netlink.LinkAddAltName(link, "another-name-of-it")
	}
	if err != nil {
		t.Fatal(err)
	}
	devices := x.state(udpPorts("U", 53))
	devices.Ports = append(devices.Ports, Port{Interface: "another-name-of-it", Pod: true, Ingress: []policy.Policy{udpPorts("V", 53, 54)}})
	if err := d.Apply(devices); !errors.As(err, new(*Refused)) || !strings.Contains(err.Error(), "same device") {
		t.Errorf("two names of one device: %v", err)
	}
	if a, b := open.send(t, 2), shut.send(t, 2); a != 2 || b != 0 {
		t.Errorf("arrived %d and %d, want 2 and 0", a, b)
	}
}
