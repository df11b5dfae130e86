package enforcer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"

	"aclium/translate/policy"
)

// A push is a whole configuration of which mostly one line is new. The lines
// are most of its text, so a push is read in two steps: the rules are cut out
// of the body, which leaves a skeleton that is decoded as usual; then each rule
// is decoded, but for those whose text the last push had as well. Whatever the
// cutter does not recognize is decoded in one piece, with the same result.

// ruleCache holds the rules of the last push with their text, or by its hash
// where the push was too large to keep. It is a function of text alone, so a
// push that was refused does no harm to it.
type ruleCache struct {
	mu    sync.Mutex
	rules map[textHash]*policy.Rule
	lists map[string]*pushedList // by the text before the rules; never changed
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
	c.mu.Lock()
	cut := cutter{body: body, last: c.lists}
	c.mu.Unlock()
	if cut.run() {
		var p pushBody
		if decodeStrict(bytes.NewReader(cut.skeleton), &p) == nil && p.Policies != nil && c.fill(*p.Policies, &cut) {
			return p, cut.policies, nil
		}
	}
	var p pushBody
	err := decodeStrict(bytes.NewReader(body), &p)
	return p, nil, err
}

// fill decodes the rules that were cut out of each policy.
func (c *ruleCache) fill(policies []policy.Policy, cut *cutter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(policies) != len(cut.lists) {
		return false
	}
	seen, lists := map[textHash]*policy.Rule{}, map[string]*pushedList{}
	keep := len(cut.body) <= largestKept
	parts := newSharer()
	for i, l := range cut.lists {
		if !l.given {
			continue
		}
		var ok bool
		if keep {
			policies[i].Rules, ok = l.read(parts)
			l.rules = policies[i].Rules
			lists[l.name] = &pushedList{text: l.text, at: l.at, rules: l.rules}
		} else {
			policies[i].Rules, ok = c.readHashed(l, seen, parts)
		}
		if !ok {
			return false
		}
	}
	c.rules, c.lists = seen, lists
	return true
}

func (c *ruleCache) readHashed(l *cutList, seen map[textHash]*policy.Rule, parts *sharer) ([]policy.Rule, bool) {
	rules, hashes := make([]policy.Rule, len(l.at)), make([]textHash, len(l.at))
	ok := inParts(len(rules), func(i int) bool {
		hashes[i] = hashText(l.rule(i))
		if known := c.rules[hashes[i]]; known != nil {
			rules[i] = *known
			return true
		}
		return decodeStrict(bytes.NewReader(l.rule(i)), &rules[i]) == nil
	})
	for i, h := range hashes {
		if ok && c.rules[h] == nil {
			parts.share(&rules[i])
		}
		seen[h] = &rules[i]
	}
	return rules, ok
}

// cutter takes the elements of policies[i].rules out of a body. It only finds
// where values begin and end; that they are JSON is for the decoder to say.
type cutter struct {
	body     []byte
	at       int
	kept     int    // where the part begins that is not in skeleton yet
	skeleton []byte // the body with empty arrays of rules
	lists    []*cutList
	last     map[string]*pushedList
	policies json.RawMessage
}

// run reports whether the body has the form that the cutter knows.
func (c *cutter) run() bool {
	ok := c.object("policies", func() bool {
		start := c.space()
		ok := c.array(func() bool {
			first := c.space()
			c.lists = append(c.lists, &cutList{})
			return c.object("rules", func() bool { return c.rules(first) })
		})
		c.policies = c.body[start:c.at]
		return ok
	})
	c.skeleton = append(c.skeleton, c.body[c.kept:]...)
	return ok
}

// rules cuts the rules of the policy that begins at first.
func (c *cutter) rules(first int) bool {
	start := c.space()
	l := c.lists[len(c.lists)-1]
	l.given, l.name = true, string(c.body[first:start])
	l.old = c.last[l.name]
	ok := c.cutRules(l)
	l.text = c.body[start:c.at]
	c.skeleton = append(append(c.skeleton, c.body[c.kept:start]...), "[]"...)
	c.kept = c.at
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
