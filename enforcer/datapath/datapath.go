package datapath

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Options say where a datapath lives and how large it may grow.
type Options struct {
	// PinPath is a directory of a BPF file system that is this datapath's
	// alone. Its parent is made; a BPF file system is mounted on /sys/fs/bpf
	// when there is none.
	PinPath string
	// Node is the name that counters and events carry.
	Node string
	// Clsact forces the fallback of kernels before 6.6.
	Clsact bool
	// Counters is the largest number of lines, and of one more; 0 is as many
	// as the maps can have.
	Counters int
	// Connections is the size of the connection table; 0 is the default. It
	// counts only when the table does not exist yet.
	Connections int

	edit func(*ebpf.CollectionSpec) // makes another version, for tests
}

// A State is everything that the kernel is to enforce.
type State struct {
	Ports []Port
	// Identities are all numbers that Addresses use, and the reserved ones.
	Identities []Identity
	// Addresses say who an address is; all others are the world.
	Addresses map[netip.Prefix]Address
	// Services say what pods' packets to virtual addresses lead to.
	Services []Service
	// Logging holds the settings of lines with "log".
	Logging policy.Logging
	// Names say who addresses of the world are by their names. An address that
	// is in Addresses as well is what that says.
	Names map[netip.Addr]Name
}

// A Port is a device with the lists that stand on it.
type Port struct {
	// Interface is the device: a pod's host device, or a node's own one.
	Interface string
	Pod       bool
	// Audit judges and counts everything and drops nothing.
	Audit bool
	// Ingress and Egress are in series, in the order in which they are asked.
	Ingress, Egress []policy.Policy
}

// An Address is who a prefix is.
type Address struct {
	Identity uint32
	// Interface is the local pod's host device, empty for everything else.
	Interface string
}

// A Datapath is the kernel side of one node. It is safe for concurrent use.
type Datapath struct {
	options Options
	lock    *os.File // of the pins
	node    *os.File // lock of the network namespace
	pins    pins
	spec    *ebpf.CollectionSpec
	maps    *ebpf.Collection
	hooks   *attacher
	log     *logbook
	names   *names

	mu       sync.Mutex
	lines    *lines
	tables   *slots
	policers *policers
	places   map[*numbered]place // of the live tables that this process made
	state    *State              // the live one; empty at first
	halves   [2]map[hookKey]bool // the hooks in hook_map
	// set is the live set of services. It is known to hold those of state if
	// this process has written it.
	set      uint32
	setKnown bool
	// windows, timetable and lead are those of the live half.
	windows   windows
	timetable *bpf.AcliumTimetable
	lead      time.Duration
	// reflexives are those of the live tables.
	reflexives reflexives
	// written is what the maps of addresses hold since this process wrote all of
	// it; nil where that is not known. Reading them takes a look at each of a
	// million buckets, 16 MiB, which push all else out of the caches.
	written *addressBook
	// foreign says that the programs on the devices may be another version's.
	foreign bool
	// unwaited says that packets may still be judged by what stood before the
	// last flip; wait waits for them.
	unwaited bool
	wait     func() error
	live     time.Duration // from the call of the last Apply to its flip
}

// Open loads the programs and adopts the maps and links that an earlier
// process has pinned. It fails without root's rights, without a BPF file system,
// on a kernel that lacks what the programs need, and when another process holds
// the same path or this network namespace.
func Open(o Options) (*Datapath, error) {
	if err := checkAccess(); err != nil {
		return nil, err
	}
	if err := checkKernel(kernelRelease(), requirements); err != nil {
		return nil, err
	}
	if err := preparePins(o.PinPath); err != nil {
		return nil, err
	}
	lock, err := lockPins(o.PinPath)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(o.PinPath); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	node, err := lockNode()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	d := &Datapath{options: o, lock: lock, node: node, log: newLogbook(), wait: waitForPackets}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Datapath) load() (err error) {
	// Kernels before 5.11 account maps against this limit; newer ones ignore it.
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("raise the memory lock limit: %w", err)
	}
	if d.spec, err = programSpec(); err != nil {
		return err
	}
	if n := d.options.Connections; n > 0 {
		d.spec.Maps["conn_map"].MaxEntries = uint32(n)
	}
	if d.options.edit != nil {
		d.options.edit(d.spec)
	}
	if d.pins, err = pinsOf(d.options.PinPath, d.spec); err != nil {
		return err
	}
	if d.maps, err = loadCollection(d.pins, d.spec); err != nil {
		return explainLoad(err)
	}
	counters, err := openCounters(d.maps.Maps["counter_map"], d.options.Counters)
	if err != nil {
		return err
	}
	d.lines = loadLines(counters)
	if d.policers, err = loadPolicers(d.maps.Maps["policer_map"]); err != nil {
		return err
	}
	if d.hooks, err = newAttacher(d.options, d.maps); err != nil {
		return err
	}
	if d.names, err = loadNames(d.maps.Maps["name_map"], d.liveHalf); err != nil {
		return err
	}
	return d.recover()
}

