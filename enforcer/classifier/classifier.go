package classifier

import (
	"fmt"
	"slices"
	"sync"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

/*
How a list becomes a table

	line ----> rules ------> entries --------> shapes ----> slots ----> trees
	a union    its members   by address,       which bits   one hash    where a
	                         class and port    of the key               slot has many

Rules. A line is a union (services, peers under masks); each member is a rule
of its own, in the order of the lines, and carries the line's action and
counter. The first line that matches is that of the lowest rule that matches.

Ranks. The addresses of an end fall into parts in which nothing changes; their
numbers are ranks, of IPv4 and then of IPv6. An interval of addresses is an
interval of ranks, so that a rule's bounds are two numbers for either family.
Identities that the list never tells apart are one class.

Entries. A rule is entered for each member of its ends: prefixes, identity
classes, masks. Where that would be too many, one end is entered by its members
and the other one is covered: by a prefix around it, or by nothing. A packet
that matches the rule has a member of each end, so that it meets one of the
entries. A rule that matches nothing is not entered.

Shapes. The bits of the key that an entry gives are its tuple; tuples are merged
into a few shapes by leaving bits out. A shape is one hash lookup. For each rank,
class, port and protocol the table has the set of shapes with an entry for it;
their AND is what a packet has to look at. Leaving out bits, merging shapes and
sharing slots make a packet meet more entries, never fewer.

Trees. Entries in one slot are divided by one value after the other until few
are left; an entry stands wherever its box reaches. What stands behind a rule
that matches all of a region is left out there, unless a "go on at" may lead
behind that rule.

The check. Every rule that is met is checked whole, so that all of the above
decides what it costs and none of it what is found. The walk visits shapes in
the order of their lowest rules and ends where none can be lower than the one
found. A rule that says "go on at" begins another round, in which rules below
its goal do not count.

Short lists. Where there are no more rules than shapes may be, each rule is a
shape: the AND of the sets holds the rules to check, and nothing is looked up.

Direct tables. Where a list governs IPv4 alone, asks for no identity and is not
short, its entries are merged into 16 shapes at most, addresses are their own
ranks, no sets of shapes are made, and a packet is looked up in all shapes of its
protocol at once, which stand in a row: the processor waits once for the memory of
all of them, and not for one part of an index after the other.

Later fragments carry no ports. A rule that they can match has entries without
ports for them, in shapes of their own.

bpf/table.h defines the bytes, bpf/walk.h and bpf/glance.h walk them.
*/

// An Identity is what a packet's end may be: the numbers are those of the
// ipcache. Labels are a pod's labels with its namespace under
// policy.NamespaceKey and are not nil for a pod, even if empty; they are nil
// for everything else.
type Identity struct {
	ID     uint32
	Labels map[string]string
	Entity policy.Entity
	// FQDNs are, for addresses of the world that have names, those patterns of
	// policy.Peers that the names fit, in lower case.
	FQDNs []string
}

// In reports whether the peers hold the identity by a selector, an entity or a
// name. Addresses are not looked at.
func (id *Identity) In(p *policy.Peers) bool {
	only := policy.Peers{Selectors: p.Selectors, Entities: p.Entities}
	return only.Has(&policy.Endpoint{Labels: id.Labels, Entity: id.Entity}) ||
		slices.ContainsFunc(p.FQDNs, func(q string) bool { return slices.Contains(id.FQDNs, policy.CanonicalPattern(q)) })
}

// A Table is a compiled list, ready to be written into a map of its class.
type Table struct {
	// Bytes is the table without the map value's unused rest, in the
	// machine's byte order.
	Bytes []byte
	Class bpf.AcliumTableClass
}

// classSizes holds what a table of each class may have, bytes.
var classSizes = [bpf.AcliumTableClassTABLE_CLASSES]int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20}

// slack is what a map value has behind the table (TABLE_SLACK), bytes.
const slack = 256

// Size gives the size of the map value that the table goes into, bytes.
func (t *Table) Size() int { return SizeOf(t.Class) }

// SizeOf gives the size of a class's map values, bytes.
func SizeOf(class bpf.AcliumTableClass) int { return classSizes[class] + slack }

// Numbers are what a table calls the things outside it by.
type Numbers struct {
	// Ready is called once, before any of the others and when half of the work
	// is done, and may wait until they have their answers. Its error is
	// Compile's. It may be nil.
	Ready func() error
	// Counter gives the counter id of a line of the policy, 0 for one that is
	// not counted.
	Counter func(line int) uint32
	// Window gives the number of a schedule's time window, 1 to 255; nil
	// refuses lines that have one.
	Window func(*policy.Schedule) (uint8, error)
	// Policer gives the number of a class's policer, 1 to 65535; nil refuses
	// lines that have one.
	Policer func(*policy.Police) (uint16, error)
	// List gives the number of a reflexive list, 1 to 63; nil refuses lines
	// that evaluate one or reflect into one.
	List func(name string) (uint8, error)
}

