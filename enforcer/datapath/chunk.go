package datapath

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
)

// chunkSize is how many counters stand in one inner map of counter_map.
const chunkSize = uint32(bpf.AcliumCounterConstCOUNTER_CHUNK)

// chunkElements gives the number of elements of an inner map of counter_map:
// one for each possible CPU, the baselines and the names.
func chunkElements() (uint32, error) {
	n, err := ebpf.PossibleCPU()
	if err != nil {
		return 0, fmt.Errorf("count processors: %w", err)
	}
	return uint32(n) + 2, nil
}

// counters is counter_map: chunks that are made as lines come and stay for as
// long as the pin does. Programs alone write counters; to begin at zero, user
// space notes what a counter says as its baseline. So nothing is ever lost.
type counters struct {
	outer  *ebpf.Map
	limit  uint32 // ids, 0 included
	cpus   int
	chunks []*chunk // by slot
}

// chunk is one inner map with what user space notes in it.
type chunk struct {
	inner *ebpf.Map
	memory
	baselines *bpf.AcliumCounterChunk
	names     *[chunkSize]bpf.AcliumCounterName
}

// openCounters adopts the chunks that an earlier process has made.
func openCounters(outer *ebpf.Map, limit int) (*counters, error) {
	n, err := chunkElements()
	if err != nil {
		return nil, err
	}
	c := &counters{outer: outer, limit: outer.MaxEntries() * chunkSize, cpus: int(n) - 2}
	if limit > 0 {
		c.limit = min(c.limit, uint32(limit))
	}
	for slot := range outer.MaxEntries() {
		var inner *ebpf.Map
		if err := outer.Lookup(slot, &inner); errors.Is(err, ebpf.ErrKeyNotExist) {
			return c, nil
		} else if err != nil {
			return c, errors.Join(fmt.Errorf("open counters: %w", err), c.close())
		}
		if err := c.adopt(inner); err != nil {
			return c, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// adopt takes the map as the next chunk; it is closed on an error.
func (c *counters) adopt(inner *ebpf.Map) error {
	const size = int(unsafe.Sizeof(bpf.AcliumCounterChunk{}))
	memory, err := mapMemory(inner, c.cpus*size, 2*size)
	if err != nil {
		return errors.Join(fmt.Errorf("map counters: %w", err), inner.Close())
	}
	both := (*[2]bpf.AcliumCounterChunk)(unsafe.Pointer(&memory.part[0]))
	c.chunks = append(c.chunks, &chunk{
		inner: inner, memory: memory, baselines: &both[0],
		names: (*[chunkSize]bpf.AcliumCounterName)(unsafe.Pointer(&both[1])),
	})
	return nil
}

// grow makes room for ids below n. Each update of an array of maps waits for
// a grace period, so all chunks go into it at once.
func (c *counters) grow(n uint32) error {
	var slots []uint32
	var made []*ebpf.Map
	defer func() {
		for _, m := range made {
			m.Close()
		}
	}()
	for slot := uint32(len(c.chunks)); slot*chunkSize < n; slot++ {
		inner, err := ebpf.NewMap(&ebpf.MapSpec{
			Name: "counter_chunk", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(bpf.AcliumCounterChunk{})),
			MaxEntries: uint32(c.cpus) + 2, Flags: unix.BPF_F_MMAPABLE,
		})
		if err != nil {
			return fmt.Errorf("make room for counters: %w", err)
		}
		slots, made = append(slots, slot), append(made, inner)
	}
	if err := putMaps(c.outer, slots, made); err != nil {
		return fmt.Errorf("make room for counters: %w", err)
	}
	for len(made) > 0 {
		inner := made[0]
		made = made[1:]
		if err := c.adopt(inner); err != nil {
			return err
		}
	}
	return nil
}

func (c *counters) name(id uint32) *bpf.AcliumCounterName {
	return &c.chunks[id/chunkSize].names[id%chunkSize]
}

func (c *counters) baseline(id uint32) *bpf.AcliumCounter {
	return &c.chunks[id/chunkSize].baselines.Counters[id%chunkSize]
}

// sum gives the counters of a slot since they were made, over all CPUs.
func (c *counters) sum(slot uint32) (*bpf.AcliumCounterChunk, error) {
	const size = int(unsafe.Sizeof(bpf.AcliumCounterChunk{}))
	memory, err := mapMemory(c.chunks[slot].inner, 0, c.cpus*size)
	if err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	defer memory.unmap()
	out := &bpf.AcliumCounterChunk{}
	for cpu := range c.cpus {
		cells := (*bpf.AcliumCounterChunk)(unsafe.Pointer(&memory.part[cpu*size]))
		for i := range cells.Counters {
			out.Counters[i].Packets += cells.Counters[i].Packets
			out.Counters[i].Bytes += cells.Counters[i].Bytes
			out.Counters[i].LastHit = max(out.Counters[i].LastHit, cells.Counters[i].LastHit)
		}
	}
	return out, nil
}

// each calls f with the ids for which want is true and their counters since
// they were cleared.
func (c *counters) each(want func(id uint32) bool, f func(id uint32, n bpf.AcliumCounter)) error {
	return c.raw(want, func(id uint32, n bpf.AcliumCounter) {
		base := c.baseline(id)
		n.Packets -= base.Packets
		n.Bytes -= base.Bytes
		n.LastHit = max(n.LastHit, base.LastHit)
		if n.Packets == 0 {
			n.LastHit = 0
		}
		f(id, n)
	})
}

func (c *counters) raw(want func(id uint32) bool, f func(id uint32, n bpf.AcliumCounter)) error {
	for slot := range c.chunks {
		var sum *bpf.AcliumCounterChunk
		for i := range chunkSize {
			id := uint32(slot)*chunkSize + i
			if !want(id) {
				continue
			}
			if sum == nil {
				var err error
				if sum, err = c.sum(uint32(slot)); err != nil {
					return err
				}
			}
			f(id, sum.Counters[i])
		}
	}
	return nil
}

// clear lets the wanted counters begin at zero; packets counted meanwhile are
// counted still.
func (c *counters) clear(want func(id uint32) bool) error {
	return c.raw(want, func(id uint32, n bpf.AcliumCounter) {
		n.LastHit = 0
		*c.baseline(id) = n
	})
}

func (c *counters) close() error {
	var errs []error
	for _, chunk := range c.chunks {
		chunk.unmap()
		errs = append(errs, chunk.inner.Close())
	}
	c.chunks = nil
	return errors.Join(errs...)
}

// memory is a part of a map's only value, or of its elements, seen through mmap.
type memory struct{ pages, part []byte }

// mapMemory maps size bytes from the offset on, for reading and writing.
func mapMemory(m *ebpf.Map, offset, size int) (memory, error) {
	within := offset % os.Getpagesize()
	pages, err := unix.Mmap(m.FD(), int64(offset-within), size+within, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return memory{}, err
	}
	return memory{pages, pages[within : within+size]}, nil
}

// unmap cannot fail for a range that mmap gave.
func (m memory) unmap() { _ = unix.Munmap(m.pages) }
