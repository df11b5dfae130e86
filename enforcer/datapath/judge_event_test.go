package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

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
		k.must(binary.Read(bytes.NewReader(record.RawSample), binary.NativeEndian, &e))
		out = append(out, e)
	}
}

// missed gives the packets that no event will tell.
func (k *kernel) missed() uint64 {
	k.Helper()
	var loss bpf.AcliumLogLoss
	k.must(k.LogLossMap.Lookup(uint32(0), &loss))
	return loss.Missed
}

// sweep runs the sweep once.
func (k *kernel) sweep(in bpf.AcliumLogSweep) (out bpf.AcliumLogSweep) {
	k.Helper()
	_, err := k.SweepLog.Run(&ebpf.RunOptions{Context: &in, ContextOut: &out})
	k.must(err)
	return out
}

// pending gives the packets that wait in sums, and the number of flows.
func (k *kernel) pending() (packets uint64, flows int) {
	k.Helper()
	var key bpf.AcliumLogKey
	var flow bpf.AcliumLogFlow
	all := k.LogMap.Iterate()
	for all.Next(&key, &flow) {
		packets += flow.Packets
		flows++
	}
	k.must(all.Err())
	return packets, flows
}

func told(events []bpf.AcliumEvent) (packets uint64) {
	for _, e := range events {
		packets += e.Packets
	}
	return packets
}

// everySweep makes each flow due on every sweep.
func (k *kernel) everySweep() {
	k.Helper()
	k.must(k.LogOptionsMap.Put(uint32(0), bpf.AcliumLogOptions{Interval: 1}))
}

// A line with "log" writes an event for the first packet of each flow that the
// lists judge, and the sweep tells how many followed.
func TestEvents(t *testing.T) {
	t.Parallel()
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
	for _, packet := range []policy.Packet{p, udp, echo, echo, echo} {
		k.run(k.TcEgress, frame(&packet, frameOptions{}), skBuff{IngressIfindex: 7})
	}
	event := bpf.AcliumEvent{Packets: 1, Kind: uint32(bpf.AcliumEventKindEVENT_FIRST)}
	event.Flow = bpf.AcliumLogKey{Line: k.counter("T", 0), Ifindex: loopback, Sport: 40000, Dport: 80, Protocol: 6, Family: 1, Direction: 1, Permitted: 1}
	event.Flow.Saddr.Bytes, event.Flow.Daddr.Bytes = p.Source.Addr.As16(), p.Destination.Addr.As16()
	denied := event
	denied.Flow.Line, denied.Flow.Sport, denied.Flow.Dport, denied.Flow.Protocol = k.counter("T", 2), 0, 0, 1
	denied.Flow.Permitted, denied.Flow.IcmpType, denied.Flow.IcmpCode = 0, 8, 3
	noTime := cmpopts.IgnoreFields(bpf.AcliumEvent{}, "Time")
	if d := cmp.Diff([]bpf.AcliumEvent{event, denied}, k.events(), noTime); d != "" {
		t.Error(d)
	}
	// Five minutes have not passed: nothing is due.
	if got := k.sweep(bpf.AcliumLogSweep{Most: 100}); got.Flows != 2 || got.Written != 0 {
		t.Errorf("the first sweep: %+v, want two flows and no event", got)
	}
	k.everySweep()
	denied.Packets, denied.Kind = 2, uint32(bpf.AcliumEventKindEVENT_TOTAL)
	k.sweep(bpf.AcliumLogSweep{Most: 100})
	if d := cmp.Diff([]bpf.AcliumEvent{denied}, k.events(), noTime); d != "" {
		t.Error(d)
	}
	// What stays quiet is forgotten without a word.
	k.sweep(bpf.AcliumLogSweep{Most: 100})
	if got := k.sweep(bpf.AcliumLogSweep{Most: 100}); got.Flows != 0 || got.Written != 0 || len(k.events()) != 0 {
		t.Errorf("after quiet sweeps: %+v", got)
	}
	if n := k.missed(); n != 0 {
		t.Errorf("missed %d packets", n)
	}
}

// "ip access-list log-update threshold 3": every third packet has a message.
func TestEventThreshold(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	line.Log = true
	k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
	k.must(k.LogOptionsMap.Put(uint32(0), bpf.AcliumLogOptions{Threshold: 3}))
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	for range 8 {
		k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
	}
	var got []uint64
	for _, e := range k.events() {
		got = append(got, e.Packets)
	}
	if d := cmp.Diff([]uint64{1, 3, 3}, got); d != "" {
		t.Error(d)
	}
}

