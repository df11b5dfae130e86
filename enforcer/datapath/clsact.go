package datapath

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// clsact attaches direct-action filters, which need no process to live. The
// qdisc is shared with others and is never deleted.
type clsact struct{}

// What makes a filter ours. The priority leaves room before and behind.
const (
	filterName     = "aclium"
	filterPriority = 0xac1
	filterHandle   = 1
)

var parents = map[ebpf.AttachType]uint32{
	ebpf.AttachTCXIngress: netlink.HANDLE_MIN_INGRESS,
	ebpf.AttachTCXEgress:  netlink.HANDLE_MIN_EGRESS,
}

func (clsact) present() (map[attachKey]bool, error) {
	devices, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	found := map[attachKey]bool{}
	for _, device := range devices {
		for point, parent := range parents {
			filters, err := netlink.FilterList(device, parent)
			if err != nil {
				continue // the device has no clsact qdisc, or is gone
			}
			for _, f := range filters {
				if isOurs(f) {
					found[attachKey{uint32(device.Attrs().Index), point}] = true
				}
			}
		}
	}
	return found, nil
}

func isOurs(f netlink.Filter) bool {
	b, ok := f.(*netlink.BpfFilter)
	return ok && b.Name == filterName && b.Priority == filterPriority
}

func (clsact) put(k attachKey, p *ebpf.Program) error {
	qdisc := &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: int(k.ifindex), Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
	if err := netlink.QdiscAdd(qdisc); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add clsact to device %d: %w", k.ifindex, err)
	}
	if err := netlink.FilterReplace(filterOn(k, p.FD())); err != nil {
		return fmt.Errorf("attach tc filter to device %d: %w", k.ifindex, err)
	}
	return nil
}

func filterOn(k attachKey, fd int) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: int(k.ifindex), Parent: parents[k.point], Handle: filterHandle,
			Priority: filterPriority, Protocol: unix.ETH_P_ALL,
		},
		Fd: fd, Name: filterName, DirectAction: true,
	}
}

func (clsact) drop(k attachKey) error {
	err := netlink.FilterDel(filterOn(k, -1))
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("detach tc filter from device %d: %w", k.ifindex, err)
	}
	return nil
}

func (clsact) close() error { return nil }

// detachAll takes our programs off every device, by whichever way they stand.
func detachAll(pins string) error {
	t := &tcx{dir: filepath.Join(pins, "links"), links: map[attachKey]link.Link{}}
	for _, d := range []driver{t, clsact{}} {
		present, err := d.present()
		if err != nil && d == driver(t) {
			continue // no links were ever pinned here
		}
		if err != nil {
			return err
		}
		for key := range present {
			if err := d.drop(key); err != nil {
				return err
			}
		}
	}
	return nil
}
