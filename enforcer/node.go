package enforcer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// nodeFacts are what the plan depends on of the node itself.
type nodeFacts struct {
	// devices maps names to interface indexes. A device that was made again
	// under its old name has another index.
	devices map[string]int
	// addresses are those of all the node's own devices, loopback included.
	addresses map[netip.Addr]bool
}

// readNode asks the kernel, in the network namespace of the process.
func readNode() (nodeFacts, error) {
	facts := nodeFacts{devices: map[string]int{}, addresses: map[netip.Addr]bool{}}
	links, err := dump(unix.RTM_GETLINK)
	if err != nil {
		return facts, fmt.Errorf("list the node's devices: %w", err)
	}
	for i := range links {
		facts.addDevice(&links[i])
	}
	addresses, err := dump(unix.RTM_GETADDR)
	if err != nil {
		return facts, fmt.Errorf("list the node's addresses: %w", err)
	}
	for i := range addresses {
		facts.addAddress(&addresses[i])
	}
	return facts, nil
}

// attempts is how often a list is asked for that changed while it was given.
const attempts = 10

// dump gives a list of the kernel's. Before Linux 6.10 a list that changes
// meanwhile can lack what was there all the time, and says so: a device that
// was overlooked would be taken for gone, and its pod left unfiltered.
func dump(request int) (messages []syscall.NetlinkMessage, err error) {
	for range attempts {
		b, err := syscall.NetlinkRIB(request, unix.AF_UNSPEC)
		if err != nil {
			return nil, os.NewSyscallError("netlink", err)
		}
		if messages, err = syscall.ParseNetlinkMessage(b); err != nil {
			return nil, os.NewSyscallError("netlink", err)
		}
		if !interrupted(messages) {
			break
		}
	}
	return messages, nil
}

func interrupted(messages []syscall.NetlinkMessage) bool {
	return slices.ContainsFunc(messages, func(m syscall.NetlinkMessage) bool { return m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 })
}

func (n *nodeFacts) addDevice(m *syscall.NetlinkMessage) {
	if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return
	}
	index := int(int32(binary.NativeEndian.Uint32(m.Data[4:])))
	if name, ok := attribute(m, unix.IFLA_IFNAME); ok {
		n.devices[unix.ByteSliceToString(name)] = index
	}
}

// addAddress takes the device's own address: on a link between two the other
// attribute is the one at the far end.
func (n *nodeFacts) addAddress(m *syscall.NetlinkMessage) {
	if m.Header.Type != unix.RTM_NEWADDR {
		return
	}
	b, ok := attribute(m, unix.IFA_LOCAL)
	if !ok {
		b, _ = attribute(m, unix.IFA_ADDRESS)
	}
	if a, ok := netip.AddrFromSlice(b); ok {
		n.addresses[a.Unmap()] = true
	}
}

func attribute(m *syscall.NetlinkMessage, kind uint16) ([]byte, bool) {
	all, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return nil, false
	}
	for _, a := range all {
		if a.Attr.Type == kind {
			return a.Value, true
		}
	}
	return nil, false
}

// of keeps the devices that the record speaks of, so that others may come and
// go unnoticed.
func (n nodeFacts) of(r *record) nodeFacts {
	out := nodeFacts{devices: map[string]int{}, addresses: n.addresses}
	for name := range r.devices() {
		if index, exists := n.devices[name]; exists {
			out.devices[name] = index
		}
	}
	return out
}

func (n nodeFacts) equal(m nodeFacts) bool {
	return maps.Equal(n.devices, m.devices) && maps.Equal(n.addresses, m.addresses)
}

// devices gives the names of all devices that the record asks for.
func (r *record) devices() map[string]bool {
	names := map[string]bool{}
	for i := range r.Endpoints {
		names[r.Endpoints[i].Interface] = true
	}
	for i := range r.Policies {
		names[r.Policies[i].Subject.Interface] = true
	}
	delete(names, "")
	return names
}
