package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"aclium/enforcer"
	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// A site is a node with two pods:
//
//	client 10.9.0.1 -- va [node] vb -- server 10.9.0.2
type site struct{ node, client, server netns.NsHandle }

const clientAddr, serverAddr = "10.9.0.1", "10.9.0.2"

// newSite leaves the calling thread in the node's namespace, for good.
func newSite(t *testing.T) *site {
	t.Helper()
	runtime.LockOSThread()
	space := func() netns.NsHandle {
		h, err := netns.New()
		if err != nil {
			t.Skipf("needs network namespaces: %v", err)
		}
		t.Cleanup(func() { h.Close() })
		must(t, up("lo"))
		return h
	}
	s := &site{client: space(), server: space(), node: space()}
	s.plug(t, "va", s.client, clientAddr)
	s.plug(t, "vb", s.server, serverAddr)
	must(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644))
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// plug connects a pod: its device eth0 with the address, the node's device
// with a route to it, and each end as the other's neighbour.
func (s *site) plug(t *testing.T, device string, pod netns.NsHandle, addr string) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = device
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(pod)}))
	gateway := netip.MustParsePrefix("169.254.1.1/32")
	address(t, device, gateway.String())
	must(t, up(device))
	link, err := netlink.LinkByName(device)
	must(t, err)
	_, to, err := net.ParseCIDR(addr + "/32")
	must(t, err)
	must(t, netns.Set(pod))
	defer func() {
		must(t, netns.Set(s.node))
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Scope: netlink.SCOPE_LINK}))
	}()
	address(t, "eth0", addr+"/32")
	must(t, up("eth0"))
	eth0, err := netlink.LinkByName("eth0")
	must(t, err)
	_, via, _ := net.ParseCIDR(gateway.String())
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Dst: via, Scope: netlink.SCOPE_LINK}))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: net.ParseIP("169.254.1.1")}))
}

func address(t *testing.T, device, prefix string) {
	t.Helper()
	link, err := netlink.LinkByName(device)
	must(t, err)
	a, err := netlink.ParseAddr(prefix)
	must(t, err)
	must(t, netlink.AddrAdd(link, a))
}

// in runs f on this thread inside a pod. Sockets stay where they were made.
func (s *site) in(t *testing.T, pod netns.NsHandle, f func()) {
	t.Helper()
	must(t, netns.Set(pod))
	defer func() { must(t, netns.Set(s.node)) }()
	f()
}

// A stream is one UDP flow of numbered packets and what arrived of it.
type stream struct {
	port           int
	sender, target *net.UDPConn
	sent, received atomic.Uint64
}

func (s *site) newStream(t *testing.T, port int) *stream {
	t.Helper()
	st := &stream{port: port}
	var err error
	s.in(t, s.server, func() {
		st.target, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		must(t, err)
		must(t, st.target.SetReadBuffer(8<<20))
	})
	s.in(t, s.client, func() {
		st.sender, err = net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.ParseIP(serverAddr), Port: port})
		must(t, err)
	})
	t.Cleanup(func() { st.sender.Close(); st.target.Close() })
	return st
}

// run sends a packet every millisecond until ctx ends.
func (st *stream) run(ctx context.Context, wg *sync.WaitGroup) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		for tick := time.NewTicker(time.Millisecond); ctx.Err() == nil; <-tick.C {
			b := binary.BigEndian.AppendUint64(nil, st.sent.Load())
			if _, err := st.sender.Write(b); err == nil {
				st.sent.Add(1)
			}
		}
	}()
	go func() {
		b := make([]byte, 64)
		for {
			if _, err := st.target.Read(b); err != nil {
				return
			}
			st.received.Add(1)
		}
	}()
}

// lists gives a list that denies UDP 5001 and permits UDP 5000 and TCP; extra
// is a number that makes the list another one without touching those lines.
func lists(extra uint16) []policy.Policy {
	line := func(seq uint32, action policy.Action, protocol uint8, port uint16, text string) policy.Rule {
		service := policy.ServiceOf(policy.Bytes(protocol))
		if port != 0 {
			service.DestinationPorts = policy.NewRanges(policy.Range{First: port, Last: port})
		}
		return policy.Rule{
			ID: policy.RuleID{ACL: "KILL", Seq: seq}, Text: text, Action: action,
			Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{service}},
		}
	}
	return []policy.Policy{{
		ACL: "KILL", Direction: policy.Ingress, Family: policy.IPv4, Stateful: true,
		Subject: policy.Subject{Name: "workload SERVER", Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"server"}}}}},
		Rules: []policy.Rule{
			line(5, policy.Permit, policy.UDP, 6000+extra, fmt.Sprintf("permit udp any any eq %d", 6000+extra)),
			line(10, policy.Deny, policy.UDP, 5001, "deny udp any any eq 5001"),
			line(20, policy.Permit, policy.UDP, 5000, "permit udp any any eq 5000"),
			line(30, policy.Permit, policy.TCP, 0, "permit tcp any any"),
		},
	}}
}

