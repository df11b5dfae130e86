package datapath

import (
	"errors"
	"testing"
)

// Of a push that failed no map stays, whether it had come to its flip or not.
func TestFailedPushesGiveTheirMapsBack(t *testing.T) {
	for _, broken := range []string{"hook_map", "address_map"} {
		t.Run(broken, func(t *testing.T) {
			x := newBench(t)
			d := x.open(Options{})
			defer d.Close()
			x.apply(d, x.state(udpPorts("ONE", 53), udpPorts("TWO", 53), udpPorts("THREE", 53)))
			before := x.holdings(d)
			next := x.moved()
			for _, name := range []string{"ONE", "TWO", "THREE", "FOUR"} {
				next.Ports[0].Ingress = append(next.Ports[0].Ingress, udpPorts(name, 54))
			}
			mend := x.cannotWrite(d, broken)
			err := d.Apply(next)
			mend()
			if err == nil || errors.As(err, new(*Unfinished)) {
				t.Fatalf("got %v, want an error after which all is as before", err)
			}
			if after := x.holdings(d); after != before {
				t.Errorf("holds %+v, before %+v", after, before)
			}
		})
	}
}
