package grammar

import (
	"fmt"
	"net/netip"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about where the legacy lists knew a workload: our own.

// An IdentityMap says which workloads stood behind addresses, so that a list
// which names the addresses speaks of the workloads.
type IdentityMap struct {
	Pos Position
	// Addr and Wildcard are the addresses, as in an Address: one bits of the
	// wildcard are ignored and zero in Addr. A configuration has one map for
	// each pair of them. In IPv6 the one bits of the wildcard stand at its end.
	Addr, Wildcard netip.Addr
	// Group is the object-group of the workloads.
	Group Name
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

type (
	identityLine struct {
		Words []lexer.Token `parser:"'identity' 'map' @( Address Wildcard )"`
		Group lexer.Token   `parser:"@Network"`
	}
	identityLine6 struct {
		Prefix lexer.Token `parser:"'identity' 'map' @Prefix6"`
		Group  lexer.Token `parser:"@Network6"`
	}
	noIdentity struct {
		Words []lexer.Token `parser:"'identity' 'map' @( Address Wildcard | Prefix6 )"`
	}
)

func (l *language) addIdentity() {
	add(l, both, (*line).identityLine, ModeGlobal)
	add(l, both, (*line).identityLine6, ModeGlobal)
	add(l, negated, (*line).noIdentity, ModeGlobal)
}

func (l *line) identityLine(n *identityLine) error { return l.identityMap(n.Words, name(n.Group)) }

func (l *line) identityLine6(n *identityLine6) error {
	return l.identityMap([]lexer.Token{n.Prefix}, name(n.Group))
}

func (l *line) noIdentity(n *noIdentity) error { return l.identityMap(n.Words, Name{}) }

// identityMap sets or removes the map of the addresses; without a group
// whichever there is.
func (l *line) identityMap(words []lexer.Token, group Name) error {
	kind := Extended
	if len(words) == 1 {
		kind = IPv6
	}
	a := l.address(words, kind)
	m := &IdentityMap{Pos: l.pos, Addr: a.Addr, Wildcard: a.Wildcard, Group: group, Text: l.text}
	old := l.Config.IdentityMap(m.Addr, m.Wildcard)
	if !l.no {
		put(l, &l.Config.IdentityMaps, old, m, (*IdentityMap).String)
		l.untranslated()
		return nil
	}
	if old != nil && group.Text != "" && group.Text != old.Group.Text {
		old = nil
	}
	take(l, &l.Config.IdentityMaps, old)
	return nil
}

// IdentityMap gives the map of exactly these addresses, or nil.
func (c *Config) IdentityMap(addr, wildcard netip.Addr) *IdentityMap {
	k := IdentityMap{Addr: addr, Wildcard: wildcard}
	return c.identityMaps.get(c.IdentityMaps, (*IdentityMap).key, k.key())
}

func (m *IdentityMap) key() string {
	if m.Addr.Is4() {
		return m.Addr.String() + " " + m.Wildcard.String()
	}
	return fmt.Sprintf("%s/%d", m.Addr, length6(m.Wildcard))
}

// String gives the line as it is printed.
func (m *IdentityMap) String() string { return "identity map " + m.key() + " " + m.Group.Text }
