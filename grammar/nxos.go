package grammar

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about NX-OS. A host on a line is printed as A/32, in a group as
// host A; A/LEN and A WILDCARD are printed as they were typed.

type (
	nxosList struct {
		Name lexer.Token `parser:"'ip' 'access-list' @FilterName"`
	}
	nxosList6 struct {
		Name lexer.Token `parser:"'ipv6' 'access-list' @FilterName6"`
	}
	nxosResequence struct {
		Name  lexer.Token `parser:"'resequence' ('ip' 'access-list' @FilterName | 'ipv6' 'access-list' @FilterName6)"`
		Start lexer.Token `parser:"@EntryNumber"`
		Step  lexer.Token `parser:"@EntryNumber"`
	}
	nxosAddresses struct {
		Name lexer.Token `parser:"'object-group' 'ip' 'address' @AddressGroup"`
	}
	nxosAddresses6 struct {
		Name lexer.Token `parser:"'object-group' 'ipv6' 'address' @AddressGroup6"`
	}
	nxosPorts struct {
		Name lexer.Token `parser:"'object-group' 'ip' 'port' @PortGroup"`
	}
	nxosAddress struct {
		Sequence lexer.Token   `parser:"@EntryNumber?"`
		Words    []lexer.Token `parser:"@( 'host' Address | AddressLength | Address Wildcard )"`
	}
	nxosAddress6 struct {
		Sequence lexer.Token   `parser:"@EntryNumber?"`
		Words    []lexer.Token `parser:"@( 'host' Address6 | Prefix6 )"`
	}
	nxosPort struct {
		Sequence lexer.Token   `parser:"@EntryNumber?"`
		Words    []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') SomePort | 'range' SomePort SomePort )"`
	}
	nxosMemberNumber struct {
		Sequence lexer.Token `parser:"@EntryNumber"`
	}
	nxosAccessGroup struct {
		List      lexer.Token `parser:"'ip' 'access-group' @FilterName"`
		Direction lexer.Token `parser:"@('in' | 'out')"`
	}
	nxosTrafficFilter struct {
		List      lexer.Token `parser:"'ipv6' 'traffic-filter' @FilterName6"`
		Direction lexer.Token `parser:"@('in' | 'out')"`
	}
)

func (l *language) addNXOS() {
	add(l, both, (*line).nxosList, ModeGlobal)
	add(l, both, (*line).nxosList6, ModeGlobal)
	add(l, plain, (*line).nxosResequence, ModeGlobal)
	add(l, both, (*line).nxosACE, ModeExtendedACL)
	add(l, both, (*line).nxosACE6, ModeIPv6ACL)
	add(l, both, (*line).placedRemark, ModeExtendedACL, ModeIPv6ACL)
	add(l, negated, (*line).removePlaced, ModeExtendedACL, ModeIPv6ACL)

	add(l, both, (*line).nxosAddresses, ModeGlobal)
	add(l, both, (*line).nxosAddresses6, ModeGlobal)
	add(l, both, (*line).nxosPorts, ModeGlobal)
	add(l, both, (*line).nxosAddress, ModeNetworkGroup)
	add(l, both, (*line).nxosAddress6, ModeNetworkGroup6)
	add(l, both, (*line).nxosPort, ModePolicyPorts)
	groups := []Mode{ModeNetworkGroup, ModeNetworkGroup6, ModePolicyPorts}
	add(l, negated, (*line).nxosRemoveMember, groups...)
	add(l, both, (*line).setDescription, append(groups, ModeInterface)...)
	add(l, negated, (*line).noDescription, append(groups, ModeInterface)...)

	add(l, both, (*line).plainInterface, ModeGlobal)
	add(l, both, (*line).nxosAccessGroup, ModeInterface)
	add(l, negated, (*line).noAccessGroup, ModeInterface)
	add(l, both, (*line).nxosTrafficFilter, ModeInterface)
	add(l, negated, (*line).noTrafficFilter, ModeInterface)
	l.addNXOSKept()
}

func (l *line) nxosList(n *nxosList) error { return l.placedList(n.Name, Extended, ModeExtendedACL) }

func (l *line) nxosList6(n *nxosList6) error { return l.placedList(n.Name, IPv6, ModeIPv6ACL) }

func (l *line) nxosResequence(n *nxosResequence) error {
	a := l.Config.ACL(n.Name.Value)
	if a == nil || a.Kind.IsIPv6() != (classOf(n.Name).name == "FilterName6") {
		return l.semantic(at(n.Name), "Access-list "+n.Name.Value+" does not exist")
	}
	return l.renumber(a, uint64(seqOf(n.Start)), uint64(seqOf(n.Step)))
}

