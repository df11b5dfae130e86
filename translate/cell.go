package translate

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"aclium/translate/policy"
)

// A cell is a protocol with a range of ports or ICMP types in which every line
// matches everything or nothing. protocol 0 stands for all protocols that have
// no cells of their own.
type cell struct {
	protocol    uint8
	first, last uint16
	// families are the packets that the cell holds: ICMP and ICMPv6 belong to
	// one family each. foreign marks the other one, which no packet of sense
	// has, but which a rule without ports permits.
	families policy.Family
	foreign  bool
	outcome
	credits []credit // the lines that permit something
}

// outcome is what all lists of a part permit in a cell.
type outcome struct {
	permitted region
	whole     bool // everybody of every family that is filtered
	// number is the same for the outcomes that permit the same, 0 for all that
	// are whole, whatever the families.
	number uint32
	// lost are the pods and roles that one family permits and the other does
	// not.
	lost region
}

const otherProtocols = 0

// celled are the protocols with cells of their own. ICMP stands in the cells
// of its types.
var celled = []uint8{policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, policy.ICMPv6}

// A cellWalk orders the lists that stand on one part.
type cellWalk struct {
	*orderer
	part      part
	direction policy.Direction
	space     space
	cells     []cell
	// own says how each list's lines cover the part: true wholly, false not
	// at all.
	own map[*policy.Rule]bool
	// doubtful are the lines that may be about the part, with the reason why
	// nobody knows.
	doubtful map[*policy.Rule]string
	denies   []policy.Rule
	native   map[*policy.Rule]bool
	// columns are the runs of cells that only their ports tell apart.
	columns []span
	reaches map[*policy.Rule]reach
	// regions holds the peers of each line, walks, grids and outcomes what is
	// known of lists and cells. numbers tell apart what is large to compare.
	regions   map[regionKey]*regionOf
	peersSeen map[peersKey]*regionOf
	numbers   map[string]uint32
	walks     map[walkKey]walked
	concerns  map[concernKey][][]int32
	visits    int // counts what concerns holds
	grids     map[gridKey]*grid
	outcomes  map[string]outcome
	ranks     *ranking
	shared    *group // what common has found
	specials  []*special
	// lostNodes says that a permit does not reach nodes because a line before
	// denies addresses.
	lostNodes bool
	// left are the lines that the target cannot say, with the reason.
	left map[*policy.Rule]string
}

func newWalk(o *orderer, p part, d policy.Direction) *cellWalk {
	w := &cellWalk{
		orderer: o, part: p, direction: d, own: map[*policy.Rule]bool{}, native: map[*policy.Rule]bool{}, left: map[*policy.Rule]string{},
		reaches: map[*policy.Rule]reach{}, regions: map[regionKey]*regionOf{}, peersSeen: map[peersKey]*regionOf{}, numbers: map[string]uint32{},
		walks: map[walkKey]walked{}, concerns: map[concernKey][][]int32{}, grids: map[gridKey]*grid{}, outcomes: map[string]outcome{}, ranks: newRanking(p.lists), doubtful: map[*policy.Rule]string{},
		space: space{identities: o.ids, byAddress: len(o.ids.cluster) == 0, noPods: o.options.Target.AddressesAreNoPods, entities: o.options.Target.Entities, names: o.options.Target.FQDNs},
	}
	for _, l := range p.lists {
		for i := range l.Rules {
			r := &l.Rules[i]
			if w.own[r] = p.covers(r, d); !w.own[r] {
				if why := o.doubts(p, l, r, d); why != "" {
					w.own[r], w.doubtful[r] = true, string(why)
				}
			}
			peers := peerEnd(r, d)
			if len(peers.Selectors)+len(peers.Entities) > 0 {
				w.space.byAddress = false
			}
		}
	}
	w.cells = w.cut()
	w.columns = columns(w.cells)
	return w
}

