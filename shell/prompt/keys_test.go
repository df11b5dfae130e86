package prompt

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// all gives what go-prompt would be handed for one read, Setup after each line.
func all(k *keys) []string {
	var out []string
	for {
		key := k.next()
		if key == nil {
			return out
		}
		out = append(out, string(key))
		if string(key) == "\r" {
			k.open()
		}
	}
}

func TestReadsAreSplitIntoKeys(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"show ver\r", []string{"show ver", "\r"}},
		{"a\r\nb\n", []string{"a", "\r", "b", "\r"}},
		{"\r\r", []string{"\r", "\r"}},
		{"sh?", []string{"sh", string(keyHelp)}},
		{"sh\t", []string{"sh", string(keyTab)}},
		{"a\x1b[Ab", []string{"a", string(keyOlder), "b"}},
		{"a\x1b[D\x1b[Cb", []string{"a", "\x1b[D", "\x1b[C", "b"}},
		{"\x16?x", []string{"?", "x"}},
		{"\x04\x00a", []string{"a"}},
		{"é日\r", []string{"é日", "\r"}},
		{"\x1b[200~a?\tb\r\nc\x1b[201~?", []string{"a?", " ", "b", "\r", "c", string(keyHelp)}},
		{"\x1bb\x1bf", []string{string(keyWordBack), string(keyWordOn)}},
	} {
		k := newKeys()
		k.feed([]byte(c.in))
		if got := all(k); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// Whatever the reads are cut into, the text that arrives is the same.
func TestSplitReadsGiveTheSameText(t *testing.T) {
	const in = "show é日\x1b[D x\r\x1b[200~p?q\r\x1b[201~end\r"
	join := func(keys []string) (text string) {
		for _, k := range keys {
			text += k
		}
		return text
	}
	whole := newKeys()
	whole.feed([]byte(in))
	want := join(all(whole))
	for cut := 1; cut < len(in); cut++ {
		k := newKeys()
		k.feed([]byte(in[:cut]))
		got := all(k)
		k.feed([]byte(in[cut:]))
		if got = append(got, all(k)...); join(got) != want {
			t.Errorf("cut at %d: got %q, want %q", cut, join(got), want)
		}
	}
}

func TestTypeAheadWaitsForSetup(t *testing.T) {
	k := newKeys()
	k.feed([]byte("enable\rsecret\r"))
	k.next()
	if key := string(k.next()); key != "\r" {
		t.Fatalf("got %q, want Enter", key)
	}
	if key := k.next(); key != nil {
		t.Fatalf("got %q between Enter and Setup", key)
	}
	if c, err := k.wait(context.Background()); c != 's' || err != nil {
		t.Errorf("a question reads %q %v, want what was typed ahead", c, err)
	}
}

func TestPendingLinesAreDrained(t *testing.T) {
	k := newKeys()
	k.feed([]byte("one\rtwo\r\nthree\nfour?\rfive"))
	for _, want := range []string{"one", "two", "three"} {
		if got, ok := k.line(); !ok || got != want {
			t.Errorf("got %q %t, want %q", got, ok, want)
		}
	}
	if got, ok := k.line(); ok {
		t.Errorf("%q is drained though ? has to act", got)
	}
}

func TestCtrlCStopsWhatRuns(t *testing.T) {
	k := newKeys()
	ctx, cancel := context.WithCancel(context.Background())
	k.running(cancel)
	k.feed([]byte("typed ahead\r\x03after"))
	if ctx.Err() == nil {
		t.Error("Ctrl-C does not cancel the command")
	}
	k.running(nil)
	if got := fmt.Sprint(all(k)); got != "[after]" {
		t.Errorf("got %s, want only what came after Ctrl-C", got)
	}
}

func TestLoneEscapeDoesNotHang(t *testing.T) {
	k := newKeys()
	k.feed([]byte("\x1b"))
	k.last = time.Now().Add(-2 * escapeWait)
	if k.next() != nil || len(k.pending) != 0 {
		t.Error("a lone Esc stays in the way")
	}
}
