package testns

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Node is the namespace that the test's thread is in.
type Node struct {
	t    *testing.T
	self netns.NsHandle
}

// A Pod is a namespace behind a veth pair.
type Pod struct {
	t    *testing.T
	node *Node
	self netns.NsHandle
	// Device is the node's end of the pair.
	Device string
}

// New moves the test into a namespace of its own. The thread is given up with
// the test. Without root the test is skipped.
func New(t *testing.T) *Node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	runtime.LockOSThread() // never unlocked: the runtime ends the thread
	self, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	t.Cleanup(func() { self.Close() })
	n := &Node{t: t, self: self}
	n.up("lo")
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		n.sysctl(name, "1")
	}
	return n
}

func (n *Node) sysctl(name, value string) {
	n.t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
		n.t.Fatalf("sysctl %s: %v", name, err)
	}
}

func (n *Node) up(name string) netlink.Link {
	n.t.Helper()
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(l)
	}
	if err != nil {
		n.t.Fatalf("device %s: %v", name, err)
	}
	return l
}

// The link-local address of every node end: the pods' gateway.
var gateway = netip.MustParseAddr("169.254.1.1")

// Pod makes a pod whose node end has the given name. Addresses are IPv4 or
// IPv6; all pods reach each other through the node.
func (n *Node) Pod(device string, addrs ...string) *Pod {
	n.t.Helper()
	inside, err := netns.New() // moves this thread
	if err != nil {
		n.t.Fatalf("new network namespace: %v", err)
	}
	n.t.Cleanup(func() { inside.Close() })
	n.must(netns.Set(n.self))
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device}, PeerName: "eth0", PeerNamespace: netlink.NsFd(inside)}
	n.must(netlink.LinkAdd(veth))
	n.sysctl("net/ipv6/conf/"+device+"/accept_dad", "0")
	outer := n.up(device)
	n.must(netlink.AddrAdd(outer, &netlink.Addr{IPNet: hostNet(gateway), Scope: unix.RT_SCOPE_LINK}))
	p := &Pod{t: n.t, node: n, self: inside, Device: device}
	p.Do(func() { p.configure(addrs) })
	for _, a := range addrs {
		n.must(netlink.RouteAdd(&netlink.Route{LinkIndex: outer.Attrs().Index, Dst: hostNet(netip.MustParseAddr(a)), Scope: unix.RT_SCOPE_LINK}))
	}
	p.Do(func() { p.defaultRoutes(outer.Attrs().HardwareAddr) })
	return p
}

func (n *Node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (p *Pod) configure(addrs []string) {
	p.node.sysctl("net/ipv6/conf/eth0/accept_dad", "0")
	p.node.up("lo")
	eth0 := p.node.up("eth0")
	for _, a := range addrs {
		addr := &netlink.Addr{IPNet: hostNet(netip.MustParseAddr(a))}
		if netip.MustParseAddr(a).Is6() { // to be of use at once, carrier or not
			addr.Flags = unix.IFA_F_NODAD
		}
		p.node.must(netlink.AddrAdd(eth0, addr))
	}
}

// defaultRoutes leads everything to the node end, whose hardware address is
// set by hand: no neighbour discovery disturbs the counters.
func (p *Pod) defaultRoutes(mac net.HardwareAddr) {
	eth0 := p.node.up("eth0")
	for _, gw := range []netip.Addr{gateway, netip.MustParseAddr("fe80::1")} {
		p.node.must(netlink.NeighSet(&netlink.Neigh{
			LinkIndex: eth0.Attrs().Index, IP: gw.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT,
		}))
		everything := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if gw.Is6() {
			everything = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		p.node.must(netlink.RouteAdd(&netlink.Route{
			LinkIndex: eth0.Attrs().Index, Gw: gw.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
			Dst: &net.IPNet{IP: everything.Addr().AsSlice(), Mask: net.CIDRMask(0, everything.Addr().BitLen())},
		}))
	}
}

func hostNet(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// Do runs f inside the pod. Sockets that f makes stay there; goroutines that f
// starts do not run there.
func (p *Pod) Do(f func()) {
	p.t.Helper()
	p.node.must(netns.Set(p.self))
	defer func() { p.node.must(netns.Set(p.node.self)) }()
	f()
}

// Enter runs f on another goroutine's thread inside the node.
func (n *Node) Enter(f func() error) error {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := netns.Set(n.self); err != nil {
		return err
	}
	return f()
}