// recover takes away what a killed process left in the idle half.
func (d *Datapath) recover() error {
	generation, err := d.generation()
	if err != nil {
		return err
	}
	live, err := d.readHooks(byte(generation & 1))
	if err != nil {
		return err
	}
	// A process that was killed right behind its flip has not waited, and a packet
	// that still reads the other half would pass without its hook.
	if err := waitForPackets(); err != nil {
		return err
	}
	if err := d.writeHooks(byte(generation+1)&1, nil); err != nil {
		return err
	}
	push, state, err := d.pins.others(d.spec)
	if err != nil {
		return err
	}
	// Before its first flip a process has nothing that its programs could
	// enforce: others, whose pins may be lost, stay on the devices until then.
	if d.foreign = generation == 0 || len(push)+len(state) > 0; !d.foreign {
		if err := d.hooks.upgrade(); err != nil {
			return err
		}
	}
	d.state, d.tables = &State{}, newSlots(d.maps)
	d.adoptServices(live)
	return d.tables.adopt(slices.Collect(maps.Values(live)))
}

// Close lets go of the kernel objects. Pins and links stay, and so does
// enforcement.
func (d *Datapath) Close() error {
	var errs []error
	if d.hooks != nil {
		errs = append(errs, d.hooks.close())
	}
	if d.lines != nil {
		errs = append(errs, d.lines.counters.close())
	}
	if d.maps != nil {
		d.maps.Close()
	}
	return errors.Join(append(errs, unlockNode(d.node), d.lock.Close())...)
}

// Remove takes everything at the pin path off the kernel: programs, links,
// maps and counters. It fails while a process holds the path.
func Remove(pins string) error {
	if os.Geteuid() != 0 {
		return errors.New("removing BPF programs needs root")
	}
	if _, err := os.Stat(pins); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := lockPins(pins)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := detachAll(pins); err != nil {
		return err
	}
	if err := os.RemoveAll(pins); err != nil {
		return fmt.Errorf("remove the pins: %w", err)
	}
	return nil
}

const bpffs = "/sys/fs/bpf"

// preparePins makes the directory, on a BPF file system.
func preparePins(pins string) error {
	if pins == "" || !filepath.IsAbs(pins) {
		return fmt.Errorf("pin path %q: want an absolute path in a BPF file system, such as %s/aclium", pins, bpffs)
	}
	if strings.HasPrefix(pins, bpffs+"/") && !isBPFFS(bpffs) {
		if err := unix.Mount("bpf", bpffs, "bpf", 0, ""); err != nil {
			return fmt.Errorf("no BPF file system: try 'mount -t bpf bpf %s': %w", bpffs, err)
		}
	}
	if err := os.MkdirAll(pins, 0o700); err != nil {
		return fmt.Errorf("make the pin path: %w", err)
	}
	if !isBPFFS(pins) {
		return fmt.Errorf("pin path %s is not in a BPF file system", pins)
	}
	return nil
}

func isBPFFS(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && uint32(fs.Type) == unix.BPF_FS_MAGIC
}

// lockPins keeps a second process from the same path. The kernel drops the
// lock with the process, however it ends.
func lockPins(pins string) (*os.File, error) {
	f, err := os.Open(pins)
	if err != nil {
		return nil, fmt.Errorf("open the pin path: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another enforcer is running on %s", pins)
		}
		return nil, fmt.Errorf("lock the pin path: %w", err)
	}
	return f, nil
}
