package datapath

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

/*
What stands before our programs

	device --> XDP --> TCX programs in their order --> clsact filters by priority --> stack
	stack ----------> TCX programs in their order --> clsact filters by priority --> device

Whoever stands before ours can end the chain, or send the packet elsewhere, and
then no list judges it. Whether a program does cannot be told from outside, so
every one is named. With TCX ours is put first; whoever comes later and asks for
the first place gets it. Among filters ours has a fixed priority, that others
may go before it by intent.
*/

// An Earlier is somebody else's program that sees packets before ours and may
// pass them without us.
type Earlier struct {
	// Interface and Direction say where: "ingress" is what the device receives.
	Interface, Direction string
	// Kind is xdp, tcx or tc.
	Kind string
	// Name is the program's or, for filters that are none, their kind. It is
	// empty when it cannot be read.
	Name string
	// ID is the program's number in the kernel, 0 for filters that are none.
	ID uint32
}

// Ahead gives what stands before our programs on the places that lists stand
// on, in the order of interfaces, directions and packets.
func (d *Datapath) Ahead() (all []Earlier, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.foreign {
		return nil, nil // what stands on the devices is another version's
	}
	generation, err := d.generation()
	if err != nil {
		return nil, err
	}
	places := map[attachKey]bool{}
	for key := range d.halves[generation&1] {
		places[key.attachment()] = true
	}
	if len(places) == 0 {
		return nil, nil
	}
	devices, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	for _, device := range devices {
		for point, direction := range pointNames {
			key := attachKey{uint32(device.Attrs().Index), point}
			if !places[key] {
				continue
			}
			found, err := d.hooks.ahead(device, key)
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				e.Interface, e.Direction = device.Attrs().Name, direction
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Earlier) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(b.Direction, a.Direction))
	})
	return all, nil
}

// ahead gives what stands before ours on one place.
func (a *attacher) ahead(device netlink.Link, k attachKey) ([]Earlier, error) {
	var found []Earlier
	if x := device.Attrs().Xdp; x != nil && x.Attached && k.point == ebpf.AttachTCXIngress {
		found = append(found, Earlier{Kind: "xdp", Name: programName(ebpf.ProgramID(x.ProgId)), ID: x.ProgId})
	}
	t, linked := a.driver.(*tcx)
	before, err := tcxBefore(k, t)
	if err != nil || linked {
		return append(found, before...), err
	}
	filters, err := filtersBefore(device, k)
	return append(append(found, before...), filters...), err
}

// tcxBefore gives the TCX programs before ours; all where ours is a filter,
// which t is nil for.
func tcxBefore(k attachKey, t *tcx) (found []Earlier, err error) {
	var own link.ID
	if t != nil {
		l := t.links[k]
		if l == nil {
			return nil, nil // Damage tells that ours is gone
		}
		info, err := l.Info()
		if err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
		own = info.ID
	}
	there, err := link.QueryPrograms(link.QueryOptions{Target: int(k.ifindex), Attach: k.point})
	if gone := errors.Is(err, unix.ENODEV) || errors.Is(err, os.ErrNotExist); gone || (err != nil && t == nil) {
		return nil, nil // no such device, or no TCX in this kernel
	}
	if err != nil {
		return nil, fmt.Errorf("query programs of device %d: %w", k.ifindex, err)
	}
	for _, p := range there.Programs {
		if id, ok := p.LinkID(); ok && t != nil && id == own {
			break
		}
		found = append(found, Earlier{Kind: "tcx", Name: programName(p.ID), ID: uint32(p.ID)})
	}
	return found, nil
}

// filtersBefore gives the filters that the kernel asks before ours.
func filtersBefore(device netlink.Link, k attachKey) (found []Earlier, err error) {
	filters, err := netlink.FilterList(device, parents[k.point])
	if err != nil {
		return nil, nil // no clsact any more, which Damage tells
	}
	for _, f := range filters {
		if isOurs(f) {
			break
		}
		if f.Attrs().Priority > filterPriority {
			continue
		}
		e := Earlier{Kind: "tc", Name: f.Type()}
		if b, ok := f.(*netlink.BpfFilter); ok {
			e.Name, e.ID = cmp.Or(programName(ebpf.ProgramID(b.Id)), b.Name), uint32(b.Id)
		}
		if !slices.Contains(found, e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func programName(id ebpf.ProgramID) string {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "" // gone meanwhile
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return ""
	}
	return info.Name
}