// logLoad sends packets of some flows from several processors at the kernel's
// own speed, and gives their number. The senders take no signals: a run that
// one interrupts is begun again by the library, and the packets that it had
// sent until then would be sent twice.
func (k *kernel) logLoad(flows, repeat int) (sent uint64, wait func()) {
	const senders = 4
	var running sync.WaitGroup
	for range senders {
		running.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with its mask
			if err := unix.PthreadSigmask(unix.SIG_SETMASK, allSignals(), nil); err != nil {
				k.Error(err)
				return
			}
			for f := range flows {
				p := tcpPacket("10.0.0.1", "10.0.0.2")
				p.SourcePort = uint16(f)
				ret, err := k.TcIngress.Run(&ebpf.RunOptions{Data: frame(&p, frameOptions{}), Context: skBuff{Ifindex: loopback}, Repeat: uint32(repeat)})
				if err != nil || int(int32(ret)) != drop {
					k.Errorf("verdict %d, %v", int32(ret), err)
				}
			}
		})
	}
	return uint64(senders * flows * repeat), running.Wait
}

func allSignals() *unix.Sigset_t {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = math.MaxUint64
	}
	return &set
}

// Each of many packets on all processors, with sweeps beside them and tables
// that are too small, is told once, waits in a sum, or is counted as missed.
func TestNoLoggedPacketDisappears(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size          uint32
		flows, repeat int
		misses        bool
	}{{64, 2000, 4, true}, {16384, 2000, 4, false}, {16384, 3, 100_000, false}} {
		k := newKernelWith(t, func(s *ebpf.CollectionSpec) { s.Maps["log_map"].MaxEntries = c.size })
		line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
		line.Log = true
		k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
		k.everySweep()
		sent, wait := k.logLoad(c.flows, c.repeat)
		done := make(chan struct{})
		go func() { wait(); close(done) }()
		var tellings uint64
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			k.sweep(bpf.AcliumLogSweep{Most: 5000})
			for _, e := range k.events() {
				if e.Kind != uint32(bpf.AcliumEventKindEVENT_MISSED) {
					tellings += e.Packets
				}
			}
		}
		waiting, n := k.pending()
		if missed := k.missed(); tellings+waiting+missed != sent || (missed > 0) != c.misses {
			t.Errorf("%+v: %d told, %d waiting in %d flows, %d missed of %d", c, tellings, waiting, n, missed, sent)
		}
	}
}

// More events than the budget wait in the sum; none disappears, and the sweep
// tells them.
func TestEventBudget(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	line.Log = true
	k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
	k.must(k.LogOptionsMap.Put(uint32(0), bpf.AcliumLogOptions{Threshold: 1}))
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	const sent = 30000
	ret, _, err := k.TcIngress.Benchmark(frame(&p, frameOptions{}), sent, func() {})
	k.must(err)
	if int(int32(ret)) != drop {
		t.Fatalf("got %d, want drop", int32(ret))
	}
	events := k.events()
	waiting, _ := k.pending()
	if told(events)+waiting != sent || waiting == 0 || len(events) < 1000 {
		t.Errorf("%d told in %d events and %d waiting of %d", told(events), len(events), waiting, sent)
	}
	k.sweep(bpf.AcliumLogSweep{Most: 10, Pressure: 1})
	if rest := told(k.events()); rest != waiting {
		t.Errorf("the sweep told %d of %d", rest, waiting)
	}
}

// A full ring buffer costs nothing but time.
func TestFullRingBuffer(t *testing.T) {
	t.Parallel()
	k := newKernelWith(t, func(s *ebpf.CollectionSpec) { s.Maps["event_map"].MaxEntries = uint32(os.Getpagesize()) })
	line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	line.Log = true
	k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
	const sent = 500
	for i := range sent {
		p := tcpPacket("10.0.0.1", "10.0.0.2")
		p.SourcePort = uint16(i)
		k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
	}
	var events []bpf.AcliumEvent
	for range 50 {
		events = append(events, k.events()...)
		k.sweep(bpf.AcliumLogSweep{Most: 1000})
	}
	if len(events) != sent || told(events) != sent || k.missed() != 0 {
		t.Errorf("%d events tell %d of %d packets, %d missed", len(events), told(events), sent, k.missed())
	}
}

// Missed packets are reported once.
func TestMissedPacketsAreReported(t *testing.T) {
	t.Parallel()
	k := newKernelWith(t, func(s *ebpf.CollectionSpec) { s.Maps["log_map"].MaxEntries = 1 })
	line := simple(policy.Deny, policy.Everybody(), policy.Everybody())
	line.Log = true
	k.bind(nil, 0, []*policy.Policy{listOf(line)}, nil)
	for i := range 200 {
		p := tcpPacket("10.0.0.1", "10.0.0.2")
		p.SourcePort = uint16(i)
		k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
	}
	var reported uint64
	for range 3 {
		k.sweep(bpf.AcliumLogSweep{Most: 1000})
		for _, e := range k.events() {
			if e.Kind == uint32(bpf.AcliumEventKindEVENT_MISSED) {
				reported += e.Packets
			}
		}
	}
	if k.missed() == 0 || reported != k.missed() {
		t.Errorf("%d of %d missed packets were reported", reported, k.missed())
	}
}
