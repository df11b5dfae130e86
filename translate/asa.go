package translate

import (
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// This file holds the lines of an ASA to what the device takes, where the sets
// of a line would hide that it does not.

// portProtocols are the protocols that have ports.
var portProtocols = policy.Bytes(policy.TCP, policy.UDP, policy.SCTP)

// checkASA refuses a line whose groups do not go together.
func (t *compiler) checkASA(n *line) {
	a := n.entry.ACE
	if a.ICMPGroup.Text != "" && a.Protocol.Number != policy.ICMP {
		n.refuse("object-group " + a.ICMPGroup.Text + " holds types of ICMP, which stand behind another protocol")
	}
	if a.SourcePorts.Op == 0 && a.DestinationPorts.Op == 0 {
		return
	}
	for _, s := range n.match.Services {
		if s.Protocols.Intersect(portProtocols) != s.Protocols {
			n.refuse("ports stand behind a protocol that has none")
			return
		}
		t.checkPortGroup(s.Protocols, a.SourcePorts)
		t.checkPortGroup(s.Protocols, a.DestinationPorts)
	}
}

// refuse makes the line one that cannot be said, unless it is one already.
func (n *line) refuse(why string) {
	if n.unsaid == "" {
		n.unsaid = why
	}
}

// checkPortGroup refuses a group of ports that is not one of the protocols.
func (t *compiler) checkPortGroup(protocols policy.ByteSet, c grammar.Compare) {
	g := t.config.ObjectGroup(c.Group.Text)
	if c.Op != grammar.InGroup || g == nil || g.Kind != grammar.PortGroup {
		return
	}
	has := func(n uint8) bool {
		return slices.ContainsFunc(g.Protocols, func(p grammar.Protocol) bool { return p.Number == n })
	}
	if policy.BytesWhere(has).Intersect(protocols) != protocols {
		t.fail(c.Group.Pos, "object-group %s holds ports of another protocol", c.Group.Text)
	}
}

func (t *compiler) listsDefined() (all []definition) {
	for _, a := range t.config.ACLs {
		all = append(all, definition{a.Name, a.Pos})
	}
	return all
}
