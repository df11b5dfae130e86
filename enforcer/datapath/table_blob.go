package datapath

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

var native = binary.NativeEndian

// blob is a table that grows. Rows and blocks are stored once.
type blob struct {
	bytes  []byte
	stored map[string]uint32
}

// align makes the length a multiple of 8.
func (b *blob) align() {
	for len(b.bytes)%8 != 0 {
		b.bytes = append(b.bytes, 0)
	}
}

// fits reports an error when the table has outgrown the largest class.
func (b *blob) fits() error {
	if limit := classSizes[len(classSizes)-1]; len(b.bytes) > limit {
		return fmt.Errorf("the list needs a table of more than %d MiB, the largest there is", limit>>20)
	}
	return nil
}

// intern gives the offset of the content, storing it where it is new.
func (b *blob) intern(content []byte) (uint32, error) {
	if at, ok := b.stored[string(content)]; ok {
		return at, nil
	}
	at := uint32(len(b.bytes))
	b.bytes = append(b.bytes, content...)
	b.align()
	b.stored[string(content)] = at
	return at, b.fits()
}

// blockWords is where the words stand in a block, behind summary and index.
const blockWords = 8 + 64

// bitmap is the current set of matching sub-rules of a sweep. It stores only
// the blocks that have changed since the last time.
type bitmap struct {
	words  []uint64
	top    uint64
	dirty  uint64
	blocks [64]uint32
	buffer []byte
}

func newBitmap(subrules int) *bitmap {
	return &bitmap{words: make([]uint64, (subrules+4095)/4096*64)}
}

func (m *bitmap) set(subrule uint32, on bool) {
	bit := uint64(1) << (subrule % 64)
	if on {
		m.words[subrule/64] |= bit
	} else {
		m.words[subrule/64] &^= bit
	}
	m.dirty |= 1 << (subrule / 4096)
}

// store gives the offset of the row that the bitmap is.
func (m *bitmap) store(b *blob) (uint32, error) {
	for ; m.dirty != 0; m.dirty &= m.dirty - 1 {
		if err := m.storeBlock(b, bits.TrailingZeros64(m.dirty)); err != nil {
			return 0, err
		}
	}
	m.buffer = native.AppendUint64(m.buffer[:0], m.top)
	for t := m.top; t != 0; t &= t - 1 {
		m.buffer = native.AppendUint32(m.buffer, m.blocks[bits.TrailingZeros64(t)])
	}
	return b.intern(m.buffer)
}

func (m *bitmap) storeBlock(b *blob, block int) error {
	summary := uint64(0)
	m.buffer = append(m.buffer[:0], make([]byte, blockWords+8)...)
	for i, w := range m.words[block*64 : block*64+64] {
		if w != 0 {
			summary |= 1 << i
			m.buffer[8+i] = uint8((len(m.buffer) - blockWords) / 8)
			m.buffer = native.AppendUint64(m.buffer, w)
		}
	}
	native.PutUint64(m.buffer, summary)
	if summary == 0 {
		m.top &^= 1 << block
		return nil
	}
	m.top |= 1 << block
	at, err := b.intern(m.buffer)
	m.blocks[block] = at
	return err
}

// encode writes the table: header, records with their residues, then rows,
// blocks and axes.
func (c *compiler) encode() ([]byte, error) {
	b := &blob{stored: map[string]uint32{}}
	h := bpf.AcliumTableHeader{
		Version:  uint32(bpf.AcliumTableConstTABLE_VERSION),
		Subrules: uint32(len(c.subrules)),
	}
	if c.usesIDs {
		h.Flags = uint32(bpf.AcliumTableConstTABLE_IDENTITIES)
	}
	b.bytes = make([]byte, unsafe.Sizeof(h))
	b.align()
	h.Records = uint32(len(b.bytes))
	c.encodeRecords(b)
	if err := c.encodeAxes(b, &h); err != nil {
		return nil, err
	}
	h.Size = uint32(len(b.bytes))
	if _, err := binary.Encode(b.bytes, native, &h); err != nil {
		return nil, err
	}
	return b.bytes, b.fits()
}

