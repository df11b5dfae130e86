package translate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate/acltest"
	"aclium/translate/policy"
)

// TestGridIsTheWalk holds what grids find against the walk line by line, cell
// by cell: policies, findings and the lines that they name.
func TestGridIsTheWalk(t *testing.T) {
	g := acltest.NewGenerator(9)
	r := rand.New(rand.NewPCG(9, 9))
	cluster := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/64")}
	made := 0
	for n := range 400 {
		text := g.List().Text
		if n%2 == 0 {
			text = mixedList(r)
		}
		policies := compileText(t, text)
		for _, target := range Targets() {
			for known := range 3 {
				o := OrderOptions{Target: target, ClusterCIDRs: cluster[:known]}
				got, found := Order(policies, o)
				want, wanted := withoutGrids(policies, o)
				if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(found, wanted) {
					t.Fatalf("%s, %d ranges known\n%s\ngot  %+v\n%+v\nwant %+v\n%+v", target.Name, known, text, got, found, want, wanted)
				}
				made += len(got.Policies())
			}
		}
	}
	if made < 300 {
		t.Errorf("only %d policies were made", made)
	}
}

func withoutGrids(policies []policy.Policy, o OrderOptions) (policy.Stack, []policy.Finding) {
	defer func(n int) { maxGrid = n }(maxGrid)
	maxGrid = 0
	return Order(policies, o)
}

func compileText(t *testing.T, text string) []policy.Policy {
	t.Helper()
	c, _, err := grammar.ParseFile("test.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	policies, _, err := Compile(c)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return policies
}

// mixedList has lines on pods and on addresses, with a few that no object says.
func mixedList(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	var b strings.Builder
	b.WriteString("object-group network W\n workload namespace prod label app=web\nobject-group network DB\n workload namespace prod label app=db\n" +
		"interface workload W\n ip access-group A out\nip access-list extended A\n")
	peer := func() string {
		switch r.IntN(6) {
		case 0:
			return "any"
		case 1:
			return "object-group DB"
		case 2:
			return "10.1.0.0 0.0.255.255"
		}
		bits := 24 + r.IntN(9)
		wild := 1<<(32-bits) - 1
		return fmt.Sprintf("192.0.2.%d 0.0.0.%d", r.IntN(256)&^wild, wild)
	}
	for range 1 + r.IntN(20) {
		protocol := pick("tcp", "udp", "ip", "icmp", "ospf")
		ports := ""
		if protocol == "tcp" || protocol == "udp" {
			ports = pick("", " eq 80", " gt 1000", " range 20 90", " neq 53", " eq 22")
		}
		source := ""
		if ports != "" && r.IntN(12) == 0 {
			source = " eq 53"
		}
		fmt.Fprintf(&b, " %s %s %s%s any%s\n", pick("permit", "permit", "deny"), protocol, peer(), source, ports)
	}
	return b.String()
}

// TestReach holds the reach of lines against what every cell says.
func TestReach(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		policies := compileText(t, mixedList(r))
		l := &policies[0]
		w := newWalk(&orderer{ids: newIdentities(nil, nil), simple: map[string]podSet{}}, part{lists: []*policy.Policy{l}}, l.Direction)
		for i := range l.Rules {
			reach := w.reach(&l.Rules[i])
			for k := range w.cells {
				want, _ := w.cells[k].fit(&l.Rules[i])
				if got := fitAt(reach, k); got != want {
					t.Fatalf("line %s in cell %d: fit %d, want %d", l.Rules[i].Text, k, got, want)
				}
			}
		}
	}
}

func fitAt(r reach, at int) fit {
	at1 := []span{{at, at + 1}}
	switch {
	case meeting(r.all, at1):
		return fitAll
	case meeting(r.part, at1):
		return fitPart
	}
	return fitNone
}

// TestTurn: turned twice, a square is what it was; turned once, rows are
// columns.
func TestTurn(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var m [64]uint64
	for i := range m {
		m[i] = r.Uint64()
	}
	turned := m
	turn(&turned)
	for i := range 64 {
		for k := range 64 {
			if m[i]>>k&1 != turned[k]>>i&1 {
				t.Fatalf("bit %d of row %d is lost", k, i)
			}
		}
	}
}
