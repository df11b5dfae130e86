package translate

import (
	"regexp"
	"strings"
	"testing"

	"aclium/grammar"
)

func regexMap(patterns ...string) *grammar.RegexMap {
	m := &grammar.RegexMap{Name: "R"}
	for _, p := range patterns {
		m.Patterns = append(m.Patterns, grammar.Name{Text: p})
	}
	return m
}

// A pattern finds what any part of the value matches; the examples are those of
// Cisco's tables of metacharacters.
func TestPatternsAreSearched(t *testing.T) {
	for _, row := range []struct{ pattern, found, not string }{
		{`d.g`, "dog dag dtg doggonnit hotdog", "dg doog DOG"},
		{`d(o|a)g`, "dog dag", "dg dig"},
		{`^do|ag$`, "do done ag flag", "undo agx"},
		{`lo?se`, "lse lose", "loose"},
		{`lo*se`, "lse lose loose", "lasse"},
		{`lo+se`, "lose loose", "lse"},
		{`ab(xy){3}z`, "abxyxyxyz", "abxyxyz"},
		{`ab(xy){2,}z`, "abxyxyz abxyxyxyz", "abxyz"},
		{`^[abcq-z]$`, "a b c q z", "d A ab"},
		{`^[^A-Z]$`, "a 1 -", "A Z"},
		{`^[abc-]$`, "a -", "d"},
		{`^[-abc]$`, "a -", "d"},
		{`^[a\]^]$`, "a ] ^", `\`},
		{`\[x\]`, "[x]", "x"},
		{`^a\.b$`, "a.b", "axb"},
		{`^\x41\101$`, "AA", "A"},
		{`"^/api/"`, "/api/ /api/x", "/x/api/ api/"},
		{`\.php$`, "/index.php .php", "/index.php? /indexphp"},
		{`.*`, "a /", ""},
		{`a$|^b`, "a xa b bx", "ax xb"},
	} {
		p, err := patternOf(regexMap(row.pattern))
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		re := regexp.MustCompile("^(?s:" + p.whole + ")$")
		for _, text := range strings.Fields(row.found) {
			if !re.MatchString(text) {
				t.Errorf("%s as %s does not find %s", row.pattern, p.whole, text)
			}
		}
		for _, text := range strings.Fields(row.not) {
			if re.MatchString(text) {
				t.Errorf("%s as %s finds %s", row.pattern, p.whole, text)
			}
		}
	}
}

// What is simple stays simple, and what is special is told apart.
func TestPatternsThatAreKnownWhole(t *testing.T) {
	for _, row := range []struct {
		patterns    []string
		whole       string
		every, none bool
		exact       string
	}{
		{[]string{"^/api/.*"}, "/api/.*", false, false, ""},
		{[]string{"^/api/"}, "/api/.*", false, false, ""},
		{[]string{".*"}, ".*", true, false, ""},
		{[]string{"^"}, ".*", true, false, ""},
		{[]string{"^.*$"}, ".*", true, false, ""},
		{[]string{"."}, ".*..*", false, false, ""},
		{[]string{"^$"}, "(?:)", false, false, ""},
		{[]string{"^red$", "^blue$"}, "red|blue", false, false, "red blue"},
		{[]string{"^red$|^blue$"}, "red|blue", false, false, "red blue"},
		{[]string{"^red$", "blue"}, "red|.*blue.*", false, false, ""},
		{[]string{"^re*d$"}, "re*d", false, false, ""},
		{nil, "(?:)", false, true, ""},
	} {
		p, err := patternOf(regexMap(row.patterns...))
		if err != nil {
			t.Errorf("%v: %v", row.patterns, err)
			continue
		}
		if p.whole != row.whole || p.every != row.every || p.none != row.none || strings.Join(p.exact, " ") != row.exact {
			t.Errorf("%v: %+v, want %+v", row.patterns, p, row)
		}
	}
}

// What RE2 reads in another way is not passed on.
func TestPatternsThatAreRefused(t *testing.T) {
	for _, pattern := range []string{
		`\d+`, `\bword`, `a\`, `(?i)x`, `(?:x)`, `a**`, `a+?`, `a{2}?`, `a{2}{3}`, `*a`, `{2}`, `a^b`, `a$b`, `(^a|b)`, `(a$)`, `(a`, `a)`, `[`, `[]a]`, `[[:alpha:]]`,
		`[z-a]`, `[a-c-e]`, `\x4`, `\9`, `\xff`, `\000`, `é`, `a"b`, `\Qx\E`, `^^a`, `a{1001}`, strings.Repeat("(", 60) + strings.Repeat(")", 60),
	} {
		if p, err := patternOf(regexMap(pattern)); err == nil {
			t.Errorf("%s is read as %s", pattern, p.whole)
		}
	}
}

// FuzzPattern: what is read compiles, and finds what a search with Go's own
// reading of the same pattern finds.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{`d(o|a)g`, `^[^a-c]x{2,}$`, `a\.b|c`, `\x41`} {
		f.Add(p, "dog")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := patternOf(regexMap(text))
		if err != nil || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		whole, err := regexp.Compile("^(?s:" + p.whole + ")$")
		if err != nil {
			t.Fatalf("%q gives %q: %v", text, p.whole, err)
		}
		search, err := regexp.Compile("(?s)" + unquoted(text))
		if err != nil {
			return // IOS's octal
		}
		if got, want := whole.MatchString(value), search.MatchString(value); got != want {
			t.Errorf("%q as %q on %q: %v, want %v", text, p.whole, value, got, want)
		}
	})
}