// Compile gives the table that judges as p.Eval does, where the ends of a
// packet are the given identities (the world for an unknown address).
// Compile refuses lists that are invalid, that look at what a node does not
// see, or that do not fit into the largest class. The result depends on its
// arguments alone.
func Compile(p *policy.Policy, ids []Identity, n Numbers) (*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b, err := compile(p, ids, n)
	if err != nil {
		return nil, fmt.Errorf("policy %q: %w", p.ACL, err)
	}
	return &Table{Bytes: b, Class: classOf(len(b))}, nil
}

func compile(p *policy.Policy, ids []Identity, n Numbers) ([]byte, error) {
	known, err := newIdentities(ids)
	if err != nil {
		return nil, err
	}
	c := &compiler{policy: p, numbers: n, identities: known}
	w := newWorkspace(len(p.Rules))
	defer w.free()
	return c.compileIn(w)
}

func (c *compiler) compileIn(w *workspace) ([]byte, error) {
	c.work, c.ends[0].work, c.ends[1].work = w, w, w
	if err := c.split(); err != nil {
		return nil, err
	}
	c.classify()
	c.plainTable = c.isPlain()
	c.direct = c.plainTable && !c.short()
	c.rank()
	return c.encode()
}

// both calls f for the sources and the destinations at once.
func both(f func(side int)) {
	var wait sync.WaitGroup
	wait.Go(func() { f(0) })
	f(1)
	wait.Wait()
}

// halves calls f for both halves of n lines at once, or for all of a few.
func halves(n int, f func(half, first, behind int)) {
	if n < longList {
		f(0, 0, n)
		return
	}
	both(func(half int) { f(half, half*n/2, (half+1)*n/2) })
}

// kindsOf calls f for whole packets and for later fragments, at once where there
// are many entries.
func kindsOf(entries int, f func(later bool)) {
	if entries < longList {
		f(false)
		f(true)
		return
	}
	both(func(side int) { f(side == 1) })
}

func classOf(size int) bpf.AcliumTableClass {
	class := bpf.AcliumTableClass(0)
	for size > classSizes[class] {
		class++
	}
	return class
}

// compiler holds a list on its way into a table.
type compiler struct {
	policy     *policy.Policy
	numbers    Numbers
	identities *identities
	work       *workspace
	rules      []rule
	starts     []uint32 // first rule of each line, and behind the last
	ends       [2]ends  // sources and destinations
	kinds      []kind
	portSets   []policy.Ranges // of rules; 0 is none
	free       []bool          // by rule: what it covers may be left out behind it
	members    [2][]stretch    // by end, of arena; the zero value is not known
	covers     [2][]int32      // by end, into arena; 0 is not known
	pieces     []member        // in use while members are counted
	arena      []member
	masks      map[point]uint16 // codes of discontiguous masks
	maskList   []point          // by code
	entries    []entry
	tuples     []tuple
	shapes     []shape
	plainTable bool // glance judges by the table
	direct     bool // the table is a direct one
	slots      slots
	kindLimits [][2]kindLimits // by kind, of whole packets and of later fragments
}

// rule is one member of the union that a line is: a service, a source and a
// destination. Peers under one mask are one member; each discontiguous mask is
// another.
type rule struct {
	line           int32
	kind           uint32
	end            [2]int32 // into ends
	ports          [2]bounds
	sets           [2]int32 // ports that are several intervals, into portSets
	shapes         uint64   // with entries of it for whole packets
	action         policy.Action
	whole, later   bool // some packets of each sort can match
	looksAtPackets bool // it has a residue that no shape can prove
	reflexive      bool // evaluates a reflexive list, or reflects into one
	looksAtBytes   bool // at the traffic class, the hop limit or the time
	counted        bool
	flags          uint8 // of the line, enum table_const's RECORD_
}

// bounds is an inclusive interval of ports, or of ICMP's type<<8|code.
type bounds struct{ first, last uint16 }

// kind is the part of a service that is sets of bytes.
type kind struct {
	protocols, later, flags policy.ByteSet
}

// few gives a number that most different kinds do not share, below 256.
func (k *kind) few() uint8 {
	h := uint64(0)
	for i := range k.protocols {
		h = (h ^ k.protocols[i] ^ k.later[i]<<7 ^ k.flags[i]<<19) * factors[0]
		h ^= h >> 31
	}
	return uint8(h >> 56)
}
