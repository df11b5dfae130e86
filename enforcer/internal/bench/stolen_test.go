package main

import "testing"

// The words stand in proc(5): user nice system idle iowait irq softirq steal
// guest guest_nice. What guests run is in user already.
func TestTicks(t *testing.T) {
	const text = "cpu  100 20 30 4000 5 6 7 37 3 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
	now := ticksOf(text)
	if now != (ticks{200, 37}) {
		t.Errorf("got %+v", now)
	}
	if got := now.since(ticks{100, 27}); got != 10 {
		t.Errorf("took %v %%, want 10", got)
	}
	if got := now.since(now); got != 0 {
		t.Errorf("took %v %% of no time", got)
	}
	if got := ticksOf("nothing"); got != (ticks{}) {
		t.Errorf("got %+v from nothing", got)
	}
}