func (l *line) nxosAddresses(n *nxosAddresses) error {
	return l.objectGroup(n.Name, NetworkGroup, ModeNetworkGroup)
}

func (l *line) nxosAddresses6(n *nxosAddresses6) error {
	return l.objectGroup(n.Name, NetworkGroup6, ModeNetworkGroup6)
}

func (l *line) nxosPorts(n *nxosPorts) error {
	return l.objectGroup(n.Name, PolicyPorts, ModePolicyPorts)
}

func (l *line) nxosAddress(n *nxosAddress) error {
	return l.nxosMember(n.Sequence, l.maskedMember(n.Words, Extended))
}

func (l *line) nxosAddress6(n *nxosAddress6) error {
	return l.nxosMember(n.Sequence, l.maskedMember(n.Words, IPv6))
}

// maskedMember reads a member that is written like an address of an ACE.
func (l *line) maskedMember(words []lexer.Token, kind ACLKind) *Member {
	a := l.placedAddress(words, kind)
	m := &Member{Kind: SubnetMember, Dialect: l.Config.Dialect, Pos: at(words[0]), First: a.Addr, Wildcard: a.Wildcard, Prefix: a.Prefix}
	switch a.Kind {
	case HostAddress:
		m.Kind, m.Wildcard = HostMember, netip.Addr{}
	case AnyAddress:
		m.Prefix = a.Addr.Is4() // there is no word for it in a group
	}
	return m
}

func (l *line) nxosPort(n *nxosPort) error {
	ports, err := l.compare(n.Words, somePorts)
	if err != nil {
		return err
	}
	return l.nxosMember(n.Sequence, &Member{Kind: PortMember, Dialect: NXOS, Pos: at(n.Words[0]), Ports: ports})
}

// nxosMember puts a member into the group, at the end when it has no number, or
// takes it out. Members are sorted by their numbers.
func (l *line) nxosMember(sequence lexer.Token, m *Member) error {
	m.Text = l.text
	g, key, seq := l.group, m.String(), seqOf(sequence)
	same, exists := g.built()[key]
	switch {
	case l.no && !exists:
		l.notice(l.pos, NoEffect, "the object-group has no such member")
		return nil
	case l.no:
		return l.nxosTake(g.find(same.Seq), seq)
	case exists:
		l.notice(l.pos, NoEffect, "the object-group has this member already")
		return nil
	}
	if seq == 0 {
		next := g.next()
		if next > spellings[NXOS].maxSeq {
			return l.semantic(l.pos, "Exceeded maximum sequence number.")
		}
		seq = uint32(next)
	}
	i := g.find(seq)
	if i < len(g.Members) && g.Members[i].Seq == seq {
		return l.semantic(l.pos, fmt.Sprintf("Sequence number %d is already in use", seq))
	}
	m.Seq = seq
	g.Members = slices.Insert(g.Members, i, m)
	g.keys[key] = m
	return nil
}

func (l *line) nxosRemoveMember(n *nxosMemberNumber) error {
	seq := seqOf(n.Sequence)
	i := l.group.find(seq)
	if i == len(l.group.Members) || l.group.Members[i].Seq != seq {
		l.notice(l.pos, NoEffect, "the object-group has no such member")
		return nil
	}
	return l.nxosTake(i, seq)
}

// nxosTake takes a member out, which must have the number unless that is 0.
func (l *line) nxosTake(i int, seq uint32) error {
	g := l.group
	if seq != 0 && g.Members[i].Seq != seq {
		l.notice(l.pos, NoEffect, "the object-group has no such member")
		return nil
	}
	delete(g.built(), g.Members[i].String())
	g.Members = slices.Delete(slices.Clone(g.Members), i, i+1)
	return nil
}

// find gives the index of the first member with the number or a higher one.
func (g *ObjectGroup) find(seq uint32) int {
	n := len(g.Members)
	if n == 0 || g.Members[n-1].Seq < seq {
		return n
	}
	return sort.Search(n, func(i int) bool { return g.Members[i].Seq >= seq })
}

func (g *ObjectGroup) next() uint64 {
	if len(g.Members) == 0 {
		return seqStep
	}
	return uint64(g.Members[len(g.Members)-1].Seq) + seqStep
}

func (l *line) nxosAccessGroup(n *nxosAccessGroup) error {
	return l.bind(Binding{ACL: name(n.List), Direction: direction(n.Direction)})
}

