package acltest

import (
	"time"

	"aclium/grammar"
	"aclium/translate/policy"
)

// NodeOnly makes the generator write what only a node looks at, too: dscp,
// precedence, tos, ttl, types of IGMP, time-ranges and reflexive lists; and its
// packets differ in them.
func (g *Generator) NodeOnly() *Generator {
	g.nodeOnly = true
	return g
}

// clocks writes the wall clock and time-ranges that begin and end within a few
// days of 1 March 2026, a Sunday. GONE is not among them.
func (g *Generator) clocks() {
	if !g.nodeOnly {
		return
	}
	g.printf("%s", pick(g, "clock timezone CET 1", "clock timezone IST 5 30", "clock timezone NST -3 30", "!"))
	g.printf("time-range WORK\n %s", pick(g, "periodic weekdays 9:00 to 17:00", "periodic Monday 8:30 to 8:30", "periodic Sunday Tuesday 0:00 to 23:59"))
	g.printf("time-range NIGHT\n %s\n %s", pick(g, "periodic daily 22:00 to 6:00", "periodic Friday 18:00 to Monday 6:00"), pick(g, "periodic Sunday 12:00 to 12:01", "absolute end 12:00 2 March 2026"))
	g.printf("time-range ONCE\n absolute start %s 1 March 2026 end %s 3 March 2026", pick(g, "0:00", "12:34"), pick(g, "0:00", "23:59"))
}

// marks gives the words of a line that only a node looks at.
func (g *Generator) marks(permit bool) (out string) {
	if !g.nodeOnly {
		return ""
	}
	if g.chance(20) {
		out += " dscp " + pick(g, "ef", "af11", "0", "63")
	} else if !g.v6 && g.chance(15) {
		out += " precedence " + pick(g, "routine", "5") + pick(g, "", " tos max-throughput", " tos 15")
	}
	if g.named && !g.v6 && g.chance(20) {
		out += " ttl " + pick(g, "eq 1", "neq 1 2 3", "lt 2", "gt 254", "range 64 60", "range 10 20")
	}
	if g.chance(25) {
		out += " time-range " + pick(g, "WORK", "NIGHT", "ONCE", "GONE")
	}
	if permit && (g.named || g.v6) && g.chance(10) {
		out += " reflect " + pick(g, "MIRROR", "OTHER") + pick(g, "", " timeout 60")
	}
	return out
}

// mark sets what only a node looks at to what the line asks for, more often
// than not, and to its neighbours.
func (m *maker) mark(p *policy.Packet, a *grammar.ACE) {
	if !m.nodeOnly {
		return
	}
	p.TrafficClass, p.HopLimit = uint8(m.r.IntN(256)), pick[uint8](m.Generator, 0, 1, 2, 3, 9, 10, 20, 21, 59, 60, 64, 65, 254, 255)
	if a.DSCP != nil && m.chance(80) {
		p.TrafficClass = uint8(a.DSCP.Number)<<2 | p.TrafficClass&3
	}
	if a.Precedence != nil && m.chance(90) {
		p.TrafficClass = uint8(a.Precedence.Number)<<5 | p.TrafficClass&31
	}
	if a.TOS != nil && m.chance(90) {
		p.TrafficClass = p.TrafficClass&^30 | uint8(a.TOS.Number)<<1
	}
	if a.TTL.Op != 0 && m.chance(80) {
		p.HopLimit = uint8(m.portFor(a.TTL))
	}
	if p.Protocol == policy.IGMP && p.Fragment != policy.Later {
		p.ICMPType, p.ICMPCode = pick[uint8](m.Generator, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1e, 0x1f, 0x22, 0, 1, 9), uint8(m.r.IntN(256))
	}
	p.At = m.moment()
	p.Reflected = pick(m.Generator, nil, []string{"MIRROR"}, []string{"OTHER"}, []string{"MIRROR", "OTHER"})
}

// moment gives a moment about the edges of the time-ranges, seldom none.
func (m *maker) moment() time.Time {
	if m.chance(5) {
		return time.Time{}
	}
	minute := pick(m.Generator, 0, 1, 29, 30, 31, 33, 34, 59)
	return time.Date(2026, 2, 26+m.r.IntN(9), m.r.IntN(24), minute, m.r.IntN(60), m.r.IntN(1e9), time.UTC)
}
