package kube

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclium/translate/policy"
)

// place gives an address at the edge of a family: the last 32 of the space, so
// that what lies behind the last address is asked for too.
func place(six bool, i int) netip.Addr {
	if six {
		b := [16]byte{}
		for k := range b {
			b[k] = 255
		}
		b[15] = byte(224 + i)
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{255, 255, 255, byte(224 + i)})
}

// TestCoversAreExactAndFew holds the blocks of random sets against the
// definition of an ipBlock, address by address, and their number against the
// fewest that there are.
func TestCoversAreExactAndFew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		six := n%2 == 1
		var must, free [32]bool
		sparse := 1 + r.IntN(6)
		for i := range must {
			must[i], free[i] = r.IntN(sparse) == 0, r.IntN(4) == 0
		}
		exact := blocks(rangesOf(must, six))
		wide := reaching(rangesOf(must, six), rangesOf(free, six))
		some := blocks(wide)
		for i := range must {
			a := place(six, i)
			if in := inBlocks(t, exact, a); in != must[i] {
				t.Fatalf("%v in %v: %v", a, exact, in)
			}
			if in := inBlocks(t, some, a); in != must[i] && !free[i] {
				t.Fatalf("%v in %v: %v, must %v", a, some, in, must[i])
			}
		}
		if got, want := count(exact), fewest(must[:], [32]bool{}, 0, false); got != want {
			t.Fatalf("%v: %d entries, want %d", exact, got, want)
		}
		if got, want := count(some), fewest(must[:], free, 0, false); got != want {
			t.Fatalf("%v with free addresses: %d entries, want %d", some, got, want)
		}
	}
}

func rangesOf(in [32]bool, six bool) (out []policy.AddrRange) {
	for i := range in {
		switch {
		case !in[i]:
		case i > 0 && in[i-1]:
			out[len(out)-1].Last = place(six, i)
		default:
			out = append(out, policy.AddrRange{First: place(six, i), Last: place(six, i)})
		}
	}
	return out
}

func inBlocks(t *testing.T, blocks []block, a netip.Addr) (in bool) {
	t.Helper()
	for _, b := range blocks {
		hit := b.cidr.Contains(a)
		for _, e := range b.except {
			if !b.cidr.Contains(e.Addr()) || e.Bits() <= b.cidr.Bits() {
				t.Fatalf("except %v is not strictly inside %v", e, b.cidr)
			}
			hit = hit && !e.Contains(a)
		}
		in = in || hit
	}
	return in
}

func count(blocks []block) (n int) {
	for _, b := range blocks {
		n += 1 + len(b.except)
	}
	return n
}

// fewest tries a switch at every prefix.
func fewest(must []bool, free [32]bool, at int, inside bool) int {
	best := len(must) * 2
	for turn := range 2 {
		colour := inside != (turn == 1)
		n := turn
		if len(must) == 1 {
			if colour != must[0] && !free[at] {
				continue
			}
		} else {
			half := len(must) / 2
			n += fewest(must[:half], free, at, colour) + fewest(must[half:], free, at+half, colour)
		}
		best = min(best, n)
	}
	return best
}
