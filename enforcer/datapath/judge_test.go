package datapath

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"aclium/enforcer/bpf"
	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

const (
	loopback = 1 // the device that test runs happen on
	permit   = -1
	drop     = 2
)

// skBuff is struct __sk_buff as far as test runs accept it (linux/bpf.h).
type skBuff struct {
	_              [9]uint32
	IngressIfindex uint32
	Ifindex        uint32
	_              [25]uint32
	FlowKeys       uint64
	Tstamp         uint64
	WireLen        uint32
	GSOSegs        uint32
	Sk             uint64
	GSOSize        uint32
	_              [3]uint32
}

// kernel is the loaded program with its maps, without any attachment.
type kernel struct {
	testing.TB
	bpf.AcliumObjects
	spec       *ebpf.CollectionSpec
	generation uint64
	slots      map[bpf.AcliumTableClass]uint32
	tables     map[tablePlace]*ebpf.Map
	lines      map[counterOf]uint32
	counters   *counters
	mapped     map[uint32]memory // of counters, by slot
	own        ownAddresses      // what the hooks know by heart
	windows    windows
	reflexives reflexives
	services   uint32          // the set that the hooks name
	limits     *limits         // of the lists that are bound
	cpu        int             // that the test stays on, if it does
	reloaded   bool            // with other programs than those of programSpec
	direct     map[string]bool // whether the list has a direct table
}

// counterOf names a counter: list and line.
type counterOf struct {
	acl  string
	line int
}

// newKernelWith lets the test change what is loaded.
func newKernelWith(t testing.TB, change func(*ebpf.CollectionSpec)) *kernel {
	t.Helper()
	k := loadKernel(t, change)
	t.Cleanup(k.close)
	return k
}

func loadKernel(t testing.TB, change func(*ebpf.CollectionSpec)) *kernel {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to load programs into the kernel")
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("no bpf here: %v", err)
	}
	spec, err := programSpec()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["conn_map"].MaxEntries = 4096
	change(spec)
	spec = loadable(spec)
	k := &kernel{TB: t, spec: spec, slots: map[bpf.AcliumTableClass]uint32{}, tables: map[tablePlace]*ebpf.Map{}, lines: map[counterOf]uint32{}, mapped: map[uint32]memory{}}
	if err := spec.LoadAndAssign(&k.AcliumObjects, nil); err != nil {
		t.Fatalf("%+v", err)
	}
	k.counters, err = openCounters(k.CounterMap, 0)
	k.must(err)
	k.must(k.counters.grow(1 << 17))
	for slot := range k.counters.chunks {
		k.chunk(uint32(slot))
	}
	return k
}

func (k *kernel) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// counter gives the id of a line's counter.
func (k *kernel) counter(acl string, line int) uint32 {
	key := counterOf{acl, line}
	if _, ok := k.lines[key]; !ok {
		k.lines[key] = uint32(len(k.lines) + 1)
	}
	return k.lines[key]
}

func (k *kernel) tableMap(class bpf.AcliumTableClass) (*ebpf.Map, string) {
	maps := []*ebpf.Map{k.Table64kMap, k.Table256kMap, k.Table1mMap, k.Table4mMap, k.Table16mMap, k.Table64mMap, k.Table256mMap}
	return maps[class], []string{"table_64k_map", "table_256k_map", "table_1m_map", "table_4m_map", "table_16m_map", "table_64m_map", "table_256m_map"}[class]
}

