package datapath

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// hookKey is one direction of one device, seen from the subject.
type hookKey struct {
	ifindex   uint32
	direction policy.Direction
}

// push is one Apply on its way into the kernel.
type push struct {
	devices map[string]device
	hooks   map[hookKey]bpf.AcliumHook
	attach  map[attachKey]bool
	lines   *allocation
	tables  *upload
	logged  map[uint32]logLine // lines with "log", by their counter ids
}

// Apply enforces the state: all of it, or nothing on an error. Applying a
// state again is harmless; connections are judged again.
func (d *Datapath) Apply(s State) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.prepare(&s)
	if err != nil {
		return err
	}
	d.log.begin(p)
	if err := errors.Join(d.setLogging(s.Logging), d.install(p)); err != nil {
		return errors.Join(err, d.withdraw(p))
	}
	return d.finish(p, &s)
}

// prepare does what can fail for the state's own fault, and touches nothing
// that a packet can see.
func (d *Datapath) prepare(s *State) (*push, error) {
	p := &push{
		hooks: map[hookKey]bpf.AcliumHook{}, attach: map[attachKey]bool{}, lines: d.lines.begin(), tables: d.tables.begin(),
		logged: map[uint32]logLine{},
	}
	var err error
	if p.devices, err = findDevices(s); err != nil {
		return nil, err
	}
	for i := range s.Ports {
		if err := d.preparePort(p, &s.Ports[i], s.Identities); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (d *Datapath) preparePort(p *push, port *Port, ids []Identity) error {
	at := p.devices[port.Interface]
	for direction, lists := range map[policy.Direction][]policy.Policy{policy.Ingress: port.Ingress, policy.Egress: port.Egress} {
		// A pod's port tracks connections in both directions.
		if len(lists) == 0 && (!port.Pod || len(port.Ingress)+len(port.Egress) == 0) {
			continue
		}
		hook, err := p.hook(port, at, lists, ids)
		if err != nil {
			return fmt.Errorf("interface %s: %w", port.Interface, err)
		}
		p.hooks[hookKey{at.index, direction}] = hook
		p.attach[attachKey{at.index, attachPoint(port.Pod, direction)}] = true
	}
	return nil
}

// hook compiles the lists of one direction.
func (p *push) hook(port *Port, at device, lists []policy.Policy, ids []Identity) (bpf.AcliumHook, error) {
	hook := bpf.AcliumHook{Flags: uint32(flagsOf(port, at)), Families: uint32(familiesOf(port)), Count: uint32(len(lists))}
	if len(lists) > len(hook.Tables) {
		return hook, fmt.Errorf("%d lists in one direction, want %d at most", len(lists), len(hook.Tables))
	}
	for i := range lists {
		l := &lists[i]
		numbers, err := p.lines.numbers(l)
		if err != nil {
			return hook, err
		}
		p.logList(l, numbers)
		ref, err := p.tables.add(l, ids, numbers)
		if err != nil {
			return hook, err
		}
		ref.Families, ref.Implicit = uint32(l.Family), numbers.implicit
		hook.Tables[i] = ref
	}
	return hook, nil
}

func flagsOf(port *Port, at device) (flags bpf.AcliumHookFlags) {
	if at.bare {
		flags |= bpf.AcliumHookFlagsHOOK_NO_ETHERNET
	}
	if !port.Pod {
		return flags
	}
	flags |= bpf.AcliumHookFlagsHOOK_POD
	for _, l := range slices.Concat(port.Ingress, port.Egress) {
		if l.Subject.AllowSpoofed {
			flags |= bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED
		}
		if l.Subject.NoHostPermit {
			flags |= bpf.AcliumHookFlagsHOOK_NO_HOST_PERMIT
		}
	}
	return flags
}

func familiesOf(port *Port) (f policy.Family) {
	for _, l := range slices.Concat(port.Ingress, port.Egress) {
		f |= l.Family
	}
	return f
}

// install writes the idle half, attaches what is missing, and flips.
func (d *Datapath) install(p *push) error {
	generation, err := d.generation()
	if err != nil {
		return err
	}
	if err := p.lines.store(); err != nil {
		return err
	}
	if err := p.tables.store(); err != nil {
		return err
	}
	idle := byte(generation+1) & 1
	for key, hook := range p.hooks {
		k := bpf.AcliumHookKey{Ifindex: key.ifindex, Direction: uint8(key.direction), Half: idle}
		if err := d.maps.Maps["hook_map"].Put(k, hook); err != nil {
			return fmt.Errorf("write hook: %w", err)
		}
	}
	if err := d.hooks.attach(p.attach); err != nil {
		return err
	}
	return d.setGeneration(generation + 1)
}

// withdraw undoes a failed install: the live half was not touched.
func (d *Datapath) withdraw(p *push) error {
	generation, err := d.generation()
	if err != nil {
		return err
	}
	_, stale, err := d.readHooks(byte(generation & 1))
	if err != nil {
		return err
	}
	p.lines.abandon()
	return errors.Join(d.deleteHooks(stale), d.hooks.keep(d.attached()), p.tables.abandon())
}

// finish follows the flip: addresses, then everything that nothing uses.
func (d *Datapath) finish(p *push, s *State) error {
	old := d.owned
	d.owned = map[hookKey]bool{}
	for key := range p.hooks {
		d.owned[key] = true
	}
	changed, err := d.writeAddresses(s, p.devices)
	if err != nil {
		return err
	}
	generation, err := d.generation()
	if err != nil {
		return err
	}
	if changed {
		// Connections that were judged by who an address was are judged again.
		generation += 2
		if err := d.setGeneration(generation); err != nil {
			return err
		}
	}
	if err := waitForPackets(); err != nil {
		return err
	}
	p.lines.settle()
	half := byte(generation-1) & 1
	var stale []bpf.AcliumHookKey
	for key := range old {
		stale = append(stale, bpf.AcliumHookKey{Ifindex: key.ifindex, Direction: uint8(key.direction), Half: half})
	}
	return errors.Join(d.hooks.keep(p.attach), d.deleteHooks(stale), p.tables.settle(), d.retire(d.log.settle(p)))
}

// attached gives the attachments of the live half.
func (d *Datapath) attached() map[attachKey]bool {
	keys := map[attachKey]bool{}
	live, _, err := d.readHooks(d.liveHalf())
	if err != nil {
		return nil
	}
	for k, h := range live {
		pod := h.Flags&uint32(bpf.AcliumHookFlagsHOOK_POD) != 0
		keys[attachKey{k.Ifindex, attachPoint(pod, policy.Direction(k.Direction))}] = true
	}
	return keys
}

func (d *Datapath) liveHalf() byte {
	generation, _ := d.generation()
	return byte(generation & 1)
}

func (d *Datapath) generation() (g uint64, err error) {
	if err := d.maps.Maps["generation_map"].Lookup(uint32(0), &g); err != nil {
		return 0, fmt.Errorf("read the generation: %w", err)
	}
	return g, nil
}

func (d *Datapath) setGeneration(g uint64) error {
	if err := d.maps.Maps["generation_map"].Put(uint32(0), g); err != nil {
		return fmt.Errorf("write the generation: %w", err)
	}
	return nil
}

// readHooks gives the hooks of the live half and the keys of the other one.
func (d *Datapath) readHooks(half byte) (map[bpf.AcliumHookKey]bpf.AcliumHook, []bpf.AcliumHookKey, error) {
	live, stale := map[bpf.AcliumHookKey]bpf.AcliumHook{}, []bpf.AcliumHookKey(nil)
	var key bpf.AcliumHookKey
	var hook bpf.AcliumHook
	all := d.maps.Maps["hook_map"].Iterate()
	for all.Next(&key, &hook) {
		if key.Half == half {
			live[key] = hook
		} else {
			stale = append(stale, key)
		}
	}
	if err := all.Err(); err != nil {
		return nil, nil, fmt.Errorf("read hooks: %w", err)
	}
	return live, stale, nil
}

func (d *Datapath) deleteHooks(keys []bpf.AcliumHookKey) error {
	for _, k := range keys {
		if err := d.maps.Maps["hook_map"].Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete hook: %w", err)
		}
	}
	return nil
}

// writeAddresses makes the ipcache say what the state says, and reports
// whether that is another thing than before.
func (d *Datapath) writeAddresses(s *State, devices map[string]device) (bool, error) {
	want := map[bpf.AcliumIpcacheKey]bpf.AcliumIpcacheValue{}
	for prefix, a := range s.Addresses {
		want[ipcacheKey(prefix)] = bpf.AcliumIpcacheValue{Identity: a.Identity, Ifindex: devices[a.Interface].index}
	}
	have := map[bpf.AcliumIpcacheKey]bpf.AcliumIpcacheValue{}
	var key bpf.AcliumIpcacheKey
	var value bpf.AcliumIpcacheValue
	cache := d.maps.Maps["ipcache_map"]
	all := cache.Iterate()
	for all.Next(&key, &value) {
		have[key] = value
	}
	if err := all.Err(); err != nil {
		return false, fmt.Errorf("read addresses: %w", err)
	}
	if maps.Equal(want, have) {
		return false, nil
	}
	for k, v := range want {
		if old, ok := have[k]; ok && old == v {
			continue
		}
		if err := cache.Put(k, v); err != nil {
			return true, fmt.Errorf("write address: %w", err)
		}
	}
	for k := range have {
		if _, ok := want[k]; ok {
			continue
		}
		if err := cache.Delete(k); err != nil {
			return true, fmt.Errorf("delete address: %w", err)
		}
	}
	return true, nil
}

// ipcacheKey maps IPv4 into ::ffff:0:0/96, as the programs do.
func ipcacheKey(p netip.Prefix) (k bpf.AcliumIpcacheKey) {
	k.Prefixlen = uint32(128 - p.Addr().BitLen() + p.Bits())
	k.Addr.Bytes = p.Masked().Addr().As16()
	return k
}

// waitForPackets returns when no program runs that started before the call:
// the barrier waits for an RCU grace period (membarrier(2)).
func waitForPackets() error {
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		return fmt.Errorf("wait for packets under way: %w", errno)
	}
	return nil
}

// device is what a name stands for at the moment.
type device struct {
	index uint32
	bare  bool // its packets have no Ethernet header
}

// findDevices looks up every device that the state names.
func findDevices(s *State) (map[string]device, error) {
	found := map[string]device{"": {}}
	for i := range s.Ports {
		name := s.Ports[i].Interface
		link, err := netlink.LinkByName(name)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		found[name] = deviceOf(link)
	}
	for _, a := range s.Addresses {
		if _, ok := found[a.Interface]; ok {
			continue
		}
		link, err := netlink.LinkByName(a.Interface)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", a.Interface, err)
		}
		found[a.Interface] = deviceOf(link)
	}
	return found, nil
}

func deviceOf(link netlink.Link) device {
	a := link.Attrs()
	return device{index: uint32(a.Index), bare: a.EncapType != "ether" && a.EncapType != "loopback"}
}
