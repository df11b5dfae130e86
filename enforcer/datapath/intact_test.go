package datapath

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// wantDamage says whether something of what is in force must be missing.
func (x *bench) wantDamage(d *Datapath, want bool) {
	x.t.Helper()
	damage, err := d.Damage()
	if err != nil || (damage != "") != want {
		x.t.Fatalf("damage %q, %v, want some: %v", damage, err, want)
	}
}

// unplug takes our programs off pod b's device, as an administrator might.
func (x *bench) unplug(clsact bool) {
	x.t.Helper()
	if clsact {
		q := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: x.index(x.b.Device), Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}}
		if err := netlink.QdiscDel(q); err != nil {
			x.t.Fatal(err)
		}
		return
	}
	for _, point := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
		found, err := link.QueryPrograms(link.QueryOptions{Target: x.index(x.b.Device), Attach: point})
		if err != nil || len(found.Programs) == 0 {
			x.t.Fatal(err, found)
		}
		for _, p := range found.Programs {
			id, _ := p.LinkID()
			if err := detachLink(id); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// Whatever takes our programs off a device is noticed, and the next Apply puts
// them back.
func TestDetachedProgramsComeBack(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		s := x.state(udpPorts("T", 53))
		x.apply(d, s)
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		x.wantDamage(d, false)
		x.unplug(o.Clsact)
		x.wantDamage(d, true)
		x.apply(d, s)
		x.wantDamage(d, false)
		if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
			t.Errorf("%d and %d arrived, want 3 and 0", a, b)
		}
	})
}

func (x *bench) index(device string) int {
	x.t.Helper()
	l, err := netlink.LinkByName(device)
	if err != nil {
		x.t.Fatal(err)
	}
	return l.Attrs().Index
}

// Pins that somebody removed under a running process are made again: what it
// enforces outlives it, with its counters and connections.
func TestRemovedPinsComeBack(t *testing.T) {
	t.Parallel()
	for _, below := range []string{"links", layoutVersion, ""} {
		t.Run("all of "+below, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o Options) {
				if below == "links" && o.Clsact {
					return // filters have no pins
				}
				x := newBench(t)
				d := x.open(o)
				s := x.repliesOnly(53)
				x.apply(d, s)
				open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
				open.send(t, 3)
				if err := os.RemoveAll(filepath.Join(x.pins, below)); err != nil {
					t.Fatal(err)
				}
				if damage, err := d.Damage(); err != nil || (damage == "" && below != "links") {
					t.Fatalf("%q, %v", damage, err) // links are pinned again at once
				}
				x.apply(d, s)
				x.wantDamage(d, false)
				if second, err := Open(Options{PinPath: x.pins, Clsact: o.Clsact}); err == nil {
					second.Close()
					t.Error("a second process took the new directory")
				}
				d.Close()
				if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
					t.Errorf("without a process %d and %d arrived, want 3 and 0", a, b)
				}
				d = x.open(o)
				defer d.Close()
				x.apply(d, s)
				if !x.reply(open) {
					t.Error("the connection is lost")
				}
				wantCounts(t, x.counts(d), map[string]uint64{"T/10": 6, "T/0": 2})
			})
		})
	}
}
