package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/ruleset"
)

// traceLength is the number of packets of a trace, a power of two.
const traceLength = 65536

// A trace is a row of packed packets in a map, and programs that begin by taking
// the next of them:
//
//	empty    nothing at all
//	taking   makes the frame of the test run that of the next packet
//	filter   does that and goes on with the product's own instructions
//
// What the filter costs on a packet of its own is filter - (taking - empty).
type trace struct {
	packets, cursor       *ebpf.Map
	memory                *ebpf.Memory
	empty, taking, filter *ebpf.Program
}

// newTrace puts the taking of packets in front of a program that is loaded.
// The copy uses the maps of the loaded one, frozen variables included.
func newTrace(name string, loaded *ebpf.Program) (*trace, error) {
	t := &trace{}
	var err error
	t.packets, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "trace_map", Type: ebpf.Array, KeySize: 4, ValueSize: traceLength * packedLength, MaxEntries: 1, Flags: 1 << 10, // mmapable
	})
	if err != nil {
		return nil, fmt.Errorf("make the trace: %w", err)
	}
	t.cursor, err = ebpf.NewMap(&ebpf.MapSpec{Name: "cursor_map", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make the cursor: %w", err)
	}
	if t.memory, err = t.packets.Memory(); err != nil {
		return nil, fmt.Errorf("map the trace: %w", err)
	}
	if t.empty, err = loadPlain("empty", passAll()); err != nil {
		return nil, err
	}
	if t.taking, err = loadPlain("taking", append(t.take(), passAll()...)); err != nil {
		return nil, err
	}
	t.filter, err = t.loadBehind(name, loaded)
	return t, err
}

func (t *trace) close() {
	for _, p := range []*ebpf.Program{t.empty, t.taking, t.filter} {
		p.Close()
	}
	t.packets.Close()
	t.cursor.Close()
}

// take makes the frame, which is like all others, that of the next packet of the
// trace and leaves the context in R1.
func (t *trace) take() asm.Instructions {
	const data, dataEnd = 76, 80 // of struct __sk_buff
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMapValue(asm.R2, t.cursor.FD(), 0),
		asm.LoadMem(asm.R3, asm.R2, 0, asm.DWord),
		asm.Mov.Reg(asm.R4, asm.R3),
		asm.Add.Imm(asm.R4, 1),
		asm.StoreMem(asm.R2, 0, asm.R4, asm.DWord),
		asm.And.Imm(asm.R3, traceLength-1),
		asm.Mul.Imm(asm.R3, packedLength),
		asm.LoadMapValue(asm.R2, t.packets.FD(), 0),
		asm.Add.Reg(asm.R2, asm.R3),
		asm.LoadMem(asm.R4, asm.R6, data, asm.Word),
		asm.LoadMem(asm.R5, asm.R6, dataEnd, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R4),
		asm.Add.Imm(asm.R3, ruleset.FrameLength),
		asm.JGT.Reg(asm.R3, asm.R5, "taken"),
	}
	for _, m := range []struct {
		from, to int16
		size     asm.Size
	}{
		{0, headFrom, asm.DWord}, {8, headFrom + 8, asm.DWord}, {16, headFrom + 16, asm.Half},
		{headLength, tosAt, asm.Byte}, {headLength + 1, flagsAt, asm.Byte},
	} {
		ins = append(ins, asm.LoadMem(asm.R3, asm.R2, m.from, m.size), asm.StoreMem(asm.R4, m.to, asm.R3, m.size))
	}
	return append(ins, asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("taken"))
}

// passAll is the shortest program: every packet goes on (TC_ACT_UNSPEC).
func passAll() asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}
}

func loadPlain(name string, ins asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, Instructions: ins, License: "GPL"})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return p, nil
}

// loadBehind loads the product's program of that name behind the taking of a
// packet.
func (t *trace) loadBehind(name string, loaded *ebpf.Program) (*ebpf.Program, error) {
	spec, err := bpf.LoadAclium()
	if err != nil {
		return nil, fmt.Errorf("read bpf object: %w", err)
	}
	maps, err := mapsOf(loaded)
	if err != nil {
		return nil, err
	}
	replaced := map[string]*ebpf.Map{}
	for name := range spec.Maps {
		if m := maps[shortName(name)]; m != nil {
			replaced[name] = m
		}
	}
	p := spec.Programs[name]
	take, body := t.take(), p.Instructions
	// The function begins at the first instruction that is loaded.
	take[0] = take[0].WithMetadata(body[0].Metadata)
	body[0].Metadata = asm.Metadata{}
	p.Instructions = append(take, body...)
	spec.Programs = map[string]*ebpf.ProgramSpec{name: p}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: replaced})
	if err != nil {
		return nil, fmt.Errorf("load %s behind a trace: %w", name, err)
	}
	defer c.Close()
	return c.DetachProgram(name), nil
}

// mapsOf gives the maps of a loaded program by the names that the kernel keeps
// of them.
func mapsOf(p *ebpf.Program) (map[string]*ebpf.Map, error) {
	info, err := p.Info()
	if err != nil {
		return nil, fmt.Errorf("look at the program: %w", err)
	}
	ids, ok := info.MapIDs()
	if !ok {
		return nil, errors.New("this kernel does not tell the maps of a program")
	}
	out := map[string]*ebpf.Map{}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, fmt.Errorf("open map %d: %w", id, err)
		}
		about, err := m.Info()
		if err != nil {
			return nil, fmt.Errorf("look at map %d: %w", id, err)
		}
		out[about.Name] = m
	}
	return out, nil
}

// shortName is what the kernel keeps of a map's name: 15 bytes, of which those
// that it does not allow are replaced.
func shortName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return name[:min(15, len(name))]
}

// write puts packed packets into the trace and begins at the first.
func (t *trace) write(packed []byte) error {
	if _, err := t.memory.WriteAt(packed, 0); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return t.rewind()
}

func (t *trace) rewind() error {
	if err := t.cursor.Put(uint32(0), uint64(0)); err != nil {
		return fmt.Errorf("rewind the trace: %w", err)
	}
	return nil
}
