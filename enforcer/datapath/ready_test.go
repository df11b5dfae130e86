package datapath

import (
	"errors"
	"testing"
)

// Where something else has to succeed and does not, the old state stays in
// force, and nothing is left of the other one.
func TestApplyWhenSomethingElseFails(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	// Three lists change at once: their maps are made before the error.
	old := x.state(udpPorts("ONE", 53), udpPorts("TWO", 53), udpPorts("THREE", 53))
	next := x.state(udpPorts("ONE", 54), udpPorts("TWO", 54), udpPorts("THREE", 54))
	open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
	x.apply(d, old)
	open.send(t, 3)
	before, ids := x.holdings(d), len(d.lines.ids)
	full := errors.New("the disk is full")
	if err := d.ApplyWhen(next, func() error { return full }); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
	if after := x.holdings(d); after != before || len(d.lines.ids) != ids {
		t.Errorf("holds %+v, before %+v", after, before)
	}
	if a, b := open.send(t, 4), shut.send(t, 2); a != 4 || b != 0 {
		t.Errorf("%d and %d arrived, want 4 and 0", a, b)
	}
	wantCounts(t, x.counts(d), map[string]uint64{"ONE/10": 7, "ONE/0": 2})
	asked := 0
	if err := d.ApplyWhen(next, func() error {
		asked++
		if b := shut.send(t, 1); b != 0 {
			t.Error("the new list is in force before everything is ready")
		}
		return nil
	}); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if b := shut.send(t, 2); b != 2 {
		t.Errorf("%d arrived by the new list, want 2", b)
	}
}