func endpoints() []client.Endpoint {
	pod := func(name, device, addr string) client.Endpoint {
		return client.Endpoint{
			Name: name, Namespace: "lab", Labels: map[string]string{"app": name},
			Interface: device, Addresses: []netip.Addr{netip.MustParseAddr(addr)},
		}
	}
	return []client.Endpoint{pod("client", "va", clientAddr), pod("server", "vb", serverAddr)}
}

// echo keeps a TCP connection busy: every call must come back.
func (s *site) echo(t *testing.T) func() error {
	t.Helper()
	var l net.Listener
	var conn net.Conn
	var err error
	s.in(t, s.server, func() { l, err = net.Listen("tcp4", ":80"); must(t, err) })
	go func() {
		c, err := l.Accept()
		for b := make([]byte, 16); err == nil; {
			var n int
			if n, err = c.Read(b); err == nil {
				_, err = c.Write(b[:n])
			}
		}
	}()
	s.in(t, s.client, func() { conn, err = net.DialTimeout("tcp4", serverAddr+":80", 3*time.Second); must(t, err) })
	t.Cleanup(func() { conn.Close(); l.Close() })
	return func() error {
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		if _, err := conn.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 16))
		return err
	}
}

// Killing the agent under traffic, at rest and amid pushes: what is denied
// stays denied, what is allowed arrives without the loss of one packet, and
// after the restart every packet of the whole time is counted.
func TestKilledAgentKeepsEnforcing(t *testing.T) {
	needRoot(t)
	t.Run("tcx", func(t *testing.T) { killAgent(t, 4) })
	t.Run("clsact", func(t *testing.T) { killAgent(t, 2, "--clsact") })
}

func killAgent(t *testing.T, rounds int, flags ...string) {
	s := newSite(t)
	place := agentPlace{dir: t.TempDir(), pin: fmt.Sprintf("/sys/fs/bpf/aclium-kill-%d", os.Getpid()), flags: flags}
	t.Cleanup(func() { _ = enforcer.Remove(place.socket(), place.pin) })
	agent, c := place.start(t)
	must(t, c.PutEndpoints(t.Context(), endpoints()))
	_, err := c.Put(t.Context(), client.Desired{Source: "text", Policies: lists(0)})
	must(t, err)

	allowed, denied, echo := s.newStream(t, 5000), s.newStream(t, 5001), s.echo(t)
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	allowed.run(ctx, &sending)
	denied.run(ctx, &sending)
	for round := range rounds {
		agent, c = killOnce(t, place, round, agent, c)
		if err := echo(); err != nil {
			t.Fatalf("round %d: the connection died with the agent: %v", round, err)
		}
	}
	stop()
	sending.Wait()
	time.Sleep(100 * time.Millisecond)
	if denied.received.Load() != 0 || denied.sent.Load() < 500 {
		t.Errorf("%d of %d denied packets passed", denied.received.Load(), denied.sent.Load())
	}
	if allowed.received.Load() != allowed.sent.Load() || allowed.sent.Load() < 500 {
		t.Errorf("%d of %d allowed packets passed", allowed.received.Load(), allowed.sent.Load())
	}
	wantCount(t, c, 10, denied.sent.Load())
	wantCount(t, c, 20, allowed.sent.Load())
	removeAll(t, place, agent, denied)
}

// killOnce kills the agent, in odd rounds amid pushes, and starts another one,
// which must know everything.
func killOnce(t *testing.T, place agentPlace, round int, agent *exec.Cmd, c *client.Client) (*exec.Cmd, *client.Client) {
	t.Helper()
	time.Sleep(50 * time.Millisecond)
	if round%2 == 1 {
		go pushUntilDead(c)
		time.Sleep(time.Duration(20+17*round) * time.Millisecond)
	}
	must(t, agent.Process.Kill())
	// What the kernel is doing for it comes to its end first, and the lock with it.
	for !errors.Is(agent.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		time.Sleep(5 * time.Millisecond)
	}
	agent, c = place.start(t)
	if d, err := c.Desired(t.Context()); err != nil || d.Source != "text" || len(d.Policies) != 1 {
		t.Fatalf("round %d: the restarted agent wants %+v, %v", round, d, err)
	}
	if h, err := c.Health(t.Context()); err != nil || h.Error != "" || h.Ports != 1 {
		t.Fatalf("round %d: health %+v, %v", round, h, err)
	}
	return agent, c
}

