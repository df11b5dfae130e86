package check

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
)

// A packet is what the judge of this test looks at. The judge reads the parsed
// line field by field and shares no code with the sets.
type packet struct {
	source, destination netip.Addr
	app                 string // the source's label; "-" for a pod without it, "" for no pod
	protocol            uint8
	sourcePort, port    uint32
	icmpType, icmpCode  uint8
	flags, tos, ttl     uint8
	later, night        bool
}

func judgeLine(c *grammar.Config, a *grammar.ACE, p *packet) bool {
	if a.TimeRange.Text != "" && !p.night || a.Fragments && !p.later {
		return false
	}
	if a.DSCP != nil && uint32(p.tos/4) != a.DSCP.Number || a.Precedence != nil && uint32(p.tos/32) != a.Precedence.Number ||
		a.TOS != nil && uint32(p.tos/2%16) != a.TOS.Number || a.TTL.Op != 0 && !compares(a.TTL, uint32(p.ttl)) {
		return false
	}
	if !judgeEnd(c, a.Source, p.source, p.app) || !judgeEnd(c, a.Destination, p.destination, "") {
		return false
	}
	if a.ServiceGroup.Text == "" {
		return judgeService(a.Action, a.Protocol, a.SourcePorts, a.DestinationPorts, a.ICMP, a.Flags, p)
	}
	for _, m := range c.ObjectGroup(a.ServiceGroup.Text).Members {
		for _, protocol := range m.Service.Protocols {
			if judgeService(a.Action, protocol, m.Service.Source, m.Service.Destination, m.Service.ICMP, nil, p) {
				return true
			}
		}
	}
	return false
}

func judgeService(action grammar.Action, protocol grammar.Protocol, from, to grammar.Compare, i *grammar.ICMP, f *grammar.TCPFlags, p *packet) bool {
	if !protocol.Any && protocol.Number != p.protocol {
		return false
	}
	if p.later {
		return action == grammar.Permit || from.Op == 0 && to.Op == 0 && i == nil && f == nil
	}
	return compares(from, p.sourcePort) && compares(to, p.port) && (i == nil || i.Type == p.icmpType && (i.Code < 0 || uint8(i.Code) == p.icmpCode)) &&
		(f == nil || judgeFlags(f, p.flags))
}

func judgeFlags(f *grammar.TCPFlags, got uint8) bool {
	if f.Match == grammar.Established {
		return got&16 != 0 || got&4 != 0
	}
	met, wanted := bits.OnesCount8(f.Set&got)+bits.OnesCount8(f.Clear&^got), bits.OnesCount8(f.Set)+bits.OnesCount8(f.Clear)
	return met == wanted || f.Match != grammar.MatchAll && met > 0
}

func compares(c grammar.Compare, v uint32) bool {
	equal := slices.ContainsFunc(c.Values, func(o grammar.Value) bool { return o.Number == v })
	switch c.Op {
	case grammar.Eq:
		return equal
	case grammar.Neq:
		return !equal
	case grammar.Lt:
		return v < c.Values[0].Number
	case grammar.Gt:
		return v > c.Values[0].Number
	case grammar.Range:
		return c.Values[0].Number <= v && v <= c.Values[1].Number
	}
	return true
}

func judgeEnd(c *grammar.Config, a grammar.Address, got netip.Addr, app string) bool {
	switch a.Kind {
	case grammar.HostAddress, grammar.MaskedAddress:
		return masked(a.Addr, a.Wildcard, got)
	case grammar.AddressGroup:
		return judgeGroup(c, a.Group.Text, got, app)
	}
	return true
}

func masked(want, wildcard, got netip.Addr) bool {
	x, w, y := want.As4(), wildcard.As4(), got.As4()
	for i := range x {
		if (x[i]^y[i])&^w[i] != 0 {
			return false
		}
	}
	return true
}

func judgeGroup(c *grammar.Config, name string, got netip.Addr, app string) bool {
	for _, m := range c.ObjectGroup(name).Members {
		switch m.Kind {
		case grammar.HostMember:
			if m.First == got {
				return true
			}
		case grammar.SubnetMember:
			if masked(m.First, m.Wildcard, got) {
				return true
			}
		case grammar.RangeMember:
			if !got.Less(m.First) && !m.Last.Less(got) {
				return true
			}
		case grammar.GroupMember:
			if judgeGroup(c, m.Group.Text, got, app) {
				return true
			}
		case grammar.WorkloadMember:
			if app != "" && !slices.ContainsFunc(m.Labels, func(l grammar.Label) bool { return !hasLabel(l, app) }) {
				return true
			}
		}
	}
	return false
}

