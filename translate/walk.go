package translate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// This file walks one list in one cell. Cells that see the same lines have the
// same result, and large lists have many such cells: results are kept under a
// sum of what the walk depends on.

// remaining is a set of peers that no line has decided, and what lines have
// taken out of it without permitting it: an address that remains may be that of
// a pod that was taken out, and the other way round. Of what is taken only one
// set of pods and one range is kept, since all that counts is that there is one.
//
// behind are addresses that are not left though pods which are left may have
// them: a line took everybody of the world, or set pods aside by their labels.
// It is kept only where pods and addresses are not told apart.
type remaining struct {
	left, taken region
	behind      addrSet
}

// undecided is the state of a walk through one list in one cell.
type undecided struct {
	remaining
	cell   int
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
	// denies says that a line took addresses otherwise than by permitting them.
	denies bool
	// doubt are the roles that a line took away by addresses.
	doubt roleSet
	// podsOnly leaves the addresses to a grid.
	podsOnly bool
}

// A step is a line that concerns the cell.
type step struct {
	at   int
	fits fit
	why  string
}

type walkKey struct {
	list     *policy.Policy
	family   policy.Family
	podsOnly bool
	sum      [sha256.Size]byte
}

// walked is the result of a walk; lines count its steps.
type walked struct {
	permitted result
	lines     []int
}

type regionKey struct {
	rule   *policy.Rule
	family policy.Family
}

type regionOf struct {
	region
	unsure uncertain
	// doubt are the roles that are in the region only because their addresses
	// are not known.
	doubt roleSet
	// id is the same for lines with the same peers.
	id uint32
}

// region gives the peers of a line.
func (w *cellWalk) region(r *policy.Rule, f policy.Family) (region, uncertain) {
	known := w.lookup(r, f)
	return known.region, known.unsure
}

func (w *cellWalk) lookup(r *policy.Rule, f policy.Family) *regionOf {
	key := regionKey{r, f}
	known, ok := w.regions[key]
	if !ok {
		peers := peerEnd(r, w.direction)
		known = w.regionNumbered(peers, f)
		if r.Action != policy.Permit {
			known = w.space.denied(*known, peers, f)
		}
		w.regions[key] = known
	}
	return known
}

// regionNumbered finds the region of peers, and the number of what they say.
func (w *cellWalk) regionNumbered(p *policy.Peers, f policy.Family) *regionOf {
	others := *p
	others.Addresses = nil
	id := w.number(fmt.Sprint("peers ", len(p.Selectors), others, " ") + addrSet(p.Addresses).key())
	key := peersKey{id, f}
	known, ok := w.peersSeen[key]
	if !ok {
		known = &regionOf{id: id}
		known.region, known.unsure = w.space.region(p, f)
		w.peersSeen[key] = known
	}
	return known
}

type peersKey struct {
	id     uint32
	family policy.Family
}

// concerned gives the lines that reach each cell, in order: a list of thousands
// of lines has thousands of cells, and most lines reach few of them.
func (w *cellWalk) concerned(u *undecided, l *policy.Policy) [][]int32 {
	key := concernKey{l, u.family, u.podsOnly}
	known, ok := w.concerns[key]
	if ok {
		return known
	}
	known = make([][]int32, len(w.cells))
	for i := range l.Rules {
		r := &l.Rules[i]
		if !w.own[r] || w.native[r] || hostAlone(r, w.direction) {
			continue
		}
		at := w.lookup(r, u.family)
		if u.podsOnly && at.unsure == "" && len(at.pods) == 0 && at.roles == 0 {
			continue
		}
		reach := w.reach(r)
		for _, s := range slices.Concat(reach.all, reach.part) {
			if w.visits += s.to - s.from; w.visits > maxVisits {
				return nil
			}
			for c := s.from; c < s.to; c++ {
				if n := len(known[c]); n == 0 || known[c][n-1] != int32(i) {
					known[c] = append(known[c], int32(i))
				}
			}
		}
	}
	w.concerns[key] = known
	return known
}

// maxVisits bounds the lines of all cells of a part: it is 160 MB of them.
const maxVisits = 40_000_000

type concernKey struct {
	list     *policy.Policy
	family   policy.Family
	podsOnly bool
}

// steps gives the lines that concern a cell, and a key for the result unless
// it depends on more than that.
func (w *cellWalk) steps(at int, u *undecided, l *policy.Policy) (steps []step, key walkKey, shared bool) {
	var text []byte
	shared = true
	for _, n := range w.concerned(u, l)[at] {
		i := int(n)
		r := &l.Rules[i]
		known := w.lookup(r, u.family)
		fits, why := w.cells[at].fit(r)
		if fits == fitNone {
			continue
		}
		if own := w.doubtful[r]; own != "" {
			fits, why = fitPart, own
		}
		steps = append(steps, step{i, fits, why})
		shared = shared && fits == fitAll && r.Action != policy.Next && !w.isSpecial(r)
		text = binary.LittleEndian.AppendUint32(append(text, byte(r.Action)), known.id)
	}
	if shared {
		key = walkKey{l, u.family, u.podsOnly, sha256.Sum256(text)}
	}
	return steps, key, shared
}

