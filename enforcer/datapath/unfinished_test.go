package datapath

import (
	"errors"
	"maps"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
)

// cannotWrite makes writes of a map fail until the function that it gives is
// called.
func (x *bench) cannotWrite(d *Datapath, name string) (mend func()) {
	x.t.Helper()
	path := filepath.Join(d.pins.push, name)
	readOnly, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		x.t.Fatal(err)
	}
	real := d.maps.Maps[name]
	d.maps.Maps[name] = readOnly
	return func() {
		d.maps.Maps[name] = real
		readOnly.Close()
	}
}

// moved is a state in which a is a b, 10.9.0.0/16 is an a, and lists differ.
func (x *bench) moved() State {
	s := x.state(udpPorts("NEW", 54))
	s.Addresses[netip.MustParsePrefix(addrA+"/32")] = Address{301, x.a.Device}
	s.Addresses[netip.MustParsePrefix("10.9.0.0/16")] = Address{Identity: 300}
	return s
}

// Addresses that do not follow the flip turn it back: neither the new lists nor
// a part of the new addresses stay.
func TestFlipWithoutItsAddressesIsUndone(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"address_map", "ipcache_map"} {
		t.Run(broken, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o Options) {
				x := newBench(t)
				d := x.open(o)
				defer d.Close()
				x.apply(d, x.state(udpPorts("OLD", 53)))
				open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
				had, err := d.readAddresses()
				if err != nil {
					t.Fatal(err)
				}

				mend := x.cannotWrite(d, broken)
				next := x.moved()
				next.Ports = append(next.Ports, Port{Interface: x.a.Device, Pod: true, Ingress: next.Ports[0].Ingress})
				err = d.Apply(next)
				mend()
				if err == nil || errors.As(err, new(*Unfinished)) {
					t.Fatalf("got %v, want an error after which all is as before", err)
				}
				if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
					t.Errorf("arrived %d and %d, want 3 and 0 as before", a, b)
				}
				wantCounts(t, x.counts(d), map[string]uint64{"OLD/10": 3, "OLD/0": 2, "NEW/10": 0})
				if have, err := d.readAddresses(); err != nil || !have.equal(had) {
					t.Errorf("addresses are not as before: %v, %v", have, err)
				}
				if at, err := d.hooks.driver.present(); err != nil || len(at) != 2 {
					t.Errorf("programs stand on %d places, want both of one port: %v", len(at), err)
				}

				x.apply(d, next)
				if a, b := open.send(t, 3), shut.send(t, 2); a != 0 || b != 0 {
					t.Errorf("arrived %d and %d, want none from what is no a any more", a, b)
				}
			})
		})
	}
}

// Where the flip cannot be turned back either, the error says that the new
// lists are in force, and they are.
func TestFlipThatStaysIsNamed(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.state(udpPorts("OLD", 53)))
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		mend := x.cannotWrite(d, "settings_map")
		next := x.moved()
		if err := d.Apply(next); !errors.As(err, new(*Unfinished)) {
			t.Fatalf("got %v, want an Unfinished", err)
		}
		if a, b := open.send(t, 2), shut.send(t, 3); a != 0 || b != 3 {
			t.Errorf("arrived %d and %d, want 0 and 3 by the new list", a, b)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"NEW/10": 3, "NEW/0": 2})
		mend()
		x.apply(d, next)
		if n := shut.send(t, 4); n != 0 {
			t.Errorf("%d arrived from what is no a any more", n)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"NEW/10": 3, "NEW/0": 6})
	})
}

// stuck is a driver that takes nothing off.
type stuck struct{ driver }

func (stuck) drop(attachKey) error { return errors.New("it will not come off") }

// What is only taken away too late leaves the new lists in force, says so, and
// is made up for by the next push.
func TestLeftoversAreNamedAndMended(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		both := x.state(udpPorts("OLD", 53))
		both.Ports = append(both.Ports, Port{Interface: x.a.Device, Pod: true, Egress: both.Ports[0].Ingress})
		x.apply(d, both)
		shut := x.link(addrA, addrB, 54)
		real := d.hooks.driver
		d.hooks.driver = stuck{real}
		next := x.state(udpPorts("NEW", 54))
		err := d.Apply(next)
		d.hooks.driver = real
		if !errors.As(err, new(*Unfinished)) {
			t.Fatalf("got %v, want an Unfinished", err)
		}
		if n := shut.send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived by the new list", n)
		}
		x.apply(d, next)
		if at, err := d.hooks.driver.present(); err != nil || len(at) != 2 {
			t.Errorf("programs stand on %d places, want both of one port: %v", len(at), err)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"NEW/10": 3})
	})
}

// A push that fails behind its flip has not waited for packets. The next one
// does, before it writes where such a packet may read.
func TestNextPushWaitsForTheLast(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("OLD", 53)))
	present := d.hooks.driver
	d.hooks.other = stuck{present}
	if err := d.Apply(x.state(udpPorts("NEW", 54))); !errors.As(err, new(*Unfinished)) {
		t.Fatalf("got %v, want an Unfinished", err)
	}
	d.hooks.other = nil
	idle := func() map[hookKey]bpf.AcliumHook {
		t.Helper()
		g, err := d.generation()
		if err != nil {
			t.Fatal(err)
		}
		hooks, err := d.readHooks(byte(g+1) & 1)
		if err != nil {
			t.Fatal(err)
		}
		return hooks
	}
	old, waits := idle(), 0
	if len(old) == 0 {
		t.Fatal("the old hooks are gone, so the test sees nothing")
	}
	never := errors.New("it does not end")
	d.wait = func() error { return never }
	if err := d.Apply(x.state(udpPorts("NEVER", 57))); !errors.Is(err, never) {
		t.Errorf("got %v, want %v", err, never)
	}
	if !maps.Equal(idle(), old) {
		t.Error("packets that are still judged by the old lists find none")
	}
	d.wait = func() error {
		waits++
		if !maps.Equal(idle(), old) {
			t.Error("packets that are still judged by the old lists read others")
		}
		return waitForPackets()
	}
	x.apply(d, x.state(udpPorts("NEXT", 55)))
	x.apply(d, x.state(udpPorts("LAST", 56)))
	if waits != 1 {
		t.Errorf("waited %d times for the push that had failed, want once", waits)
	}
}

// Addresses are read before the flip: where they cannot be, there is none, and
// between flip and turn no time is lost in which lists meet old addresses.
func TestAddressesAreReadBeforeTheFlip(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("OLD", 53)))
	was, err := d.generation()
	if err != nil {
		t.Fatal(err)
	}
	const name = "address_map"
	real := d.maps.Maps[name]
	blind, err := ebpf.LoadPinnedMap(filepath.Join(d.pins.push, name), &ebpf.LoadPinOptions{WriteOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	d.maps.Maps[name] = blind
	d.written = nil // as after a failed write
	err = d.Apply(x.moved())
	d.maps.Maps[name] = real
	if err == nil || errors.As(err, new(*Unfinished)) {
		t.Fatalf("got %v, want an error", err)
	}
	if is, err := d.generation(); err != nil || is != was {
		t.Errorf("generation %d, want %d: a packet may have met the new lists (%v)", is, was, err)
	}
	x.apply(d, x.moved())
}
