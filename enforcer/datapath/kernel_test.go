package datapath

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"aclium/enforcer/internal/testns"
	"aclium/translate/policy"
)

// bench is a node with two pods: what a and b send to each other passes the
// node's ends of both.
type bench struct {
	t    *testing.T
	node *testns.Node
	a, b *testns.Pod
	pins string
}

const (
	addrA, addrB   = "10.1.0.1", "10.1.0.2"
	addrA6, addrB6 = "2001:db8::1", "2001:db8::2"
)

func newBench(t *testing.T) *bench {
	t.Helper()
	n := testns.New(t)
	x := &bench{t: t, node: n, a: n.Pod("vetha", addrA, addrA6), b: n.Pod("vethb", addrB, addrB6)}
	x.pins = filepath.Join(bpffs, fmt.Sprintf("aclium-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")))
	t.Cleanup(func() {
		if err := Remove(x.pins); err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *bench) open(o Options) *Datapath {
	x.t.Helper()
	o.PinPath, o.Node = x.pins, "node"
	if o.Connections == 0 {
		o.Connections = 1 << 14 // the default takes the kernel long to make and to free
	}
	d, err := Open(o)
	if err != nil {
		x.t.Fatal(err)
	}
	return d
}

// state puts lists in front of pod b.
func (x *bench) state(lists ...policy.Policy) State {
	return State{
		Ports: []Port{{Interface: x.b.Device, Pod: true, Ingress: lists}},
		Identities: []Identity{
			{ID: 1, Entity: policy.Host}, {ID: 2, Entity: policy.World},
			{ID: 300, Labels: map[string]string{"app": "a"}}, {ID: 301, Labels: map[string]string{"app": "b"}},
		},
		Addresses: map[netip.Prefix]Address{
			netip.MustParsePrefix(addrA + "/32"): {300, x.a.Device}, netip.MustParsePrefix(addrA6 + "/128"): {300, x.a.Device},
			netip.MustParsePrefix(addrB + "/32"): {301, x.b.Device}, netip.MustParsePrefix(addrB6 + "/128"): {301, x.b.Device},
		},
	}
}

func (x *bench) apply(d *Datapath, s State) {
	x.t.Helper()
	if err := d.Apply(s); err != nil {
		x.t.Fatal(err)
	}
}

// udpPorts is a list that permits UDP to the given ports from label app=a. It
// governs IPv4 alone, because the kernel sends IPv6 multicasts of its own.
func udpPorts(name string, ports ...uint16) policy.Policy {
	p := policy.Policy{
		ACL: name, Direction: policy.Ingress, Family: policy.IPv4, Stateful: true,
		Subject: policy.Subject{Name: "workload B", Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"b"}}}}},
	}
	from := policy.Peers{Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"a"}}}}}
	for i, port := range ports {
		s := policy.ServiceOf(policy.Bytes(policy.UDP))
		s.DestinationPorts = policy.NewRanges(policy.Range{First: port, Last: port})
		p.Rules = append(p.Rules, policy.Rule{
			ID: policy.RuleID{ACL: name, Seq: uint32(10 * (i + 1))}, Text: fmt.Sprintf("permit udp any any eq %d", port), Action: policy.Permit,
			Match: policy.Match{Source: from, Destination: policy.Everybody(), Services: []policy.Service{s}},
		})
	}
	return p
}

// link is a pair of sockets between the pods.
type udpLink struct {
	from, to *net.UDPConn
}

func (x *bench) link(src, dst string, port int) udpLink {
	x.t.Helper()
	var l udpLink
	var err error
	x.b.Do(func() { l.to, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(dst), Port: port}) })
	if err != nil {
		x.t.Fatal(err)
	}
	x.a.Do(func() {
		l.from, err = net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(src)}, &net.UDPAddr{IP: net.ParseIP(dst), Port: port})
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { l.from.Close(); l.to.Close() })
	return l
}

