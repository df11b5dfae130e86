package datapath

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
)

// A Use says how much of what a datapath has is in use.
type Use struct {
	// Connections counts the tracked connections of ConnectionLimit.
	Connections, ConnectionLimit uint32
	// Lines counts the counters that are taken, of LineLimit.
	Lines, LineLimit uint32
	// Tables counts the compiled lists in force.
	Tables     int
	Identities int
	Addresses  int
	Log        LogUse
	// Generation grows by 1 or 3 with every push.
	Generation uint64
	// Memory is the kernel's memory in bytes for tables, counters, connections
	// and everything else.
	Memory map[string]uint64
}

// Use reads how full the maps are.
func (d *Datapath) Use() (u Use, err error) {
	if u.Log, err = d.LogUse(); err != nil {
		return u, err
	}
	if u.Connections, err = d.maps.Programs["count_connections"].Run(&ebpf.RunOptions{}); err != nil {
		return u, fmt.Errorf("count connections: %w", err)
	}
	u.ConnectionLimit = d.maps.Maps["conn_map"].MaxEntries()
	d.mu.Lock()
	defer d.mu.Unlock()
	if u.Generation, err = d.generation(); err != nil {
		return u, err
	}
	u.Lines, u.LineLimit = uint32(len(d.lines.ids)), d.lines.counters.limit-1
	u.Tables = len(d.tables.live)
	u.Identities, u.Addresses = len(d.state.Identities), len(d.state.Addresses)
	u.Memory, err = d.memory()
	return u, err
}

// memory adds up what the kernel says of each map.
func (d *Datapath) memory() (map[string]uint64, error) {
	c := d.lines.counters
	sum := map[string]uint64{
		"tables":   d.tables.bytes(),
		"counters": uint64(len(c.chunks)) * uint64(c.cpus+2) * uint64(unsafe.Sizeof(bpf.AcliumCounterChunk{})),
	}
	for name, m := range d.maps.Maps {
		info, err := m.Info()
		if err != nil {
			return nil, fmt.Errorf("read map %s: %w", name, err)
		}
		bytes, _ := info.Memlock()
		sum[memoryKind(name)] += bytes
	}
	for name, p := range d.maps.Programs {
		info, err := p.Info()
		if err != nil {
			return nil, fmt.Errorf("read program %s: %w", name, err)
		}
		bytes, _ := info.Memlock()
		sum["other"] += bytes
	}
	return sum, nil
}

func memoryKind(name string) string {
	switch {
	case strings.HasPrefix(name, "table_"):
		return "tables"
	case strings.HasPrefix(name, "counter_"):
		return "counters"
	case name == "conn_map" || name == "entry_map":
		return "connections"
	}
	return "other"
}

// bytes gives the size of all tables, spare ones included.
func (s *slots) bytes() (sum uint64) {
	for _, places := range []map[place]bool{s.live, s.spare} {
		for at := range places {
			sum += uint64(classSizes[at.class])
		}
	}
	return sum
}
