package translate

import (
	"net/netip"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// This file gives meaning to what other dialects name: objects, groups of
// ports, of protocols and of ICMP types.

// named lists the groups and objects that an address of a kind may name.
var named = map[grammar.AddressKind][]grammar.GroupKind{
	grammar.AddressGroup:  {grammar.NetworkGroup, grammar.NetworkGroup6},
	grammar.AddressObject: {grammar.NetworkObject},
	grammar.PolicyGroup:   {grammar.PolicyAddresses},
}

// everyAddress gives all addresses of a family: ASA's any4 and any6.
func everyAddress(of netip.Addr) policy.AddrRange {
	if of.Is4() {
		return everyIPv4
	}
	return everyIPv6
}

// held says what the groups of a kind hold.
var held = map[grammar.GroupKind]string{
	grammar.NetworkGroup: "addresses", grammar.NetworkGroup6: "addresses", grammar.ServiceGroup: "services", grammar.ServiceGroup6: "services",
	grammar.PatternGroup: "DNS names", grammar.RegionGroup: "countries", grammar.TagGroup: "security groups",
	grammar.PolicyAddresses: "addresses of an addrgroup", grammar.PolicyPorts: "ports", grammar.PortGroup: "ports",
	grammar.NetworkObject: "an address", grammar.ServiceObject: "a service", grammar.ProtocolGroup: "protocols", grammar.ICMPGroup: "ICMP types",
}

// groupOf finds a group of one of the kinds, or records why there is none.
func (t *compiler) groupOf(name grammar.Name, what string, kinds ...grammar.GroupKind) *grammar.ObjectGroup {
	g := t.config.ObjectGroup(name.Text)
	switch {
	case g == nil:
		t.undefined(name, wordOf(kinds), t.groupsOf(kinds...))
		return nil
	case !slices.Contains(kinds, g.Kind):
		t.fail(name.Pos, "%s %s holds %s, want %s", wordOf(kinds), name.Text, held[g.Kind], what)
		return nil
	}
	return g
}

// wordOf is what the kinds are called where only objects may stand.
func wordOf(kinds []grammar.GroupKind) string {
	if len(kinds) == 1 && (kinds[0] == grammar.NetworkObject || kinds[0] == grammar.ServiceObject) {
		return "object"
	}
	return "object-group"
}

// portsOf gives the ports that a comparison accepts.
func (t *compiler) portsOf(c grammar.Compare) policy.Ranges {
	switch c.Op {
	case 0:
		return policy.AllNumbers()
	case grammar.InGroup:
		return t.groupPorts(c.Group, nil)
	}
	var rs []policy.Range
	for _, r := range c.Ranges(maxPort) {
		rs = append(rs, policy.Range{First: uint16(r[0]), Last: uint16(r[1])})
	}
	return policy.NewRanges(rs...)
}

// groupPorts gives the ports of a group. Above are the groups that hold it.
func (t *compiler) groupPorts(name grammar.Name, above []*grammar.ObjectGroup) policy.Ranges {
	g := t.groupOf(name, "ports", grammar.PolicyPorts, grammar.PortGroup)
	if g == nil {
		return nil
	}
	if slices.Contains(above, g) {
		t.fail(name.Pos, "object-group %s holds itself", name.Text)
		return nil
	}
	if ports, ok := t.ports[g]; ok {
		return ports
	}
	var all []policy.Range
	for _, m := range g.Members {
		if m.Kind == grammar.GroupMember {
			all = append(all, t.groupPorts(m.Group, append(above, g))...)
		} else {
			all = append(all, t.portsOf(m.Ports)...)
		}
	}
	t.ports[g] = policy.NewRanges(all...)
	return t.ports[g]
}

// groupTypes gives the ICMP types of a group. Above are the groups that hold it.
func (t *compiler) groupTypes(name grammar.Name, above []*grammar.ObjectGroup) (out policy.Ranges) {
	g := t.groupOf(name, "ICMP types", grammar.ICMPGroup)
	if g == nil {
		return nil
	}
	if slices.Contains(above, g) {
		t.fail(name.Pos, "object-group %s holds itself", name.Text)
		return nil
	}
	for _, m := range g.Members {
		switch {
		case m.Kind == grammar.GroupMember:
			out = out.Union(t.groupTypes(m.Group, append(above, g)))
		case m.Service.ICMP == nil:
			return policy.AllNumbers()
		default:
			out = out.Union(icmpOf(m.Service.ICMP))
		}
	}
	return out
}
