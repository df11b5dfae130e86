package grammar

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzBytes is how much of an input is looked at: what a fuzzer finds in a
// large file it finds in a small one, sooner.
const fuzzBytes = 4096

// pieces cuts the samples at their blocks, so that a mutation of one is quick.
func pieces(f *testing.F) (out []string) {
	all := samples(f)
	tables, _ := filepath.Glob("testdata/language/*.txt")
	for _, name := range tables {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		all[name] = string(text)
	}
	for _, text := range all {
		for len(text) > 600 {
			at := strings.Index(text[400:], "\n!")
			if at < 0 {
				at = strings.Index(text[400:], "\n")
			}
			if at < 0 {
				break
			}
			out, text = append(out, text[:400+at+1]), text[400+at+1:]
		}
		out = append(out, text)
	}
	return out
}

func clipped(text string) string { return text[:min(len(text), fuzzBytes)] }

// FuzzParse reads anything in every dialect. Whatever it is, each error has a
// place in the text, and a session takes or refuses every line of it, with help
// for the first half of the line.
func FuzzParse(f *testing.F) {
	for _, text := range pieces(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = clipped(text)
		for d := range dialectCount {
			_, notices, err := ParseDialect("fuzz", strings.NewReader(text), d)
			list, _ := err.(ErrorList)
			for _, e := range list {
				checkPlace(t, text, e.Pos)
			}
			for _, n := range notices {
				checkPlace(t, text, n.Pos)
			}
			if err := list.Render(&strings.Builder{}); err != nil {
				t.Fatal(err)
			}
		}
		typeAll(t, text)
	})
}

func checkPlace(t *testing.T, text string, p Position) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if p.Line < 1 || p.Line > len(lines) || p.Column < 1 {
		t.Fatalf("%s is no place in a text of %d lines", p, len(lines))
	}
	if most := utf8.RuneCountInString(lines[p.Line-1]) + 1; p.Column > most {
		t.Fatalf("%s is behind the end of %q", p, lines[p.Line-1])
	}
}

// typeAll types the lines at a prompt; a refused one changes nothing.
func typeAll(t *testing.T, text string) {
	s := NewSession(&Config{})
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		_, _ = s.Help(line[:len(line)/2])
		before, mode := "", s.Mode
		if len(line) < 200 {
			before = s.Config.text()
		}
		if _, err := s.Line(Position{}, line); err != nil && len(line) < 200 && (s.Config.text() != before || s.Mode != mode) {
			t.Fatalf("%q is refused (%s) and changes something", line, err)
		}
	}
}

// FuzzRoundTrip holds what is printed to what was read: of anything, and of
// lines of the language that the seed chooses.
func FuzzRoundTrip(f *testing.F) {
	for i, text := range pieces(f) {
		f.Add(text, uint64(i))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		for d := range dialectCount {
			c, _, _ := ParseDialect("fuzz", strings.NewReader(clipped(text)), d)
			checkFixpoint(t, c)
			checkFixpoint(t, speak(t, d, seed))
		}
	})
}

// speak types a few random lines of a few random modes.
func speak(t *testing.T, d Dialect, seed uint64) *Config {
	r := rand.New(rand.NewPCG(seed, uint64(d)))
	s := typedIn(t, d, "")
	l := languageOf(d)
	for range 4 {
		m := Mode(1 + r.IntN(int(modeCount)-1))
		if !l.has(m) {
			continue
		}
		for line := range strings.SplitSeq(modeLines[d][m], "; ") {
			_, _ = s.Line(Position{}, line)
		}
		for range 1 + r.IntN(4) {
			_, _ = s.Line(Position{}, sentence(r, l, s.Mode))
		}
	}
	return s.Config
}

// checkFixpoint prints, reads and prints again.
func checkFixpoint(t *testing.T, c *Config) {
	t.Helper()
	first := c.text()
	if strings.TrimSpace(first) == "" {
		return
	}
	again, _, err := ParseDialect("again", strings.NewReader(first), c.Dialect)
	if err != nil {
		t.Fatalf("%s: canonical text does not parse: %v\n%s", c.Dialect, err, first)
	}
	if second := again.text(); second != first {
		t.Fatalf("%s: first\n%s\nsecond\n%s", c.Dialect, first, second)
	}
}