// upload puts a list into a slot of its own, smaller slots being used again.
func (k *kernel) upload(p *policy.Policy, ids []Identity) bpf.AcliumTableRef {
	k.Helper()
	numbers := classifier.Numbers{Counter: func(line int) uint32 { return k.counter(p.ACL, line) }, Window: k.windows.number, Policer: k.limits.number, List: k.reflexives.number}
	table, err := classifier.Compile(p, ids, numbers)
	k.must(err)
	if k.direct == nil {
		k.direct = map[string]bool{}
	}
	k.direct[p.ACL] = headerOf(table.Bytes).Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) != 0
	slot := k.slots[table.Class] % 32
	k.slots[table.Class]++
	value := make([]byte, table.Size())
	copy(value, table.Bytes)
	inner := k.tableIn(table.Class, slot)
	k.must(inner.Put(uint32(0), value))
	if table.Class > bpf.AcliumTableClassTABLE_CLASS_1M {
		inner.Close()
	}
	return bpf.AcliumTableRef{
		Class: uint32(table.Class), Slot: slot, Families: uint32(p.Family), Implicit: k.counter(p.ACL, policy.Implicit),
	}
}

// tableIn gives the map of a slot. Small ones stay there, since it takes the
// kernel milliseconds to put one into an array of maps.
func (k *kernel) tableIn(class bpf.AcliumTableClass, slot uint32) *ebpf.Map {
	k.Helper()
	at := tablePlace{class, slot}
	if m, known := k.tables[at]; known {
		return m
	}
	outer, name := k.tableMap(class)
	inner, err := ebpf.NewMap(k.spec.Maps[name].InnerMap)
	k.must(err)
	k.must(outer.Put(slot, inner))
	if class <= bpf.AcliumTableClassTABLE_CLASS_1M {
		k.tables[at] = inner
	}
	return inner
}

// loseTables takes all small tables away.
func (k *kernel) loseTables() {
	for slot := range uint32(32) {
		k.Table64kMap.Delete(slot)
	}
	k.closeTables()
}

func (k *kernel) closeTables() {
	for at, m := range k.tables {
		m.Close()
		delete(k.tables, at)
	}
}

// tablePlace is a slot of the array of maps of a class.
type tablePlace struct {
	class bpf.AcliumTableClass
	slot  uint32
}

// bind puts the lists of both directions on the device as a push does: into
// the half that is not live, which the next generation makes live.
func (k *kernel) bind(ids []Identity, flags bpf.AcliumHookFlags, ingress, egress []*policy.Policy) {
	k.Helper()
	k.generation++
	var families uint32
	for _, p := range append(append([]*policy.Policy{}, ingress...), egress...) {
		families |= uint32(p.Family)
	}
	for d, lists := range map[policy.Direction][]*policy.Policy{policy.Ingress: ingress, policy.Egress: egress} {
		hook := bpf.AcliumHook{Flags: uint32(flags), Families: families, Count: uint32(len(lists)), Services: k.services, Own: k.own}
		if flags&bpf.AcliumHookFlagsHOOK_POD == 0 {
			hook.Evaluates = k.evaluated(lists)
		}
		for i, p := range lists {
			hook.Tables[i] = k.upload(p, ids)
		}
		at := hookKey{loopback, attachPoint(flags&bpf.AcliumHookFlagsHOOK_POD != 0, d)}
		k.must(k.HookMap.Put(at.in(byte(k.generation&1)), hook))
	}
	k.must(k.GenerationMap.Put(uint32(0), k.generation))
}

func (k *kernel) place(a netip.Addr, id, ifindex uint32) {
	k.Helper()
	k.must(k.AddressMap.Put(bpf.AcliumIpAddr{Bytes: a.As16()}, bpf.AcliumIpcacheValue{Identity: id, Ifindex: ifindex}))
}

func (k *kernel) run(program *ebpf.Program, data []byte, ctx skBuff) int {
	k.Helper()
	ctx.Ifindex = loopback
	ret, err := program.Run(&ebpf.RunOptions{Data: data, Context: ctx, Repeat: 1})
	k.must(err)
	return int(int32(ret))
}

// count gives a counter's packets and bytes.
func (k *kernel) count(m *ebpf.Map, id uint32) (packets, bytes uint64) {
	k.Helper()
	var cells []bpf.AcliumCounter
	if m == k.CounterMap {
		cells = k.lineCells(id)
	} else {
		k.must(m.Lookup(id, &cells))
	}
	for _, c := range cells {
		packets, bytes = packets+c.Packets, bytes+c.Bytes
	}
	return packets, bytes
}

