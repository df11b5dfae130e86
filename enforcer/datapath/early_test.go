package datapath

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"aclium/translate/policy"
)

// A list is compiled before anything is known of the push. Where that is
// refused later, or fails, the compilation ends with the push, as does one that
// nobody wants because an equal list of the same name stands already.
func TestEarlyTablesEndWithTheirPush(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("L", 53)))
	before := runtime.NumGoroutine()

	gone := x.state(udpPorts("L", 54))
	gone.Ports = append(gone.Ports, Port{Interface: "gone"})
	if err := d.Apply(gone); err == nil {
		t.Error("a device that does not exist was accepted")
	}
	full := x.state(udpPorts("L", 55))
	full.Services = []Service{{Protocol: 1}}
	if err := d.Apply(full); !errors.As(err, new(*Refused)) {
		t.Errorf("a service of a protocol without ports: %v", err)
	}
	same := *d.state
	other := same.Ports[0].Ingress[0]
	other.Open = true // not the live list, but of its name and with its rules
	same.Ports = append(slices.Clone(same.Ports), Port{Interface: x.a.Device, Pod: true, Ingress: []policy.Policy{other}})
	x.apply(d, same)
	if len(d.places) != 1 {
		t.Errorf("%d tables are live, want one", len(d.places))
	}
	for range 5000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, had %d", runtime.NumGoroutine(), before)
}
