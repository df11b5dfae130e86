package datapath

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// point is a value of any field: an address, or a number in its low half.
type point struct{ hi, lo uint64 }

func (p point) compare(q point) int {
	switch {
	case p == q:
		return 0
	case p.hi < q.hi || p.hi == q.hi && p.lo < q.lo:
		return -1
	}
	return 1
}

// next gives the following value; ok is false behind the largest one.
func (p point) next() (q point, ok bool) {
	q = point{p.hi, p.lo + 1}
	if q.lo == 0 {
		q.hi++
	}
	return q, q != point{}
}

// interval is inclusive at both ends.
type interval struct{ first, last point }

// union gives the same values as sorted intervals that do not touch.
func union(in []interval) []interval {
	in = slices.Clone(in)
	slices.SortFunc(in, func(a, b interval) int { return a.first.compare(b.first) })
	var out []interval
	for _, i := range in {
		if n := len(out); n > 0 {
			behind, ok := out[n-1].last.next()
			if !ok || i.first.compare(behind) <= 0 {
				if i.last.compare(out[n-1].last) > 0 {
					out[n-1].last = i.last
				}
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

func pointOf(a netip.Addr) point {
	b := a.As16()
	return point{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// mapped is where IPv4 stands among the IPv6 addresses.
var mapped = interval{point{0, 0xffff << 32}, point{0, 0xffff<<32 | math.MaxUint32}}

// addressIntervals gives a range as it stands on an address axis: an IPv6
// range without the corner in which IPv4 stands.
func addressIntervals(r policy.AddrRange) []interval {
	i := interval{pointOf(r.First), pointOf(r.Last)}
	if r.First.Is4() || i.last.compare(mapped.first) < 0 || i.first.compare(mapped.last) > 0 {
		return []interval{i}
	}
	var out []interval
	if i.first.compare(mapped.first) < 0 {
		out = append(out, interval{i.first, point{mapped.first.hi, mapped.first.lo - 1}})
	}
	if i.last.compare(mapped.last) > 0 {
		out = append(out, interval{point{mapped.last.hi, mapped.last.lo + 1}, i.last})
	}
	return out
}

// bounds gives the smallest range around a masked address and whether it holds
// nothing else.
func bounds(m policy.Masked) (r policy.AddrRange, contiguous bool) {
	first, wild := m.Addr.AsSlice(), m.Wildcard.AsSlice()
	last := make([]byte, len(first))
	ones := false // a don't-care bit was seen
	contiguous = true
	for i := range first {
		first[i] &^= wild[i]
		last[i] = first[i] | wild[i]
		for bit := byte(0x80); bit > 0; bit >>= 1 {
			if wild[i]&bit != 0 {
				ones = true
			} else if ones {
				contiguous = false
			}
		}
	}
	r.First, _ = netip.AddrFromSlice(first)
	r.Last, _ = netip.AddrFromSlice(last)
	return r, contiguous
}

// residue gives the value and mask of one end, high and low half. A mask of 0
// asks nothing.
func (p *part) residue() (value, mask point) {
	if p.masked == nil {
		return point{}, point{}
	}
	wild := pointOf(p.masked.Wildcard)
	if p.masked.Wildcard.Is4() {
		wild = point{0, wild.lo & math.MaxUint32}
	}
	mask = point{^wild.hi, ^wild.lo}
	at := pointOf(p.masked.Addr)
	return point{at.hi & mask.hi, at.lo & mask.lo}, mask
}

func sortIdentities(ids []Identity) ([]Identity, error) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b Identity) int { return int(int64(a.ID) - int64(b.ID)) })
	for i := 1; i < len(ids); i++ {
		if ids[i].ID == ids[i-1].ID {
			return nil, fmt.Errorf("identity %d is given twice", ids[i].ID)
		}
	}
	world := uint32(bpf.AcliumIdentityIDENTITY_WORLD)
	at, found := slices.BinarySearchFunc(ids, world, func(i Identity, id uint32) int { return int(int64(i.ID) - int64(id)) })
	if !found {
		ids = slices.Insert(ids, at, Identity{ID: world})
	}
	return ids, nil
}

// edge is a place on an axis where a sub-rule begins or stops to match.
type edge struct {
	at      point
	subrule uint32
	on      bool
}

// axis collects the edges of one field whose largest value is max.
type axis struct {
	max   point
	edges []edge
}

// add enters the values that a sub-rule matches, in the form of union.
func (a *axis) add(subrule uint32, values []interval) {
	for _, v := range values {
		a.edges = append(a.edges, edge{v.first, subrule, true})
		if v.last == a.max {
			continue
		}
		behind, _ := v.last.next()
		a.edges = append(a.edges, edge{behind, subrule, false})
	}
}

type axes struct {
	source, destination, sourceIdentity, destinationIdentity axis
	sourcePort, destinationPort, icmp                        axis
	flags, protocol, later                                   axis
	anySource, anyDestination, anyBoth                       axis // of one value, 0
}

// addAny enters a sub-rule whose source or destination is everybody.
func (a *axes) addAny(subrule uint32, source, destination bool) {
	all := []interval{{}}
	if source {
		a.anySource.add(subrule, all)
	}
	if destination {
		a.anyDestination.add(subrule, all)
	}
	if source && destination {
		a.anyBoth.add(subrule, all)
	}
}

func newAxes() *axes {
	address := axis{max: point{math.MaxUint64, math.MaxUint64}}
	number, octet := axis{max: point{lo: 65535}}, axis{max: point{lo: 255}}
	identity := axis{max: point{lo: math.MaxUint32}}
	return &axes{
		source: address, destination: address, sourceIdentity: identity, destinationIdentity: identity,
		sourcePort: number, destinationPort: number, icmp: number,
		flags: octet, protocol: octet, later: octet,
	}
}

// row is an interval's start and the offset of its row.
type row struct {
	start  point
	offset uint32
}

// sweep walks the axis from 0 and gives the intervals with their rows. Equal
// neighbours become one.
func (a *axis) sweep(b *blob, subrules int) ([]row, error) {
	slices.SortFunc(a.edges, func(x, y edge) int { return x.at.compare(y.at) })
	bits := newBitmap(subrules)
	at, i := point{}, 0
	var rows []row
	for {
		for ; i < len(a.edges) && a.edges[i].at == at; i++ {
			bits.set(a.edges[i].subrule, a.edges[i].on)
		}
		offset, err := bits.store(b)
		if err != nil {
			return nil, err
		}
		if n := len(rows); n == 0 || rows[n-1].offset != offset {
			rows = append(rows, row{at, offset})
		}
		if i == len(a.edges) {
			return rows, nil
		}
		at = a.edges[i].at
	}
}