func hasLabel(l grammar.Label, app string) bool {
	switch l.Op {
	case grammar.Exists:
		return app != "-"
	case grammar.NotExists:
		return app == "-"
	case grammar.In:
		return slices.Contains(l.Values, app)
	}
	return !slices.Contains(l.Values, app)
}

// A theme is what the lines of one list look at, so that the packets that tell
// its lines apart are few.
type theme struct {
	ports, flags, icmp, labels, tos, ttl, night, masks, groups, fragments bool
	// narrow lists are about everybody, so that what else their lines look at
	// decides whether one covers another.
	narrow bool
}

func newTheme(r *rand.Rand) (t theme) {
	for _, on := range []*bool{&t.ports, &t.flags, &t.icmp, &t.labels, &t.tos, &t.ttl, &t.night, &t.masks, &t.groups, &t.fragments} {
		*on = r.IntN(3) == 0
	}
	t.narrow = r.IntN(2) == 0
	return t
}

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

const themeGroups = `object-group network NESTED
 range 10.0.0.1 10.0.0.3
object-group network MIX
 host 10.0.0.7
 10.0.0.4 255.255.255.254
 group-object NESTED
object-group network NONE
object-group network PODS
 workload label app=a
 workload label app in (b,c)
object-group network NOTA
 workload label app!=a
 host 10.0.0.2
object-group network NOAPP
 workload label !app
object-group network ALLPODS
 workload label app
 group-object NOAPP
object-group service WEB
 tcp eq 1
 tcp gt 2
 udp eq 2
object-group service DNS
 tcp-udp eq 2
 icmp echo
time-range NIGHT
`

func (t *theme) end(r *rand.Rand, source bool) string {
	if t.narrow && r.IntN(8) > 0 {
		return "any"
	}
	all := []string{"any", "any", "host 10.0.0.2", "10.0.0.0 0.0.0.3", "10.0.0.4 0.0.0.3", "10.0.0.0 0.0.0.7", "10.0.0.2 0.0.0.1"}
	if t.masks {
		all = append(all, "10.0.0.0 0.0.0.5", "10.0.0.2 0.0.0.5", "10.0.0.1 0.0.0.6", "10.0.0.0 0.0.0.6", "0.0.0.1 255.255.255.254", "0.0.0.0 255.255.255.254")
	}
	if t.groups {
		all = append(all, "object-group MIX", "object-group NESTED", "object-group NONE")
	}
	if t.labels && source {
		all = append(all, "object-group PODS", "object-group NOTA", "object-group NOAPP", "object-group ALLPODS")
	}
	return pick(r, all...)
}

func (t *theme) port(r *rand.Rand) string {
	if !t.ports || r.IntN(3) == 0 {
		return ""
	}
	return pick(r, " eq 1", " eq 2", " eq 1 2", " neq 1", " neq 1 2", " lt 2", " gt 1", " range 1 2", " range 0 65535", " lt 0", " gt 65535")
}

func (t *theme) line(r *rand.Rand) string {
	action := pick(r, "permit", "deny")
	protocol := pick(r, "ip", "tcp", "udp", "tcp", "icmp")
	if t.groups && r.IntN(4) == 0 {
		protocol = pick(r, "object-group WEB", "object-group DNS")
	}
	from, to, options := t.end(r, true), t.end(r, false), ""
	l4 := false
	switch protocol {
	case "tcp", "udp":
		a, b := t.port(r), t.port(r)
		l4 = a+b != ""
		from, to = from+a, to+b
	case "icmp":
		if t.icmp && r.IntN(2) == 0 {
			options, l4 = pick(r, " echo", " unreachable", " 3 1", " 3 2"), true
		}
	}
	if t.flags && protocol == "tcp" && r.IntN(2) == 0 {
		options, l4 = pick(r, " established", " syn", " match-any +syn -ack", " match-all +syn -ack", " match-all -rst"), true
	}
	if t.tos && r.IntN(2) == 0 {
		options += pick(r, " dscp 8", " dscp 9", " precedence 1", " precedence 1 tos 1", " tos 0", " tos 1", " tos 9")
	}
	if t.fragments && !l4 && !strings.HasPrefix(protocol, "obj") && r.IntN(2) == 0 {
		options += " fragments"
	}
	if t.night && r.IntN(2) == 0 {
		options += " time-range NIGHT"
	}
	if t.ttl && r.IntN(2) == 0 {
		options += pick(r, " ttl lt 2", " ttl eq 1", " ttl gt 1", " ttl neq 1 2")
	}
	return action + " " + protocol + " " + from + " " + to + options
}

