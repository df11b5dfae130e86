package grammar

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var writeLanguage = flag.Bool("language", false, "write docs/language.md")

// languageText describes every statement from the grammars themselves.
func languageText() string {
	var b strings.Builder
	b.WriteString("# Language\n\nEvery statement with the modes that it is typed in, as the parsers print themselves. Words may be\nabbreviated; `<name>` is a kind of argument. \"no\" marks a form that only `no` takes.\n")
	for d := range dialectCount {
		fmt.Fprintf(&b, "\n# Dialect %s\n", d)
		l := languageOf(d)
		modes := l.modesOf()
		for _, s := range l.statements {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", strings.SplitN(s.name, "/", 2)[0], strings.Join(modes[s], ", "), strings.TrimSpace(s.ebnf))
		}
	}
	return b.String()
}

// modesOf gives the prompts of the modes of each statement.
func (l *language) modesOf() map[*statement][]string {
	out := map[*statement][]string{}
	for m := ModeGlobal; m < modeCount; m++ {
		seen := map[*statement]string{}
		for _, t := range l.plain[m] {
			seen[t.statement] = ""
		}
		for _, t := range l.negated[m] {
			if _, both := seen[t.statement]; !both {
				seen[t.statement] = "no "
			}
		}
		for s, prefix := range seen {
			out[s] = append(out[s], prefix+m.Prompt())
		}
	}
	return out
}

func TestLanguageIsDescribed(t *testing.T) {
	const file = "../docs/language.md"
	if *writeLanguage {
		if err := os.WriteFile(file, []byte(languageText()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != languageText() {
		t.Errorf("%s is stale: go test ./grammar -run TestLanguage -language", file)
	}
}

// Every word that may be typed says what it is for.
func TestEveryWordHasHelp(t *testing.T) {
	for d := range dialectCount {
		checkHelp(t, languageOf(d))
	}
}

func checkHelp(t *testing.T, l *language) {
	seen := map[*term]bool{}
	var visit func(*term)
	visit = func(x *term) {
		if seen[x] {
			return
		}
		seen[x] = true
		if x.help == "" && (x.class == nil || x.class.rows != nil && x.class.rows[0].help == "") {
			t.Errorf("%s: no help for %q", x.statement.name, x.keyword+className(x.class))
		}
		for _, f := range x.follow {
			visit(f.term)
		}
	}
	for m := ModeGlobal; m < modeCount; m++ {
		for _, x := range append(l.plain[m], l.negated[m]...) {
			visit(x)
		}
	}
}

func className(c *class) string {
	if c == nil {
		return ""
	}
	return "<" + c.name + ">"
}
