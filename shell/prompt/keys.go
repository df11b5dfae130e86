package prompt

import (
	"bytes"
	"context"
	"sync"
	"time"
	"unicode/utf8"
)

// Keys that go-prompt must not act on itself are handed to it as sequences
// that no terminal sends, and bound to our functions.
var (
	keyHelp     = []byte{0xff, '?'}
	keyTab      = []byte{0xff, '\t'}
	keyOlder    = []byte{0xff, 'p'}
	keyNewer    = []byte{0xff, 'n'}
	keyYank     = []byte{0xff, 'y'}
	keySwap     = []byte{0xff, 't'}
	keyWordBack = []byte{0xff, 'b'}
	keyWordOn   = []byte{0xff, 'f'}
	keyRedraw   = []byte{0xff, 'l'}
	keyCutLeft  = []byte{0xff, 'u'}
	keyCutRight = []byte{0xff, 'k'}
	keyCutWord  = []byte{0xff, 'w'}
	keyMessage  = []byte{0xff, 'm'}
)

var enter = []byte{'\r'}

// translations replace control characters and escape sequences.
var translations = map[string][]byte{
	"?": keyHelp, "\t": keyTab,
	"\x10": keyOlder, "\x1b[A": keyOlder, "\x1bOA": keyOlder,
	"\x0e": keyNewer, "\x1b[B": keyNewer, "\x1bOB": keyNewer,
	"\x19": keyYank, "\x14": keySwap, "\x12": keyRedraw, "\x0c": keyRedraw,
	"\x1bb": keyWordBack, "\x1bB": keyWordBack, "\x1bf": keyWordOn, "\x1bF": keyWordOn,
	"\x15": keyCutLeft, "\x18": keyCutLeft, "\x0b": keyCutRight, "\x17": keyCutWord,
}

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// escapeWait is how long the rest of an escape sequence may take to arrive.
const escapeWait = 50 * time.Millisecond

// keys splits what a terminal sends into key presses. One goroutine feeds it,
// others take from it.
type keys struct {
	mu      sync.Mutex
	arrived *sync.Cond
	pending []byte
	last    time.Time
	closed  bool
	// gated says that a line is being run: nothing is handed to go-prompt
	// until it asks for input again.
	gated bool
	// pasting says that the terminal is sending a paste.
	pasting bool
	// literal says that Ctrl-V was typed.
	literal bool
	// end says that the line was ended by Ctrl-Z, dropped that it was not
	// ended at all: Ctrl-C was typed, or the terminal is gone.
	end, dropped bool
	// message says that there is a log line to show.
	message bool
	// waiting says that somebody reads a key; cancel stops what is running.
	waiting bool
	cancel  context.CancelFunc
}

func newKeys() *keys {
	k := &keys{}
	k.arrived = sync.NewCond(&k.mu)
	return k
}

// feed takes what the terminal sent. Ctrl-C stops the command that runs, and
// what was typed ahead with it.
func (k *keys) feed(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at := bytes.LastIndexByte(b, 3); at >= 0 && k.cancel != nil && !k.waiting {
		k.cancel()
		k.pending, b = nil, b[at+1:]
	}
	k.pending = append(k.pending, b...)
	k.last = time.Now()
	k.arrived.Broadcast()
}

func (k *keys) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.arrived.Broadcast()
}

// open lets keys through to go-prompt again.
func (k *keys) open() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gated, k.end, k.dropped = false, false, false
}

// notify makes the next key a message.
func (k *keys) notify() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.message = true
}

// next gives the next key press, or nil when there is none yet.
func (k *keys) next() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.gated:
		return nil
	case k.message:
		k.message = false
		return keyMessage
	case len(k.pending) == 0 && k.closed:
		k.gated, k.dropped = true, true
		return enter
	}
	for len(k.pending) > 0 {
		key, n := k.cut()
		if n == 0 {
			return nil
		}
		k.pending = k.pending[n:]
		if bytes.Equal(key, enter) {
			k.gated = true
		}
		if key != nil {
			return key
		}
	}
	return nil
}

// cut gives the first key press of what is pending and its length in bytes;
// no bytes when more must arrive first, no key when it means nothing.
func (k *keys) cut() (key []byte, n int) {
	b := k.pending
	switch {
	case k.literal:
		k.literal = false
		return text(b[:1]), 1
	case b[0] == 0x1b:
		return k.cutEscape()
	case isText(b[0]) && (b[0] != '?' || k.pasting):
		return k.cutText()
	case b[0] == 0x16 && !k.pasting:
		k.literal = true
		return nil, 1
	}
	return k.cutControl()
}

func isText(c byte) bool { return c >= ' ' && c != 0x7f }

// text is a key that go-prompt inserts.
func text(b []byte) []byte {
	if !isText(b[0]) {
		return nil
	}
	return bytes.Clone(b)
}