// walkList gives what a list permits in a cell, and the lines that do.
func (w *cellWalk) walkList(at int, l *policy.Policy, f policy.Family) (result, []credit, *refusal) {
	g := w.grid(l, f)
	if g == nil || g.refused.has(at) {
		return w.walkLines(at, &undecided{family: f}, l)
	}
	out, credits := result{}, []credit{{list: l, grid: g, cell: at}}
	if !w.space.byAddress {
		pods, more, refused := w.walkLines(at, &undecided{family: f, podsOnly: true}, l)
		if refused != nil {
			return w.walkLines(at, &undecided{family: f}, l)
		}
		out, credits = pods, append(credits, more...)
	}
	set := g.set(w, at)
	out.addrs, out.addrsNumber = set.addrs, set.number
	return out, credits, nil
}

// walkLines takes the lines of a list in order.
func (w *cellWalk) walkLines(at int, u *undecided, l *policy.Policy) (result, []credit, *refusal) {
	u.cell = at
	if w.concerned(u, l) == nil {
		return result{}, nil, &refusal{list: l, reason: fmt.Sprintf(
			"its lines meet on more than %d ports and ranges: the targets that keep its order take it as it is (-t enforcer, -t calico)", maxVisits)}
	}
	steps, key, shared := w.steps(at, u, l)
	if known, ok := w.walks[key]; ok && shared {
		return known.permitted, creditOf(l, steps, known.lines), nil
	}
	u.left, u.aside = w.space.whole(u.family), map[int]remaining{}
	if u.podsOnly {
		u.left.addrs = nil
	}
	if refused := w.take(u, l, steps); refused != nil {
		return result{}, nil, refused
	}
	out := walked{w.result(region{w.simplified(u.permitted.pods), newAddrSet(u.permitted.addrs...), u.permitted.roles}), stepsAt(steps, u.lines)}
	if shared && !u.inPart {
		w.walks[key] = out
	}
	return out.permitted, creditOf(l, steps, out.lines), nil
}

func (w *cellWalk) result(r region) result {
	return result{region: r, addrsNumber: w.number(r.addrs.key()), podsNumber: w.number(r.pods.String())}
}

// take walks the steps.
func (w *cellWalk) take(u *undecided, l *policy.Policy, steps []step) *refusal {
	next := 0
	for i := 0; i < len(l.Rules); i++ {
		if len(u.aside) == 0 && next < len(steps) {
			i = steps[next].at // nothing comes back before
		}
		if back, ok := u.aside[i]; ok {
			u.left, u.taken, u.behind = u.left.union(back.left), u.taken.or(back.taken), u.behind.union(back.behind)
			delete(u.aside, i)
		}
		if next == len(steps) || u.left.empty() && len(u.aside) == 0 {
			break
		}
		if steps[next].at != i {
			continue
		}
		if refused := w.line(l, steps[next], u); refused != nil {
			return refused
		}
		if next++; len(u.left.pods) > maxConjs {
			return &refusal{l, &l.Rules[i], fmt.Sprintf("the selectors split the pods into more than %d sets", maxConjs)}
		}
	}
	return nil
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

func creditOf(l *policy.Policy, steps []step, lines []int) []credit {
	rules := make([]int, len(lines))
	for i, line := range lines {
		rules[i] = steps[line].at
	}
	return []credit{{list: l, rules: rules}}
}

// take removes what a line decides otherwise than by permitting it. When
// nothing remains, nothing can hide in it. unseen is the part of m that can.
func (u *undecided) take(m, unseen region) {
	u.left, u.taken = u.left.minus(m), u.taken.or(unseen)
	if u.left.empty() {
		u.taken, u.behind = region{}, nil
	}
}

// hiding gives the addresses of a line that are not left, but behind pods that
// are.
func (w *cellWalk) hiding(r *policy.Rule, u *undecided) addrSet {
	peers := peerEnd(r, w.direction)
	if len(u.behind) == 0 || peers.Any || !w.space.hidden(u.left.pods, u.family) {
		return nil
	}
	addrs, ok := addresses(peers, u.family)
	if !ok {
		return u.behind
	}
	return addrs.intersect(u.behind)
}

// uncover keeps the addresses that a line takes from what is left, but not from
// pods that may have them. m is what it takes.
func (w *cellWalk) uncover(r *policy.Rule, u *undecided, m region) {
	peers := peerEnd(r, w.direction)
	if w.space.apart(u.family) || peers.Any || len(m.addrs)+len(u.behind) == 0 {
		return
	}
	if addrs, ok := addresses(peers, u.family); ok {
		u.behind = u.behind.union(m.addrs).minus(addrs)
	}
}

// behind gives the addresses that pods which a line sets aside may have, beside
// those that are set aside. m is what is.
func (w *cellWalk) behind(u *undecided, m region) addrSet {
	if len(m.pods) == 0 || w.space.apart(u.family) {
		return nil
	}
	return u.behind.union(u.left.addrs.minus(m.addrs))
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