// send sends n datagrams one by one and counts those that arrive. A veth hands
// a packet over before the send returns, so nothing is waited for in vain but
// a short grace.
func (l udpLink) send(t *testing.T, n int) (arrived int) {
	t.Helper()
	buffer := make([]byte, 64)
	for range n {
		if _, err := l.from.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for arrived < n {
		l.to.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := l.to.Read(buffer); err != nil {
			break
		}
		arrived++
	}
	return arrived
}

// late counts what still arrives: a machine may be too busy for the grace.
func (l udpLink) late(t *testing.T) (arrived int) {
	t.Helper()
	for buffer := make([]byte, 64); ; arrived++ {
		l.to.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := l.to.Read(buffer); errors.Is(err, os.ErrDeadlineExceeded) {
			return arrived
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func (x *bench) counts(d *Datapath) map[string]uint64 {
	x.t.Helper()
	all, err := d.Counters()
	if err != nil {
		x.t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, c := range all {
		out[c.RuleID.String()] += c.Packets
		if c.Packets > 0 && c.Bytes < 28*c.Packets {
			x.t.Errorf("%s: %d bytes in %d packets", c.RuleID, c.Bytes, c.Packets)
		}
	}
	return out
}

func wantCounts(t *testing.T, got map[string]uint64, want map[string]uint64) {
	t.Helper()
	for line, n := range want {
		if got[line] != n {
			t.Errorf("%s counted %d packets, want %d (all: %v)", line, got[line], n, got)
		}
	}
}

func TestPacketsAreFilteredAndCounted(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		open4, open6, shut := x.link(addrA, addrB, 53), x.link(addrA6, addrB6, 53), x.link(addrA, addrB, 54)
		if n := shut.send(t, 3); n != 3 {
			t.Fatalf("%d of 3 arrived without any list", n)
		}
		six := udpPorts("SIX", 53)
		six.Family = policy.IPv6
		x.apply(d, x.state(udpPorts("T", 53), six))
		if a, b, c := open4.send(t, 7), open6.send(t, 5), shut.send(t, 4); a != 7 || b != 5 || c != 0 {
			t.Errorf("arrived %d, %d, %d, want 7, 5, 0", a, b, c)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 7, "T/0": 4, "SIX/10": 5})
		x.apply(d, State{})
		if n := shut.send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived after the lists were taken off", n)
		}
	})
}

// A flow that both lists permit loses nothing, one that both deny passes
// nothing, while they replace each other.
func TestReplacementIsAtomic(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		always, never := x.link(addrA, addrB, 53), x.link(addrA, addrB, 99)
		one, two := x.state(udpPorts("ONE", 53, 54)), x.state(udpPorts("TWO", 55, 53))
		x.apply(d, one)
		sent, passed := 0, 0
		for i := range 100 {
			done := make(chan error, 1)
			s := two
			if i%2 == 1 {
				s = one
			}
			go func() { done <- x.node.Enter(func() error { return d.Apply(s) }) }()
			for busy := true; busy; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
					busy = false
				default:
					sent += 5
					passed += always.send(t, 5)
					if _, err := never.from.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		passed += always.late(t)
		leaked := never.send(t, 1)
		if passed != sent || leaked != 0 {
			t.Errorf("%d of %d permitted packets passed, %d denied ones", passed, sent, leaked)
		}
		if sent < 200 {
			t.Errorf("only %d packets met 100 replacements", sent)
		}
	})
}

// Neither the process's end nor a restart disturbs enforcement and counters.
func TestEnforcementOutlivesTheProcess(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		s := x.state(udpPorts("T", 53))
		x.apply(d, s)
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		open.send(t, 2)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
			t.Errorf("without a process %d and %d arrived, want 3 and 0", a, b)
		}
		d = x.open(o)
		defer d.Close()
		if a, b := open.send(t, 3), shut.send(t, 2); a != 3 || b != 0 {
			t.Errorf("before the first apply %d and %d arrived, want 3 and 0", a, b)
		}
		x.apply(d, s)
		open.send(t, 1)
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 9, "T/0": 4})
	})
}