// removeAll ends the agent in peace, which opens nothing, and takes everything
// off, which does.
func removeAll(t *testing.T, place agentPlace, agent *exec.Cmd, denied *stream) {
	t.Helper()
	passes := func() bool {
		before := denied.received.Load()
		_, _ = denied.sender.Write([]byte("once more"))
		time.Sleep(50 * time.Millisecond)
		return denied.received.Load() > before
	}
	must(t, agent.Process.Signal(syscall.SIGTERM))
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := client.Dial(place.socket()); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent ignores SIGTERM")
		}
	}
	if passes() {
		t.Error("the end of the agent opened the node")
	}
	if out, err := program("enforcer", "--remove", "--socket", place.socket(), "--pin", place.pin).CombinedOutput(); err != nil {
		t.Fatalf("--remove: %v %s", err, out)
	}
	if _, err := os.Stat(place.pin); err == nil || !passes() {
		t.Error("--remove left something in force")
	}
}

// pushUntilDead changes the policies again and again.
func pushUntilDead(c *client.Client) {
	for extra := uint16(0); ; extra++ {
		d, err := c.Desired(context.Background())
		if err != nil {
			return
		}
		d.Policies = lists(1 + extra%100)
		if _, err := c.Put(context.Background(), d); err != nil {
			return
		}
	}
}

func wantCount(t *testing.T, c *client.Client, seq uint32, want uint64) {
	t.Helper()
	counters, err := c.Counters(t.Context())
	must(t, err)
	var packets, bytes uint64
	for _, k := range counters {
		if k.ACL == "KILL" && k.Seq == seq {
			packets += k.Packets
			bytes += k.Bytes
		}
	}
	// 8 bytes of number, 8 of UDP, 20 of IP.
	if packets != want || bytes != 36*want {
		t.Errorf("line %d counted %d packets and %d bytes, want %d and %d", seq, packets, bytes, want, 36*want)
	}
}

// A pod that is made anew under its old device name is filtered again, with
// nobody's help.
func TestPodThatComesBackIsFiltered(t *testing.T) {
	needRoot(t)
	t.Run("tcx", func(t *testing.T) { podComesBack(t) })
	t.Run("clsact", func(t *testing.T) { podComesBack(t, "--clsact") })
}

func podComesBack(t *testing.T, flags ...string) {
	s := newSite(t)
	place := agentPlace{dir: t.TempDir(), pin: fmt.Sprintf("/sys/fs/bpf/aclium-back-%d", os.Getpid()), flags: flags}
	t.Cleanup(func() { _ = enforcer.Remove(place.socket(), place.pin) })
	_, c := place.start(t)
	must(t, c.PutEndpoints(t.Context(), endpoints()))
	_, err := c.Put(t.Context(), client.Desired{Policies: lists(0)})
	must(t, err)
	waitHealth(t, c, 1, 0)
	vb, err := netlink.LinkByName("vb")
	must(t, err)
	must(t, netlink.LinkDel(vb))
	waitHealth(t, c, 0, 1)
	s.plug(t, "vb", s.server, serverAddr)
	waitHealth(t, c, 1, 0)

	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	allowed, denied := s.newStream(t, 5000), s.newStream(t, 5001)
	var sending sync.WaitGroup
	allowed.run(ctx, &sending)
	denied.run(ctx, &sending)
	sending.Wait()
	time.Sleep(50 * time.Millisecond)
	if denied.received.Load() != 0 || allowed.received.Load() != allowed.sent.Load() || allowed.sent.Load() == 0 {
		t.Errorf("%d denied packets passed, and %d of %d allowed ones", denied.received.Load(), allowed.received.Load(), allowed.sent.Load())
	}
	wantCount(t, c, 10, denied.sent.Load())
}

func waitHealth(t *testing.T, c *client.Client, ports, missing int) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		h, err := c.Health(t.Context())
		must(t, err)
		if h.Ports == ports && len(h.Missing) == missing && h.Error == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("health %+v, want %d ports and %d missing", h, ports, missing)
		}
	}
}
