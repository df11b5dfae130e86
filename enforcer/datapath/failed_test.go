package datapath

import (
	"errors"
	"testing"

	"aclium/enforcer/bpf"
)

// Of a push that failed nothing stays, whether it had come to its flip or not: no
// map, no list in force, no settings.
func TestFailedPushesLeaveNothing(t *testing.T) {
	for _, broken := range []string{"log_options_map", "hook_map", "address_map"} {
		t.Run(broken, func(t *testing.T) {
			x := newBench(t)
			d := x.open(Options{})
			defer d.Close()
			x.apply(d, x.state(udpPorts("ONE", 53), udpPorts("TWO", 53), udpPorts("THREE", 53)))
			open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
			before := x.holdings(d)
			next := x.moved()
			for _, name := range []string{"ONE", "TWO", "THREE", "FOUR"} {
				next.Ports[0].Ingress = append(next.Ports[0].Ingress, udpPorts(name, 54))
			}
			next.Logging.Threshold = 7
			mend := x.cannotWrite(d, broken)
			err := d.Apply(next)
			mend()
			if err == nil || errors.As(err, new(*Unfinished)) {
				t.Fatalf("got %v, want an error after which all is as before", err)
			}
			if after := x.holdings(d); after != before {
				t.Errorf("holds %+v, before %+v", after, before)
			}
			if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
				t.Errorf("arrived %d and %d, want 3 and 0 as before", a, b)
			}
			var log bpf.AcliumLogOptions
			if err := d.maps.Maps["log_options_map"].Lookup(uint32(0), &log); err != nil || log.Threshold != 0 {
				t.Errorf("the log tells of every %d packets, want the settings as before: %v", log.Threshold, err)
			}
			wantCounts(t, x.counts(d), map[string]uint64{"ONE/10": 3, "ONE/0": 2, "FOUR/10": 0})
		})
	}
}
