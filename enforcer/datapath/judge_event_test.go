package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// events gives what the programs have written.
func (k *kernel) events() []bpf.AcliumEvent {
	k.Helper()
	r, err := ringbuf.NewReader(k.EventMap)
	k.must(err)
	defer r.Close()
	r.SetDeadline(time.Now())
	var out []bpf.AcliumEvent
	for {
		record, err := r.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return out
		}
		k.must(err)
		var e bpf.AcliumEvent
		k.must(binary.Read(bytes.NewReader(record.RawSample), native, &e))
		out = append(out, e)
	}
}

func (k *kernel) lost() (n uint64) {
	k.Helper()
	var cells []bpf.AcliumEventBudget
	k.must(k.EventBudgetMap.Lookup(uint32(0), &cells))
	for _, c := range cells {
		n += c.Lost
	}
	return n
}

// A line with "log" writes an event for each packet that the lists judge: on a
// pod's port that is a connection's first, and every denied one.
func TestEvents(t *testing.T) {
	k := newKernel(t)
	web := policy.ServiceOf(policy.Bytes(policy.TCP))
	web.DestinationPorts = policy.NewRanges(policy.Range{First: 80, Last: 80})
	logged := simple(policy.Permit, policy.Everybody(), policy.Everybody(), web)
	logged.Log = true
	rest := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	rest.Log, rest.ID.Seq = true, 20
	quiet := simple(policy.Permit, policy.Everybody(), policy.Everybody(), policy.ServiceOf(policy.Bytes(policy.UDP)))
	quiet.ID.Seq = 15
	k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, []*policy.Policy{listOf(logged, quiet, rest)}, nil)
	p, udp, echo := tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("10.0.0.1", "10.0.0.2")
	udp.Protocol = policy.UDP
	echo.Protocol, echo.ICMPType, echo.ICMPCode = policy.ICMP, 8, 3
	for _, packet := range []policy.Packet{p, p, udp, echo, echo} {
		k.run(k.TcEgress, frame(&packet, frameOptions{}), skBuff{IngressIfindex: 7})
	}
	event := bpf.AcliumEvent{Line: k.counter("T", 0), Ifindex: loopback, Sport: 40000, Dport: 80, Packets: 1, Protocol: 6, Family: 1, Direction: 1, Permitted: 1}
	event.Saddr.Bytes, event.Daddr.Bytes = p.Source.Addr.As16(), p.Destination.Addr.As16()
	denied := event
	denied.Line, denied.Sport, denied.Dport, denied.Protocol, denied.Permitted, denied.IcmpType, denied.IcmpCode = k.counter("T", 2), 0, 0, 1, 0, 8, 3
	if d := cmp.Diff([]bpf.AcliumEvent{event, denied, denied}, k.events(), cmpopts.IgnoreFields(bpf.AcliumEvent{}, "Time")); d != "" {
		t.Error(d)
	}
	if n := k.lost(); n != 0 {
		t.Errorf("lost %d events", n)
	}
}

// More events than the budget are counted as lost; none disappears.
func TestEventBudget(t *testing.T) {
	k := newKernel(t)
	line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	line.Log = true
	k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	const sent = 30000
	ret, _, err := k.TcIngress.Benchmark(frame(&p, frameOptions{}), sent, func() {})
	k.must(err)
	if int(int32(ret)) != drop {
		t.Fatalf("got %d, want drop", int32(ret))
	}
	written, lost := len(k.events()), int(k.lost())
	if written+lost != sent || lost == 0 || written < 1000 {
		t.Errorf("%d events written and %d lost of %d", written, lost, sent)
	}
}
