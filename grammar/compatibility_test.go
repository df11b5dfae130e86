package grammar

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var writeCompatibility = flag.Bool("compat", false, "write the language section of docs/compatibility.md")

// The language section stands between these lines.
const (
	compatibilityBegin = "<!-- The tables of grammar/testdata/language make what follows: go test ./grammar -run TestCompatibility -compat -->\n"
	compatibilityEnd   = "<!-- Written by hand from here on. -->\n"
)

// construct is a row of the section: its state and remark in each dialect.
type construct struct {
	name           string
	state, remarks [dialectCount]string
}

// constructs joins the sections that have one title in several dialects.
func constructs(t testing.TB) (out []*construct) {
	for _, d := range tabled {
		for _, s := range readTable(t, d).sections {
			at := slices.IndexFunc(out, func(c *construct) bool { return c.name == s.construct })
			if at < 0 {
				at, out = len(out), append(out, &construct{name: s.construct})
			}
			out[at].state[d], out[at].remarks[d] = s.state, s.remark
		}
	}
	return out
}

// remark joins the remarks; one that does not go for every dialect of the row
// says where it does.
func (c *construct) remark() string {
	var out []string
	for d, r := range c.remarks {
		others := slices.ContainsFunc(c.remarks[:], func(o string) bool { return o != "" && o != r })
		switch {
		case r == "" || slices.Contains(c.remarks[:d], r):
		case others:
			out = append(out, Dialect(d).title()+": "+r)
		default:
			out = append(out, r)
		}
	}
	return strings.Join(out, "; ")
}

func (d Dialect) title() string {
	return [...]string{"IOS", "ASA", "NX-OS", "IOS-XR"}[d]
}

// compatibilityText writes the section.
func compatibilityText(t testing.TB) string {
	var b strings.Builder
	b.WriteString(`
"Supported" is enforced and translated as far as the target has words for it (see Targets); "partly" with the limits of its remark; "refused" is
understood, printed back, and no target takes it: a permit with it is left out and reported, a deny with it refuses its list. "Kept" is stored, printed
back and reported, and neither enforced nor translated. "Skipped" has nothing to do with access control and is counted. An empty cell is a construct
that the dialect does not have. Files of the ASA, NX-OS and IOS-XR are read, checked and printed; what is "supported" there is understood in full, and
the lists of their interfaces are translated where an inventory names the workload behind the interface, and refused otherwise.

| construct | IOS, IOS-XE | ASA | NX-OS | IOS-XR | remark |
|---|---|---|---|---|---|
`)
	for _, c := range constructs(t) {
		cells := append([]string{c.name}, c.state[:]...)
		b.WriteString("| " + strings.ReplaceAll(strings.Join(append(cells, c.remark()), " | "), "  ", " ") + " |\n")
	}
	return b.String() + "\n"
}

func TestCompatibilityIsDescribed(t *testing.T) {
	const file = "../docs/compatibility.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, began := strings.Cut(string(text), compatibilityBegin)
	_, after, ended := strings.Cut(rest, compatibilityEnd)
	if !began || !ended {
		t.Fatalf("%s has not both markers", file)
	}
	want := fmt.Sprint(before, compatibilityBegin, compatibilityText(t), compatibilityEnd, after)
	if *writeCompatibility {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s is stale: go test ./grammar -run TestCompatibility -compat", file)
	}
}
