package grammar

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about TrustSec: which security group a host is in, and which
// role-based lists filter between two groups.

// An SGTMap puts hosts into a security group.
type SGTMap struct {
	Pos Position
	// One of Group, Prefix and VLANs says which hosts: the object-group of
	// workloads, the addresses of Prefix, or the VLANs as typed. A
	// configuration has one map for each of these.
	Group  Name
	Prefix netip.Prefix
	VLANs  Name
	// VRF is where Prefix holds; empty for the global table.
	VRF Name
	// SGT is the tag of the group, 2 to 65519.
	SGT uint16
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

// UnknownSGT is the tag of hosts that no SGTMap puts into a group.
const UnknownSGT = 0

// A RolePermission binds role-based lists to the packets of one family from
// one security group to another, or to those of all pairs of groups that have
// no permission of their own. A configuration has one for each cell.
type RolePermission struct {
	Pos Position
	// Default says that the permission is that of the other cells; From and To
	// are tags otherwise, 2 to 65519 or UnknownSGT.
	Default  bool
	From, To uint16
	IPv6     bool
	// Lists are the role-based lists in the order in which a packet meets them.
	Lists []Name
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

// A RoleEnforcement turns the permissions on.
type RoleEnforcement struct {
	Pos Position
	// VLANs are those where they are enforced, as typed; empty for routed
	// packets.
	VLANs Name
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

type (
	sgtMapLine struct {
		Hosts []lexer.Token `parser:"'cts' 'role-based' 'sgt-map' @( 'vlan-list' Word | 'workload' Network | ('vrf' Word)? ('host'? Address | AddressLength | Address6 | Prefix6) )"`
		SGT   lexer.Token   `parser:"'sgt' @SGT"`
	}
	noSGTMap struct {
		Hosts []lexer.Token `parser:"'cts' 'role-based' 'sgt-map' @( 'vlan-list' Word | 'workload' Network | ('vrf' Word)? ('host'? Address | AddressLength | Address6 | Prefix6) )"`
	}
	permissionLine struct {
		From   lexer.Token   `parser:"'cts' 'role-based' 'permissions' 'from' @(SGT | 'unknown')"`
		To     lexer.Token   `parser:"'to' @(SGT | 'unknown')"`
		Family lexer.Token   `parser:"@('ipv4' | 'ipv6')?"`
		Lists  []lexer.Token `parser:"@( RoleList+ )"`
	}
	noPermission struct {
		From   lexer.Token `parser:"'cts' 'role-based' 'permissions' 'from' @(SGT | 'unknown')"`
		To     lexer.Token `parser:"'to' @(SGT | 'unknown')"`
		Family lexer.Token `parser:"@('ipv4' | 'ipv6')?"`
	}
	defaultPermission struct {
		Family lexer.Token   `parser:"'cts' 'role-based' 'permissions' 'default' @('ipv4' | 'ipv6')?"`
		Lists  []lexer.Token `parser:"@( RoleList+ )"`
	}
	noDefaultPermission struct {
		Family lexer.Token `parser:"'cts' 'role-based' 'permissions' 'default' @('ipv4' | 'ipv6')?"`
	}
	enforcementLine struct {
		VLANs lexer.Token `parser:"'cts' 'role-based' 'enforcement' ('vlan-list' @Word)?"`
	}
)

func (l *language) addTrustSec() {
	add(l, both, (*line).sgtMap, ModeGlobal)
	add(l, negated, (*line).noSGTMap, ModeGlobal)
	add(l, both, (*line).permission, ModeGlobal)
	add(l, negated, (*line).noPermission, ModeGlobal)
	add(l, both, (*line).defaultPermission, ModeGlobal)
	add(l, negated, (*line).noDefaultPermission, ModeGlobal)
	add(l, both, (*line).enforcement, ModeGlobal)
}

func (l *line) sgtMap(n *sgtMapLine) error { return l.setSGTMap(n.Hosts, uint16(seqOf(n.SGT))) }

func (l *line) noSGTMap(n *noSGTMap) error { return l.setSGTMap(n.Hosts, 0) }

// setSGTMap sets or removes the map of the hosts; with tag 0 whichever there
// is.
func (l *line) setSGTMap(hosts []lexer.Token, sgt uint16) error {
	m := &SGTMap{Pos: l.pos, SGT: sgt, Text: l.text}
	switch hosts[0].Value {
	case "vlan-list":
		m.VLANs = name(hosts[1])
	case "workload":
		m.Group = name(hosts[1])
	case "vrf":
		m.VRF = name(hosts[1])
		hosts = hosts[2:]
		fallthrough
	default:
		m.Prefix = l.tagged(hosts[len(hosts)-1])
	}
	old := l.Config.sgtMaps.get(l.Config.SGTMaps, (*SGTMap).key, m.key())
	if !l.no {
		put(l, &l.Config.SGTMaps, old, m, (*SGTMap).String)
		return nil
	}
	if old != nil && sgt != 0 && sgt != old.SGT {
		old = nil
	}
	take(l, &l.Config.SGTMaps, old)
	return nil
}

// tagged gives the addresses of a host or a subnet.
func (l *line) tagged(t lexer.Token) netip.Prefix {
	text, length, subnet := strings.Cut(t.Value, "/")
	n, _ := number(length)
	switch {
	case !subnet:
		a := hostAddress(t).Addr
		return netip.PrefixFrom(a, a.BitLen())
	case strings.Contains(text, ":"):
		return netip.PrefixFrom(l.prefix6(t).Addr, int(n))
	}
	return netip.PrefixFrom(l.prefixAddress(t).Addr, int(n))
}

func (m *SGTMap) key() string {
	switch {
	case m.Group.Text != "":
		return "workload " + m.Group.Text
	case m.VLANs.Text != "":
		return "vlan-list " + m.VLANs.Text
	case m.VRF.Text != "":
		return "vrf " + m.VRF.Text + " " + prefixText(m.Prefix)
	}
	return prefixText(m.Prefix)
}

// prefixText gives the address of a host without a length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// String gives the line as it is printed.
func (m *SGTMap) String() string {
	return "cts role-based sgt-map " + m.key() + " sgt " + itoa(int(m.SGT))
}

func (l *line) permission(n *permissionLine) error {
	return l.setPermission(&RolePermission{From: tag(n.From), To: tag(n.To)}, n.Family, n.Lists)
}

func (l *line) noPermission(n *noPermission) error {
	return l.setPermission(&RolePermission{From: tag(n.From), To: tag(n.To)}, n.Family, nil)
}

func (l *line) defaultPermission(n *defaultPermission) error {
	return l.setPermission(&RolePermission{Default: true}, n.Family, n.Lists)
}

func (l *line) noDefaultPermission(n *noDefaultPermission) error {
	return l.setPermission(&RolePermission{Default: true}, n.Family, nil)
}

func tag(t lexer.Token) uint16 {
	if t.Value == "unknown" {
		return UnknownSGT
	}
	return uint16(seqOf(t))
}

// setPermission sets the lists of a cell or takes them away; without lists all
// of them.
func (l *line) setPermission(r *RolePermission, family lexer.Token, lists []lexer.Token) error {
	r.Pos, r.Text, r.IPv6 = l.pos, l.text, family.Value == "ipv6"
	for _, t := range lists {
		r.Lists = append(r.Lists, name(t))
	}
	old := l.Config.permissions.get(l.Config.RolePermissions, (*RolePermission).cell, r.cell())
	switch {
	case !l.no:
		put(l, &l.Config.RolePermissions, old, r, (*RolePermission).String)
	case old == nil || !old.hasAll(r.Lists):
		l.notice(l.pos, NoEffect, "there is nothing like that")
	default:
		l.removeRoleLists(old, r)
	}
	return nil
}

// hasAll reports whether each of the lists is in the cell.
func (r *RolePermission) hasAll(lists []Name) bool {
	return !slices.ContainsFunc(lists, func(n Name) bool { return !r.has(n.Text) })
}

func (r *RolePermission) has(list string) bool {
	return slices.ContainsFunc(r.Lists, func(n Name) bool { return n.Text == list })
}

// removeRoleLists takes the lists of r out of the cell, or the cell away when
// none is left or none is named.
func (l *line) removeRoleLists(old, r *RolePermission) {
	left := slices.DeleteFunc(slices.Clone(old.Lists), func(n Name) bool { return r.has(n.Text) })
	if len(left) == 0 || len(r.Lists) == 0 {
		l.Config.RolePermissions = without(l.Config.RolePermissions, old)
		return
	}
	old.Lists = left
	old.Text = old.String()
}

// cell gives the words in front of the lists.
func (r *RolePermission) cell() string {
	family := " ipv4"
	if r.IPv6 {
		family = " ipv6"
	}
	if r.Default {
		return "cts role-based permissions default" + family
	}
	return "cts role-based permissions from " + tagText(r.From) + " to " + tagText(r.To) + family
}

func tagText(sgt uint16) string {
	if sgt == UnknownSGT {
		return "unknown"
	}
	return itoa(int(sgt))
}

// String gives the line as it is printed.
func (r *RolePermission) String() string {
	var b strings.Builder
	b.WriteString(r.cell())
	for _, n := range r.Lists {
		b.WriteString(" " + n.Text)
	}
	return b.String()
}

func (l *line) enforcement(n *enforcementLine) error {
	e := &RoleEnforcement{Pos: l.pos, VLANs: name(n.VLANs), Text: l.text}
	var old *RoleEnforcement
	for _, o := range l.Config.RoleEnforcements {
		if o.VLANs.Text == e.VLANs.Text {
			old = o
		}
	}
	if l.no {
		take(l, &l.Config.RoleEnforcements, old)
	} else {
		put(l, &l.Config.RoleEnforcements, old, e, (*RoleEnforcement).String)
	}
	return nil
}

// String gives the line as it is printed.
func (e *RoleEnforcement) String() string {
	if e.VLANs.Text == "" {
		return "cts role-based enforcement"
	}
	return "cts role-based enforcement vlan-list " + e.VLANs.Text
}

func (c *Config) printTrustSec(p *printer) {
	settings(p, c.IdentityMaps, (*IdentityMap).String)
	settings(p, c.RoleEnforcements, (*RoleEnforcement).String)
	settings(p, c.SGTMaps, (*SGTMap).String)
	settings(p, c.RolePermissions, (*RolePermission).String)
}
