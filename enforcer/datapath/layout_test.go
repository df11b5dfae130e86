package datapath

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/translate/policy"
)

// Each map is either filled by a push, or outlives it, or belongs to one load.
// Whoever adds one has to say which.
func TestEveryMapHasItsKind(t *testing.T) {
	spec, err := programSpec()
	if err != nil {
		t.Fatal(err)
	}
	filled := append([]string{"generation_map", "hook_map", "address_map", "ipcache_map", "settings_map", "service_map", "backend_map", "window_map", "reflexive_map", "name_map", "server_map", "log_options_map"}, tableMaps[:]...)
	known := slices.Concat(filled, stateMaps, privateMaps)
	for name := range spec.Maps {
		if name[0] != '.' && !slices.Contains(known, name) {
			t.Errorf("layout.go does not know what becomes of %s when another version takes over", name)
		}
	}
	for _, name := range known {
		if spec.Maps[name] == nil {
			t.Errorf("there is no map %s", name)
		}
	}
}

func TestLayoutFollowsTypes(t *testing.T) {
	layout := func(edit func(m *ebpf.MapSpec)) string {
		spec, err := programSpec()
		if err != nil {
			t.Fatal(err)
		}
		edit(spec.Maps["conn_map"])
		return layoutOf(spec.Maps["conn_map"])
	}
	same := layout(func(*ebpf.MapSpec) {})
	for name, edit := range map[string]func(m *ebpf.MapSpec){
		"the value's size": func(m *ebpf.MapSpec) { m.ValueSize += 8 },
		"the key's type":   func(m *ebpf.MapSpec) { m.Key = m.Value },
		"the kind":         func(m *ebpf.MapSpec) { m.Type = ebpf.Hash },
	} {
		if layout(edit) == same {
			t.Errorf("%s changed, and the layout stayed", name)
		}
	}
	if layout(func(m *ebpf.MapSpec) { m.MaxEntries = 100 }) != same {
		t.Error("the connection table's size is a setting, not a layout")
	}
}

// otherVersions are programs that differ from ours in a map.
var otherVersions = map[string]struct {
	edit        func(*ebpf.CollectionSpec)
	connections bool // the table keeps its layout
}{
	"hooks":       {func(s *ebpf.CollectionSpec) { s.Maps["hook_map"].MaxEntries = 99 }, true},
	"connections": {func(s *ebpf.CollectionSpec) { s.Maps["conn_map"].Flags |= unix.BPF_F_NO_COMMON_LRU }, false},
	"counters":    {func(s *ebpf.CollectionSpec) { s.Maps["counter_map"].MaxEntries = 512 }, true},
}

// A binary with another layout takes over from a running one under traffic:
// enforcement never stops, no counter goes back, connections go on where their
// table means the same.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	for what, version := range otherVersions {
		t.Run(what, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o Options) {
				old, next := o, o
				next.edit = unhurried // the idle connection has to outlive a slow start
				old.edit = func(s *ebpf.CollectionSpec) { unhurried(s); version.edit(s) }
				takeOver(t, old, next, version.connections)
			})
		})
	}
}

// repliesOnly is a state in which what b sends passes only as a reply.
func (x *bench) repliesOnly(ports ...uint16) State {
	s := x.state(udpPorts("T", ports...))
	shut := udpPorts("SHUT", 1)
	shut.Direction = policy.Egress
	s.Ports[0].Egress = []policy.Policy{shut}
	return s
}

func takeOver(t *testing.T, before, after Options, connections bool) {
	x := newBench(t)
	d := x.open(before)
	x.apply(d, x.repliesOnly(53))
	open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
	if a, b, c := open.send(t, 5), shut.send(t, 4), x.reply(open); a != 5 || b != 0 || !c {
		t.Fatalf("%d and %d arrived, a reply %v", a, b, c)
	}
	idle := x.again(open)
	if n := idle.send(t, 1); n != 1 {
		t.Fatalf("%d of 1 arrived", n)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = x.open(after)
	defer d.Close()
	if err := d.Apply(State{Ports: []Port{{Interface: "nosuch", Ingress: []policy.Policy{udpPorts("T")}}}}); err == nil {
		t.Error("a device that is not there was accepted")
	}
	if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
		t.Errorf("before the first apply %d and %d arrived, want 3 and 0", a, b)
	}
	done := make(chan error, 1)
	go func() { done <- x.node.Enter(func() error { return d.Apply(x.repliesOnly(55, 53)) }) }()
	sent := uint64(9)
	for busy := true; busy; sent += 4 {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			busy = false
		default:
		}
		if a := open.send(t, 4); a != 4 {
			t.Fatalf("%d of 4 arrived during the first apply", a)
		}
	}
	if b := shut.send(t, 3); b != 0 {
		t.Errorf("%d denied packets arrived", b)
	}
	// Only the connection that the old version knew lets a reply pass.
	if got := x.reply(idle); got != connections {
		t.Errorf("the reply passed: %v, want %v", got, connections)
	}
	wantCounts(t, x.counts(d), map[string]uint64{"T/20": sent, "T/0": 9})
	x.wantOneVersion(d)
}

