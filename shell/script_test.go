package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// script runs a script and gives what it printed.
func script(t *testing.T, m *memory, text string) (out, errs string, err error) {
	t.Helper()
	s, screen := newShell(t, m)
	lines, err := ReadLines("", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var errOut strings.Builder
	err = s.Script(context.Background(), lines, &errOut)
	return screen.String(), errOut.String(), err
}

func TestScriptPrintsDataOnly(t *testing.T) {
	m := &memory{}
	out, errs, err := script(t, m, "terminal length 0\nenable\nconfigure terminal\naccess-list 101 permit tcp any any eq 80\nend\nshow access-lists\nexit\nshow nonsense\n")
	want := "Extended IP access list 101\n    10 permit tcp any any eq www\n"
	if out != want || errs != "" || err != nil {
		t.Errorf("out %q, errors %q, %v; want %q", out, errs, err, want)
	}
}

func TestBadScriptChangesNothing(t *testing.T) {
	m := &memory{}
	out, errs, err := script(t, m, "configure terminal\naccess-list 101 permit tcp any any eq 80\nend\nconfigure terminal\naccess-list 101 permt ip any any\nend\nshow foo\n")
	if !errors.Is(err, ErrFailed) || len(m.applied) != 0 || out != "" {
		t.Errorf("%v, applied %q, out %q", err, m.applied, out)
	}
	for _, want := range []string{"line 5: unexpected \"permt\"", "line 7: unexpected \"foo\""} {
		if !strings.Contains(errs, want) {
			t.Errorf("errors %q, want %q", errs, want)
		}
	}
	if !strings.Contains(errs, "access-list 101 permt ip any any\n                ^\n") {
		t.Errorf("no caret under the word:\n%s", errs)
	}
}

func TestScriptAppliesOnceAndAtItsEnd(t *testing.T) {
	m := &memory{}
	_, errs, err := script(t, m, "configure terminal\nip access-list extended A\npermit ip any any\nip access-list extended B\ndeny ip any any\n")
	if err != nil || len(m.applied) != 1 {
		t.Errorf("%v, %d applies, want 1; errors %q", err, len(m.applied), errs)
	}
}

func TestTroubleIsNotTheScriptsFault(t *testing.T) {
	m := &memory{refuse: errors.New("the node is gone")}
	_, errs, err := script(t, m, "configure terminal\naccess-list 101 permit ip any any\nend\nshow clock\n")
	if err == nil || err.Error() != "line 3: the node is gone" || errs != "" {
		t.Errorf("%v, errors %q", err, errs)
	}
	m = &memory{refuse: Refused{errors.New("no such workload")}}
	_, errs, err = script(t, m, "configure terminal\naccess-list 101 permit ip any any\n")
	if !errors.Is(err, ErrFailed) || !strings.Contains(errs, "no such workload") {
		t.Errorf("%v, errors %q", err, errs)
	}
}

func file(t *testing.T, m *memory, text string) (errs string, err error) {
	t.Helper()
	s, _ := newShell(t, m)
	var errOut strings.Builder
	err = s.File(context.Background(), "edge.cfg", strings.NewReader(text), &errOut)
	return errOut.String(), err
}

func TestFileIsMergedAsAWhole(t *testing.T) {
	m := &memory{source: "access-list 10 permit any\n", revision: 3}
	errs, err := file(t, m, "!\r\naccess-list 101 permit tcp any any eq 80\r\n\nip access-list extended WEB\n permit ip any any\nend\n")
	if err != nil || errs != "" || len(m.applied) != 1 {
		t.Fatalf("%v, errors %q, applied %q", err, errs, m.applied)
	}
	for _, want := range []string{"access-list 10 ", "access-list 101 ", "extended WEB"} {
		if !strings.Contains(m.source, want) {
			t.Errorf("no %q in force:\n%s", want, m.source)
		}
	}
}

func TestBadFileIsReportedWithPlaces(t *testing.T) {
	m := &memory{}
	errs, err := file(t, m, "access-list 101 permit tcp any any eq 80\n\naccess-list 101 permt ip any any\n")
	if !errors.Is(err, ErrFailed) || m.source != "" {
		t.Fatalf("%v, in force %q", err, m.source)
	}
	if !strings.HasPrefix(errs, "edge.cfg:3:17: unexpected \"permt\"") || !strings.HasSuffix(errs, "\n                ^\n") {
		t.Errorf("errors:\n%s", errs)
	}
}

func TestStrangeInputIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"binary", "access-list 1 permit any\n\x7fELF\x00\x01", "edge.cfg:2:5: "},
		{"a long line", "hostname " + strings.Repeat("x", 1<<20), "edge.cfg:1:1: "},
		{"empty", "", "edge.cfg:1:1: "},
		{"a binary script", "enable\nshow \x00", "edge.cfg:2:6: this is not text\n"},
		{"a script with a long line", "enable\nshow " + strings.Repeat("x", 1<<20), "edge.cfg:2:1: the line is longer than 65536 bytes\n"},
		{"a script that is not UTF-8", "enable\nhostname caf\xe9\n", "edge.cfg:2:13: this is not text\n"},
	} {
		m := &memory{}
		errs, err := file(t, m, c.text)
		if !errors.Is(err, ErrFailed) || !strings.HasPrefix(errs, c.want) || len(m.applied) != 0 || len(errs) > 1000 {
			t.Errorf("%s: %v, errors %.300q, want %q", c.name, err, errs, c.want)
		}
	}
}

func TestFilePutsUpWithTranscripts(t *testing.T) {
	m := &memory{}
	errs, err := file(t, m, "Building configuration...\n\nCurrent configuration : 99 bytes\n!\nservice timestamps log\naccess-list 5 permit any\nend\n")
	if err != nil || !strings.Contains(m.source, "access-list 5 permit any") || !strings.Contains(errs, "edge.cfg:5:1: skipped") {
		t.Errorf("%v, errors %q, in force:\n%s", err, errs, m.source)
	}
}

// The work for ten times the lines is ten times the work, not a hundred.
func TestFileOf10000Lines(t *testing.T) {
	var text strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&text, "access-list 101 permit tcp any host 10.%d.%d.%d eq 80\n", i/65536, i/256%256, i%256)
	}
	m := &memory{}
	errs, err := file(t, m, text.String())
	if err != nil || errs != "" || strings.Count(m.source, "permit") != 10000 {
		t.Errorf("%v, errors %.200q, %d lines", err, errs, strings.Count(m.source, "permit"))
	}
}