// packets calls do for one packet at least of each kind that the lines of the
// theme can tell apart.
func (t *theme) packets(do func(*packet)) {
	var addrs []netip.Addr
	for i := range 10 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	p := &packet{ttl: 64}
	var steps []func(next func())
	step := func(on bool, n int, set func(int)) {
		if !on {
			n = 1
		}
		steps = append(steps, func(next func()) {
			for i := range n {
				set(i)
				next()
			}
		})
	}
	step(true, len(addrs), func(i int) { p.source = addrs[i] })
	step(true, len(addrs), func(i int) { p.destination = addrs[i] })
	step(t.labels, 6, func(i int) { p.app = []string{"", "-", "a", "b", "c", "other"}[i] })
	step(true, 4, func(i int) { p.protocol = []uint8{6, 17, 1, 47}[i] })
	step(t.tos, 7, func(i int) { p.tos = []uint8{0, 2, 18, 32, 34, 36, 40}[i] })
	step(t.ttl, 4, func(i int) { p.ttl = uint8(i) })
	step(t.night, 2, func(i int) { p.night = i == 1 })
	step(true, 2, func(i int) { p.later = i == 1 })
	fields := func(next func()) {
		p.port, p.sourcePort, p.flags, p.icmpType, p.icmpCode = 0, 0, 0, 0, 0
		switch {
		case p.later || p.protocol == 47:
			next()
		case p.protocol == 1:
			for _, v := range [][2]uint8{{8, 0}, {8, 1}, {3, 0}, {3, 1}, {3, 2}, {0, 0}} {
				p.icmpType, p.icmpCode = v[0], v[1]
				next()
			}
		default:
			t.transport(p, next)
		}
	}
	var run func(int)
	run = func(k int) {
		if k == len(steps) {
			fields(func() { do(p) })
			return
		}
		steps[k](func() { run(k + 1) })
	}
	run(0)
}

// transport goes through ports and flags. Service groups look at ports in any
// theme that has groups.
func (t *theme) transport(p *packet, next func()) {
	ports, sources, flags := 1, 1, 1
	if t.ports || t.groups {
		ports = 4
	}
	if t.ports {
		sources = 4
	}
	if t.flags && p.protocol == 6 {
		flags = 8
	}
	for i := range ports * sources * flags {
		p.port, p.sourcePort = uint32(i%ports), uint32(i/ports%sources)
		f := i / ports / sources
		p.flags = uint8(f&1)*2 | uint8(f>>1&1)*16 | uint8(f>>2)*4
		next()
	}
}

// A judged is a list with the lines that each kind of packet fits, as sets of
// bits, for each plane.
type judged struct {
	text   string
	lines  []line
	masks  [planes]map[uint32]bool
	result []judgement
}

