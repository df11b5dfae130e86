package datapath

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// hookKey is one place for a program, without the half.
type hookKey struct {
	ifindex uint32
	point   bpf.AcliumAttachPoint
}

// push is one Apply on its way into the kernel.
type push struct {
	state      *State
	devices    map[string]device
	hooks      map[hookKey]bpf.AcliumHook
	attach     map[attachKey]bool
	lines      *allocation
	tables     *upload
	places     map[*numbered]place
	logged     map[uint32]logLine // lines with "log", by their counter ids
	owned      map[string]ownAddresses
	windows    windows
	limits     *limits
	reflexives reflexives
	early      *early
	lost       func() ([]pinned, error) // pins that are not there
	faces      []face                   // by port
	// set is where the state's services lie, services what has to be written.
	set      uint32
	writeSet bool
	services serviceSet
	// before is what the maps of addresses held, where the push has touched
	// them; have and want are what they hold and are to hold.
	before     *addressBook
	have, want addressBook
	// logging holds the settings that setLogging has replaced; nil where it has not.
	logging *bpf.AcliumLogOptions
	// timetable and lead are what writeTimetable wrote.
	timetable *bpf.AcliumTimetable
	lead      time.Duration
}

// Apply enforces the state: all of it, or nothing on an error, but for an
// *Unfinished, after which the state is enforced. The error wraps a *Refused
// when the state itself is at fault. Applying a state again is
// harmless; connections are judged again. The datapath keeps the state: nothing
// of it may be changed afterwards.
func (d *Datapath) Apply(s State) error { return d.ApplyWhen(s, nil) }

// ApplyWhen is Apply with something else that has to succeed: ready is asked
// when everything is compiled, and before anything that a packet can see. Its
// error is ApplyWhen's. It may be nil.
func (d *Datapath) ApplyWhen(s State, ready func() error) error {
	start := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.apply(s, start, ready)
}

func (d *Datapath) apply(s State, start time.Time, ready func() error) error {
	p, err := d.prepare(&s)
	if err == nil && ready != nil {
		err = ready()
	}
	if err != nil {
		return errors.Join(err, d.tables.trim())
	}
	if err := d.restorePins(p.lost()); err != nil {
		return err
	}
	d.log.begin(p)
	if err := d.setLogging(p); err != nil {
		return errors.Join(err, d.withdraw(p))
	}
	if err := d.install(p); err != nil {
		return errors.Join(err, d.withdraw(p))
	}
	if err := d.followFlip(p); err != nil {
		return d.turnBack(p, err)
	}
	if err := d.finish(p, start); err != nil {
		return &Unfinished{err}
	}
	return nil
}

// Live gives how long the last Apply took from its call until no packet was
// judged any more by what stood before. It returns some milliseconds later.
func (d *Datapath) Live() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live
}

// prepare does what can fail for the state's own fault, and touches nothing
// that a packet can see.
func (d *Datapath) prepare(s *State) (*push, error) {
	p := &push{
		state: s, hooks: map[hookKey]bpf.AcliumHook{}, attach: map[attachKey]bool{},
		lines: d.lines.begin(), tables: d.tables.begin(), places: map[*numbered]place{}, logged: map[uint32]logLine{},
	}
	p.early, p.lost = d.compileEarly(p), beside(d.lostPins)
	defer func() { p.early.stop(); _, _ = p.lost() }()
	p.owned = ownedBy(s.Addresses)
	var err error
	if p.devices, err = findDevices(s); err != nil {
		return nil, err
	}
	if err := d.compose(p); err != nil {
		return nil, &Refused{err}
	}
	return p, nil
}

// compose works out what the state means. It asks nothing but the state and
// what is live, so that whatever it refuses is the state's fault.
func (d *Datapath) compose(p *push) (err error) {
	s := p.state
	if p.windows, err = windowsOf(s, d.windows); err != nil {
		return err
	}
	if p.limits, err = d.policers.begin(s); err != nil {
		return err
	}
	if err := d.prepareServices(p); err != nil {
		return err
	}
	if p.reflexives, err = reflexivesOf(s, d.reflexives); err != nil {
		return err
	}
	for i := range s.Ports {
		if err := p.number(&s.Ports[i]); err != nil {
			return fmt.Errorf("interface %s: %w", s.Ports[i].Interface, err)
		}
	}
	if err := d.compile(p); err != nil {
		return err
	}
	for i := range s.Ports {
		if err := p.hook(&s.Ports[i], p.faces[i]); err != nil {
			return err
		}
	}
	return d.checkRoom(p)
}