// reply sends a datagram back and reports whether it arrived.
func (x *bench) reply(l udpLink) bool {
	x.t.Helper()
	if _, err := l.to.WriteTo([]byte("y"), l.from.LocalAddr()); err != nil {
		return false
	}
	l.from.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err := l.from.Read(make([]byte, 8))
	return err == nil
}

// wantOneVersion checks that nothing of another version is pinned.
func (x *bench) wantOneVersion(d *Datapath) {
	x.t.Helper()
	push, err := filepath.Glob(filepath.Join(x.pins, layoutVersion, "push-*"))
	if err != nil || !slices.Equal(push, []string{d.pins.push}) {
		x.t.Errorf("pinned are %v, %v", push, err)
	}
	if state, _ := os.ReadDir(d.pins.state); len(state) != len(stateMaps) {
		x.t.Errorf("%d maps of state are pinned, want %d", len(state), len(stateMaps))
	}
}

// A process that is killed between its flip and the end of its taking over
// begins anew, and counts nothing twice.
func TestKilledTakeOver(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		old := o
		old.edit = otherVersions["counters"].edit
		d := x.open(old)
		s := x.repliesOnly(53)
		x.apply(d, s)
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		open.send(t, 5)
		d.Close()
		for range 2 {
			d = x.open(o)
			p, err := d.prepare(&s)
			if err == nil {
				err = d.install(p)
			}
			if err != nil {
				t.Fatal(err)
			}
			p.lines.commit()
			if err := d.hooks.upgrade(); err != nil {
				t.Fatal(err)
			}
			if a, b := open.send(t, 2), shut.send(t, 1); a != 2 || b != 0 {
				t.Errorf("%d and %d arrived, want 2 and 0", a, b)
			}
			others, err := filepath.Glob(filepath.Join(d.pins.state, "counter_map-*"))
			if err != nil || len(others) != 2 {
				t.Fatalf("%v, %v", others, err)
			}
			ours := d.pins.stateOf("counter_map", d.spec.Maps["counter_map"])
			for _, path := range others {
				if path != ours {
					if err := d.lines.inherit(path); err != nil {
						t.Fatal(err)
					}
				}
			}
			d.Close()
		}
		d = x.open(o)
		defer d.Close()
		x.apply(d, s)
		open.send(t, 1)
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 10, "T/0": 2})
		x.wantOneVersion(d)
	})
}

// Programs whose pins are lost, as when the BPF file system is mounted anew,
// filter until ours have something to take their place with.
func TestLostPins(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		x.apply(d, x.state(udpPorts("T", 53)))
		d.Close()
		if err := os.RemoveAll(filepath.Join(x.pins, layoutVersion)); err != nil {
			t.Fatal(err)
		}
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		for range 2 { // a process that ends before its first apply changes nothing
			d = x.open(o)
			if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
				t.Errorf("before the first apply %d and %d arrived, want 3 and 0", a, b)
			}
			d.Close()
		}
		d = x.open(o)
		defer d.Close()
		x.apply(d, x.state(udpPorts("T", 53)))
		if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
			t.Errorf("%d and %d arrived, want 3 and 0", a, b)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 3, "T/0": 2})
	})
}

func TestUnknownLayoutIsRefused(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	if err := preparePins(x.pins); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(x.pins, "v9"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := Open(Options{PinPath: x.pins})
	if err == nil {
		d.Close()
		t.Fatal("the pins of a later version were accepted")
	}
	for _, want := range []string{x.pins, `"v9"`, layoutVersion, "aclium enforcer --remove"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
