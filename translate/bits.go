package translate

import (
	"encoding/binary"
	"math/bits"
)

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

// key is the same for equal sets of the same size.
func (b bitset) key() string {
	text := make([]byte, 0, 8*len(b))
	for _, word := range b {
		text = binary.LittleEndian.AppendUint64(text, word)
	}
	return string(text)
}

// meets reports whether a number is in both sets.
func (b bitset) meets(c bitset) bool {
	for w, word := range b {
		if word&c[w] != 0 {
			return true
		}
	}
	return false
}

// fill puts a span into the set.
func (b bitset) fill(s span) {
	for w := s.from / 64; w*64 < s.to; w++ {
		b[w] |= s.word(w)
	}
}

// word gives the span's share of a bitset's word.
func (s span) word(w int) uint64 {
	mask := ^uint64(0)
	if w*64 < s.from {
		mask <<= s.from - w*64
	}
	if end := s.to - w*64; end < 64 {
		mask &= 1<<end - 1
	}
	return mask
}

// last gives the greatest number of a word that is not zero.
func last(w int, word uint64) int { return w*64 + 63 - bits.LeadingZeros64(word) }

// turn mirrors a square of 64 by 64 bits on its diagonal: bit i of row k goes
// to bit k of row i.
func turn(m *[64]uint64) {
	mask := uint64(0x00000000ffffffff)
	for j := uint(32); j != 0; j, mask = j>>1, mask^mask<<(j>>1) {
		for k := uint(0); k < 64; k = (k + j + 1) &^ j {
			t := (m[k]>>j ^ m[k+j]) & mask
			m[k+j] ^= t
			m[k] ^= t << j
		}
	}
}