func TestCountersFollowTheirLines(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		l53, l54 := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		x.apply(d, x.state(udpPorts("T", 53)))
		l53.send(t, 5)
		x.apply(d, x.state(udpPorts("T", 54, 53))) // an insert renumbers the line
		l53.send(t, 1)
		l54.send(t, 2)
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 2, "T/20": 6})
		if err := d.Clear("OTHER"); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/20": 6})
		if err := d.Clear("T"); err != nil {
			t.Fatal(err)
		}
		l53.send(t, 3)
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 0, "T/20": 3})
		x.apply(d, x.state(udpPorts("T", 54)))
		x.apply(d, x.state(udpPorts("T", 54, 53))) // deleted and typed again: from zero
		wantCounts(t, x.counts(d), map[string]uint64{"T/20": 0})
	})
}

func TestFailedApplyChangesNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		o.Counters = 8
		d := x.open(o)
		defer d.Close()
		open, shut := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		x.apply(d, x.state(udpPorts("T", 53)))
		bad := map[string]State{
			"missing device":    {Ports: []Port{{Interface: "nosuch", Pod: true, Ingress: []policy.Policy{udpPorts("U", 54)}}}},
			"too many counters": x.state(udpPorts("U", 54, 55, 56, 57, 58, 59, 60, 61)),
			"too many lists":    x.state(make([]policy.Policy, 9)...),
		}
		outside := udpPorts("U", 54)
		outside.Rules[0].Match.Source.Outside = []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix("192.0.2.0/24"))}
		bad["addresses of the world"] = x.state(outside)
		for name, s := range bad {
			if err := d.Apply(s); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if a, b := open.send(t, 2), shut.send(t, 2); a != 2 || b != 0 {
			t.Errorf("%d and %d arrived, want 2 and 0", a, b)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 2, "T/0": 2})
	})
}

func TestOneProcessPerPath(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	if second, err := Open(Options{PinPath: x.pins}); err == nil {
		second.Close()
		t.Error("a second process took the path")
	}
}

// A link whose pin is lost, as when the file system is mounted anew, must not
// leave a second copy of the program behind.
func TestStaleCopyIsTakenOff(t *testing.T) {
	t.Parallel()
	if !haveTCX() {
		t.Skip("needs TCX (Linux 6.6): filters of clsact have no pins")
	}
	x := newBench(t)
	d := x.open(Options{})
	x.apply(d, x.state(udpPorts("T", 53)))
	stale := d.hooks.driver.(*tcx).links
	dir := filepath.Join(x.pins, "links")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d pinned links, %v", len(files), err)
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	d.hooks.driver.(*tcx).links = nil // held open by this test, as by a process that hangs
	if err := errors.Join(unlockNode(d.node), d.lock.Close()); err != nil {
		t.Fatal(err)
	}
	again := x.open(Options{})
	defer again.Close()
	x.apply(again, x.state(udpPorts("T", 53)))
	for key, l := range stale {
		info, err := l.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.TCX().Ifindex != 0 {
			t.Errorf("the stale link still stands on %v", key)
		}
		l.Close()
	}
	link := x.link(addrA, addrB, 53)
	link.send(t, 4)
	wantCounts(t, x.counts(again), map[string]uint64{"T/10": 4})
}

func TestVanishedDeviceIsForgotten(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.state(udpPorts("T", 53)))
		if err := netlink.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Index: x.index(x.b.Device)}}); err != nil {
			t.Fatal(err)
		}
		x.apply(d, State{})
		if left, err := d.hooks.driver.present(); err != nil || len(left) != 0 {
			t.Errorf("%d programs are left, %v", len(left), err)
		}
	})
}

func TestEventsNameTheLine(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		p := udpPorts("T", 53)
		p.Rules[0].Log = true
		x.apply(d, x.state(p))
		events, err := d.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x.link(addrA, addrB, 53).send(t, 1)
		select {
		case e := <-events:
			if e.RuleID != (policy.RuleID{ACL: "T", Seq: 10}) || e.Action != policy.Permit || e.Destination != netip.MustParseAddrPort(addrB+":53") {
				t.Errorf("got %+v", e)
			}
		case <-time.After(5 * time.Second):
			t.Error("no event came")
		}
	})
}