// cut gives the cells: every protocol's numbers, cut where some line starts or
// ends. Port 0 is reserved and cannot be named.
func (w *cellWalk) cut() []cell {
	all := w.part.families()
	cells := []cell{{protocol: otherProtocols, families: all}}
	for _, protocol := range celled {
		first, last, field := uint16(1), uint16(65535), func(s *policy.Service) policy.Ranges { return s.DestinationPorts }
		if !policy.HasPorts(protocol) {
			first, last, field = 0, 255, icmpTypes
		}
		starts := []uint16{first}
		if !policy.HasPorts(protocol) && w.options.Target.zeroIsAll() {
			starts = append(starts, 1)
		}
		for _, s := range w.services(protocol) {
			for _, r := range field(s) {
				if r.First > first {
					starts = append(starts, r.First)
				}
				if r.Last < last && r.Last >= first {
					starts = append(starts, r.Last+1)
				}
			}
		}
		slices.Sort(starts)
		starts = slices.Compact(starts)
		for i, start := range starts {
			end := last
			if i+1 < len(starts) {
				end = starts[i+1] - 1
			}
			c := cell{protocol: protocol, first: start, last: end, families: all}
			if own := familyOfICMP(protocol); all == policy.Dual && own != 0 {
				c.families = own
				cells = append(cells, cell{protocol: protocol, first: start, last: end, families: all &^ own, foreign: true})
			}
			cells = append(cells, c)
		}
	}
	return cells
}

func familyOfICMP(protocol uint8) policy.Family {
	return map[uint8]policy.Family{policy.ICMP: policy.IPv4, policy.ICMPv6: policy.IPv6}[protocol]
}

// icmpTypes gives the types that a service speaks of, with some code or all.
func icmpTypes(s *policy.Service) policy.Ranges {
	var types []policy.Range
	for _, r := range s.ICMP {
		types = append(types, policy.Range{First: r.First >> 8, Last: r.Last >> 8})
	}
	return policy.NewRanges(types...)
}

