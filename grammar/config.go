package grammar

import (
	"io"
	"slices"
)

// Config is a configuration: what a file says or what a session has typed.
// Slices are in the order of definition.
type Config struct {
	// Dialect is the language that the configuration is written in.
	Dialect  Dialect
	Hostname string
	// ShowNames is ASA's "names"; Aliases are the names.
	ShowNames    bool
	Aliases      []*Alias
	ObjectGroups []*ObjectGroup
	ACLs         []*ACL
	ClassMaps    []*ClassMap
	PolicyMaps   []*PolicyMap
	Zones        []*Zone
	ZonePairs    []*ZonePair
	Interfaces   []*Interface
	// RegexMaps, HTTPClassMaps and HTTPPolicyMaps look into HTTP where a class
	// of a PolicyMap names one of the last.
	RegexMaps      []*RegexMap
	HTTPClassMaps  []*HTTPClassMap
	HTTPPolicyMaps []*HTTPPolicyMap
	IdentityMaps   []*IdentityMap
	// SGTMaps put hosts into security groups; RolePermissions filter between
	// the groups where RoleEnforcements say so.
	SGTMaps          []*SGTMap
	RolePermissions  []*RolePermission
	RoleEnforcements []*RoleEnforcement
	// Bindings are the access-groups of an ASA.
	Bindings []Binding
	// Other is security configuration that is kept, understood or not.
	Other []*Statement
	// Mentions are places in skipped configuration of a file that name a list.
	Mentions []Reference

	aliases    index[Alias]
	places     map[bindingPlace]int
	acls       index[ACL]
	groups     index[ObjectGroup]
	classMaps  index[ClassMap]
	policyMaps index[PolicyMap]
	zones      index[Zone]
	zonePairs  index[ZonePair]
	interfaces index[Interface]

	regexMaps      index[RegexMap]
	httpClassMaps  index[HTTPClassMap]
	httpPolicyMaps index[HTTPPolicyMap]
	identityMaps   index[IdentityMap]
	sgtMaps        index[SGTMap]
	permissions    index[RolePermission]
}

// index finds the elements of a slice by key. It is built when it is first
// used and again after the slice has changed its length.
type index[T any] struct {
	of []*T
	m  map[string]*T
}

func (x *index[T]) get(all []*T, key func(*T) string, k string) *T {
	if x.m == nil || len(all) != len(x.of) || len(all) > 0 && all[len(all)-1] != x.of[len(all)-1] {
		x.build(all, key)
	}
	return x.m[k]
}

func (x *index[T]) build(all []*T, key func(*T) string) {
	if x.m != nil && len(all) == len(x.of)+1 && (len(x.of) == 0 || all[len(x.of)-1] == x.of[len(x.of)-1]) {
		x.m[key(all[len(all)-1])] = all[len(all)-1]
	} else {
		x.m = make(map[string]*T, len(all))
		for _, e := range all {
			x.m[key(e)] = e
		}
	}
	x.of = all
}

// ACL gives the access-list of that name or number, or nil.
//
// IOS-XR has a name space for each family; of two lists with one name it is the
// one of IPv4.
func (c *Config) ACL(name string) *ACL {
	if a := c.acls.get(c.ACLs, (*ACL).key, name); a != nil || c.Dialect != IOSXR {
		return a
	}
	return c.acls.get(c.ACLs, (*ACL).key, ipv6Space+name)
}

// list gives the access-list of that name in the name space of the kind.
func (c *Config) list(name string, kind ACLKind) *ACL {
	if c.Dialect == IOSXR && kind == IPv6 {
		name = ipv6Space + name
	}
	return c.acls.get(c.ACLs, (*ACL).key, name)
}

// Filter gives the access-list of that name or number which governs the family,
// or nil. It differs from ACL where both families have a list of the name.
func (c *Config) Filter(name string, ipv6 bool) *ACL {
	kind := Extended
	if ipv6 {
		kind = IPv6
	}
	if a := c.list(name, kind); a != nil && a.Kind.IsIPv6() == ipv6 {
		return a
	}
	return nil
}

// ipv6Space stands before the names of IPv6 lists where they have a name space
// of their own. No name holds a blank.
const ipv6Space = "ipv6 "

func (a *ACL) key() string {
	if a.Dialect == IOSXR && a.Kind == IPv6 {
		return ipv6Space + a.Name
	}
	return a.Name
}

// Alias gives the name for an address, or nil.
func (c *Config) Alias(name string) *Alias {
	return c.aliases.get(c.Aliases, func(a *Alias) string { return a.Name }, name)
}

// ObjectGroup gives the object-group of that name, or nil.
func (c *Config) ObjectGroup(name string) *ObjectGroup {
	return c.groups.get(c.ObjectGroups, func(g *ObjectGroup) string { return g.Name }, name)
}

