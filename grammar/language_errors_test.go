package grammar

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// badLine is a line that is refused behind others that are not.
type badLine struct {
	number       int
	before       []string
	line, answer string
}

// readErrors reads a file of bad lines: each example has the lines before, the
// bad one, and what the device prints below it.
func readErrors(t testing.TB, name string) (out []badLine) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, line := range append(strings.Split(string(text), "\n"), "") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			lines = append(lines, line)
		case len(lines) > 0:
			out = append(out, badLineOf(i+1-len(lines), lines))
			lines = nil
		}
	}
	return out
}

func badLineOf(number int, lines []string) badLine {
	at := 0
	for at < len(lines) && strings.TrimSpace(lines[at]) != "^" && !strings.HasPrefix(lines[at], "%") && lines[at] != "Duplicate remark statement" {
		at++
	}
	return badLine{number: number, before: lines[:at-1], line: lines[at-1], answer: strings.Join(lines[at:], "\n")}
}

// TestTableErrors holds each bad line to IOS's answer. It must leave the
// configuration as it was.
func TestTableErrors(t *testing.T) {
	const name = "testdata/language/ios.errors.txt"
	for _, bad := range readErrors(t, name) {
		where, s := fmt.Sprintf("%s:%d", name, bad.number), NewSession(&Config{})
		for _, line := range bad.before {
			if _, err := s.Line(Position{}, line); err != nil {
				t.Fatalf("%s: %q: %v", where, line, err)
			}
		}
		before, mode := s.Config.text(), s.Mode
		_, err := s.Line(Position{}, bad.line)
		e, ok := err.(*LineError)
		if !ok {
			t.Errorf("%s: %q is accepted, want\n%s", where, bad.line, bad.answer)
			continue
		}
		if got := strings.TrimRight(e.IOS(0), "\n"); got != bad.answer {
			t.Errorf("%s: answer\n%s\n%s\nwant\n%s", where, bad.line, got, bad.answer)
		}
		if s.Config.text() != before || s.Mode != mode {
			t.Errorf("%s: %q changed the configuration", where, bad.line)
		}
	}
}