func (l *line) nxosTrafficFilter(n *nxosTrafficFilter) error {
	return l.bind(Binding{ACL: name(n.List), IPv6: true, Direction: direction(n.Direction)})
}

// addNXOSKept adds what NX-OS has around its lists.
func (l *language) addNXOSKept() {
	lists, on := []Mode{ModeExtendedACL, ModeIPv6ACL}, []Mode{ModeInterface}
	const frames = "is kept; frames are not filtered by their MAC addresses"
	l.keep(
		kept{production: "Statistics", modes: append(lists, ModeMACList), grammar: `"statistics" "per-entry"`, key: 1, harmless: true, quiet: true, no: `"statistics"`},
		kept{production: "FragmentRule", modes: lists, grammar: `"fragments" ("permit-all" | "deny-all")`, key: 1, no: `"fragments"`},
		kept{production: "IgnoreRoutable", modes: lists, grammar: `"ignore" "routable"`, key: 1},

		kept{
			production: "PortFilter", modes: on, key: 3, no: `"ip" "port" "access-group"`,
			grammar: `"ip" "port" "access-group" <filtername> "in"`, why: "is kept; what a switch port bridges is not filtered",
		},
		kept{
			production: "PortFilter6", modes: on, key: 3, no: `"ipv6" "port" "traffic-filter"`,
			grammar: `"ipv6" "port" "traffic-filter" <filtername6> "in"`, why: "is kept; what a switch port bridges is not filtered",
		},
		kept{production: "MACFilter", modes: on, key: 3, no: `"mac" "port" "access-group"`, grammar: `"mac" "port" "access-group" <maclist>`, why: frames},

		kept{
			production: "MACList", modes: []Mode{ModeGlobal}, enters: ModeMACList, defines: "mac list", grammar: `"mac" "access-list" <maclist>`, why: frames,
		},
		kept{
			production: "MACLine", modes: []Mode{ModeMACList}, parts: nxosMACParts, no: `<entrynumber>`,
			grammar: `<entrynumber>? ("permit" | "deny") MAC MAC (<ethertype> | Frame)? (("vlan" <vlan>) | ("cos" <precedence>) | ("time-range" <timerange>))*`,
		},
		kept{production: "MACRemark", modes: []Mode{ModeMACList}, grammar: `<entrynumber>? "remark" <text>`},
		kept{production: "MACResequence", modes: []Mode{ModeGlobal}, grammar: `"resequence" "mac" "access-list" <maclist> <entrynumber> <entrynumber>`, why: frames},

		kept{production: "Terminal", modes: []Mode{ModeGlobal}, enters: ModeTerminal, quiet: true, grammar: `"line" ("vty" | "console")`},
		kept{
			production: "AccessClass", modes: []Mode{ModeTerminal}, why: "is kept; the device's own terminals are not filtered",
			grammar: `("ip" | "ipv6")? "access-class" <filtername> ("in" | "out")`,
		},
	)
	l.addNXOSTimeRanges()
}

const nxosMACParts = `MAC = "any" | ("host" <mac>) | (<mac> <mac>) .
Frame = "aarp" | "appletalk" | "decnet-iv" | "diagnostic" | "etype-6000" | "etype-8042" | "ip" | "lat" | "lavc-sca" | "mop-console" | "mop-dump" | "vines-echo" .
`

// addNXOSTimeRanges adds time-ranges, whose lines have numbers and whose times
// have seconds.
func (l *language) addNXOSTimeRanges() {
	in := []Mode{ModeTimeRange}
	l.keep(
		kept{production: "TimeRange", grammar: `"time-range" <timerange>`, modes: []Mode{ModeGlobal}, enters: ModeTimeRange, defines: "time-range"},
		kept{
			production: "Absolute", modes: in, no: `<entrynumber>`,
			grammar: `<entrynumber>? "absolute" (("start" Moment ("end" Moment)?) | ("end" Moment))`,
			parts:   "Moment = <second> <day> Month <year> .\n" + monthPart,
		},
		kept{
			production: "Periodic", modes: in,
			grammar: `<entrynumber>? "periodic" ((Weekday <second> "to" Weekday? <second>) | ((Weekday Weekday+ | "daily" | "weekdays" | "weekend") <second> "to" <second>))`,
			parts:   weekdayPart,
		},
		kept{production: "TimeRemark", modes: in, grammar: `<entrynumber>? "remark" <text>`, harmless: true},
	)
}
