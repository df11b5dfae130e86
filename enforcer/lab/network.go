package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Every host's default route points at these, which each of the node's
// devices has, as common CNIs do it.
var (
	gateway4 = netip.MustParseAddr("169.254.1.1")
	gateway6 = netip.MustParseAddr("fe80::1")
)

// A side is one network namespace, to be changed through netlink.
type side struct {
	ns     netns.NsHandle
	handle *netlink.Handle
}

func openSide(path string) (*side, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open the network namespace %s: %w", path, err)
	}
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("open netlink in %s: %w", path, err)
	}
	return &side{ns: ns, handle: handle}, nil
}

func (s *side) close() {
	s.handle.Close()
	s.ns.Close()
}

// up sets a device up and gives it addresses, each alone in its prefix.
func (s *side) up(device string, addresses ...netip.Addr) (netlink.Link, error) {
	link, err := s.handle.LinkByName(device)
	if err != nil {
		return nil, fmt.Errorf("find device %s: %w", device, err)
	}
	if err := s.handle.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set device %s up: %w", device, err)
	}
	for _, a := range addresses {
		address := &netlink.Addr{IPNet: alone(a)}
		switch {
		case a.Is6():
			address.Flags = unix.IFA_F_NODAD
		case a == gateway4:
			address.Scope = unix.RT_SCOPE_LINK
		}
		if err := s.handle.AddrAdd(link, address); err != nil {
			return nil, fmt.Errorf("give %s the address %s: %w", device, a, err)
		}
	}
	return link, nil
}

// alone gives the prefix that holds the address only.
func alone(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// connect joins a host to the node: a veth pair, addresses and routes.
func connect(node *side, path, device string, h *Host, nodeAddresses []netip.Addr) error {
	pod, err := openSide(path)
	if err != nil {
		return err
	}
	defer pod.close()
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: device}, PeerName: podDevice, PeerNamespace: netlink.NsFd(int(pod.ns)),
	}
	if err := node.handle.LinkAdd(pair); err != nil {
		return fmt.Errorf("make device %s: %w", device, err)
	}
	gateways := []netip.Addr{gateway4}
	if h.hasIPv6() {
		gateways = append(gateways, gateway6)
	}
	port, err := node.up(device, gateways...)
	if err != nil {
		return err
	}
	eth0, err := pod.up(podDevice, h.Addresses...)
	if err != nil {
		return err
	}
	if _, err := pod.up("lo"); err != nil {
		return err
	}
	return errors.Join(routeOut(pod, eth0, gateways), routeTo(node, port, h.Addresses, nodeAddresses))
}

// routeOut sends everything to the gateways, which are on no prefix of the pod.
func routeOut(pod *side, eth0 netlink.Link, gateways []netip.Addr) error {
	for _, g := range gateways {
		route := &netlink.Route{
			LinkIndex: eth0.Attrs().Index, Dst: everything(g), Gw: g.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		}
		if err := pod.handle.RouteAdd(route); err != nil {
			return fmt.Errorf("route to the gateway %s: %w", g, err)
		}
	}
	return nil
}

func everything(like netip.Addr) *net.IPNet {
	return &net.IPNet{IP: make(net.IP, like.BitLen()/8), Mask: net.CIDRMask(0, like.BitLen())}
}

// routeTo leads to the pod's addresses, from the node's own first address of
// the same family where it has one.
func routeTo(node *side, port netlink.Link, addresses, own []netip.Addr) error {
	for _, a := range addresses {
		route := &netlink.Route{LinkIndex: port.Attrs().Index, Dst: alone(a)}
		if a.Is4() {
			route.Scope = netlink.SCOPE_LINK
		}
		for _, source := range own {
			if source.Is4() == a.Is4() {
				route.Src = source.AsSlice()
				break
			}
		}
		if err := node.handle.RouteAdd(route); err != nil {
			return fmt.Errorf("route to %s: %w", a, err)
		}
	}
	return nil
}
