package datapath

import (
	"cmp"
	"errors"
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

// loadBaseline opens the map of what counters said when they were cleared.
// Counters themselves are never written while programs count on them.
func loadBaseline(o Options, c *ebpf.Collection) (*ebpf.Map, error) {
	m, err := ebpf.NewMapWithOptions(&ebpf.MapSpec{
		Name: "baseline_map", Type: ebpf.Hash, KeySize: 4, ValueSize: 24,
		MaxEntries: c.Maps["counter_map"].MaxEntries(), Flags: unix.BPF_F_NO_PREALLOC, Pinning: ebpf.PinByName,
	}, ebpf.MapOptions{PinPath: o.PinPath})
	return m, explainLoad(err, o.PinPath)
}

// Counters gives the counters of every line that stands somewhere, summed over
// the processors and in the order of ACL, sequence, subject and direction.
func (d *Datapath) Counters() ([]policy.Counter, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]policy.Counter, 0, len(d.lines.shown))
	for id, c := range d.lines.shown {
		sum, err := d.count(id)
		if err != nil {
			return nil, err
		}
		c.Node, c.Packets, c.Bytes, c.LastHit = d.options.Node, sum.Packets, sum.Bytes, wallTime(sum.LastHit)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b policy.Counter) int {
		return cmp.Or(cmp.Compare(a.ACL, b.ACL), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Text, b.Text))
	})
	return out, nil
}

// count gives a counter since it was last cleared.
func (d *Datapath) count(id uint32) (bpf.AcliumCounter, error) {
	sum, err := sumCounter(d.maps.Maps["counter_map"], id)
	if err != nil {
		return sum, err
	}
	var base bpf.AcliumCounter
	if err := d.baseline.Lookup(id, &base); err != nil {
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return sum, nil
		}
		return sum, fmt.Errorf("read baseline: %w", err)
	}
	sum.Packets -= base.Packets
	sum.Bytes -= base.Bytes
	if sum.Packets == 0 {
		sum.LastHit = 0
	}
	return sum, nil
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
	for id, c := range d.lines.shown {
		if acl != "" && c.ACL != acl {
			continue
		}
		sum, err := sumCounter(d.maps.Maps["counter_map"], id)
		if err != nil {
			return err
		}
		if err := d.baseline.Put(id, sum); err != nil {
			return fmt.Errorf("write baseline: %w", err)
		}
	}
	return nil
}

// zero empties the counter of an id that no program uses.
func (d *Datapath) zero(id uint32) error {
	n, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count processors: %w", err)
	}
	if err := d.maps.Maps["counter_map"].Put(id, make([]bpf.AcliumCounter, n)); err != nil {
		return fmt.Errorf("empty counter: %w", err)
	}
	if err := d.baseline.Delete(id); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("empty baseline: %w", err)
	}
	return nil
}

var dropNames = map[bpf.AcliumDropReason]string{
	bpf.AcliumDropReasonDROP_MALFORMED: "malformed",
	bpf.AcliumDropReasonDROP_SPOOFED:   "spoofed",
	bpf.AcliumDropReasonDROP_FRAGMENT:  "fragment",
	bpf.AcliumDropReasonDROP_NON_IP:    "non-ip",
	bpf.AcliumDropReasonDROP_FAULT:     "fault",
}

// Drops gives the packets that were dropped without a line, by reason.
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

// wallTime converts bpf_ktime_get_ns, which is CLOCK_MONOTONIC; zero is never.
func wallTime(ktime uint64) time.Time {
	if ktime == 0 {
		return time.Time{}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(now.Nano() - int64(ktime)))
}

// linkDir is where attachments are pinned, below the pin path.
func linkDir(pins string) (string, error) {
	dir := filepath.Join(pins, "links")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the links' pin path: %w", err)
	}
	return dir, nil
}
