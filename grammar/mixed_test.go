package grammar

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestMixedFiles prints and parses files that are put together from lines of
// the samples at random, some with a mistake in them. What is kept verbatim
// must come back like everything else.
func TestMixedFiles(t *testing.T) {
	const files = 400
	var lines []string
	all := samples(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, strings.Split(strings.TrimRight(all[name], "\n"), "\n")...)
	}
	for _, d := range tabled {
		r := rand.New(rand.NewPCG(7, uint64(d)))
		for range files {
			text := mixed(r, lines)
			c, _, _ := ParseDialect("mixed", strings.NewReader(text), d)
			checkRoundTrip(t, text, c)
		}
	}
}

func mixed(r *rand.Rand, lines []string) string {
	var b strings.Builder
	for range 1 + r.IntN(12) {
		at := r.IntN(len(lines))
		for _, line := range lines[at:min(len(lines), at+1+r.IntN(4))] {
			b.WriteString(mistaken(r, line) + "\n")
		}
	}
	return b.String()
}

// mistaken gives the line, or the line with a mistake.
func mistaken(r *rand.Rand, line string) string {
	words := strings.Fields(line)
	if len(words) == 0 {
		return line
	}
	before := line[:indent(line)]
	at := r.IntN(len(words))
	switch r.IntN(12) {
	case 0:
		words = slices.Delete(words, at, at+1)
	case 1:
		words[at] = words[at][:r.IntN(len(words[at]))+1]
	case 2:
		words[at] = strings.ToUpper(words[at])
	case 3:
		words = slices.Insert(words, at, words[r.IntN(len(words))])
	case 4:
		before = strings.Repeat(" ", r.IntN(4))
	case 5:
		words = slices.Insert(words, 0, []string{"no", "default", "!", "10", "do"}[r.IntN(5)])
	default:
		return line
	}
	return before + strings.Join(words, " ")
}

// What is kept verbatim is read again as what it was, whatever stood before it.
func TestVerbatimLinesComeBack(t *testing.T) {
	for text, want := range map[string]string{
		// A banner ends the mode, and nothing below it belongs to it.
		"version 15.2\nbanner motd ^C\nx ^C\n access-class 10 in\n": "access-class 10 in\n",
		// A parameter-map would take the line for its "multi-tenancy".
		"router x\n dynamic 1\nparameter-map type inspect-zone Z\nroute-map M\n periodic daily 1:00 to 2:00\n": "route-map M\n periodic daily 1:00 to 2:00\n!\nparameter-map type inspect-zone Z\n",
		// Two equal remarks of one entry are one.
		"ip access-list standard M\n remark A\n 20 remark A\n 20 permit any\n": "ip access-list standard M\n 20 remark A\n 20 permit any\n",
		// A terminal takes "acces" for "access-class" only when that fits.
		"line vty 0 4\nacces 1 permit 10.0.0.1\n": "line vty 0 4\n!\naccess-list 1 permit 10.0.0.1\n",
	} {
		c, _, err := ParseFile("x", strings.NewReader(text))
		if err != nil || c.text() != want {
			t.Errorf("%q: %v\n%s\nwant\n%s", text, err, c.text(), want)
		}
		checkRoundTrip(t, text, c)
	}
	for _, text := range []string{"line con 0\nip access-group A in\n", "line vty 0 4\nac IN permit any\n"} {
		if _, notices, err := ParseFile("x", strings.NewReader(text)); err == nil {
			t.Errorf("%q is no error: %v", text, notices)
		}
	}
}
