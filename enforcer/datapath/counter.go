package datapath

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Counters gives the counters of every line that stands somewhere, summed over
// the processors and in the order of ACL, sequence, subject and direction.
func (d *Datapath) Counters() ([]policy.Counter, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clock := readClock()
	out := make([]policy.Counter, 0, len(d.lines.where))
	err := d.lines.counters.each(d.lines.stands, func(id uint32, n bpf.AcliumCounter) {
		c, _ := d.lines.at(id)
		c.Node, c.Packets, c.Bytes, c.LastHit = d.options.Node, n.Packets, n.Bytes, clock.wall(n.LastHit)
		out = append(out, c)
	})
	slices.SortFunc(out, func(a, b policy.Counter) int {
		return cmp.Or(cmp.Compare(a.ACL, b.ACL), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Text, b.Text))
	})
	return out, err
}

func sumCounter(m *ebpf.Map, id uint32) (sum bpf.AcliumCounter, err error) {
	var cells []bpf.AcliumCounter
	if err := m.Lookup(id, &cells); err != nil {
		return sum, fmt.Errorf("read counter: %w", err)
	}
	for _, c := range cells {
		sum.Packets += c.Packets
		sum.Bytes += c.Bytes
		sum.LastHit = max(sum.LastHit, c.LastHit)
	}
	return sum, nil
}

// Clear sets the counters of one list to zero, those of all lists for "". What
// is counted at the same time is not lost.
func (d *Datapath) Clear(acl string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines.counters.clear(func(id uint32) bool {
		c, stands := d.lines.at(id)
		return stands && (acl == "" || c.ACL == acl)
	})
}

var dropNames = map[bpf.AcliumDropReason]string{
	bpf.AcliumDropReasonDROP_MALFORMED: "malformed",
	bpf.AcliumDropReasonDROP_SPOOFED:   "spoofed",
	bpf.AcliumDropReasonDROP_FRAGMENT:  "fragment",
	bpf.AcliumDropReasonDROP_NON_IP:    "non-ip",
	bpf.AcliumDropReasonDROP_FAULT:     "fault",
	bpf.AcliumDropReasonDROP_AUDIT:     "audit",

	bpf.AcliumDropReasonDROP_MIXED:      "mixed-service",
	bpf.AcliumDropReasonDROP_NO_BACKEND: "no-backend",
	bpf.AcliumDropReasonDROP_POLICE:     "police",
}

// Drops gives the packets that were dropped without a line, by reason, and as
// "audit" those that were to be dropped and passed because of audit mode.
func (d *Datapath) Drops() (map[string]policy.Counter, error) {
	out := map[string]policy.Counter{}
	for reason, name := range dropNames {
		sum, err := sumCounter(d.maps.Maps["drop_map"], uint32(reason))
		if err != nil {
			return nil, err
		}
		out[name] = policy.Counter{Node: d.options.Node, Packets: sum.Packets, Bytes: sum.Bytes, LastHit: wallTime(sum.LastHit)}
	}
	return out, nil
}

// clock relates bpf_ktime_get_coarse_ns, which is CLOCK_MONOTONIC at its last
// tick, to the wall.
type clock struct {
	wallNow time.Time
	now     int64 // ns; 0 when it cannot be read
}

func readClock() clock {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return clock{}
	}
	return clock{time.Now(), now.Nano()}
}

// wall gives the time at which the kernel's clock stood so; zero is never.
func (c clock) wall(ktime uint64) time.Time {
	if ktime == 0 || c.now == 0 {
		return time.Time{}
	}
	return c.wallNow.Add(-time.Duration(c.now - int64(ktime)))
}

func wallTime(ktime uint64) time.Time { return readClock().wall(ktime) }

// linkDir is where attachments are pinned, below the pin path.
func linkDir(pins string) (string, error) {
	dir := filepath.Join(pins, "links")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the links' pin path: %w", err)
	}
	return dir, nil
}
