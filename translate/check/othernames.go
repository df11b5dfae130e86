package check

import "aclium/grammar"

// httpMaps collects the names of what looks into HTTP.
func (n *names) httpMaps(c *grammar.Config) {
	for _, m := range c.RegexMaps {
		n.define(regexMaps, m.Name, m.Pos, "parameter-map type regex "+m.Name)
	}
	for _, m := range c.HTTPClassMaps {
		n.define(httpClassMaps, m.Name, m.Pos, "class-map type inspect http "+m.Name)
		for _, x := range m.Matches {
			n.use(regexMaps, x.Regex, x.Text, "")
		}
	}
	for _, m := range c.HTTPPolicyMaps {
		n.define(httpPolicyMaps, m.Name, m.Pos, "policy-map type inspect http "+m.Name)
		for _, k := range m.Classes {
			n.use(httpClassMaps, k.Class, "class type inspect http "+k.Class.Text, "")
		}
	}
}

// trustSec collects the groups and lists that identities and security groups
// name.
func (n *names) trustSec(c *grammar.Config) {
	for _, m := range c.IdentityMaps {
		n.use(groups, m.Group, m.Text, "")
	}
	for _, m := range c.SGTMaps {
		n.use(groups, m.Group, m.Text, "")
	}
	for _, r := range c.RolePermissions {
		for _, list := range r.Lists {
			n.use(lists, list, r.Text, "")
		}
	}
}
