package check

import (
	"net/netip"
	"strings"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// The dimensions that every space has, those of sketches first. The others are
// added by the name of what they stand for: each label key of an end, and a
// yes or no for each thing that nothing is known of here but its name.
const (
	source dimension = iota
	destination
	destinationPort
	protocol
	sourcePort
	icmp // type<<8 | code
	flags
	typeOfService // the whole byte
	ttl
	igmp
	flowLabel
	sourceRole
	destinationRole
	fixedDims
)

// labelBits is the width of a label's dimension: 0 is "has no such label", and
// each value that some line names has a number of its own.
const labelBits = 32

// A family makes sets of the lines of one address family. Pods may have any
// address, so that labels and addresses are dimensions of their own.
type family struct {
	config  *grammar.Config
	meaning *translate.Meaning
	space   *space
	v6      bool
	// mixed says that the lists govern both families (ASA): an IPv4 address is
	// the IPv6 address that it is mapped to.
	mixed  bool
	named  map[string]dimension
	values map[string]map[string]uint64
	ends   map[endKey][]box
	looked map[groupKey]bool
	bytes  map[policy.ByteSet]*set
	// whole are the addresses of each version in mixed lists, true for IPv6,
	// and splits what sets hold of them.
	whole  map[bool]*set
	splits map[splitKey]*set
}

type groupKey struct {
	name string
	what holding
}

type endKey struct {
	side  dimension
	group string
}

func newFamily(c *grammar.Config, m *translate.Meaning, v6, mixed bool) *family {
	address := 32
	if v6 || mixed {
		address = 128
	}
	w := [fixedDims]int{
		source: address, destination: address, destinationPort: 16, protocol: 8, sourcePort: 16, icmp: 16, flags: 8,
		typeOfService: 8, ttl: 8, igmp: 8, flowLabel: 20, sourceRole: 3, destinationRole: 3,
	}
	return &family{
		config: c, meaning: m, space: &space{w[:]}, v6: v6, mixed: mixed, named: map[string]dimension{},
		values: map[string]map[string]uint64{}, ends: map[endKey][]box{}, looked: map[groupKey]bool{},
		bytes: map[policy.ByteSet]*set{}, splits: map[splitKey]*set{},
		whole: map[bool]*set{false: {spans: spans{mapped}}, true: {spans: spans{{number{}, ones(128)}}.minus(spans{mapped})}},
	}
}

// dimension gives the dimension of a name.
func (f *family) dimension(name string, width int) dimension {
	d, ok := f.named[name]
	if !ok {
		d = f.space.add(width)
		f.named[name] = d
	}
	return d
}

// holds is the limit that something named is so.
func (f *family) holds(words ...string) limit {
	return limit{f.dimension(strings.Join(words, " "), 1), &set{spans: spans{{small(1), small(1)}}}}
}

// line gives the sets of an ACE.
func (f *family) line(a *grammar.ACE) line {
	n := line{permit: a.Action == grammar.Permit}
	switch {
	case a.Inactive:
		n.ignored = true
		return n
	case a.Action == grammar.Evaluate:
		n.perhaps, n.permit = true, true
		b := box{f.holds("evaluate", a.Reflect.Text)}
		n.boxes = [planes][]box{{b}, {b}}
		return n
	}
	n.fragments = a.Fragments
	n.needed = a.Reflect.Text != "" || a.Dynamic.Text != "" || len(a.Extra) > 0
	bare := *a
	conditions := f.conditions(&bare)
	m := f.meaning.Match(&bare)
	for _, s := range f.services(&bare, &m) {
		for _, from := range f.end(source, a.Source, &m.Source) {
			for _, to := range f.end(destination, a.Destination, &m.Destination) {
				f.add(&n, &s, product(conditions, from, to, box{{protocol, s.protocols}}))
			}
		}
	}
	return n
}

// add puts a product into the planes that it belongs to. A line that looks at
// the transport header speaks of a later fragment by the rest alone, and only
// if it permits. An ASA judges datagrams that it has put together, of one
// version of IP at a time: no packet has an address of each.
func (f *family) add(n *line, s *service, rest box) {
	if f.mixed {
		for _, v6 := range []bool{false, true} {
			if b, ok := f.ofVersion(rest, v6); ok && !s.never {
				n.boxes[0] = append(n.boxes[0], product(b, s.header))
			}
		}
		return
	}
	if !n.fragments && !s.never {
		n.boxes[0] = append(n.boxes[0], product(rest, s.header))
	}
	if !s.looks || n.permit {
		n.boxes[1] = append(n.boxes[1], rest)
	}
}

// ofVersion keeps what a box holds of one version of IP at both ends; false
// when that is nothing.
func (f *family) ofVersion(b box, v6 bool) (box, bool) {
	for _, side := range []dimension{source, destination} {
		s := f.split(b.at(side, f.space), v6)
		if s == nil {
			return nil, false
		}
		b = b.with(side, s)
	}
	return b, true
}

// splitKey is a set and the version that is kept of it.
type splitKey struct {
	of *set
	v6 bool
}

// split keeps one version of a set of addresses; nil when that is nothing.
func (f *family) split(s *set, v6 bool) *set {
	if len(s.choices) == 0 && s.spans[0] == (span{number{}, ones(128)}) {
		return f.whole[v6]
	}
	key := splitKey{s, v6}
	out, ok := f.splits[key]
	if !ok {
		if out = s.intersect(f.whole[v6]); out.empty(&work{left: mostPerLine}) {
			out = nil
		}
		f.splits[key] = out
	}
	return out
}

// product joins boxes that have no dimension in common.
func product(boxes ...box) (out box) {
	for _, b := range boxes {
		for _, l := range b {
			if l.set != nil {
				out = out.with(l.in, l.set)
			}
		}
	}
	return out
}

// conditions gives what a line asks for beside addresses and services, and
// takes from the line what a policy has no sets for.
func (f *family) conditions(a *grammar.ACE) (b box) {
	add := func(l limit) { b = b.with(l.in, l.set) }
	if a.DSCP != nil || a.Precedence != nil || a.TOS != nil {
		add(limit{typeOfService, serviceBytes(a)})
	}
	if a.TTL.Op != 0 {
		add(limit{ttl, compared(a.TTL, 255)})
	}
	if v := a.FlowLabel; v != nil {
		add(limit{flowLabel, between(v.Number, v.Number)})
	}
	if v := a.Option; v != nil {
		add(f.holds("option"))
		if v.Number != grammar.AnyOption {
			add(f.holds("option", string(rune('0'+v.Number))))
		}
	}
	if a.TimeRange.Text != "" {
		add(f.holds("time-range", a.TimeRange.Text))
	}
	if a.Dynamic.Text != "" {
		add(f.holds("dynamic", a.Dynamic.Text))
	}
	for _, e := range a.Extra {
		add(f.holds("extra", e.Text))
	}
	if g := a.ICMPGroup.Text; g != "" && !f.known(g, icmpTypes) {
		add(f.holds("icmp-type", g))
		a.ICMPGroup = grammar.Name{}
	}
	for what, n := range [...]grammar.Name{a.User, a.SourceTag, a.DestinationTag} {
		if n.Text != "" {
			add(f.holds("condition", string(rune('0'+what)), n.Text))
		}
	}
	f.portGroup(&a.SourcePorts, "source-port", add)
	f.portGroup(&a.DestinationPorts, "port", add)
	if a.ServiceGroup.Text != "" && !f.known(a.ServiceGroup.Text, services) {
		add(f.holds("service-group", a.ServiceGroup.Text))
		a.ServiceGroup, a.Protocol = grammar.Name{}, grammar.Protocol{Any: true}
	}
	return b
}

// portGroup takes a group of ports from a line when its name is all that is
// known.
func (f *family) portGroup(c *grammar.Compare, end string, add func(limit)) {
	if c.Op == grammar.InGroup && !f.known(c.Group.Text, ports) {
		add(f.holds(end, "group", c.Group.Text))
		*c = grammar.Compare{}
	}
}

// serviceBytes gives the bytes that a line accepts: six bits of dscp, or three of
// precedence and four of TOS. The last bit is not looked at.
func serviceBytes(a *grammar.ACE) *set {
	var in []span
	for v := range uint32(256) {
		if is(a.DSCP, v>>2) && is(a.Precedence, v>>5) && is(a.TOS, v>>1&15) {
			in = append(in, span{small(uint64(v)), small(uint64(v))})
		}
	}
	return &set{spans: newSpans(in...)}
}

func is(want *grammar.Value, v uint32) bool { return want == nil || want.Number == v }

func between(first, last uint32) *set {
	return &set{spans: spans{{small(uint64(first)), small(uint64(last))}}}
}

func compared(c grammar.Compare, limit uint32) *set {
	var all []span
	for _, r := range c.Ranges(limit) {
		if r[0] <= limit {
			all = append(all, span{small(uint64(r[0])), small(uint64(min(r[1], limit)))})
		}
	}
	return &set{spans: newSpans(all...)}
}

// end gives the boxes of one end of a line: nothing else than what end says is
// in them.
func (f *family) end(side dimension, a grammar.Address, p *policy.Peers) []box {
	if a.Kind == 0 {
		return []box{nil} // a list without addresses
	}
	if f.opaque(a) {
		return []box{{f.holds(end(side), "in", string(rune('0'+a.Kind)), a.Group.Text)}}
	}
	if a.Kind != grammar.AddressGroup {
		return f.peers(side, p)
	}
	key := endKey{side, a.Group.Text}
	boxes, ok := f.ends[key]
	if !ok {
		boxes = f.peers(side, p)
		f.ends[key] = boxes
	}
	return boxes
}

func end(side dimension) string {
	if side == source || side == sourceRole {
		return "source"
	}
	return "destination"
}

// opaque reports whether nothing is known of an address but its name.
func (f *family) opaque(a grammar.Address) bool {
	switch a.Kind {
	case grammar.AnyAddress, grammar.HostAddress, grammar.MaskedAddress:
		return false
	case grammar.AddressGroup, grammar.AddressObject, grammar.PolicyGroup:
		return !f.known(a.Group.Text, addresses)
	}
	return true
}

// A holding is what a group is asked for.
type holding uint8

const (
	addresses holding = iota
	services
	ports
	icmpTypes
)

// inside reports whether groups of the kind hold it.
func (h holding) inside(k grammar.GroupKind) bool {
	switch h {
	case addresses:
		return k.HoldsAddresses()
	case services:
		return k.HoldsServices()
	case ports:
		return k == grammar.PolicyPorts || k == grammar.PortGroup
	}
	return k == grammar.ICMPGroup
}

// known reports whether a group can be looked into: it is defined, and so is
// what it holds.
func (f *family) known(name string, h holding) bool {
	key := groupKey{name, h}
	known, ok := f.looked[key]
	if !ok {
		known = f.knownBelow(name, h, map[string]bool{})
		f.looked[key] = known
	}
	return known
}

func (f *family) knownBelow(name string, h holding, above map[string]bool) bool {
	g := f.config.ObjectGroup(name)
	if g == nil || above[name] || !h.inside(g.Kind) {
		return false
	}
	above[name] = true
	defer delete(above, name)
	for _, m := range g.Members {
		switch m.Kind {
		case grammar.GroupMember, grammar.ObjectMember, grammar.ServiceObjectMember:
			if !f.knownBelow(m.Group.Text, h, above) {
				return false
			}
		case grammar.NameMember, grammar.PatternMember, grammar.CountryMember, grammar.ContinentMember, grammar.TagMember, grammar.TagNameMember, 0:
			return false
		}
	}
	return true
}

// peers gives the boxes of a set of ends.
func (f *family) peers(side dimension, p *policy.Peers) (out []box) {
	if p.Any {
		return []box{nil}
	}
	if s := f.addresses(p); s != nil {
		out = append(out, box{{side, s}})
	}
	role := side - source + sourceRole
	if len(p.Entities) > 0 {
		out = append(out, box{{role, rolesOf(p.Entities)}})
	}
	for _, pattern := range p.FQDNs {
		out = append(out, box{f.holds(end(side), "fqdn", pattern)})
	}
	for _, s := range p.Selectors {
		if b, ok := f.pods(side, role, s); ok {
			out = append(out, b)
		}
	}
	return out
}

// addresses gives the addresses of the family; nil when there are none.
func (f *family) addresses(p *policy.Peers) *set {
	var all []span
	for _, r := range p.Addresses {
		if f.mixed || r.First.Is6() == f.v6 {
			all = append(all, f.spansOf(r)...)
		}
	}
	s := newSpans(all...)
	var cubes []cube
	for _, m := range p.Masked {
		if f.mixed || m.Addr.Is6() == f.v6 {
			cubes = append(cubes, cube{f.numberOf(m.Addr), numberOf(m.Wildcard)})
		}
	}
	switch {
	case len(cubes) > 0:
		return &set{spans: f.space.whole(source).spans, choices: []choice{{s, cubes}}}
	case len(s) > 0:
		return &set{spans: s}
	}
	return nil
}

// mapped is where IPv4 addresses stand among those of both families.
var mapped = span{number{0, 0xffff << 32}, number{0, 0xffff<<32 | 0xffffffff}}

// spansOf gives an interval of addresses as the family counts them. One of IPv6
// holds no IPv4 address.
func (f *family) spansOf(r policy.AddrRange) []span {
	s := span{f.numberOf(r.First), f.numberOf(r.Last)}
	if !f.mixed || r.First.Is4() || s.last.less(mapped.first) || mapped.last.less(s.first) {
		return []span{s}
	}
	var out []span
	if s.first.less(mapped.first) {
		out = append(out, span{s.first, mapped.first.prev()})
	}
	if mapped.last.less(s.last) {
		out = append(out, span{mapped.last.next(), s.last})
	}
	return out
}

// numberOf gives the address as the family counts it.
func (f *family) numberOf(a netip.Addr) number {
	if f.mixed {
		a = netip.AddrFrom16(a.As16())
	}
	return numberOf(a)
}

func numberOf(a netip.Addr) (n number) {
	for _, b := range a.AsSlice() {
		n = number{n.hi<<8 | n.lo>>56, n.lo<<8 | uint64(b)}
	}
	return n
}

// A role is what an end is beside its labels: a pod or not, in bit 2, and in
// the others nothing, the packet's own node, another node, or the API server.
const (
	podRole    = 4
	hostRole   = 1
	remoteRole = 2
	apiRole    = 3
)

func rolesOf(entities []policy.Entity) *set {
	var all []span
	for v := range uint64(8) {
		for _, e := range entities {
			if hasRole(v, e) {
				all = append(all, span{small(v), small(v)})
			}
		}
	}
	return &set{spans: newSpans(all...)}
}

func hasRole(v uint64, e policy.Entity) bool {
	kind := v &^ podRole
	within := v&podRole != 0 || kind == hostRole || kind == remoteRole
	switch e {
	case policy.World:
		return !within
	case policy.Cluster:
		return within
	case policy.Host:
		return kind == hostRole
	case policy.RemoteNode:
		return kind == remoteRole
	}
	return kind == apiRole
}

// pods gives the box of a selector; false when its terms exclude each other.
func (f *family) pods(side, role dimension, s policy.Selector) (box, bool) {
	b := box{{role, between(podRole, 7)}}
	for _, t := range s {
		d := f.dimension(end(side)+" label "+t.Key, labelBits)
		v := &set{spans: b.at(d, f.space).spans.intersect(f.labels(t))}
		if len(v.spans) == 0 {
			return nil, false
		}
		b = b.with(d, v)
	}
	return b, true
}

// labels gives the values that a term accepts.
func (f *family) labels(t policy.Term) spans {
	all := f.values[t.Key]
	if all == nil {
		all = map[string]uint64{}
		f.values[t.Key] = all
	}
	var in []span
	for _, v := range t.Values {
		if all[v] == 0 {
			all[v] = uint64(len(all) + 1)
		}
		in = append(in, span{small(all[v]), small(all[v])})
	}
	absent, whole := spans{{}}, spans{{number{}, ones(labelBits)}}
	switch t.Op {
	case policy.In:
		return newSpans(in...)
	case policy.NotIn:
		return whole.minus(newSpans(in...))
	case policy.Exists:
		return whole.minus(absent)
	}
	return absent
}