// ClassMap gives the class-map of that name, or nil.
func (c *Config) ClassMap(name string) *ClassMap {
	return c.classMaps.get(c.ClassMaps, func(m *ClassMap) string { return m.Name }, name)
}

// PolicyMap gives the policy-map of that name, or nil.
func (c *Config) PolicyMap(name string) *PolicyMap {
	return c.policyMaps.get(c.PolicyMaps, func(m *PolicyMap) string { return m.Name }, name)
}

// Zone gives the security zone of that name, or nil.
func (c *Config) Zone(name string) *Zone {
	return c.zones.get(c.Zones, func(z *Zone) string { return z.Name }, name)
}

// ZonePair gives the zone-pair of that name, or nil.
func (c *Config) ZonePair(name string) *ZonePair {
	return c.zonePairs.get(c.ZonePairs, func(z *ZonePair) string { return z.Name }, name)
}

// Interface gives the interface of that name, or nil. A workload interface is
// found under "workload NAME".
func (c *Config) Interface(name string) *Interface {
	return c.interfaces.get(c.Interfaces, (*Interface).key, name)
}

func (i *Interface) key() string {
	if i.Workload {
		return "workload " + i.Name
	}
	return i.Name
}

// Clone gives a copy that can be edited without changing c. Entries and
// members are shared: they are never modified.
func (c *Config) Clone() *Config {
	return &Config{
		Dialect:      c.Dialect,
		Hostname:     c.Hostname,
		ShowNames:    c.ShowNames,
		Aliases:      slices.Clone(c.Aliases),
		Bindings:     slices.Clone(c.Bindings),
		ObjectGroups: clones(c.ObjectGroups, (*ObjectGroup).clone),
		ACLs:         clones(c.ACLs, (*ACL).clone),
		ClassMaps:    clones(c.ClassMaps, (*ClassMap).clone),
		PolicyMaps:   clones(c.PolicyMaps, (*PolicyMap).clone),
		Zones:        clones(c.Zones, (*Zone).clone),
		ZonePairs:    clones(c.ZonePairs, (*ZonePair).clone),
		Interfaces:   clones(c.Interfaces, (*Interface).clone),
		RegexMaps:    clones(c.RegexMaps, (*RegexMap).clone),
		Other:        cloneStatements(c.Other),
		Mentions:     slices.Clone(c.Mentions),

		HTTPClassMaps:    clones(c.HTTPClassMaps, (*HTTPClassMap).clone),
		HTTPPolicyMaps:   clones(c.HTTPPolicyMaps, (*HTTPPolicyMap).clone),
		IdentityMaps:     clones(c.IdentityMaps, copied),
		SGTMaps:          clones(c.SGTMaps, copied),
		RolePermissions:  clones(c.RolePermissions, copied),
		RoleEnforcements: clones(c.RoleEnforcements, copied),
	}
}

func clones[T any](all []*T, clone func(*T) *T) []*T {
	if all == nil {
		return nil
	}
	out := make([]*T, len(all))
	for i, e := range all {
		out[i] = clone(e)
	}
	return out
}

func (z *Zone) clone() *Zone {
	d := *z
	d.Other = cloneStatements(z.Other)
	return &d
}

func (z *ZonePair) clone() *ZonePair {
	d := *z
	d.Other = cloneStatements(z.Other)
	return &d
}

func (p *PolicyClass) clone() *PolicyClass {
	d := *p
	d.Other = cloneStatements(p.Other)
	return &d
}

func (a *ACL) clone() *ACL {
	d := *a
	d.Entries, d.Other, d.keys = slices.Clone(a.Entries), cloneStatements(a.Other), nil
	d.asa = nil
	return &d
}

func (g *ObjectGroup) clone() *ObjectGroup {
	d := *g
	d.Members, d.Other, d.keys = slices.Clone(g.Members), cloneStatements(g.Other), nil
	return &d
}

func (m *ClassMap) clone() *ClassMap {
	d := *m
	d.Matches, d.Other = slices.Clone(m.Matches), cloneStatements(m.Other)
	return &d
}

func (m *PolicyMap) clone() *PolicyMap {
	d := *m
	d.Classes, d.Other = clones(m.Classes, (*PolicyClass).clone), cloneStatements(m.Other)
	return &d
}

func (i *Interface) clone() *Interface {
	d := *i
	d.Bindings, d.Other = slices.Clone(i.Bindings), cloneStatements(i.Other)
	return &d
}

// Print writes the canonical configuration: blocks in IOS's order with "!"
// between them, one blank of indent for each level. It parses again to the
// same Config.
func (c *Config) Print(w io.Writer) error {
	p := &printer{to: w, dialect: c.Dialect}
	c.print(p)
	p.flush(0)
	return p.err
}
