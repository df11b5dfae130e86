package datapath

import (
	"errors"
	"flag"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"aclium/enforcer/bpf"
)

// TestMain lets more tests run beside each other than there are processors:
// half of the time they wait, for the kernel or for packets that must not come.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

// shelf keeps loaded kernels for the next test: the verifier needs most of a
// second for the programs, emptying their maps some milliseconds.
var shelf struct {
	sync.Mutex
	kernels []*kernel
}

// newKernel gives the programs as they are delivered, with empty maps.
func newKernel(t testing.TB) *kernel {
	t.Helper()
	k := fromShelf()
	if k == nil {
		k = loadKernel(t, func(*ebpf.CollectionSpec) {})
	}
	k.TB = t
	t.Cleanup(k.putBack)
	return k
}

func fromShelf() *kernel {
	shelf.Lock()
	defer shelf.Unlock()
	last := len(shelf.kernels) - 1
	if last < 0 {
		return nil
	}
	k := shelf.kernels[last]
	shelf.kernels = shelf.kernels[:last]
	return k
}

// putBack empties the maps for the next test. A kernel whose programs a test
// has changed is of no use to others.
func (k *kernel) putBack() {
	if k.reloaded {
		k.close()
		return
	}
	rest := &kernel{
		AcliumObjects: k.AcliumObjects, spec: k.spec, counters: k.counters, mapped: k.mapped, tables: k.tables,
		slots: map[bpf.AcliumTableClass]uint32{}, lines: map[counterOf]uint32{},
	}
	if err := errors.Join(rest.empty(), clearCounters(rest)); err != nil {
		k.Errorf("empty the maps: %v", err)
		k.close()
		return
	}
	shelf.Lock()
	defer shelf.Unlock()
	shelf.kernels = append(shelf.kernels, rest)
}

func (k *kernel) close() {
	k.closeTables()
	if err := errors.Join(k.counters.close(), k.AcliumObjects.Close()); err != nil {
		k.Error(err)
	}
}

// empty makes the maps as they are behind a load. Tables and chunks of counters
// stay where they are: without hooks nothing leads to a table, and who hands
// out counters clears them.
func (k *kernel) empty() error {
	maps := reflect.ValueOf(k.AcliumMaps)
	for i := range maps.NumField() {
		var err error
		switch m := maps.Field(i).Interface().(*ebpf.Map); m.Type() {
		case ebpf.ArrayOfMaps:
		case ebpf.RingBuf:
			err = drain(m)
		case ebpf.Array, ebpf.PerCPUArray:
			err = zero(m)
		default:
			err = deleteAll(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func drain(m *ebpf.Map) error {
	r, err := ringbuf.NewReader(m)
	if err != nil {
		return err
	}
	defer r.Close()
	r.SetDeadline(time.Unix(1, 0))
	var record ringbuf.Record
	for err == nil {
		err = r.ReadInto(&record)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func zero(m *ebpf.Map) error {
	var value any = make([]byte, m.ValueSize())
	if m.Type() == ebpf.PerCPUArray {
		cpus, err := ebpf.PossibleCPU()
		if err != nil {
			return err
		}
		cells := make([][]byte, cpus)
		for i := range cells {
			cells[i] = make([]byte, m.ValueSize())
		}
		value = cells
	}
	for i := range m.MaxEntries() {
		if err := m.Put(i, value); err != nil {
			return err
		}
	}
	return nil
}

func deleteAll(m *ebpf.Map) error {
	var keys [][]byte
	key, err := m.NextKeyBytes(nil)
	for ; key != nil && err == nil; key, err = m.NextKeyBytes(key) {
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err == nil {
			err = m.Delete(key)
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) { // forgotten meanwhile
			err = nil
		}
	}
	return err
}