// number gives the lists of a port their counter ids.
func (p *push) number(port *Port) error {
	for _, lists := range [][]policy.Policy{port.Ingress, port.Egress} {
		if limit := len(bpf.AcliumHook{}.Tables); len(lists) > limit {
			return fmt.Errorf("%d lists in one direction, want %d at most", len(lists), limit)
		}
		for i := range lists {
			if _, err := p.lines.numbers(&lists[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// compile makes the tables of the lists that the live state does not have, and
// finds a place for each.
func (d *Datapath) compile(p *push) error {
	moved := changedIdentities(d.state.Identities, p.state.Identities)
	var fresh []*numbered
	for _, n := range p.lines.order {
		p.logList(&n.policy, n)
		if at, lives := d.places[n]; lives && !looksAt(&n.policy, moved) {
			p.places[n] = at
			p.tables.keep(at)
			continue
		}
		fresh = append(fresh, n)
	}
	wait := p.tables.foresee(d.classesOf(fresh))
	p.want = bookOf(p.state, p.devices)
	p.face()
	tables, err := p.early.finish(fresh)
	wait()
	if err != nil {
		return err
	}
	for _, n := range fresh {
		if p.places[n], err = p.tables.add(tables[n], d.places[d.lines.lists[listNameOf(&n.policy)]]); err != nil {
			return fmt.Errorf("policy %q: %w", n.policy.ACL, err)
		}
	}
	return nil
}

// changedIdentities gives the identities that only one of the two has.
func changedIdentities(old, next []Identity) (moved []Identity) {
	byID := map[uint32]Identity{}
	for _, id := range old {
		byID[id.ID] = id
	}
	for _, id := range next {
		was, known := byID[id.ID]
		delete(byID, id.ID)
		if !known {
			moved = append(moved, id)
		} else if was.Entity != id.Entity || (was.Labels == nil) != (id.Labels == nil) || !maps.Equal(was.Labels, id.Labels) || !slices.Equal(was.FQDNs, id.FQDNs) {
			moved = append(moved, was, id)
		}
	}
	return slices.AppendSeq(moved, maps.Values(byID))
}

// looksAt reports whether a line of the list names one of the identities, or
// might.
func looksAt(p *policy.Policy, ids []Identity) bool {
	if len(ids) == 0 {
		return false
	}
	for i := range p.Rules {
		m := &p.Rules[i].Match
		for _, peers := range []*policy.Peers{&m.Source, &m.Destination} {
			if len(peers.Selectors)+len(peers.Entities)+len(peers.FQDNs) > 0 && hasAny(peers, ids) {
				return true
			}
		}
	}
	return false
}

func hasAny(peers *policy.Peers, ids []Identity) bool {
	const many = 64 // compiling is quicker than asking for each
	return len(ids) > many || slices.ContainsFunc(ids, func(id Identity) bool { return id.In(peers) })
}

// face is what a port's lines mean for its hooks, whatever their tables are.
type face struct {
	flags    bpf.AcliumHookFlags
	families policy.Family
}

// face looks at the lines of all ports.
func (p *push) face() {
	p.faces = make([]face, len(p.state.Ports))
	for i := range p.faces {
		port := &p.state.Ports[i]
		p.faces[i] = face{flagsOf(port, p.devices[port.Interface]), familiesOf(port)}
	}
}

// hook writes down what stands on a port.
func (p *push) hook(port *Port, face face) error {
	at := p.devices[port.Interface]
	for direction, lists := range map[policy.Direction][]policy.Policy{policy.Ingress: port.Ingress, policy.Egress: port.Egress} {
		// A pod's port tracks connections in both directions.
		if len(lists) == 0 && (!port.Pod || len(port.Ingress)+len(port.Egress) == 0) {
			continue
		}
		hook := bpf.AcliumHook{Flags: uint32(face.flags), Families: uint32(face.families), Count: uint32(len(lists)), Services: p.set, Own: p.owned[port.Interface]}
		if !port.Pod {
			evaluates, err := p.reflexives.evaluated(lists)
			if err != nil {
				return fmt.Errorf("interface %s: %w", port.Interface, err)
			}
			hook.Evaluates = evaluates
		}
		for i := range lists {
			n, err := p.lines.numbers(&lists[i])
			if err != nil {
				return err
			}
			lies, compiled := p.places[n]
			if !compiled {
				return fmt.Errorf("two lists %q stand on %q, %s, with different lines", n.policy.ACL, n.policy.Subject.Name, direction)
			}
			hook.Tables[i] = bpf.AcliumTableRef{Class: lies.class, Slot: lies.slot, Families: uint32(lists[i].Family), Implicit: n.implicit}
		}
		key := hookKey{at.index, attachPoint(port.Pod, direction)}
		if _, twice := p.hooks[key]; twice {
			return fmt.Errorf("interface %s: another port is the same device", port.Interface)
		}
		p.hooks[key] = hook
		p.attach[key.attachment()] = true
	}
	return nil
}

func flagsOf(port *Port, at device) (flags bpf.AcliumHookFlags) {
	if at.bare {
		flags |= bpf.AcliumHookFlagsHOOK_NO_ETHERNET
	}
	if port.Audit {
		flags |= bpf.AcliumHookFlagsHOOK_AUDIT
	}
	if len(schedulesOf(&State{Ports: []Port{*port}})) > 0 {
		flags |= bpf.AcliumHookFlagsHOOK_TIMED
	}
	if !port.Pod {
		return flags | cacheFlags(port)
	}
	flags |= bpf.AcliumHookFlagsHOOK_POD
	for _, l := range slices.Concat(port.Ingress, port.Egress) {
		if l.Subject.AllowSpoofed {
			flags |= bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED
		}
		if looksAtNames(&l) {
			flags |= bpf.AcliumHookFlagsHOOK_NAMES
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
	// A push that failed behind its flip has not waited: a packet may still be
	// judged by the half that is written here.
	if d.unwaited {
		if err := d.wait(); err != nil {
			return err
		}
		d.unwaited = false
	}
	generation, err := d.generation()
	if err != nil {
		return err
	}
	if err := errors.Join(d.store(p, byte(generation+1)&1), d.readBeforeFlip(p)); err != nil {
		return err
	}
	if d.foreign {
		if err := d.turnAddresses(p); err != nil {
			return err
		}
	}
	if err := d.names.prepare(p.state.Names, byte(generation+1)&1); err != nil {
		return err
	}
	if err := d.hooks.attach(p.attach); err != nil {
		return err
	}
	d.unwaited = true
	return d.setGeneration(after(generation))
}

// store writes what the push's hooks refer to, and the hooks into an idle half.
func (d *Datapath) store(p *push, half byte) error {
	if err := p.lines.store(); err != nil {
		return err
	}
	if err := errors.Join(p.limits.store(), p.tables.store()); err != nil {
		return err
	}
	return errors.Join(d.writeServices(p), d.writeTimetable(half, p), d.writeReflexives(half, p.reflexives), d.writeHooks(half, p.hooks))
}

// after gives the number of the next push. The first one is a time, so that a
// connection is not taken for one that was judged under these lists: it may
// come from programs that numbered their pushes themselves.
func after(generation uint64) uint64 {
	if generation == 0 {
		return monotonic() | 1
	}
	return generation + 1
}

// withdraw undoes a failed install, of which no packet reads anything, and frees
// the maps that it made.
func (d *Datapath) withdraw(p *push) error {
	return errors.Join(d.takeBack(p), d.restoreLogging(p), d.tables.trim())
}

// takeBack makes the live half what it was: it was not touched.
func (d *Datapath) takeBack(p *push) error {
	generation, err := d.generation()
	if err != nil {
		return err
	}
	p.lines.abandon()
	if err := p.limits.abandon(); err != nil {
		return err
	}
	// Without its hook a packet would pass: who still reads the half keeps it.
	if !d.unwaited {
		if err := d.writeHooks(byte(generation+1)&1, nil); err != nil {
			return err
		}
	}
	if d.foreign {
		return nil // what stands on the devices is not described by our hooks
	}
	live, err := d.attached()
	if err != nil {
		return err
	}
	return d.hooks.keep(live)
}

// finish takes away everything that nothing uses any more. What is live is
// noted first, whatever fails later.
func (d *Datapath) finish(p *push, start time.Time) error {
	before := d.set
	d.commit(p)
	if err := d.takeOver(); err != nil {
		return fmt.Errorf("programs of another version enforce their lists where they still stand: %w", err)
	}
	if err := d.hooks.dropOther(); err != nil {
		return fmt.Errorf("programs that an earlier agent attached another way enforce their lists as well: %w", err)
	}
	known, err := waitAndTell()
	if err != nil {
		return err
	}
	d.live, d.unwaited = known.Sub(start), false
	p.lines.settle()
	if before != p.set {
		if err := d.emptySet(before); err != nil {
			return err
		}
	}
	generation, err := d.generation()
	if err != nil {
		return err
	}
	return errors.Join(d.hooks.keep(p.attach), d.writeHooks(byte(generation+1)&1, nil), p.tables.settle(), p.limits.settle(), d.retire(d.log.settle(p)))
}

// commit notes what is live from here on.
func (d *Datapath) commit(p *push) {
	d.state, d.places = p.state, p.places
	d.windows, d.timetable, d.lead = p.windows, p.timetable, p.lead
	d.reflexives = p.reflexives
	d.set, d.setKnown = p.set, true
	p.lines.commit()
	p.limits.commit()
	p.tables.commit()
}

// writeHooks makes an idle half of hook_map hold these hooks and no others.
func (d *Datapath) writeHooks(half byte, hooks map[hookKey]bpf.AcliumHook) error {
	written := d.halves[half]
	for key := range written {
		if _, stays := hooks[key]; stays {
			continue
		}
		if err := d.maps.Maps["hook_map"].Delete(key.in(half)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete hook: %w", err)
		}
		delete(written, key)
	}
	for key, hook := range hooks {
		written[key] = true
		if err := d.maps.Maps["hook_map"].Put(key.in(half), hook); err != nil {
			return fmt.Errorf("write hook: %w", err)
		}
	}
	return nil
}

func (k hookKey) in(half byte) bpf.AcliumHookKey {
	return bpf.AcliumHookKey{Ifindex: k.ifindex, Point: uint8(k.point), Half: half}
}

// attachment is where the hook's program stands.
func (k hookKey) attachment() attachKey {
	if k.point == bpf.AcliumAttachPointATTACH_TC_EGRESS {
		return attachKey{k.ifindex, ebpf.AttachTCXEgress}
	}
	return attachKey{k.ifindex, ebpf.AttachTCXIngress}
}

// attached gives the attachments of the live half.
func (d *Datapath) attached() (map[attachKey]bool, error) {
	generation, err := d.generation()
	if err != nil {
		return nil, err
	}
	live, err := d.readHooks(byte(generation & 1))
	if err != nil {
		return nil, err
	}
	keys := map[attachKey]bool{}
	for k := range live {
		keys[k.attachment()] = true
	}
	return keys, nil
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

// readHooks gives the hooks of a half, and notes which hooks both have.
func (d *Datapath) readHooks(half byte) (map[hookKey]bpf.AcliumHook, error) {
	found := map[hookKey]bpf.AcliumHook{}
	d.halves = [2]map[hookKey]bool{{}, {}}
	var key bpf.AcliumHookKey
	var hook bpf.AcliumHook
	all := d.maps.Maps["hook_map"].Iterate()
	for all.Next(&key, &hook) {
		k := hookKey{key.Ifindex, bpf.AcliumAttachPoint(key.Point)}
		d.halves[key.Half&1][k] = true
		if key.Half == half {
			found[k] = hook
		}
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read hooks: %w", err)
	}
	return found, nil
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
