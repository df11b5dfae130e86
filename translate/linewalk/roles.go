package linewalk

import (
	"aclium/grammar"
	"aclium/translate/policy"
)

// Roles judges a packet that opens a connection to a pod by the permissions
// between security groups. A pod's tag is that of the first mapped workload it
// belongs to; a source in none has that of the longest mapped prefix around its
// address, and no tag is tag 0.
func Roles(c *grammar.Config, p *policy.Packet) (permit bool) {
	if len(c.RoleEnforcements) == 0 || p.Destination.Labels == nil {
		return true
	}
	w := walk{c: c, p: p}
	from, to := w.tag(&p.Source), w.workloadTag(&p.Destination)
	var fallback *grammar.RolePermission
	for _, r := range c.RolePermissions {
		switch {
		case r.IPv6 != p.Source.Addr.Is6():
		case r.Default:
			fallback = r
		case r.From == from && r.To == to:
			return w.cell(r)
		}
	}
	return fallback == nil || w.cell(fallback)
}

// cell asks the lists of a permission one after the other.
func (w walk) cell(r *grammar.RolePermission) bool {
	for _, list := range r.Lists {
		if permit, seq := Verdict(w.c, list.Text, true, w.p); seq != 0 {
			return permit
		}
	}
	return false
}

func (w walk) workloadTag(e *policy.Endpoint) uint16 {
	for _, m := range w.c.SGTMaps {
		if m.Group.Text != "" && w.inGroup(m.Group.Text, e) {
			return m.SGT
		}
	}
	return grammar.UnknownSGT
}

func (w walk) tag(e *policy.Endpoint) uint16 {
	tag, longest := w.workloadTag(e), -1
	if tag != grammar.UnknownSGT {
		return tag
	}
	for _, m := range w.c.SGTMaps {
		if m.Prefix.IsValid() && m.Prefix.Masked().Contains(e.Addr) && m.Prefix.Bits() > longest {
			tag, longest = m.SGT, m.Prefix.Bits()
		}
	}
	return tag
}
