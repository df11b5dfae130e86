package policy

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomSet gives a set and the same set as a plain table of booleans, built
// by different code.
func randomSet(r *rand.Rand) (Ranges, [65536]bool) {
	var table [65536]bool
	var rs []Range
	for range r.IntN(6) {
		a, b := uint16(r.IntN(200)), uint16(r.IntN(200))
		if r.IntN(3) == 0 {
			a, b = 65535-a, 65535-b
		}
		a, b = min(a, b), max(a, b)
		rs = append(rs, Range{a, b})
		for v := int(a); v <= int(b); v++ {
			table[v] = true
		}
	}
	return NewRanges(rs...), table
}

func TestRangesAgreeWithTables(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		a, ta := randomSet(r)
		b, tb := randomSet(r)
		sets := map[string]Ranges{
			"union": a.Union(b), "intersect": a.Intersect(b), "minus": a.Minus(b), "complement": a.Complement(),
		}
		for v := range 65536 {
			want := map[string]bool{
				"union": ta[v] || tb[v], "intersect": ta[v] && tb[v], "minus": ta[v] && !tb[v], "complement": !ta[v],
			}
			for name, s := range sets {
				if s.Has(uint16(v)) != want[name] {
					t.Fatalf("%s of %v and %v: value %d is wrong in %v", name, a, b, v, s)
				}
			}
		}
	}
}

func TestRangesAreCanonical(t *testing.T) {
	for _, c := range []struct {
		want string
		in   []Range
	}{
		{"", nil},
		{"", []Range{{9, 3}}},
		{"all", []Range{{0, 100}, {101, 65535}}},
		{"22,80-90", []Range{{85, 90}, {22, 22}, {80, 86}}},
		{"65535", []Range{{65535, 65535}, {65535, 65535}}},
	} {
		got := NewRanges(c.in...)
		if got.String() != c.want {
			t.Errorf("NewRanges(%v) = %q, want %q", c.in, got, c.want)
		}
		var back Ranges
		if err := back.UnmarshalText([]byte(c.want)); err != nil || back.String() != c.want {
			t.Errorf("UnmarshalText(%q) = %v, %v", c.want, back, err)
		}
	}
}

func TestRangesKnowWhetherTheyAreCanonical(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	canonical := 0
	for range 2000 {
		s := make(Ranges, r.IntN(4))
		for i := range s {
			s[i].First = uint16(i*6 + r.IntN(8))
			s[i].Last = s[i].First + uint16(r.IntN(4)) - uint16(r.IntN(2))
		}
		want := slices.Equal(s, NewRanges(s...))
		if s.canonical() != want {
			t.Fatalf("%v is canonical: %v, want %v", []Range(s), !want, want)
		}
		if want {
			canonical++
		}
	}
	if canonical < 100 || canonical > 1900 {
		t.Errorf("%d of 2000 sets are canonical, so the test sees too little", canonical)
	}
}

func TestRangesRefuseNonsense(t *testing.T) {
	for _, text := range []string{"x", "1-", "-1", "5-3", "65536", "1,,2", " 1"} {
		var s Ranges
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) = %v, want an error", text, s)
		}
	}
}

func TestByteSet(t *testing.T) {
	established := BytesWhere(func(f uint8) bool { return f&(ACK|RST) != 0 })
	if established.Len() != 192 {
		t.Errorf("ACK or RST: %d values, want 192 (three quarters of 256)", established.Len())
	}
	for v := range 256 {
		if got := established.Has(uint8(v)); got != (v&0x14 != 0) {
			t.Errorf("established.Has(%#x) = %v", v, got)
		}
	}
	for _, s := range []ByteSet{{}, AllBytes(), established, Bytes(0, 6, 255)} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back ByteSet
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("JSON %s reads back as %v, %v", text, back, err)
		}
	}
	var s ByteSet
	if err := json.Unmarshal([]byte(`"256"`), &s); err == nil {
		t.Error("a byte set with 256 was accepted")
	}
}
