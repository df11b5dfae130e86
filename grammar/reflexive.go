package grammar

// ReflexiveLists gives the names of the reflexive lists that lines of IPv4, or
// IPv6, lists fill by "reflect" or ask by "evaluate", each once, in the order
// of the lines.
func (c *Config) ReflexiveLists(ipv6 bool) (names []string) {
	seen := map[string]bool{}
	for _, a := range c.ACLs {
		if a.Kind.IsIPv6() != ipv6 {
			continue
		}
		for _, e := range a.Entries {
			if e.ACE != nil && e.ACE.Reflect.Text != "" && !seen[e.ACE.Reflect.Text] {
				seen[e.ACE.Reflect.Text] = true
				names = append(names, e.ACE.Reflect.Text)
			}
		}
	}
	return names
}

// reflexiveNames lists them for help.
func reflexiveNames(c *Config) []string {
	return append(c.ReflexiveLists(false), c.ReflexiveLists(true)...)
}