func (c *compiler) encodeRecords(b *blob) {
	var residues []byte
	end := uint32(len(b.bytes)) + uint32(len(c.subrules))*uint32(unsafe.Sizeof(bpf.AcliumTableRecord{}))
	for i := range c.subrules {
		s := &c.subrules[i]
		r := c.record(s)
		if s.source.masked != nil || s.destination.masked != nil {
			r.Residue = end + uint32(len(residues))
			residues = s.appendResidue(residues)
		}
		b.bytes, _ = binary.Append(b.bytes, native, &r)
	}
	b.bytes = append(b.bytes, residues...)
}

func (c *compiler) record(s *subrule) bpf.AcliumTableRecord {
	rule := &c.policy.Rules[s.rule]
	r := bpf.AcliumTableRecord{Action: uint8(rule.Action)}
	if rule.Action == policy.Next {
		r.Next = c.starts[rule.Goto]
		return r
	}
	if !rule.Uncounted {
		r.Counter = c.counters(s.rule)
	}
	if rule.Log {
		r.Flags = uint8(bpf.AcliumTableConstRECORD_LOG)
	}
	return r
}

func (s *subrule) appendResidue(to []byte) []byte {
	var r bpf.AcliumTableResidue
	for i, p := range []*part{&s.source, &s.destination} {
		value, mask := p.residue()
		r.Value[2*i], r.Value[2*i+1] = value.hi, value.lo
		r.Mask[2*i], r.Mask[2*i+1] = mask.hi, mask.lo
	}
	to, _ = binary.Append(to, native, &r)
	return to
}

func (c *compiler) encodeAxes(b *blob, h *bpf.AcliumTableHeader) error {
	a := c.axes()
	for _, x := range []struct {
		axis *axis
		to   *bpf.AcliumTableAxis
	}{
		{&a.source, &h.Source}, {&a.destination, &h.Destination},
		{&a.sourceIdentity, &h.SourceIdentity}, {&a.destinationIdentity, &h.DestinationIdentity},
		{&a.sourcePort, &h.SourcePort}, {&a.destinationPort, &h.DestinationPort}, {&a.icmp, &h.Icmp},
	} {
		rows, err := x.axis.sweep(b, len(c.subrules))
		if err != nil {
			return err
		}
		*x.to = b.appendAxis(rows, x.axis.max.hi != 0)
	}
	for _, x := range []struct {
		axis *axis
		to   *uint32
	}{{&a.protocol, &h.Protocol}, {&a.later, &h.Later}, {&a.flags, &h.TcpFlags}} {
		rows, err := x.axis.sweep(b, len(c.subrules))
		if err != nil {
			return err
		}
		*x.to = b.appendTable(rows)
	}
	return c.encodeAny(b, h, a)
}

func (c *compiler) encodeAny(b *blob, h *bpf.AcliumTableHeader, a *axes) error {
	for _, x := range []struct {
		axis *axis
		to   *uint32
	}{{&a.anySource, &h.AnySource}, {&a.anyDestination, &h.AnyDestination}, {&a.anyBoth, &h.AnyBoth}} {
		rows, err := x.axis.sweep(b, len(c.subrules))
		if err != nil {
			return err
		}
		*x.to = rows[0].offset
	}
	return nil
}

// appendAxis writes the starts, as addresses or as numbers, and the rows.
func (b *blob) appendAxis(rows []row, addresses bool) bpf.AcliumTableAxis {
	out := bpf.AcliumTableAxis{Starts: uint32(len(b.bytes)), Count: uint32(len(rows)), Width: width(len(rows))}
	for _, r := range rows {
		if addresses {
			b.bytes = native.AppendUint64(native.AppendUint64(b.bytes, r.start.hi), r.start.lo)
			continue
		}
		b.bytes = native.AppendUint32(b.bytes, uint32(r.start.lo))
	}
	out.Rows = uint32(len(b.bytes))
	for _, r := range rows {
		b.bytes = native.AppendUint32(b.bytes, r.offset)
	}
	b.align()
	return out
}

// appendTable writes a row for each of 256 values.
func (b *blob) appendTable(rows []row) uint32 {
	at, i := uint32(len(b.bytes)), 0
	for v := range uint64(256) {
		for i+1 < len(rows) && rows[i+1].start.lo <= v {
			i++
		}
		b.bytes = native.AppendUint32(b.bytes, rows[i].offset)
	}
	return at
}
