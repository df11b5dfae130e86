package enforcer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"runtime"
	"strings"
	"sync"

	"aclium/translate/policy"
)

// A push is a whole configuration of which mostly one line is new. The lines
// are most of its text, so a push is read in two steps: the rules are cut out
// of the body, which leaves a skeleton that is decoded as usual; then each rule
// is decoded, but for those whose text the last push had as well. Whatever the
// cutter does not recognize is decoded in one piece, with the same result.

// ruleCache holds the rules of the last push by their text. It is a function of
// text alone, so a push that was refused does no harm to it.
type ruleCache struct {
	mu    sync.Mutex
	rules map[textHash]*policy.Rule
}

// textHash is the first half of a SHA-256.
type textHash [16]byte

func hashText(b []byte) (h textHash) {
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// pushBody is what PUT /v1/policies takes. What must not be forgotten is a
// pointer.
type pushBody struct {
	Revision *uint64          `json:"revision"`
	Source   string           `json:"source"`
	Policies *[]policy.Policy `json:"policies"`
	Logging  policy.Logging   `json:"logging"`
}

// decode reads a body as decodeStrict does. It returns the text of the policies
// beside it, nil when the body was read in one piece.
func (c *ruleCache) decode(body []byte) (pushBody, json.RawMessage, error) {
	cut := cutter{body: body}
	if cut.run() {
		var p pushBody
		if decodeStrict(bytes.NewReader(cut.skeleton), &p) == nil && p.Policies != nil && c.fill(*p.Policies, cut.lists) {
			return p, cut.policies, nil
		}
	}
	var p pushBody
	err := decodeStrict(bytes.NewReader(body), &p)
	return p, nil, err
}

// fill decodes the rules that were cut out of each policy.
func (c *ruleCache) fill(policies []policy.Policy, lists [][][]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(policies) != len(lists) {
		return false
	}
	seen := map[textHash]*policy.Rule{}
	parts := newSharer()
	for i, texts := range lists {
		if texts == nil {
			continue
		}
		policies[i].Rules = make([]policy.Rule, len(texts))
		if !c.fillList(policies[i].Rules, texts, seen, parts) {
			return false
		}
	}
	c.rules = seen
	return true
}

func (c *ruleCache) fillList(rules []policy.Rule, texts [][]byte, seen map[textHash]*policy.Rule, parts *sharer) bool {
	hashes := make([]textHash, len(texts))
	workers := runtime.GOMAXPROCS(0)
	failed := make([]bool, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w * len(texts) / workers; i < (w+1)*len(texts)/workers; i++ {
				hashes[i] = hashText(texts[i])
				if known := c.rules[hashes[i]]; known != nil {
					rules[i] = *known
				} else if decodeStrict(bytes.NewReader(texts[i]), &rules[i]) != nil {
					failed[w] = true
					return
				}
			}
		})
	}
	wait.Wait()
	for _, f := range failed {
		if f {
			return false
		}
	}
	for i, h := range hashes {
		if c.rules[h] == nil {
			parts.share(&rules[i])
		}
		seen[h] = &rules[i]
	}
	return true
}

// cutter takes the elements of policies[i].rules out of a body. It only finds
// where values begin and end; that they are JSON is for the decoder to say.
type cutter struct {
	body     []byte
	at       int
	kept     int    // where the part begins that is not in skeleton yet
	skeleton []byte // the body with empty arrays of rules
	lists    [][][]byte
	policies json.RawMessage
}

// run reports whether the body has the form that the cutter knows.
func (c *cutter) run() bool {
	ok := c.object("policies", func() bool {
		start := c.space()
		ok := c.array(func() bool {
			c.lists = append(c.lists, nil)
			return c.object("rules", c.rules)
		})
		c.policies = c.body[start:c.at]
		return ok
	})
	c.skeleton = append(c.skeleton, c.body[c.kept:]...)
	return ok
}

func (c *cutter) rules() bool {
	texts := [][]byte{}
	c.space()
	start := c.at
	ok := c.array(func() bool {
		first := c.at
		ok := c.skip()
		texts = append(texts, c.body[first:c.at])
		return ok
	})
	c.skeleton = append(append(c.skeleton, c.body[c.kept:start]...), "[]"...)
	c.kept = c.at
	c.lists[len(c.lists)-1] = texts
	return ok
}

// object walks an object and calls value where the value of the name begins,
// which must be there once at most: the decoder takes names of any case.
func (c *cutter) object(name string, value func() bool) bool {
	found := false
	return c.series('{', '}', func() bool {
		start := c.at
		if !c.skipString() {
			return false
		}
		key := c.body[start+1 : c.at-1]
		c.space()
		if !c.take(':') || bytes.IndexByte(key, '\\') >= 0 {
			return false
		}
		c.space()
		if !strings.EqualFold(string(key), name) {
			return c.skip()
		}
		if found || string(key) != name {
			return false
		}
		found = true
		return value()
	})
}

func (c *cutter) array(element func() bool) bool { return c.series('[', ']', element) }

// series walks what stands between two brackets, with commas between.
func (c *cutter) series(open, shut byte, element func() bool) bool {
	c.space()
	if !c.take(open) {
		return false
	}
	c.space()
	if c.take(shut) {
		return true
	}
	for {
		c.space()
		if !element() {
			return false
		}
		c.space()
		if c.take(shut) {
			return true
		}
		if !c.take(',') {
			return false
		}
	}
}

func (c *cutter) space() int {
	for c.at < len(c.body) && (c.body[c.at] == ' ' || c.body[c.at] == '\n' || c.body[c.at] == '\t' || c.body[c.at] == '\r') {
		c.at++
	}
	return c.at
}

func (c *cutter) take(b byte) bool {
	if c.at < len(c.body) && c.body[c.at] == b {
		c.at++
		return true
	}
	return false
}

// skip passes over a value.
func (c *cutter) skip() bool {
	start, depth := c.at, 0
	for c.at < len(c.body) {
		switch c.body[c.at] {
		case '"':
			if !c.skipString() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return c.at > start
			}
			if depth--; depth == 0 {
				c.at++
				return true
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return c.at > start
			}
		}
		c.at++
	}
	return false
}

func (c *cutter) skipString() bool {
	if !c.take('"') {
		return false
	}
	for c.at < len(c.body) {
		switch c.body[c.at] {
		case '"':
			c.at++
			return true
		case '\\':
			c.at++
		}
		c.at++
	}
	return false
}