func newJudged(t *testing.T, r *rand.Rand) *judged {
	th := newTheme(r)
	if th.labels && th.tos {
		th.tos = false // too many packets
	}
	if th.ports && th.flags && (th.ttl || th.tos) {
		th.ttl, th.tos = false, false
	}
	text := themeGroups + "ip access-list extended A\n"
	var lines []string
	for range 2 + r.IntN(9) {
		n := th.line(r)
		if len(lines) > 0 && r.IntN(8) == 0 {
			n = lines[r.IntN(len(lines))]
			n = strings.NewReplacer("permit", "deny", "deny", "permit").Replace(n)
		}
		lines = append(lines, n)
	}
	text += strings.Join(lines, "\n") + "\n"
	c, _, err := grammar.ParseFile("t.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	j := &judged{text: text}
	var aces []*grammar.ACE
	f := newFamily(c, translate.MeaningOf(c), false, false)
	for _, e := range c.ACL("A").Entries {
		aces = append(aces, e.ACE)
		j.lines = append(j.lines, f.line(e.ACE))
	}
	j.masks[0], j.masks[1] = map[uint32]bool{}, map[uint32]bool{}
	th.packets(func(p *packet) {
		mask := uint32(0)
		for i, a := range aces {
			if judgeLine(c, a, p) {
				mask |= 1 << i
			}
		}
		k := 0
		if p.later {
			k = 1
		}
		j.masks[k][mask] = true
	})
	j.result = judge(f.space, j.lines)
	return j
}

// all reports whether ok holds for every kind of packet that fits line i.
func (j *judged) all(i, plane int, ok func(mask uint32) bool) bool {
	for m := range j.masks[plane] {
		if m>>i&1 == 1 && !ok(m) {
			return false
		}
	}
	return true
}

// verdict gives what the list without the lines in gone says: 2 when no line
// fits.
func (j *judged) verdict(mask, gone uint32) int {
	mask &^= gone
	switch {
	case mask == 0:
		return 2
	case j.lines[bits.TrailingZeros32(mask)].permit:
		return 1
	}
	return 0
}

// same reports whether no verdict changes when more lines go.
func (j *judged) same(gone, more uint32) bool {
	for k := range planes {
		for m := range j.masks[k] {
			if j.verdict(m, gone) != j.verdict(m, gone|more) {
				return false
			}
		}
	}
	return true
}

func setOf(lines []int) (m uint32) {
	for _, i := range lines {
		m |= 1 << i
	}
	return m
}

// below gives the bits of the lines before i.
func below(i int) uint32 { return 1<<i - 1 }

// check gives what is wrong with the answer for line i.
func (j *judged) check(i int) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	o := j.result[i]
	none := func(uint32) bool { return false }
	main := 0
	if j.lines[i].fragments {
		main = 1
	}
	if isEmpty := j.all(i, main, none); isEmpty != (o.outcome == empty) {
		wrong("empty is %v", isEmpty)
	}
	covered := func(by uint32, plane int) bool { return j.all(i, plane, func(m uint32) bool { return m&by != 0 }) }
	b := setOf(o.blockers)
	opposite, deciding := uint32(0), uint32(0)
	for k := range j.lines {
		if j.lines[k].permit != j.lines[i].permit {
			opposite |= 1 << k
		}
	}
	j.all(i, main, func(m uint32) bool { deciding |= 1 << bits.TrailingZeros32(m); return true })
	minimal := func(fixed uint32, planes ...int) {
		whole := func(by uint32) bool { return !slices.ContainsFunc(planes, func(k int) bool { return !covered(by, k) }) }
		if !whole(fixed | b) {
			wrong("blockers %v do not cover", o.blockers)
		}
		for _, k := range o.blockers {
			if whole(fixed | b&^(1<<k)) {
				wrong("blocker %d of %v is not needed", k, o.blockers)
			}
		}
	}
	isCovered := covered(below(i), main)
	switch o.outcome {
	case shadowed, contradictory, redundant:
		if !isCovered || b&^deciding != 0 {
			wrong("covered is %v, blockers %v, deciding %b", isCovered, o.blockers, deciding)
		}
		minimal(0, main)
		equal := len(o.blockers) == 1
		if equal {
			equal = j.all(o.blockers[0], main, func(m uint32) bool { return m>>i&1 == 1 })
		}
		want := redundant
		if b&opposite != 0 {
			want = shadowed
			if equal {
				want = contradictory
			}
		}
		if o.outcome != want {
			wrong("outcome %d, want %d", o.outcome, want)
		}
		if main == 0 && o.fragments == covered(below(i), 1) {
			wrong("fragments is %v", o.fragments)
		}
		other := -1
		if d := deciding & opposite; d != 0 {
			other = bits.TrailingZeros32(d)
		}
		if want == redundant && other != o.other {
			wrong("other is %d, want %d", o.other, other)
		}
	case removable:
		if !j.same(0, 1<<i) {
			wrong("a verdict changes without it")
		}
		minimal(below(i)&^j.gone(i), 0, 1)
		if b&opposite != 0 || b&(below(i+1)) != 0 {
			wrong("blockers %v", o.blockers)
		}
	case fine:
		if j.same(0, 1<<i) && j.same(j.gone(i), 1<<i) {
			wrong("no verdict changes without it, alone or with %b", j.gone(i))
		}
	case undecided:
		wrong("undecided")
	}
	return problems
}

// gone gives the lines that were said to be redundant before line i was judged
// against those behind it.
func (j *judged) gone(i int) (m uint32) {
	for k, o := range j.result {
		if o.outcome == redundant || o.outcome == removable && k < i {
			m |= 1 << k
		}
	}
	return m
}

func TestEveryAnswerIsWhatCountingPacketsSays(t *testing.T) {
	lists := 300
	if testing.Short() {
		lists = 60
	}
	seen := map[outcome]int{}
	for n := range lists {
		r := rand.New(rand.NewPCG(3, uint64(n)))
		j := newJudged(t, r)
		for i := range j.lines {
			seen[j.result[i].outcome]++
			for _, problem := range j.check(i) {
				t.Errorf("list %d, line %d: %s", n, (i+1)*10, problem)
			}
		}
		all := uint32(0)
		for i := range j.lines {
			if j.result[i].outcome == redundant || j.result[i].outcome == removable {
				all |= 1 << i
			}
		}
		if !j.same(0, all) {
			t.Errorf("list %d: a verdict changes without all redundant lines", n)
		}
		if t.Failed() {
			t.Fatalf("%s", j.text)
		}
	}
	for _, o := range []outcome{fine, empty, shadowed, redundant, contradictory, removable} {
		if seen[o] < 10 && !testing.Short() {
			t.Errorf("outcome %d was seen %d times only", o, seen[o])
		}
	}
	t.Log(seen)
}