func (k *kernel) dropped(r bpf.AcliumDropReason) uint64 {
	k.Helper()
	packets, _ := k.count(k.DropMap, uint32(r))
	return packets
}

// expected is what a test thinks the counters hold.
type expected map[counterOf]struct{ packets, bytes uint64 }

func (e expected) add(acl string, line int, bytes uint64) {
	c := e[counterOf{acl, line}]
	c.packets, c.bytes = c.packets+1, c.bytes+bytes
	e[counterOf{acl, line}] = c
}

// compare checks every counter that was ever handed out.
func (e expected) compare(k *kernel) {
	k.Helper()
	for name, id := range k.lines {
		packets, bytes := k.count(k.CounterMap, id)
		if want := e[name]; packets != want.packets || bytes != want.bytes {
			k.Errorf("%s line %d: counted %d packets, %d bytes; want %d, %d", name.acl, name.line, packets, bytes, want.packets, want.bytes)
		}
	}
}

// populate tells the kernel who the addresses of the world belong to.
func (k *kernel) populate(w *world) {
	for a, id := range w.Owners {
		k.place(a, id, 0)
	}
}

func TestNodeInterfaceAgreesWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for seed := range uint64(40) {
		judgeStateless(k, seed)
	}
}

func judgeStateless(k *kernel, seed uint64) {
	w := newWorld(seed)
	k.populate(w)
	f := pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual})
	lists := []*policy.Policy{w.list(fmt.Sprint("A", seed), policy.Ingress, f, 1+w.IntN(60))}
	if w.one(2) {
		lists = append(lists, w.list(fmt.Sprint("B", seed), policy.Ingress, policy.Dual, 1+w.IntN(20)))
	}
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	k.bind(w.identities(), 0, lists, nil)
	want := expected{}
	for range 400 {
		p := w.packet(w.family(policy.Dual))
		o := w.dress(&p)
		verdict := permit
		for _, l := range lists {
			if l.Family&p.Family() == 0 {
				continue
			}
			action, line := l.Eval(&p)
			if line == policy.Implicit || !l.Rules[line].Uncounted {
				want.add(l.ACL, line, l3Length(&p, o))
			}
			if action != policy.Permit {
				verdict = drop
				break
			}
		}
		if got := k.run(k.TcIngress, frame(&p, o), skBuff{}); got != verdict {
			k.Fatalf("seed %d: got %d, want %d: %+v %+v", seed, got, verdict, p, o)
		}
	}
	want.compare(k)
}

// chunk gives the counters of a slot on each CPU, as the programs write them.
func (k *kernel) chunk(slot uint32) (cpus []*bpf.AcliumCounterChunk) {
	const size = int(unsafe.Sizeof(bpf.AcliumCounterChunk{}))
	m, known := k.mapped[slot]
	if !known {
		var err error
		m, err = mapMemory(k.counters.chunks[slot].inner, 0, k.counters.cpus*size)
		k.must(err)
		k.mapped[slot] = m
	}
	for cpu := range k.counters.cpus {
		cpus = append(cpus, (*bpf.AcliumCounterChunk)(unsafe.Pointer(&m.part[cpu*size])))
	}
	return cpus
}

// lineCells gives a line's counter on each CPU.
func (k *kernel) lineCells(id uint32) (cells []bpf.AcliumCounter) {
	for _, chunk := range k.chunk(id / chunkSize) {
		cells = append(cells, chunk.Counters[id%chunkSize])
	}
	return cells
}

func clearCounters(k *kernel) error {
	for slot := range k.mapped {
		for _, chunk := range k.chunk(slot) {
			*chunk = bpf.AcliumCounterChunk{}
		}
	}
	return nil
}
