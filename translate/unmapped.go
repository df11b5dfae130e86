package translate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"aclium/grammar"
	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// An UnmappedAddress is a set of addresses that a configuration names, that are
// the cluster's own and no workload's: nobody knows which pods they stand for.
type UnmappedAddress struct {
	Addresses []policy.AddrRange
	// Group is the object-group that holds them; empty when lines hold them.
	Group string
	// Source is the group's place, or the first line's.
	Source policy.Source
	// Lines use the addresses; a group may be used by none.
	Lines []UnmappedLine
}

// An UnmappedLine is a line that uses addresses or a group.
type UnmappedLine struct {
	ID     policy.RuleID
	Source policy.Source
	Text   string
}

// Unmapped gives the addresses of a configuration's lists and object-groups
// that lie in clusterCIDRs and that no workload or service claims, in the order
// of the text. A range that holds a whole prefix of clusterCIDRs stands for all
// pods and is not among them. Lists that are bound nowhere count too. Names
// that are not defined are an error, as in Compile.
func Unmapped(c *grammar.Config, inv *inventory.Inventory) ([]UnmappedAddress, error) {
	u := &unmapper{compiler: newCompiler(c), claimed: claimedBy(inv), known: map[string]*UnmappedAddress{}}
	for _, p := range inv.ClusterCIDRs {
		u.cluster = append(u.cluster, newAddrSet(policy.PrefixRange(p)))
	}
	u.resolveGroups()
	u.groups()
	for _, a := range c.ACLs {
		for _, e := range a.Entries {
			if e.ACE != nil && a.Kind.FiltersPackets() {
				u.entry(a, e)
			}
		}
	}
	if err := u.errors.Err(); err != nil {
		return nil, err
	}
	out := make([]UnmappedAddress, 0, len(u.known))
	for _, a := range u.known {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b UnmappedAddress) int {
		return cmp.Or(a.Source.Line-b.Source.Line, a.Source.Column-b.Source.Column, cmp.Compare(fmt.Sprint(a.Addresses), fmt.Sprint(b.Addresses)))
	})
	return out, nil
}

// claimedBy gives the addresses that an inventory explains.
func claimedBy(inv *inventory.Inventory) addrSet {
	var all []policy.AddrRange
	for _, w := range inv.Workloads {
		all = append(all, w.Addresses...)
	}
	for _, s := range inv.Services {
		for _, a := range s.Addresses {
			all = append(all, policy.AddrRange{First: a, Last: a})
		}
	}
	return newAddrSet(all...)
}

type unmapper struct {
	*compiler
	cluster []addrSet // one for each prefix
	claimed addrSet
	// known finds what is unmapped by its group, or by its addresses.
	known map[string]*UnmappedAddress
}

// rest gives the addresses of a set that are unmapped.
func (u *unmapper) rest(p *policy.Peers) (out addrSet) {
	all := newAddrSet(p.Addresses...)
	for _, m := range p.Masked {
		set, ok := expandMasked(m)
		if !ok {
			// Too many ranges to look at one by one: from the first address
			// under the mask to the last.
			set = addrSet{{First: m.Addr, Last: lastUnder(m)}}
		}
		all = all.union(set)
	}
	for _, prefix := range u.cluster {
		inside := all.intersect(prefix)
		if !slices.Equal(inside, prefix) {
			out = out.union(inside.minus(u.claimed))
		}
	}
	return out
}

// lastUnder gives the greatest address under a mask.
func lastUnder(m policy.Masked) netip.Addr {
	last, wild := m.Addr.AsSlice(), m.Wildcard.AsSlice()
	for i := range last {
		last[i] |= wild[i]
	}
	a, _ := netip.AddrFromSlice(last)
	return a
}

// groups finds the object-groups that hold unmapped addresses themselves.
func (u *unmapper) groups() {
	for _, g := range u.config.ObjectGroups {
		if n := u.networks[g]; n != nil {
			u.found(g.Name, g.Pos, u.rest(&n.peers))
		}
	}
}

// found gives the entry of a group, or of addresses where there is no group;
// nil when all of them are mapped.
func (u *unmapper) found(group string, pos grammar.Position, rest addrSet) *UnmappedAddress {
	if len(rest) == 0 {
		return nil
	}
	key := "group " + group
	if group == "" {
		key = fmt.Sprint(rest)
	}
	if u.known[key] == nil {
		u.known[key] = &UnmappedAddress{Addresses: rest, Group: group, Source: sourceOf(pos)}
	}
	return u.known[key]
}

func (u *unmapper) entry(a *grammar.ACL, e *grammar.Entry) {
	l := UnmappedLine{ID: policy.RuleID{ACL: a.Name, Seq: e.Seq}, Source: sourceOf(e.Pos), Text: textOf(e)}
	for _, end := range []grammar.Address{e.ACE.Source, e.ACE.Destination} {
		peers := u.peers(&line{entry: e}, end)
		f := u.found(end.Group.Text, e.Pos, u.rest(&peers))
		if f != nil && !slices.Contains(f.Lines, l) {
			f.Lines = append(f.Lines, l)
		}
	}
}