func (w *cellWalk) services(protocol uint8) (out []*policy.Service) {
	for _, l := range w.part.lists {
		for i := range l.Rules {
			for j := range l.Rules[i].Match.Services {
				if s := &l.Rules[i].Match.Services[j]; s.Protocols.Has(protocol) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// fit says how a line's services cover a cell.
type fit uint8

const (
	fitNone fit = iota
	fitPart     // some packets, which the target cannot tell from the others
	fitAll
)

func (c *cell) fit(r *policy.Rule) (f fit, why string) {
	if r.Match.Fragments {
		return fitNone, "" // on a pod's port fragments follow their first
	}
	for i := range r.Match.Services {
		g, reason := c.fitService(&r.Match.Services[i])
		if g > f {
			f, why = g, reason
		}
	}
	return f, why
}

func (c *cell) fitService(s *policy.Service) (fit, string) {
	if c.protocol == otherProtocols {
		return fitOthers(s)
	}
	if !s.Protocols.Has(c.protocol) {
		return fitNone, ""
	}
	switch {
	case policy.HasPorts(c.protocol):
		return c.fitPorts(s)
	case !s.SourcePorts.All() || !s.DestinationPorts.All() || !s.Flags.All():
		return fitNone, ""
	}
	types := policy.NewRanges(policy.Range{First: c.first << 8, Last: c.last<<8 | 255})
	switch {
	case len(s.ICMP.Intersect(types)) == 0:
		return fitNone, ""
	case len(types.Minus(s.ICMP)) == 0:
		return fitAll, ""
	}
	return fitPart, "the code of an ICMP message cannot be named"
}

func (c *cell) fitPorts(s *policy.Service) (fit, string) {
	switch {
	case !s.ICMP.All() || !s.DestinationPorts.Has(c.first):
		return fitNone, ""
	case c.protocol != policy.TCP && !s.Flags.All():
		return fitNone, ""
	case !s.Flags.Has(policy.SYN):
		return fitNone, "" // connections start with SYN alone
	case len(s.SourcePorts) == 0:
		return fitNone, ""
	case !s.SourcePorts.All():
		return fitPart, "a source port cannot be named"
	}
	return fitAll, ""
}

// fitOthers judges the protocols without cells, which only a rule without
// ports can name, all together.
func fitOthers(s *policy.Service) (fit, string) {
	if !s.SourcePorts.All() || !s.DestinationPorts.All() || !s.ICMP.All() || !s.Flags.All() {
		return fitNone, ""
	}
	some, all := false, true
	for p := range 256 {
		if slices.Contains(celled, uint8(p)) {
			continue
		}
		has := s.Protocols.Has(uint8(p))
		some, all = some || has, all && has
	}
	switch {
	case all:
		return fitAll, ""
	case some:
		return fitPart, "a protocol other than TCP, UDP, SCTP and ICMP cannot be named"
	}
	return fitNone, ""
}

// walkCells walks all cells, as long as there is room for what they permit.
func (w *cellWalk) walkCells() *refusal {
	seen := map[uint32]bool{}
	held := 0
	for i := range w.cells {
		if r := w.walkCell(i); r != nil {
			return r
		}
		c := &w.cells[i]
		if c.whole || seen[c.number] {
			continue
		}
		seen[c.number] = true
		if held += len(c.permitted.addrs) + len(c.permitted.pods); held > maxHeld {
			return w.tooLarge(held)
		}
	}
	return nil
}

// maxHeld bounds the ranges and selectors of all cells together, some 50 MiB.
const maxHeld = 1_000_000

// tooLarge refuses the lists, which targets that keep the order can hold.
func (w *cellWalk) tooLarge(peers int) *refusal {
	needs := fmt.Sprintf("needs %d peers", peers)
	if peers > maxHeld {
		needs = fmt.Sprintf("permits more than %d ranges of peers on different ports", maxHeld)
	}
	return &refusal{list: w.part.lists[0], reason: fmt.Sprintf(
		"%s, more than the budget of %d for one list: the targets that keep its order take it as it is (-t enforcer, -t calico)", needs, budget)}
}

// walkCell finds what all lists of the part permit in a cell.
func (w *cellWalk) walkCell(at int) *refusal {
	c := &w.cells[at]
	var results []result
	key := []byte{byte(c.families)}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		for _, l := range w.part.lists {
			if l.Family&f&c.families == 0 {
				continue
			}
			r, lines, refused := w.walkList(at, l, f)
			if refused != nil {
				return refused
			}
			r.family = f
			results = append(results, r)
			c.credits = append(c.credits, lines...)
			key = binary.LittleEndian.AppendUint32(append(key, byte(f)), r.addrsNumber)
			key = append(binary.LittleEndian.AppendUint32(key, r.podsNumber), byte(r.roles))
		}
	}
	known, ok := w.outcomes[string(key)]
	if !ok {
		known = w.outcome(results)
		w.outcomes[string(key)] = known
	}
	c.outcome = known
	if !c.lost.empty() {
		w.noteLinesAbout(c, c.lost, "IPv4 and IPv6 permit different pods here, and labels mean both: only what both permit is left")
	}
	return nil
}

// result is what one list permits in one family, with the numbers of its parts.
type result struct {
	region
	family                  policy.Family
	addrsNumber, podsNumber uint32
}

// outcome puts the results of a cell together.
func (w *cellWalk) outcome(results []result) (out outcome) {
	filtered := policy.Family(0)
	permitted := map[policy.Family]region{}
	for _, r := range results {
		s := r.region
		if filtered&r.family != 0 {
			s = w.series(s, permitted[r.family], r.family)
		}
		permitted[r.family], filtered = s, filtered|r.family
	}
	w.join(&out, permitted)
	if !out.whole {
		out.number = w.number(out.permitted.pods.String() + "\x00" + out.permitted.addrs.key() + string(rune(out.permitted.roles)))
	}
	return out
}

// number gives a number from 1 that no other text has.
func (w *cellWalk) number(text string) uint32 {
	n, ok := w.numbers[text]
	if !ok {
		n = uint32(len(w.numbers) + 1)
		w.numbers[text] = n
	}
	return n
}

// series gives what two lists permit. As long as nobody knows which addresses
// are pods', a pod that one list permits by its labels and the other by its
// address is in neither of the sets that both have in common.
func (w *cellWalk) series(r, s region, f policy.Family) region {
	both := r.intersect(s)
	both.pods = w.simplified(both.pods)
	if w.space.apart(f) {
		return both
	}
	lost := func(pods, pods2 podSet, addrs, addrs2 addrSet) bool {
		return len(addrs2.minus(addrs)) > 0 && !pods.within(pods2)
	}
	if lost(r.pods, s.pods, r.addrs, s.addrs) || lost(s.pods, r.pods, s.addrs, r.addrs) {
		w.note(w.part.lists[0], nil, policy.Narrower, "of the lists on %s one permits by labels what the other permits by addresses: give the cluster's ranges (--cluster-cidr) to say both", w.part.subject())
	}
	return both
}

// join unites the families: a rule on labels holds for both, so that pods must
// be permitted in both.
func (w *cellWalk) join(c *outcome, permitted map[policy.Family]region) {
	c.whole = true
	first := true
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		r, ok := permitted[f]
		if !ok {
			continue
		}
		c.whole = c.whole && r.equal(w.space.whole(f))
		c.permitted.addrs = c.permitted.addrs.union(r.addrs)
		if len(permitted) > 1 && w.ids.given && w.ids.podless(f) {
			continue // labels mean the other family alone
		}
		if first {
			c.permitted.pods, c.permitted.roles, first = r.pods, r.roles, false
			continue
		}
		both := w.simplified(c.permitted.pods.intersect(r.pods))
		c.lost.roles = c.permitted.roles ^ r.roles
		if !c.permitted.pods.within(r.pods) || !r.pods.within(c.permitted.pods) {
			c.lost.pods = c.permitted.pods.union(r.pods).minus(both)
		}
		c.permitted.pods, c.permitted.roles = both, c.permitted.roles&r.roles
	}
}

// noteLines reports every line that permits something in the cell.
func (w *cellWalk) noteLines(c *cell, reason string) {
	w.noteLinesIf(c, reason, func(*policy.Policy, *policy.Rule) bool { return true })
}

// noteLinesAbout reports those of them that are about some of the peers.
func (w *cellWalk) noteLinesAbout(c *cell, peers region, reason string) {
	w.noteLinesIf(c, reason, func(l *policy.Policy, r *policy.Rule) bool {
		return slices.ContainsFunc(singly(l.Family), func(f policy.Family) bool {
			theirs, unsure := w.region(r, f)
			return unsure != "" || !theirs.intersect(peers).empty()
		})
	})
}

func (w *cellWalk) noteLinesIf(c *cell, reason string, about func(*policy.Policy, *policy.Rule) bool) {
	lines := w.ranks.of(c)
	for _, l := range w.part.lists {
		for i := range l.Rules {
			if r := &l.Rules[i]; (!r.Uncounted || r.ID.ACL != "") && lines.has(w.ranks.rank[l][i]) && about(l, r) {
				w.note(l, r, policy.Narrower, "%s", reason)
			}
		}
	}
}

// line takes one line of a list.
func (w *cellWalk) line(l *policy.Policy, s step, u *undecided) *refusal {
	r, fits, why := &l.Rules[s.at], s.fits, s.why
	if w.isSpecial(r) {
		if done, refused := w.special(l, s, u); done || refused != nil {
			return refused
		}
	}
	peers, unsure := w.region(r, u.family)
	if u.podsOnly {
		peers.addrs = nil
	}
	m := peers.intersect(u.left)
	doubt := w.lookup(r, u.family).doubt & m.roles
	u.doubt |= doubt
	if lost := r.Action == policy.Permit && peers.roles&u.doubt != 0; lost && len(peerEnd(r, w.direction).Entities) == 0 {
		w.lostNodes = true
	} else if lost {
		w.note(l, r, policy.Narrower, "the nodes' addresses are not known, and a line before denies addresses")
	}
	u.inPart = u.inPart || unsure != ""
	switch {
	case unsure == "":
	case fits == fitAll && r.Action == policy.Permit:
		if !w.doubt(r, u).minus(m).empty() {
			w.leaveOut(r, string(unsure)) // only these peers of the line
		}
	case fits == fitAll && r.Action == policy.Deny:
		w.inPart(r, u, w.doubt(r, u), string(unsure)) // the others are denied
	case fits == fitAll:
		fits, why = fitPart, string(unsure)
	}
	hiding := w.hiding(r, u)
	if fits == fitPart {
		if unsure != "" {
			m = w.doubt(r, u)
		}
		m.addrs = m.addrs.union(hiding)
		w.inPart(r, u, m, why)
		return nil
	}
	if len(hiding) > 0 && r.Action == policy.Permit {
		w.leaveOut(r, "nobody knows which pods have "+string(rangesText(hiding))+": give the cluster's ranges (--cluster-cidr)")
	}
	if m.empty() && (len(hiding) == 0 || r.Action == policy.Permit) {
		return nil
	}
	if r.Action == policy.Permit {
		if refused := w.permit(l, r, u, m); refused != nil {
			return refused
		}
		u.lines = append(u.lines, s.at)
		w.uncover(r, u, m)
		u.left = u.left.minus(m)
		return nil
	}
	u.denies = u.denies || len(m.addrs) > 0
	if r.Action == policy.Next {
		back, sure := u.aside[r.Goto], m
		sure.roles &^= doubt // whether they jump is not known
		u.aside[r.Goto] = remaining{back.left.union(sure), back.taken.union(u.taken), back.behind.union(w.behind(u, sure))}
	}
	unseen := w.space.unseen(m, u.family)
	unseen.addrs = unseen.addrs.union(hiding)
	w.uncover(r, u, m)
	u.take(m, unseen)
	return nil
}

// inPart takes a line that fits in part. A permit is left out; a deny waits for
// a permit that overlaps it.
func (w *cellWalk) inPart(r *policy.Rule, u *undecided, m region, why string) {
	if r.Action == policy.Permit {
		if !m.empty() {
			w.leaveOut(r, why)
		}
		return
	}
	if u.unsaidRule == nil && !m.empty() {
		u.unsaidRule, u.unsaidWhy = r, why
	}
	u.unsaid = u.unsaid.union(m)
}

// doubt gives all undecided peers that a line may stand for.
func (w *cellWalk) doubt(r *policy.Rule, u *undecided) region {
	return w.space.doubtful(peerEnd(r, w.direction), u.family).intersect(u.left)
}

func (w *cellWalk) leaveOut(r *policy.Rule, why string) {
	if !hostAlone(r, w.direction) {
		w.left[r] = why
	}
}

// hostAlone reports a line that only permits the node to its own pod, which
// every policy object does by itself.
func hostAlone(r *policy.Rule, d policy.Direction) bool {
	p := peerEnd(r, d)
	return d == policy.Ingress && r.Uncounted && len(p.Entities) == 1 && p.Entities[0] == policy.Host && len(p.Addresses)+len(p.Selectors)+len(p.Masked) == 0
}

func (w *cellWalk) permit(l *policy.Policy, r *policy.Rule, u *undecided, m region) *refusal {
	if refused := w.mayPermit(l, r, u, m); refused != nil {
		return refused
	}
	u.permitted.pods = u.permitted.pods.union(m.pods)
	u.permitted.addrs = append(u.permitted.addrs, m.addrs...)
	u.permitted.roles |= m.roles
	return nil
}

// mayPermit refuses a permit of what a line before may deny.
func (w *cellWalk) mayPermit(l *policy.Policy, r *policy.Rule, u *undecided, m region) *refusal {
	if overlap := m.intersect(u.unsaid); !overlap.empty() || w.mixes(m, u.unsaid, u.family) {
		return &refusal{l, u.unsaidRule, u.unsaidWhy + fmt.Sprintf(", and line %d permits what it denies", r.ID.Seq)}
	}
	if w.mixes(m, u.taken, u.family) {
		return &refusal{l, r, "labels and addresses exclude each other here, which needs the cluster's address ranges (--cluster-cidr)"}
	}
	return nil
}

// mixes reports whether what is permitted may hide what was denied: a pod
// behind an address or an address of a pod. Where the target's addresses match
// no pod, a permitted address hides none.
func (w *cellWalk) mixes(permitted, denied region, f policy.Family) bool {
	if w.space.apart(f) {
		return false
	}
	hidden := func(pods podSet) bool { return w.space.hidden(pods, f) }
	behind := len(permitted.addrs) > 0 && len(denied.pods) > 0 && !w.space.noPods
	return len(denied.addrs) > 0 && hidden(permitted.pods) || behind && (w.space.blind(f) || hidden(denied.pods))
}

// lineList gives lines as "ACL 10,20; OTHER 5".
func lineList(ids []policy.RuleID) string {
	var b []byte
	for i, id := range ids {
		switch {
		case i > 0 && ids[i-1].ACL == id.ACL:
			b = append(b, ',')
		case i > 0:
			b = append(append(b, "; "...), id.ACL...)
			b = append(b, ' ')
		default:
			b = append(append(b, id.ACL...), ' ')
		}
		b = strconv.AppendUint(b, uint64(id.Seq), 10)
	}
	return string(b)
}