// cutText takes a run of text, without the beginning of a rune at its end.
func (k *keys) cutText() ([]byte, int) {
	n := 0
	for n < len(k.pending) && isText(k.pending[n]) && (k.pending[n] != '?' || k.pasting) {
		n++
	}
	run := k.pending[:n]
	if n == len(k.pending) {
		run = wholeRunes(run)
	}
	if len(run) == 0 && time.Since(k.last) < escapeWait {
		return nil, 0
	}
	if len(run) == 0 {
		return nil, n
	}
	return bytes.ToValidUTF8(run, []byte("\uFFFD")), len(run)
}

func wholeRunes(b []byte) []byte {
	for back := 1; back <= min(len(b), utf8.UTFMax); back++ {
		if c := b[len(b)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-back:]) {
				return b[:len(b)-back]
			}
			return b
		}
	}
	return b
}

// cutControl takes one control character. Inside a paste only ends of lines
// act, and a tab is a blank. CR LF is one end of line.
func (k *keys) cutControl() ([]byte, int) {
	c := k.pending[0]
	switch {
	case c == '\r':
		if len(k.pending) > 1 && k.pending[1] == '\n' {
			return enter, 2
		}
		return enter, 1
	case c == '\n':
		return enter, 1
	case k.pasting && c == '\t':
		return []byte{' '}, 1
	case k.pasting:
		return nil, 1
	case c == 0x1a:
		k.end = true
		return enter, 1
	case c == 3:
		k.dropped = true
		return enter, 1
	case c == 4:
		return nil, 1 // Ctrl-D deletes nothing at the end of a line and never quits.
	}
	if key := translations[string(c)]; key != nil {
		return key, 1
	}
	if c == 0 {
		return nil, 1
	}
	return []byte{c}, 1
}

// cutEscape takes an escape sequence: CSI, SS3, or Esc and a letter.
func (k *keys) cutEscape() ([]byte, int) {
	n := escapeLength(k.pending)
	if n == 0 {
		if time.Since(k.last) < escapeWait {
			return nil, 0
		}
		return nil, 1
	}
	sequence := string(k.pending[:n])
	switch {
	case sequence == pasteStart || sequence == pasteEnd:
		k.pasting = sequence == pasteStart
		return nil, n
	case k.pasting:
		return nil, n
	case translations[sequence] != nil:
		return translations[sequence], n
	case n > 2:
		return []byte(sequence), n
	}
	return nil, n
}

// escapeLength gives the length of the sequence at the start of b, 0 when it
// is not whole.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e && !(i == 2 && b[i] == '[') {
				return i + 1
			}
			if b[i] < 0x20 {
				return i
			}
		}
		return 0
	case 'O':
		if len(b) < 3 {
			return 0
		}
		return 3
	}
	return 2
}

// line takes a whole line that is pending, so that a paste does not pay for
// go-prompt's pauses. It gives none when a key in it has to act.
func (k *keys) line() (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed && len(k.pending) == 0 {
		return "", false
	}
	at, skip := k.lineStart()
	n := bytes.IndexAny(k.pending[at:], "\r\n")
	if n < 0 {
		return "", false
	}
	line := k.pending[at : at+n]
	for _, c := range line {
		if !isText(c) && !(c == '\t' && (skip || k.pasting)) || c == '?' && !skip && !k.pasting {
			return "", false
		}
	}
	k.pasting = k.pasting || skip
	end := at + n + 1
	if k.pending[end-1] == '\r' && end < len(k.pending) && k.pending[end] == '\n' {
		end++
	}
	text := string(bytes.ReplaceAll(bytes.ToValidUTF8(line, []byte("\uFFFD")), []byte{'\t'}, []byte{' '}))
	k.pending = k.pending[end:]
	return text, true
}

// lineStart skips the mark of a paste.
func (k *keys) lineStart() (at int, paste bool) {
	if bytes.HasPrefix(k.pending, []byte(pasteStart)) {
		return len(pasteStart), true
	}
	return 0, false
}

// wait gives the next byte that is typed; of an escape sequence the first.
func (k *keys) wait(ctx context.Context) (byte, error) {
	stop := context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.arrived.Broadcast()
	})
	defer stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = true
	defer func() { k.waiting = false }()
	for len(k.pending) == 0 {
		if ctx.Err() != nil || k.closed {
			return 0, context.Canceled
		}
		k.arrived.Wait()
	}
	c, n := k.pending[0], 1
	if c == 0x1b {
		n = max(n, escapeLength(k.pending))
	}
	k.pending = k.pending[n:]
	return c, nil
}

// running says what Ctrl-C stops; nil when nothing runs.
func (k *keys) running(cancel context.CancelFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel = cancel
}

// ended tells how the line that was handed out last was ended.
func (k *keys) ended() (end, dropped bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.end, k.dropped
}

// hungUp reports whether the terminal is gone and everything is read.
func (k *keys) hungUp() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed && len(k.pending) == 0
}
