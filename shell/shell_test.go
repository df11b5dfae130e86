package shell

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"aclium/grammar"
	"aclium/translate/policy"
)

var update = flag.Bool("u", false, "rewrite the screens of testdata")

// memory is an enforcer without a node: it keeps the text, the revision and
// the counters, and refuses what it is told to refuse.
type memory struct {
	source   string
	revision uint64
	counters []policy.Counter
	refuse   error
	// left is what an Apply has left undone.
	left error
	// gone is what every question is answered with when the node is gone.
	gone    error
	applied []string
	// before runs before an Apply, as another shell would.
	before func(*memory)
}

func (m *memory) Load(context.Context) (string, uint64, error) { return m.source, m.revision, m.gone }

func (m *memory) Apply(_ context.Context, c *grammar.Config, revision uint64) (uint64, []policy.Finding, error) {
	if before := m.before; before != nil {
		m.before = nil
		before(m)
	}
	if revision != m.revision {
		return 0, nil, fmt.Errorf("revision %d: %w", m.revision, ErrConflict)
	}
	if m.refuse != nil {
		return 0, nil, m.refuse
	}
	var text strings.Builder
	if err := c.Print(&text); err != nil {
		return 0, nil, err
	}
	m.source = text.String()
	m.revision++
	m.applied = append(m.applied, m.source)
	return m.revision, nil, m.left
}

func (m *memory) Counters(context.Context) ([]policy.Counter, error) { return m.counters, m.gone }

func (m *memory) Clear(_ context.Context, acl string) error {
	for i, c := range m.counters {
		if acl == "" || c.ACL == acl {
			m.counters[i].Packets = 0
		}
	}
	return nil
}

// noon stands still, so that screens are exact.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 123e6, time.UTC)

func options(m *memory, out *strings.Builder) Options {
	return Options{Out: out, Applier: m, Counters: m, Host: "R1", User: "admin", Version: "1.0", Now: func() time.Time { return noon }}
}

// A transcript is a session: its archive holds the configuration to start
// with, counters as "ACL SEQ PACKETS", why an apply is refused, what was
// typed, and the screen. A typed line that ends in "?" or "<TAB>" is not
// entered.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { transcript(t, file) })
	}
}

func transcript(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, typed, want := &memory{}, "", ""
	for _, f := range archive.Files {
		text := string(f.Data)
		switch f.Name {
		case "running":
			m.source, m.revision = text, 1
		case "counters":
			m.counters = parseCounters(t, text)
		case "refuse":
			m.refuse = errors.New(strings.TrimSpace(text))
		case "typed":
			typed = text
		case "screen":
			want = text
		}
	}
	got := play(t, m, strings.Split(strings.TrimSuffix(typed, "\n"), "\n"))
	if *update {
		archive.Files[len(archive.Files)-1].Data = []byte(got)
		os.WriteFile(file, txtar.Format(archive), 0o644)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

func parseCounters(t *testing.T, text string) []policy.Counter {
	var all []policy.Counter
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		seq, err := strconv.Atoi(f[1])
		n, err2 := strconv.Atoi(f[2])
		if err != nil || err2 != nil {
			t.Fatalf("counter %q", line)
		}
		all = append(all, policy.Counter{RuleID: policy.RuleID{ACL: f[0], Seq: uint32(seq)}, Direction: policy.Ingress, Subject: "workload BACKEND", Node: "n1", Packets: uint64(n), Bytes: uint64(n) * 60})
	}
	return all
}

// play types the lines and gives the screen.
func play(t *testing.T, m *memory, typed []string) string {
	t.Helper()
	ctx, out := context.Background(), &strings.Builder{}
	s, err := New(ctx, options(m, out))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range typed {
		out.WriteString(s.Prompt())
		if text, ok := strings.CutSuffix(line, "?"); ok {
			out.WriteString(line + "\n" + s.Help(text) + s.Prompt() + text + "\n")
			continue
		}
		if text, ok := strings.CutSuffix(line, "<TAB>"); ok {
			insert, choices := s.Complete(text)
			out.WriteString(text + "\n" + choices + s.Prompt() + text + insert + "|\n")
			continue
		}
		if line == "^Z" {
			out.WriteString(line + "\n")
			s.End(ctx)
			continue
		}
		out.WriteString(line + "\n")
		if s.Run(ctx, line) != nil {
			out.WriteString("(closed)\n")
			break
		}
	}
	return out.String()
}
