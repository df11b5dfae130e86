package grammar

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestEntriesAreFoundByText types and removes lines of a small vocabulary, so
// that most come twice. An ACE is a duplicate when, and only when, its text
// stands in the list; also where all hashes are the same.
func TestEntriesAreFoundByText(t *testing.T) {
	for name, hash := range map[string]func([]byte) uint64{"hash": hashText, "one of 4": func(b []byte) uint64 { return hashText(b) % 4 }, "constant": func([]byte) uint64 { return 7 }} {
		t.Run(name, func(t *testing.T) {
			for kind, line := range map[string]func(*rand.Rand) string{"extended": smallLine, "standard": smallStandard} {
				s := typed(t, "ip access-list "+kind+" A")
				s.acl.keys = newKeys(hash)
				checkEdits(t, s, line)
			}
		})
	}
}

func smallLine(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	return pick("permit", "deny") + " tcp " + pick("any", "host 10.0.0.1", "10.0.0.1 0.0.0.0") + pick("", " eq 80", " eq www", " range 80 81") + " any" + pick("", " log", " established", " log established", " dscp ef")
}

func smallStandard(r *rand.Rand) string {
	return []string{"permit ", "deny "}[r.IntN(2)] + []string{"any", "host 10.0.0.1", "10.0.0.2", "10.0.0.3 0.0.0.254", "10.0.0.0 0.0.0.3", "object-group G"}[r.IntN(6)]
}

// checkEdits holds a list at a prompt to what its entries say.
func checkEdits(t *testing.T, s *Session, line func(*rand.Rand) string) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 3000 {
		text := line(r)
		a := s.acl
		before := slices.Clone(a.Entries)
		number := ""
		if r.IntN(3) == 0 {
			number = fmt.Sprint(1+r.IntN(200), " ")
		}
		remove := r.IntN(3) == 0
		if remove {
			text = "no " + text
		}
		_, err := s.Line(Position{}, strings.Replace(text, "no ", "no "+number, 1))
		want := canonicalOf(t, a.Kind, strings.TrimPrefix(text, "no "))
		at := slices.IndexFunc(before, func(e *Entry) bool { return e.ACE.String() == want })
		switch {
		case remove && at >= 0 && (number == "" || number == fmt.Sprint(before[at].Seq, " ")):
			if diff := gocmp.Diff(textsOf(slices.Delete(before, at, at+1)), textsOf(a.Entries)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", text, diff)
			}
		case remove || at >= 0:
			if len(a.Entries) != len(before) || !remove && (err == nil || !strings.Contains(err.Error(), fmt.Sprint("Duplicate entry exists at sequence ", before[at].Seq))) {
				t.Fatalf("%s: %v, %d entries, want a duplicate", text, err, len(a.Entries)-len(before))
			}
		default:
			checkAdded(t, a, before, want, err)
		}
		if len(a.Entries) > 20 {
			_, _ = s.Line(Position{}, fmt.Sprint("no ", a.Entries[r.IntN(len(a.Entries))].Seq))
		}
	}
}

// checkAdded expects a list with one more entry, unless an earlier one covers
// its host.
func checkAdded(t *testing.T, a *ACL, before []*Entry, want string, err error) {
	t.Helper()
	if err == nil {
		if texts := textsOf(a.Entries); len(texts) != len(before)+1 || !slices.ContainsFunc(texts, func(s string) bool { return strings.HasSuffix(s, "0 "+want) || strings.HasSuffix(s, " "+want) }) {
			t.Fatalf("%s is not in %q", want, texts)
		}
		return
	}
	if len(a.Entries) != len(before) {
		t.Fatalf("%s: refused and changed: %v", want, err)
	}
	var at uint32
	if _, parsed := fmt.Sscanf(err.Error(), "Access rule can't be configured at higher sequence num as it is part of the existing rule at sequence num %d", &at); parsed != nil {
		t.Fatalf("%s: %v", want, err)
	}
	host := typed(t, "ip access-list standard X; "+want).acl.Entries[0].ACE.Source
	for _, e := range before {
		if s := e.ACE.Source; s.Kind <= MaskedAddress && s.Kind != HostAddress && clear(host.Addr, s.Wildcard) == s.Addr {
			if e.Seq != at {
				t.Fatalf("%s is covered by %d first, not by %d", want, e.Seq, at)
			}
			return
		}
	}
	t.Fatalf("%s is covered by nothing: %v", want, err)
}

