package translate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"aclium/translate/policy"
)

// This file walks one list in one cell. Cells that see the same lines have the
// same result, and large lists have many such cells: results are kept under a
// sum of what the walk depends on.

// remaining is a set of peers that no line has decided, and what lines have
// taken out of it without permitting it: an address that remains may be that of
// a pod that was taken out, and the other way round. Of what is taken only one
// set of pods and one range is kept, since all that counts is that there is one.
type remaining struct{ left, taken region }

// undecided is the state of a walk through one list in one cell.
type undecided struct {
	remaining
	family policy.Family
	// permitted.addrs are in no order.
	permitted region
	aside     map[int]remaining
	// unsaid is what a deny covers in part.
	unsaid     region
	unsaidRule *policy.Rule
	unsaidWhy  string
	// inPart says that some line is not said exactly.
	inPart bool
	// lines are the indices of the rules that permit something.
	lines []int
}

// A step is a line that concerns the cell.
type step struct {
	at   int
	fits fit
	why  string
}

type walkKey struct {
	list   *policy.Policy
	family policy.Family
	sum    [sha256.Size]byte
}

// walked is the result of a walk; lines count its steps.
type walked struct {
	permitted region
	lines     []int
}

type regionKey struct {
	rule   *policy.Rule
	family policy.Family
}

type regionOf struct {
	region
	unsure uncertain
	// id is the same for lines with the same peers.
	id uint32
}

// region gives the peers of a line.
func (w *cellWalk) region(r *policy.Rule, f policy.Family) (region, uncertain) {
	known := w.lookup(r, f)
	return known.region, known.unsure
}

func (w *cellWalk) lookup(r *policy.Rule, f policy.Family) regionOf {
	key := regionKey{r, f}
	known, ok := w.regions[key]
	if !ok {
		peers := peerEnd(r, w.direction)
		known.region, known.unsure = w.space.region(peers, f)
		known.id = w.peersID(peers)
		w.regions[key] = known
	}
	return known
}

// peersID numbers peers by what they say.
func (w *cellWalk) peersID(p *policy.Peers) uint32 {
	text := fmt.Sprint(*p)
	id, ok := w.ids[text]
	if !ok {
		id = uint32(len(w.ids))
		w.ids[text] = id
	}
	return id
}

// steps gives the lines that concern a cell, and a key for the result unless
// it depends on more than that.
func (w *cellWalk) steps(c *cell, l *policy.Policy, f policy.Family) (steps []step, key walkKey, shared bool) {
	var text []byte
	shared = true
	for i := range l.Rules {
		r := &l.Rules[i]
		if !w.own[r] || w.native[r] {
			continue
		}
		fits, why := c.fit(r)
		if fits == fitNone {
			continue
		}
		steps = append(steps, step{i, fits, why})
		shared = shared && fits == fitAll && r.Action != policy.Next
		text = binary.LittleEndian.AppendUint32(append(text, byte(r.Action)), w.lookup(r, f).id)
	}
	if shared {
		key = walkKey{l, f, sha256.Sum256(text)}
	}
	return steps, key, shared
}

// walkList gives what a list permits in a cell, and the lines that do.
func (w *cellWalk) walkList(c *cell, l *policy.Policy, f policy.Family) (region, []policy.RuleID, *refusal) {
	steps, key, shared := w.steps(c, l, f)
	if known, ok := w.walks[key]; ok && shared {
		return known.permitted, idsAt(l, steps, known.lines), nil
	}
	u := &undecided{family: f, remaining: remaining{left: w.space.whole(f)}, aside: map[int]remaining{}}
	next := 0
	for i := range l.Rules {
		if back, ok := u.aside[i]; ok {
			u.left, u.taken = u.left.union(back.left), u.taken.or(back.taken)
			delete(u.aside, i)
		}
		if next == len(steps) || u.left.empty() && len(u.aside) == 0 {
			break
		}
		if steps[next].at != i {
			continue
		}
		if refused := w.line(l, steps[next], u); refused != nil {
			return region{}, nil, refused
		}
		if next++; len(u.left.pods) > maxConjs {
			return region{}, nil, &refusal{l, &l.Rules[i], fmt.Sprintf("the selectors split the pods into more than %d sets: the enforcer takes the list as it is", maxConjs)}
		}
	}
	out := walked{region{w.simplified(u.permitted.pods), newAddrSet(u.permitted.addrs...)}, stepsAt(steps, u.lines)}
	if shared && !u.inPart {
		w.walks[key] = out
	}
	return out.permitted, idsAt(l, steps, out.lines), nil
}

// stepsAt gives the steps of rules; both are in order.
func stepsAt(steps []step, rules []int) []int {
	out := make([]int, 0, len(rules))
	for i := range steps {
		if len(out) < len(rules) && steps[i].at == rules[len(out)] {
			out = append(out, i)
		}
	}
	return out
}

func idsAt(l *policy.Policy, steps []step, lines []int) []policy.RuleID {
	out := make([]policy.RuleID, len(lines))
	for i, line := range lines {
		out[i] = l.Rules[steps[line].at].ID
	}
	return out
}

// take removes what a line decides otherwise than by permitting it. When
// nothing remains, nothing can hide in it.
func (u *undecided) take(m region) {
	u.left, u.taken = u.left.minus(m), u.taken.or(m)
	if u.left.empty() {
		u.taken = region{}
	}
}

// or gives one set of pods and one range of either region, if there are any.
func (r region) or(s region) (out region) {
	for _, t := range []region{r, s} {
		if len(t.pods) > 0 {
			out.pods = t.pods[:1]
		}
		if len(t.addrs) > 0 {
			out.addrs = t.addrs[:1]
		}
	}
	return out
}
