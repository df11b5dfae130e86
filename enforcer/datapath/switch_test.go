package datapath

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// A second enforcer with other pins would take the first one's programs for
// its own leftovers and off their devices.
func TestOneEnforcerInANetworkNamespace(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.state(udpPorts("T", 53)))
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		o.PinPath = x.pins + "-second"
		t.Cleanup(func() { _ = Remove(o.PinPath) })
		if second, err := Open(o); err == nil {
			t.Error("a second enforcer was opened")
			if err := second.Apply(x.state(udpPorts("U", 53, 54))); err != nil {
				t.Error(err)
			}
			second.Close()
		}
		if a, b := open.send(t, 2), shut.send(t, 2); a != 2 || b != 0 {
			t.Errorf("%d and %d arrived, want 2 and 0", a, b)
		}
	})
}

// A process that attaches another way takes off what an earlier one attached:
// two programs would count each packet twice, and the old one would stay with
// its old lists once its maps are gone.
func TestOtherWayOfAttaching(t *testing.T) {
	if !haveTCX() {
		t.Skip("needs TCX (Linux 6.6)")
	}
	for name, clsact := range map[string]bool{"to clsact": true, "to tcx": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			d := x.open(Options{Clsact: !clsact})
			x.apply(d, x.state(udpPorts("T", 53)))
			open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
			open.send(t, 2)
			d.Close()
			d = x.open(Options{Clsact: clsact})
			defer d.Close()
			if a, b := open.send(t, 2), shut.send(t, 2); a != 2 || b != 0 {
				t.Errorf("before the first apply %d and %d arrived, want 2 and 0", a, b)
			}
			x.apply(d, x.state(udpPorts("T", 53, 54)))
			if a, b := open.send(t, 2), shut.send(t, 2); a != 2 || b != 2 {
				t.Errorf("%d and %d arrived, want 2 and 2", a, b)
			}
			wantCounts(t, x.counts(d), map[string]uint64{"T/10": 6, "T/20": 2, "T/0": 2})
			x.apply(d, State{})
			if n := x.attachedPrograms(); n != 0 {
				t.Errorf("without lists %d programs are attached", n)
			}
		})
	}
}

// attachedPrograms counts the programs at pod b's device, of both ways.
func (x *bench) attachedPrograms() (n int) {
	x.t.Helper()
	l, err := netlink.LinkByName(x.b.Device)
	if err != nil {
		x.t.Fatal(err)
	}
	for point, parent := range parents {
		filters, _ := netlink.FilterList(l, parent)
		n += len(filters) + x.tcxPrograms(l.Attrs().Index, point)
	}
	return n
}

func (x *bench) tcxPrograms(index int, point ebpf.AttachType) int {
	x.t.Helper()
	found, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: point})
	if err != nil {
		x.t.Fatal(err)
	}
	return len(found.Programs)
}
