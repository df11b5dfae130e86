package datapath

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
)

/*
What is pinned where, and how another version takes over

	PinPath/links/IFINDEX-ingress      attachments (TCX)
	PinPath/v1/state/NAME-LAYOUT       what must outlive a version: counters, connections
	PinPath/v1/push-PROGRAMS/NAME      what an Apply fills: generation, hooks, tables, addresses

LAYOUT is a hash of the map's types and sizes, PROGRAMS one of the programs and
all maps. So a map of the second kind is never shared by programs of different
versions, which need not agree on what a table is, and one of the first kind is
shared if both mean the same by it.

A process that finds the directory of other programs leaves them attached until
its first Apply. That fills its own maps and flips its own generation, which no
packet reads; then puts its programs in place of the others, one atomic step for
each attachment; then takes over counters by their lines' names where their map
has another layout, and unpins the rest. Until then the others enforce, and what
is killed on the way begins anew.

v1 is the number of this order and of how counters are named. A process that
finds another one, or anything else, does not start.
*/
const layoutVersion = "v1"

// stateMaps are those of the first kind.
var stateMaps = []string{"conn_map", "entry_map", "fragment_map", "counter_map", "drop_map", "policer_map", "event_map", "log_map", "log_loss_map",
	"learned_map", "dns_map", "dns_lost_map"}

// privateMaps belong to one load of the programs and are not pinned.
var privateMaps = []string{"scratch_map", "event_budget_map", "flow_map", "flow_tag_map", "dns_scratch_map", "dns_budget_map", "walk_map", "reflex_map", "table_slots_map"}

// pins are the directories below the pin path.
type pins struct{ root, state, push string }

func (p pins) stateOf(name string, m *ebpf.MapSpec) string {
	return filepath.Join(p.state, name+"-"+layoutOf(m))
}

// layoutOf hashes what a map is. The connection table's size is a setting.
func layoutOf(m *ebpf.MapSpec) string {
	h := sha256.New()
	for ; m != nil; m = m.InnerMap {
		entries := m.MaxEntries
		if m.Name == "conn_map" {
			entries = 0
		}
		fmt.Fprintln(h, m.Type, m.KeySize, m.ValueSize, entries, m.Flags)
		for _, t := range []btf.Type{m.Key, m.Value} {
			if t != nil {
				text, err := (&btf.GoFormatter{}).TypeDeclaration("T", t)
				fmt.Fprintln(h, text, err)
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4])
}

// pinsOf makes the directories for the programs.
func pinsOf(root string, spec *ebpf.CollectionSpec) (pins, error) {
	h := sha256.New()
	for _, name := range sortedKeys(spec.Programs) {
		fmt.Fprintln(h, name, spec.Programs[name].Instructions)
	}
	for _, name := range sortedKeys(spec.Maps) {
		fmt.Fprintln(h, name, layoutOf(spec.Maps[name]))
	}
	version := filepath.Join(root, layoutVersion)
	p := pins{root, filepath.Join(version, "state"), filepath.Join(version, fmt.Sprintf("push-%x", h.Sum(nil)[:6]))}
	for _, dir := range []string{p.state, p.push} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return p, fmt.Errorf("make the pin path: %w", err)
		}
	}
	return p, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkLayout refuses pins that this version does not understand.
func checkLayout(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("read the pin path: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "links" && e.Name() != layoutVersion {
			return fmt.Errorf("%s holds %q, which this version of aclium (layout %s) does not know: run the version that made it, "+
				"or take its policies off with 'aclium enforcer --remove'", root, e.Name(), layoutVersion)
		}
	}
	return nil
}

// others gives what other versions have pinned: directories of pushes and maps
// of state.
func (p pins) others(spec *ebpf.CollectionSpec) (push, state []string, err error) {
	push, err = below(filepath.Dir(p.push), func(path string) bool { return path != p.push && path != p.state })
	if err != nil {
		return nil, nil, err
	}
	ours := map[string]bool{}
	for _, name := range stateMaps {
		ours[p.stateOf(name, spec.Maps[name])] = true
	}
	state, err = below(p.state, func(path string) bool { return !ours[path] })
	return push, state, err
}

