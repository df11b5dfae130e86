package datapath

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"

	"aclium/enforcer/bpf"
)

// A Message is a DNS message of a pod, as it passed the pod's port.
type Message struct {
	Time Moment
	// Ifindex is the pod's host device.
	Ifindex uint32
	// From is the device by which the message came to this node, 0 where the
	// node itself sent it. A bridge stands for those behind it.
	From uint32
	// Answer says that it came back from the server.
	Answer bool
	Pod    netip.AddrPort
	Server netip.Addr
	// Payload is what UDP carried. It is valid until the next message is read.
	Payload []byte
}

// Messages calls f with every message, in the order in which they passed, until
// ctx ends. What passed while nobody read comes first. There is one reader at a
// time.
func (d *Datapath) Messages(ctx context.Context, f func(*Message)) error {
	r, err := ringbuf.NewReader(d.maps.Maps["dns_map"])
	if err != nil {
		return fmt.Errorf("read DNS messages: %w", err)
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	var record ringbuf.Record
	for {
		err := r.ReadInto(&record)
		if errors.Is(err, ringbuf.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read DNS messages: %w", err)
		}
		if m, ok := messageOf(record.RawSample); ok {
			f(&m)
		}
	}
}

const messageHeader = int(unsafe.Offsetof(bpf.AcliumDnsMessage{}.Payload))

// messageOf reads a record of dns_map.
func messageOf(raw []byte) (m Message, ok bool) {
	var head bpf.AcliumDnsMessage
	if len(raw) < messageHeader {
		return m, false
	}
	// The struct is laid out as C lays it out (structs.HostLayout).
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&head)), messageHeader), raw)
	if len(raw) < messageHeader+int(head.Length) {
		return m, false
	}
	return Message{
		Time: Moment(head.Time), Ifindex: head.Ifindex, From: head.From, Answer: head.Answer != 0,
		Pod: netip.AddrPortFrom(addrOf(head.Pod), head.Port), Server: addrOf(head.Server),
		Payload: raw[messageHeader : messageHeader+int(head.Length)],
	}, true
}

// LostMessages counts the messages that were not copied: too many at once, too
// long, or nobody read them.
func (d *Datapath) LostMessages() (total uint64, err error) {
	var each []uint64
	if err := d.maps.Maps["dns_lost_map"].Lookup(uint32(0), &each); err != nil {
		return 0, fmt.Errorf("count lost DNS messages: %w", err)
	}
	for _, n := range each {
		total += n
	}
	return total, nil
}
