package datapath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf/ringbuf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Events gives the messages about packets that lines with "log" decide, until
// ctx ends; then the channel is closed. There is one reader at a time: a second
// one would take events away from the first. Without a reader the kernel keeps
// the sums of the flows that it knows.
func (d *Datapath) Events(ctx context.Context) (<-chan policy.Event, error) {
	r, err := ringbuf.NewReader(d.maps.Maps["event_map"])
	if err != nil {
		return nil, fmt.Errorf("read log events: %w", err)
	}
	out := make(chan policy.Event)
	stop := context.AfterFunc(ctx, func() { r.Close() })
	var running sync.WaitGroup
	running.Go(func() { d.readUntil(ctx, r, out) })
	running.Go(func() { d.sweepUntil(ctx, out) })
	go func() {
		defer close(out)
		defer stop()
		running.Wait()
	}()
	return out, nil
}

// readUntil passes the kernel's events on until the reader is closed.
func (d *Datapath) readUntil(ctx context.Context, r *ringbuf.Reader, out chan<- policy.Event) {
	for {
		record, err := r.Read()
		if errors.Is(err, ringbuf.ErrClosed) {
			return
		}
		var e bpf.AcliumEvent
		if err != nil || binary.Read(bytes.NewReader(record.RawSample), binary.NativeEndian, &e) != nil {
			continue
		}
		select {
		case out <- d.eventOf(&e):
		case <-ctx.Done():
		}
	}
}

// eventOf puts the kernel's event into the words of policies. An event whose
// line nobody knows any more is one about missed packets, and counted so.
func (d *Datapath) eventOf(e *bpf.AcliumEvent) policy.Event {
	out := policy.Event{Time: wallTime(e.Time), Node: d.options.Node, Packets: e.Packets, Missed: true}
	if e.Kind == uint32(bpf.AcliumEventKindEVENT_MISSED) {
		return out
	}
	line, known := d.log.find(e.Flow.Line, e.Time)
	if !known {
		d.log.miss(e.Packets)
		return out
	}
	out.Missed, out.Total = false, e.Kind == uint32(bpf.AcliumEventKindEVENT_TOTAL)
	out.RuleID, out.Subject, out.Form, out.Cookie = line.RuleID, line.subject, line.form, line.cookie
	out.Interface, out.Direction, out.Action = d.log.device(e.Flow.Ifindex), policy.Direction(e.Flow.Direction), policy.Deny
	if e.Flow.Permitted != 0 {
		out.Action = policy.Permit
	}
	out.Audit = e.Flow.Audit != 0
	out.Protocol, out.ICMPType, out.ICMPCode = e.Flow.Protocol, e.Flow.IcmpType, e.Flow.IcmpCode
	out.Source = netip.AddrPortFrom(netip.AddrFrom16(e.Flow.Saddr.Bytes).Unmap(), e.Flow.Sport)
	out.Destination = netip.AddrPortFrom(netip.AddrFrom16(e.Flow.Daddr.Bytes).Unmap(), e.Flow.Dport)
	return out
}

func (b *logbook) miss(packets uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost += packets
}