func canonicalOf(t *testing.T, kind ACLKind, line string) string {
	return typed(t, "ip access-list "+strings.ToLower(kind.String())+" X; "+line).acl.Entries[0].ACE.String()
}

func textsOf(all []*Entry) (out []string) {
	for _, e := range all {
		out = append(out, fmt.Sprint(e.Seq, " ", e.ACE))
	}
	return out
}

// TestOrderOfTypingDoesNotMatter reads files whose lines are numbered and
// shuffled, with remarks and mistakes in between. The list is what a person
// gets who types the lines one by one.
func TestOrderOfTypingDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for range 30 {
		numbers := r.Perm(3000)
		lines := []string{"ip access-list extended A"}
		for i, n := range numbers[:1+r.IntN(2500)] {
			lines = append(lines, fmt.Sprintf(" %d permit ip host 10.0.%d.%d any", 2*n+1, n>>8, n&255))
			switch r.IntN(200) {
			case 0:
				lines = append(lines, fmt.Sprint(" remark number ", i))
			case 1:
				lines = append(lines, fmt.Sprintf(" %d remark of %d", 2*n+1, i))
			case 2:
				lines = append(lines, fmt.Sprint(" no ", 2*n+1))
			case 3:
				lines = append(lines, fmt.Sprintf(" no permit ip host 10.0.%d.%d any", n>>8, n&255))
			case 4:
				lines = append(lines, fmt.Sprintf(" %d deny ip any any", 2*n+1), " permit tcp any any eq telnit")
			case 5:
				lines = append(lines, fmt.Sprintf(" permit udp any any eq %d", i))
			case 6:
				lines = append(lines, "ip access-list resequence A 1 2", "ip access-list extended A")
			case 7:
				lines = append(lines, fmt.Sprintf(" %d remark before %d", 2*numbers[i+1]+1, i))
			case 8:
				lines = append(lines, "ip access-list extended B", fmt.Sprintf(" %d permit tcp any any eq %d", 3000-i, i), "ip access-list extended A")
			}
		}
		file, _, _ := ParseFile("", strings.NewReader(strings.Join(lines, "\n")))
		s := NewSession(&Config{})
		for _, line := range lines {
			_, _ = s.Line(Position{}, line)
		}
		if diff := gocmp.Diff(s.Config.text(), file.text()); diff != "" {
			t.Fatalf("(-typed +file):\n%s", diff)
		}
	}
}

// TestKeptStatementsAreFoundByKey types settings, types them again with other
// values and takes them back, in two places in turn.
func TestKeptStatementsAreFoundByKey(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	s := NewSession(&Config{})
	want := map[string]map[string]string{"A": {}, "B": {}}
	for range 5000 {
		name, key := string('A'+rune(r.IntN(2))), fmt.Sprint("max-incomplete ", []string{"high", "low"}[r.IntN(2)])
		if r.IntN(2) == 0 {
			key = fmt.Sprint("one-minute ", []string{"high", "low"}[r.IntN(2)])
		}
		line := fmt.Sprint(key, " ", 1+r.IntN(9))
		if r.IntN(3) == 0 && want[name][key] != "" {
			line = "no " + want[name][key]
			delete(want[name], key)
		} else {
			want[name][key] = line
		}
		for _, l := range []string{"parameter-map type inspect " + name, line} {
			if _, err := s.Line(Position{}, l); err != nil {
				t.Fatal(l, err)
			}
		}
	}
	for _, m := range s.Config.Other {
		var got []string
		for _, b := range m.Below {
			got = append(got, b.Words)
		}
		slices.Sort(got)
		name := m.Words[len(m.Words)-1:]
		if diff := gocmp.Diff(slices.Sorted(maps.Values(want[name])), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.Words, diff)
		}
	}
}
