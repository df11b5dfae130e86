package enforcer

import (
	"bytes"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"aclium/translate/policy"
)

// A pushedList is a list of the last push, as it was written and as it was
// read. What a push has in common with the last one, at the begin and at the
// end of a list, is neither cut nor read: to compare 10,000 lines takes less
// than a millisecond. Equal text behind an element is cut into equal elements.
type pushedList struct {
	text  []byte   // from the bracket to the bracket
	at    []extent // of the rules in text
	rules []policy.Rule
}

// extent is where an element stands: from first up to but not including behind.
type extent struct{ first, behind int }

// cutList is a list of a push whose rules are cut out and not read yet.
type cutList struct {
	given bool // there is an array of rules
	name  string
	pushedList
	old *pushedList // nil where the last push had none of the name
	// from is, by rule, its place in old, or -1 where it is not known to stand
	// there.
	from []int32
}

// same reports whether the list says what the old one said, rule by rule.
func (l *cutList) same() bool {
	if l.old == nil || len(l.from) != len(l.old.rules) {
		return false
	}
	for i, from := range l.from {
		if int(from) != i {
			return false
		}
	}
	return true
}

// cutRules cuts the array that begins here.
func (c *cutter) cutRules(l *cutList) bool {
	start := c.at
	if !c.take('[') {
		return false
	}
	begun := l.passBegin(c.body[start:])
	if begun > 0 {
		c.at = start + l.at[begun-1].behind
	} else if c.space(); c.take(']') {
		return true
	} else if !c.cutRule(l, start) {
		return false
	}
	const tries = 1000 // what they cost is then as much as to cut all
	for left := tries; ; {
		c.space()
		if c.take(']') {
			return true
		}
		if !c.take(',') {
			return false
		}
		c.space()
		if l.passEnd(c.body[c.at:], c.at-start, begun, &left) {
			c.at = start + l.at[len(l.at)-1].behind
			continue
		}
		if !c.cutRule(l, start) {
			return false
		}
	}
}

func (c *cutter) cutRule(l *cutList, start int) bool {
	first := c.at
	ok := c.skip()
	l.at, l.from = append(l.at, extent{first - start, c.at - start}), append(l.from, -1)
	return ok
}

// passBegin takes over the rules that the old list begins with as well and
// gives their number. What ends a rule has to be the same, too.
func (l *cutList) passBegin(text []byte) int {
	if l.old == nil {
		return 0
	}
	same := common(text, l.old.text)
	n := sort.Search(len(l.old.at), func(i int) bool { return l.old.at[i].behind >= same })
	l.take(0, n, 0)
	return n
}

// common gives how many bytes are the same at the begin of both.
func common(a, b []byte) (n int) {
	const block = 4096
	for len(a) >= n+block && len(b) >= n+block && bytes.Equal(a[n:n+block], b[n:n+block]) {
		n += block
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// passEnd takes over the rest of the old list, where the text goes on as it
// does. begun rules stood at the begin of both; the place is looked for near
// where the rules since then would have replaced as many.
func (l *cutList) passEnd(text []byte, at, begun int, tries *int) bool {
	if l.old == nil {
		return false
	}
	const near = 8 // rules that were taken away
	for i := begun; i < min(len(l.from)+near, len(l.old.at)) && *tries > 0; i++ {
		*tries--
		if rest := l.old.text[l.old.at[i].first:]; bytes.HasPrefix(text, rest) {
			l.take(i, len(l.old.at), at-l.old.at[i].first)
			return true
		}
	}
	return false
}

// take takes over old rules, which stand so much farther behind.
func (l *cutList) take(first, behind, shift int) {
	for i := first; i < behind; i++ {
		old := l.old.at[i]
		l.at, l.from = append(l.at, extent{old.first + shift, old.behind + shift}), append(l.from, int32(i))
	}
}

func (l *cutList) rule(i int) []byte { return l.text[l.at[i].first:l.at[i].behind] }

// few rules are read sooner than looked for.
const fewRules = 32

// find looks for rules that are not at the begin or the end among all of the
// old list: blocks may have been moved.
func (l *cutList) find() {
	unknown := 0
	for _, from := range l.from {
		if from < 0 {
			unknown++
		}
	}
	if l.old == nil || unknown <= fewRules {
		return
	}
	known := make(map[string]int32, len(l.old.at))
	for i, e := range l.old.at {
		known[string(l.old.text[e.first:e.behind])] = int32(i)
	}
	for i, from := range l.from {
		if from >= 0 {
			continue
		}
		if at, ok := known[string(l.rule(i))]; ok {
			l.from[i] = at
		}
	}
}

// read gives the rules; ok is false where one of them cannot be read. A list
// that says what it said before is the very same one.
func (l *cutList) read(parts *sharer) (rules []policy.Rule, ok bool) {
	l.find()
	if l.same() {
		return l.old.rules, true
	}
	rules = make([]policy.Rule, len(l.at))
	ok = inParts(len(rules), func(i int) bool {
		if from := l.from[i]; from >= 0 {
			rules[i] = l.old.rules[from]
			return true
		}
		return decodeStrict(bytes.NewReader(l.rule(i)), &rules[i]) == nil
	})
	for i := range rules {
		if ok && l.from[i] < 0 {
			parts.share(&rules[i])
		}
	}
	return rules, ok
}

// inParts calls f for the numbers below n, on every processor; ok is false
// where one call gave false.
func inParts(n int, f func(i int) bool) (ok bool) {
	workers := runtime.GOMAXPROCS(0)
	var failed atomic.Bool
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				if !f(i) {
					failed.Store(true)
					return
				}
			}
		})
	}
	wait.Wait()
	return !failed.Load()
}
