package datapath

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A line's last hit is the packet's time by the kernel's coarse clock, a tick
// late at most.
func TestLastHitIsTheTime(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	lists := permitAll()
	k.bind(nil, 0, lists, nil)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	read := func(clock func(int32, *unix.Timespec) error) uint64 {
		var ts unix.Timespec
		k.must(clock(unix.CLOCK_MONOTONIC_COARSE, &ts))
		return uint64(ts.Nano())
	}
	tick := read(unix.ClockGetres)
	now := func() uint64 { return read(unix.ClockGettime) }
	hit := func() (last uint64) {
		before := now()
		k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
		after := now()
		for _, c := range k.lineCells(k.counter(lists[0].ACL, 0)) {
			last = max(last, c.LastHit)
		}
		if last > after || last+tick < before {
			t.Fatalf("last hit at %d, want a time from %d to %d, or a tick of %d before", last, before, after, tick)
		}
		return last
	}
	for first := hit(); hit() < first+5*tick; {
	}
}
