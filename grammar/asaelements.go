package grammar

import "math"

// Elements gives the number of elements that an ASA would expand the lines of
// a list to, which is what "show access-list" prints behind the list's name:
// the product of the members of all groups on a line, summed over the lines.
// A line without groups is one element, a remark is none; a group that is not
// defined has no members. Nothing is expanded to count them. A number that
// does not fit is math.MaxUint64.
func (c *Config) Elements(a *ACL) uint64 {
	n := counter{config: c, sizes: map[string]uint64{}}
	var sum uint64
	for _, e := range a.Entries {
		if e.ACE != nil {
			sum = addSaturated(sum, n.line(e.ACE))
		}
	}
	return sum
}

// counter knows how many members groups have.
type counter struct {
	config *Config
	// sizes holds 0 for a group that is being counted, so that one which holds
	// itself ends.
	sizes map[string]uint64
}

func (n *counter) line(a *ACE) uint64 {
	product := uint64(1)
	for _, factor := range []uint64{
		n.named(a.ServiceGroup, !a.ServiceObject), n.end(a.Source), n.ports(a.SourcePorts), n.end(a.Destination), n.ports(a.DestinationPorts),
		n.named(a.ICMPGroup, true),
	} {
		product = multiplySaturated(product, factor)
	}
	return product
}

// named counts the members of a group where there is one.
func (n *counter) named(name Name, group bool) uint64 {
	if name.Text == "" || !group {
		return 1
	}
	return n.group(name.Text)
}

func (n *counter) end(a Address) uint64 { return n.named(a.Group, a.Kind == AddressGroup) }

func (n *counter) ports(c Compare) uint64 { return n.named(c.Group, c.Op == InGroup) }

func (n *counter) group(name string) (size uint64) {
	if size, ok := n.sizes[name]; ok {
		return size
	}
	n.sizes[name] = 0
	g := n.config.ObjectGroup(name)
	if g == nil {
		return 0
	}
	for _, m := range g.Members {
		switch {
		case m.Kind == GroupMember:
			size = addSaturated(size, n.group(m.Group.Text))
		case m.Service != nil && m.Kind == ServiceMember:
			size = addSaturated(size, uint64(len(m.Service.Protocols)))
		default:
			size = addSaturated(size, 1)
		}
	}
	n.sizes[name] = size
	return size
}

func addSaturated(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func multiplySaturated(a, b uint64) uint64 {
	if a != 0 && b > math.MaxUint64/a {
		return math.MaxUint64
	}
	return a * b
}
