package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// A stage is a datapath with devices of its own, in the namespace of this
// process.
type stage struct {
	*datapath.Datapath
	pins    string
	devices []string
	state   datapath.State
}

// newStage makes the devices and a datapath without lists. Counters is the
// number of lines that it must have room for.
func newStage(name string, counters int, devices ...string) (*stage, error) {
	s := &stage{pins: filepath.Join(pinsOf(os.Getpid()), name), devices: devices}
	for _, d := range devices {
		if err := addPair(d, "p"+d); err != nil {
			return nil, err
		}
	}
	var err error
	s.Datapath, err = datapath.Open(datapath.Options{PinPath: s.pins, Node: "bench", Counters: counters})
	return s, err
}

// addPair makes a veth pair and switches both ends on.
func addPair(one, other string) error {
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: one}, PeerName: other}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make device %s: %w", one, err)
	}
	for _, name := range []string{one, other} {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			return fmt.Errorf("switch device %s on: %w", name, err)
		}
	}
	return nil
}

// put enforces the lists, one on each device.
func (s *stage) put(lists []*policy.Policy) error {
	s.state = datapath.State{Identities: []datapath.Identity{{ID: 1, Entity: policy.Host}, {ID: 2, Entity: policy.World}}}
	for i, l := range lists {
		s.state.Ports = append(s.state.Ports, datapath.Port{
			Interface: s.devices[i], Pod: l.Stateful, Ingress: []policy.Policy{*l},
		})
	}
	return s.Apply(s.state)
}

// close takes everything off again.
func (s *stage) close() error {
	if err := s.Datapath.Close(); err != nil {
		return err
	}
	if err := datapath.Remove(s.pins); err != nil {
		return err
	}
	for _, d := range s.devices {
		if err := removeDevice(d); err != nil {
			return err
		}
	}
	return nil
}

func indexOf(device string) (int, error) {
	l, err := netlink.LinkByName(device)
	if err != nil {
		return 0, fmt.Errorf("device %s: %w", device, err)
	}
	return l.Attrs().Index, nil
}

// program gives the program that stands on the first device, where a list in
// ingress direction is asked.
func (s *stage) program() (*ebpf.Program, error) {
	at := ebpf.AttachTCXIngress
	if s.state.Ports[0].Pod {
		at = ebpf.AttachTCXEgress
	}
	index, err := indexOf(s.devices[0])
	if err != nil {
		return nil, err
	}
	on, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: at})
	if err != nil || len(on.Programs) != 1 {
		return nil, fmt.Errorf("%d programs on %s, want 1 (%v)", len(on.Programs), s.devices[0], err)
	}
	p, err := ebpf.NewProgramFromID(on.Programs[0].ID)
	if err != nil {
		return nil, fmt.Errorf("open the program: %w", err)
	}
	return p, nil
}
