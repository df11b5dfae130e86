package datapath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf/ringbuf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Events gives the packets that lines with "log" decide, from now on and until
// ctx ends; then the channel is closed. There is one reader at a time: a second
// one would take events away from the first.
func (d *Datapath) Events(ctx context.Context) (<-chan policy.Event, error) {
	r, err := ringbuf.NewReader(d.maps.Maps["event_map"])
	if err != nil {
		return nil, fmt.Errorf("read log events: %w", err)
	}
	out := make(chan policy.Event)
	stop := context.AfterFunc(ctx, func() { r.Close() })
	go func() {
		defer close(out)
		defer stop()
		for {
			record, err := r.Read()
			if errors.Is(err, ringbuf.ErrClosed) {
				return
			}
			event, ok := d.event(record.RawSample)
			if err != nil || !ok {
				continue
			}
			select {
			case out <- event:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// event reads a record of event_map. The line of an event may be gone already.
func (d *Datapath) event(raw []byte) (policy.Event, bool) {
	var e bpf.AcliumEvent
	if binary.Read(bytes.NewReader(raw), binary.NativeEndian, &e) != nil {
		return policy.Event{}, false
	}
	d.mu.Lock()
	line, known := d.lines.at(e.Line)
	d.mu.Unlock()
	action := policy.Deny
	if e.Permitted != 0 {
		action = policy.Permit
	}
	return policy.Event{
		RuleID: line.RuleID, Time: wallTime(e.Time), Node: d.options.Node, Subject: line.Subject,
		Direction: policy.Direction(e.Direction), Action: action, Protocol: e.Protocol,
		Source:      netip.AddrPortFrom(netip.AddrFrom16(e.Saddr.Bytes).Unmap(), e.Sport),
		Destination: netip.AddrPortFrom(netip.AddrFrom16(e.Daddr.Bytes).Unmap(), e.Dport),
		ICMPType:    e.IcmpType, ICMPCode: e.IcmpCode, Packets: uint64(e.Packets),
	}, known
}
