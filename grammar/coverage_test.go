package grammar

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCoverage reads coverage files by hand: ACLIUM_COVERAGE names a directory
// with a configuration DIALECT.txt for each dialect, every line of which must
// come back equivalent but for addresses of interfaces, which are skipped, and
// sequence numbers; and ios.neg.tsv with bad lines: what is typed, separated
// by " ; ", a tab, and what is expected.
func TestCoverage(t *testing.T) {
	dir := os.Getenv("ACLIUM_COVERAGE")
	if dir == "" {
		t.Skip("ACLIUM_COVERAGE names no directory")
	}
	for _, d := range tabled {
		name := filepath.Join(dir, d.String()+".txt")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		c, _, err := ParseDialect(name, strings.NewReader(string(text)), d)
		if list, ok := err.(ErrorList); ok {
			var b strings.Builder
			_ = list.Render(&b)
			t.Error(b.String())
		}
		if got := Detect(text); got != d {
			t.Errorf("%s is detected as %s", name, got)
		}
		n := normaliser{readTable(t, d)}
		want := n.lines(string(text))
		for i := range want {
			want[i] = unnumbered(want[i]) // a file may say resequence
		}
		for _, line := range missing(want, n.lines(c.text())) {
			if !strings.Contains(line, "ip address ") && !strings.Contains(line, "resequence") {
				t.Errorf("%s: %q does not come back", name, line)
			}
		}
		checkRoundTrip(t, name, c)
	}
	coverErrors(t, filepath.Join(dir, "ios.neg.tsv"))
}

func coverErrors(t *testing.T, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cell := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") || len(cell) < 2 {
			continue
		}
		if problem := coverError(strings.Split(cell[0], " ; "), cell[1]); problem != "" {
			t.Errorf("%s: %s %s", name, cell[0], problem)
		}
	}
}

// coverError types lines and says what is wrong with the answer to the last.
func coverError(lines []string, want string) string {
	s := NewSession(&Config{})
	var notices []Notice
	var err error
	for i, line := range lines {
		if err != nil {
			return fmt.Sprintf("%q: %v", lines[i-1], err)
		}
		notices, err = s.Line(Position{}, line)
	}
	if err == nil {
		if strings.HasPrefix(want, "ACCEPTED") {
			return ""
		}
		return fmt.Sprintf("is accepted, want %q: %v", want, notices)
	}
	got := strings.ReplaceAll(strings.TrimSpace(err.(*LineError).IOS(0)), "\n", " / ")
	if at := strings.IndexByte(got, '%'); at > 0 {
		got = got[at:]
	}
	if !strings.HasPrefix(want, got) {
		return fmt.Sprintf("gives %q, want %q", got, want)
	}
	return ""
}
