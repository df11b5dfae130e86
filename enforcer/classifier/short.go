package classifier

import "aclium/enforcer/bpf"

// short reports whether every rule can have a shape of its own: then the sets
// of shapes are sets of rules, and no key is looked up.
func (c *compiler) short() bool {
	return len(c.rules) <= int(bpf.AcliumTableConstTABLE_SHAPES)
}

// places calls f with the shapes that each rule is entered in: those of whole
// packets and those of later fragments.
func (c *compiler) places(f func(rule int32, shape uint64, later bool)) {
	if !c.short() {
		for i := range c.entries {
			e := &c.entries[i]
			t := &c.tuples[e.tuple]
			f(e.rule, 1<<t.shape, t.later)
		}
		return
	}
	for i := range c.rules {
		if c.rules[i].whole {
			f(int32(i), 1<<i, false)
		}
		if c.rules[i].later {
			f(int32(i), 1<<i, true)
		}
	}
}