func below(dir string, want func(path string) bool) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the pin path: %w", err)
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); want(path) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// loadCollection loads the programs with their maps, the pinned ones where
// they exist.
func loadCollection(p pins, spec *ebpf.CollectionSpec) (*ebpf.Collection, error) {
	load := loadable(spec)
	state := map[string]*ebpf.Map{}
	defer func() {
		for _, m := range state {
			m.Close() // the collection has clones
		}
	}()
	for _, name := range stateMaps {
		m, err := openState(p.stateOf(name, spec.Maps[name]), load.Maps[name])
		if err != nil {
			return nil, fmt.Errorf("map %s: %w", name, err)
		}
		state[name] = m
	}
	for name, m := range load.Maps {
		if state[name] == nil && !slices.Contains(privateMaps, name) && name[0] != '.' {
			m.Pinning = ebpf.PinByName
		}
	}
	return ebpf.NewCollectionWithOptions(load, ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.push}, MapReplacements: state})
}

// loadable leaves the types of inner maps out. User space makes inner maps
// without types, and Linux 6.1 takes none whose template has some: it compares
// what it found when it looked for timers in both, and to have no types is
// another answer than to have no timer (bpf_map_meta_equal, before Linux 6.2).
func loadable(spec *ebpf.CollectionSpec) *ebpf.CollectionSpec {
	out := *spec
	out.Maps = maps.Clone(spec.Maps)
	for name, m := range out.Maps {
		if m.InnerMap != nil {
			m = m.Copy()
			m.InnerMap.Key, m.InnerMap.Value = nil, nil
			out.Maps[name] = m
		}
	}
	return &out
}

// openState opens a pinned map or makes it. A connection table that exists
// keeps its size, and so its connections.
func openState(path string, spec *ebpf.MapSpec) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err == nil {
		if spec.Name == "conn_map" {
			spec.MaxEntries = m.MaxEntries()
		}
		return m, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if m, err = ebpf.NewMap(spec); err != nil {
		return nil, err
	}
	if err := m.Pin(path); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func explainLoad(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &verifier):
		return fmt.Errorf("this kernel (Linux %s) refuses the BPF programs, which need Linux %s or later: %w", kernelRelease(), oldestKernel, err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		return fmt.Errorf("this kernel does not let us load BPF programs (Linux %s or later is needed): %w", oldestKernel, err)
	}
	return fmt.Errorf("load the BPF programs: %w", err)
}

// takeOver follows the first flip of a process that found other programs: it
// puts its own in their place and keeps what they counted.
func (d *Datapath) takeOver() error {
	if !d.foreign {
		return nil
	}
	if err := d.hooks.upgrade(); err != nil {
		return err
	}
	// From here on the others count no more.
	if err := waitForPackets(); err != nil {
		return err
	}
	push, state, err := d.pins.others(d.spec)
	if err != nil {
		return err
	}
	for _, path := range state {
		if strings.HasPrefix(filepath.Base(path), "counter_map-") {
			if err := d.lines.inherit(path); err != nil {
				return err
			}
		}
	}
	for _, path := range append(push, state...) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("unpin another version's maps: %w", err)
		}
	}
	d.foreign = false
	return nil
}

// inherit adds what lines of the same names have counted in another version's
// counter_map. It can be repeated: what it writes does not depend on what it
// has written before.
func (l *lines) inherit(path string) error {
	outer, err := ebpf.LoadPinnedMap(path, nil)
	if err != nil {
		return fmt.Errorf("open the counters of another version: %w", err)
	}
	defer outer.Close()
	old, err := openCounters(outer, 0)
	if err != nil {
		return err
	}
	defer old.close()
	taken := func(id uint32) bool { return old.name(id).Taken != 0 }
	return old.each(taken, func(id uint32, n bpf.AcliumCounter) {
		if ours, ok := l.ids[old.name(id).Bytes]; ok {
			*l.counters.baseline(ours) = bpf.AcliumCounter{Packets: -n.Packets, Bytes: -n.Bytes, LastHit: n.LastHit}
		}
	})
}
