package datapath

import "testing"

// A list whose table is sometimes smaller than a class and sometimes larger finds
// a spare at every change but the one that grows first, and judges by none but
// its own lines where the larger table stood before.
func TestListsThatCrossAClassHaveASpare(t *testing.T) {
	small, large := make([]uint16, 300), make([]uint16, 1500)
	for _, ports := range [][]uint16{small, large} {
		for i := range ports {
			ports[i] = uint16(i + 1)
		}
	}
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("T", small...)))
	class := only(t, d.tables.live).class
	both, some := x.link(addrA, addrB, 200), x.link(addrA, addrB, 1000)
	for _, ports := range [][]uint16{large, small, large, small} {
		x.apply(d, x.state(udpPorts("T", ports...)))
		live, spare := only(t, d.tables.live), only(t, d.tables.spare)
		if live.class != class+1 || spare.class != class+1 {
			t.Errorf("a list of %d lines lives in class %d beside a spare of %d, want %d both", len(ports), live.class, spare.class, class+1)
		}
		want := 0
		if len(ports) >= 1000 {
			want = 3
		}
		if a, b := both.send(t, 3), some.send(t, 3); a != 3 || b != want {
			t.Errorf("a list of %d lines: %d of 3 arrived on port 200, want 3; %d on port 1000, want %d", len(ports), a, b, want)
		}
	}
}

// only gives the member of a set that has one.
func only(t *testing.T, set map[place]bool) (only place) {
	t.Helper()
	if len(set) != 1 {
		t.Fatalf("%d places, want one: %v", len(set), set)
	}
	for only = range set {
	}
	return only
}
