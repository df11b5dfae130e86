package grammar

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("u", false, "rewrite the goldens")

// TestGolden holds what a file becomes: its canonical text, what is reported
// about it, and the lines of "show access-lists" with two matches each.
func TestGolden(t *testing.T) {
	for _, name := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			c, notices, err := ParseFile("in.cfg", strings.NewReader(section(archive, "in.cfg")))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{"want.cfg": c.text(), "want.notices": noticeText(notices), "want.show": showText(c)}
			for i, f := range archive.Files {
				if text, ok := got[f.Name]; ok && *update {
					archive.Files[i].Data = []byte(text)
				} else if ok && text != string(f.Data) {
					t.Errorf("%s (-want +got):\n%s", f.Name, gocmp.Diff(string(f.Data), text))
				}
			}
			if section(archive, "want.notices") == "" && len(notices) > 0 {
				t.Errorf("unexpected notices:\n%s", got["want.notices"])
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func goldens(t testing.TB) []string {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no goldens", err)
	}
	return names
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func noticeText(notices []Notice) string {
	var b strings.Builder
	for _, n := range notices {
		b.WriteString(n.String())
		if n.State == Skipped {
			fmt.Fprintf(&b, " (%d x %q)", n.Count, n.Text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func showText(c *Config) string {
	var b strings.Builder
	for _, a := range c.ACLs {
		for _, e := range a.Entries {
			if line := e.Show(2, "(active)"); line != "" {
				b.WriteString(line + "\n")
			}
		}
	}
	return b.String()
}

// samples gives every configuration of testdata.
func samples(t testing.TB) map[string]string {
	out := map[string]string{}
	for _, name := range goldens(t) {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = section(archive, "in.cfg")
	}
	files, _ := filepath.Glob("testdata/*.cfg")
	examples, _ := filepath.Glob("../examples/*/*.cfg")
	for _, name := range append(files, examples...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	for _, d := range tabled {
		table := readTable(t, d)
		for _, s := range table.sections {
			for _, e := range s.examples {
				out[fmt.Sprintf("%s:%d", s.file, e.line)] = table.text(e)
			}
		}
	}
	return out
}

func TestPrintedTextParsesToTheSame(t *testing.T) {
	for name, text := range samples(t) {
		c, _, _ := ParseFile(name, strings.NewReader(text))
		checkRoundTrip(t, name, c)
	}
}

// checkRoundTrip prints, parses and prints. The two trees must be the same but
// for where things stood and how they were typed.
func checkRoundTrip(t *testing.T, name string, c *Config) {
	t.Helper()
	text := c.text()
	if strings.TrimSpace(text) == "" {
		return
	}
	again, _, err := ParseDialect(name, strings.NewReader(text), c.Dialect)
	if err != nil {
		t.Fatalf("%s: canonical text does not parse: %v\n%s", name, err, text)
	}
	if diff := gocmp.Diff(text, again.text()); diff != "" {
		t.Fatalf("%s (-first +second):\n%s", name, diff)
	}
	if diff := gocmp.Diff(c, again, sameMeaning, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Fatalf("%s: another tree (-first +second):\n%s", name, diff)
	}
}

// sameMeaning ignores positions, the text as it was typed, caches, and what
// skipped lines mention.
var sameMeaning = gocmp.FilterPath(func(p gocmp.Path) bool {
	field, ok := p.Last().(gocmp.StructField)
	if !ok {
		return false
	}
	name := field.Name()
	return name == "Pos" || name == "ActionPos" || name == "Text" && parentOf(p) != "grammar.Name" || 'a' <= name[0] && name[0] <= 'z' || name == "Numbered" || name == "Mentions"
}, gocmp.Ignore())

func parentOf(p gocmp.Path) string { return p.Index(-2).Type().String() }

var wantError = regexp.MustCompile(`! ERROR "(.*)"$`)

// TestErrors holds each line of the err_ files to the error behind it, and
// every other line to none.
func TestErrors(t *testing.T) {
	files, _ := filepath.Glob("testdata/err_*.cfg")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = ParseFile("", strings.NewReader(string(text)))
		got := map[int]string{}
		for _, e := range err.(ErrorList) {
			got[e.Pos.Line] += e.Error()
		}
		for i, line := range strings.Split(string(text), "\n") {
			m := wantError.FindStringSubmatch(line)
			switch e := got[i+1]; {
			case m == nil && e != "":
				t.Errorf("%s:%d: unexpected error %s", name, i+1, e)
			case m != nil && !regexp.MustCompile(m[1]).MatchString(e):
				t.Errorf("%s:%d: error %q, want %s", name, i+1, e, m[1])
			}
		}
	}
}

// TestWrongHeaderProtectsTheListBefore is the one error that must never widen:
// lines below a header that failed belong to nobody.
func TestWrongHeaderProtectsTheListBefore(t *testing.T) {
	for _, header := range []string{
		"ip access-list extended B C", "ip access-list extended 5x", "ip access-lst extended B", "ip access-list standard 150",
		"ipv6 access-list B C", "object-group network A B", "ip access-list role-based R", "route-map X permit 10", "foo bar",
	} {
		for _, indent := range []string{" ", ""} {
			text := "ip access-list extended A\n permit tcp any any eq 80\n" + header + "\n" + indent + "permit ip any any\n"
			c, _, _ := ParseFile("x", strings.NewReader(text))
			if n := len(c.ACL("A").Entries); n != 1 {
				t.Errorf("%q: the list before has %d entries", header+"/"+indent, n)
			}
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	for want, text := range map[string]string{
		"empty":                            " \n\t\n",
		"binary":                           "access-list 1 permit any\n\x00\x01",
		"has 1000000 bytes, want":          "hostname R1\n" + strings.Repeat("x", 1_000_000),
		"unexpected \"per\uFFFDmit\"":      "ip access-list extended A\n per\xffmit ip any any\n",
		"the banner does not end":          "banner motd #\naccess-list 1 permit any\n",
		"unexpected end of line, want a l": "access-list",
	} {
		_, _, err := ParseFile("x.cfg", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if list, ok := err.(ErrorList); ok {
			if err := list.Render(&strings.Builder{}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRenderPutsTheCaretUnderTheColumn(t *testing.T) {
	_, _, err := ParseFile("edge.cfg", strings.NewReader("ip access-list extended A\n\tpermit\ttcp any any eq é\n"))
	want := "edge.cfg:2:24: unexpected \"é\", want a TCP port\n\tpermit\ttcp any any eq é\n\t      \t               ^\n"
	if got := err.(ErrorList)[0].Render(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	list := ErrorList{{Pos: Position{"b", 1, 1}, Msg: "x"}, {Pos: Position{"a", 2, 1}, Msg: "y"}, {Pos: Position{"a", 1, 9}, Msg: "z"}}
	if got := list.Err().Error(); got != "a:1:9: z (and 2 more)" {
		t.Errorf("list: %s", got)
	}
	sorted := slices.IsSortedFunc(list, func(a, b *Error) int { return cmp.Compare(a.Pos.File, b.Pos.File) })
	if !sorted || (ErrorList{}).Err() != nil {
		t.Error("not sorted, or an empty list is an error")
	}
}

func FuzzParseFile(f *testing.F) {
	for _, text := range samples(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := ParseFile("fuzz", strings.NewReader(text))
		if list, ok := err.(ErrorList); ok {
			_ = list.Render(&strings.Builder{})
		}
		checkRoundTrip(t, "fuzz", c)
	})
}
