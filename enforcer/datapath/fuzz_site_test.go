package datapath

import (
	"maps"
	"net/netip"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

// A site is a filtered device of a scenario: a pod's port or an interface of
// the node.
type site struct {
	*scenario
	ifindex  uint32
	pod      bool
	audit    bool
	timed    bool                // some line of its lists exists at some hours only
	flags    bpf.AcliumHookFlags // of the subject
	own      map[policy.Family][]netip.Addr
	knownOwn ownAddresses // that the hook knows by heart
	aim      *aim
	judge    *referee
	// reachable are the lines that decide a packet, by the direction, as far as
	// that has been looked for in this hour.
	settled   bool
	reachable map[policy.Direction]map[counterOf]policy.Packet
	unsure    map[policy.Direction]bool // some may be missing there
}

func (at *site) owns(a netip.Addr) bool {
	return slices.Contains(at.own[policy.IPv4], a) || slices.Contains(at.own[policy.IPv6], a)
}

// point turns the port's frames to the lists that it has. Next to somebody's
// address lies one that may be nobody's.
func (at *site) point(s *smith) {
	addrs := slices.Concat(at.port.Addrs4, at.port.Addrs6)
	for a := range at.port.owners {
		addrs = append(addrs, a.Prev(), a.Next())
	}
	for net := range at.port.nets {
		r := policy.PrefixRange(net)
		addrs = append(addrs, r.First, r.Last, r.First.Prev(), r.Last.Next())
	}
	at.aim = newAim(s, at.judge.lists, addrs, at.end)
}

// reachAll runs, on every port, a packet for each line that can decide one at
// this hour, and wants it to. It notes the lines in found.
func (s *scenario) reachAll(total *fuzzTally, found map[counterOf]bool) {
	s.Helper()
	for _, at := range s.sites {
		at.settled, at.reachable, at.unsure = true, map[policy.Direction]map[counterOf]policy.Packet{}, map[policy.Direction]bool{}
		for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
			if lists := at.judge.lists[d]; len(lists) > 0 && !at.dear(lists) {
				at.reachLists(d, lists, total, found)
			}
		}
	}
}

// dear reports whether it would take too long to look for what reaches the lines:
// of long lists only one is searched at a time, and on a node's interface.
func (at *site) dear(lists []*policy.Policy) bool {
	long := func(l *policy.Policy) bool { return len(l.Rules) >= longLines }
	return (at.pod || len(lists) > 1) && slices.ContainsFunc(lists, long)
}

func (at *site) reachLists(d policy.Direction, lists []*policy.Policy, total *fuzzTally, found map[counterOf]bool) {
	at.Helper()
	r := newReach(lists, at.clock.at())
	reached := map[counterOf]policy.Packet{}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		maps.Copy(reached, r.witnesses(at.question(d, f)))
	}
	at.reachable[d], at.unsure[d] = reached, r.unsure > 0
	total.unsure += r.unsure
	for _, l := range lists {
		for i := range len(l.Rules) + 1 {
			line := counterOf{l.ACL, i - 1}
			if p, ok := reached[line]; ok && (i == 0 || !l.Rules[i-1].Uncounted) {
				found[line] = true
				at.meet(d, line, &p, total)
			}
		}
	}
}

// question gives what reaches the lists of a direction.
func (at *site) question(d policy.Direction, f policy.Family) *question {
	q := &question{family: f, from: at.aim.addrs[f], to: at.aim.addrs[f], end: at.end, apart: at.isService}
	q.admits = func(p *policy.Packet) bool { return len(p.Reflected) == 0 || plantable(p) }
	if !at.pod {
		return q
	}
	q.admits = func(p *policy.Packet) bool {
		neighbour := f == policy.IPv6 && p.Protocol == policy.ICMPv6 && p.HopLimit == 255 && (p.ICMPType == 135 || p.ICMPType == 136)
		served := d == policy.Egress && at.isService(p.Destination.Addr) && policy.HasPorts(p.Protocol)
		return p.Fragment != policy.Later && !neighbour && !served && len(p.Reflected) == 0
	}
	if d == policy.Egress && at.flags&bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED == 0 {
		q.from = at.own[f]
	}
	return q
}

// meet runs the packet, without any connections and entries of before where it
// belongs to one, and wants the line to count it.
func (at *site) meet(d policy.Direction, line counterOf, p *policy.Packet, total *fuzzTally) {
	at.Helper()
	var v ruling
	for try := range 40 {
		if try == 20 {
			at.forget()
		}
		frame := at.aim.frame(p)
		if len(frame) > maxFrame || wire.Decode(frame, 1).Kind != wire.IP {
			continue
		}
		for _, list := range p.Reflected {
			at.plant(list, p)
		}
		v = at.offer(d, frame, 1, false, total)
		if slices.Contains(v.lines, line) {
			return
		}
	}
	at.Errorf("seed %d: %s line %d does not decide the packet that reaches it: %v", at.seed, line.acl, line.line, v)
}

// missed counts a packet that was decided by a line which nothing seemed to
// reach, and keeps what may be continued. Lines that only services lead to are
// not looked for.
func (at *site) missed(d policy.Direction, v *ruling, total *fuzzTally) {
	if at.settled && at.reachable[d] != nil && !at.unsure[d] && v.why == string(policy.ByLine) && !at.isService(v.packet.Destination.Addr) {
		for _, line := range v.lines {
			if _, ok := at.reachable[d][line]; !ok {
				total.missed++
				if total.missed == 1 {
					at.Logf("seed %d: %s line %d was called unreachable, and decides a frame: %s", at.seed, line.acl, line.line, at.last())
				}
			}
		}
	}
	if v.kind == wire.IP && (v.accept || at.aim.one(8)) {
		at.aim.note(d, &v.packet)
	}
}

// atPort makes the packet one of the pod's.
func (at *site) atPort(d policy.Direction, p *policy.Packet) {
	own := at.own[p.Family()][0]
	if d == policy.Egress {
		p.Source.Addr = own
	} else {
		p.Destination.Addr = own
	}
}
