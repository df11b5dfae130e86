package trace

import (
	"slices"
	"strconv"
	"time"

	"aclium/grammar"
	"aclium/translate/policy"
)

// ParseMoment reads a moment: RFC 3339, or the reading of the configuration's
// wall clock as "2006-01-02 15:04".
func ParseMoment(c *grammar.Config, text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	clock := c.Clock()
	return time.ParseInLocation("2006-01-02 15:04", text, time.FixedZone(clock.Name, int(clock.Offset/time.Second)))
}

// loosen takes from a match what it asks of a packet that does not say it, and
// names the first such thing; empty when the packet says everything.
func (p *Packet) loosen(m *policy.Match) (what string) {
	drop := func(unknown bool, name string, take func()) {
		if !unknown {
			return
		}
		if take(); what == "" {
			what = name
		}
	}
	drop(m.TrafficClass != nil && !p.ClassKnown, "its dscp", func() { m.TrafficClass = nil })
	drop(m.HopLimit != nil && !p.HopsKnown, "its ttl", func() { m.HopLimit = nil })
	drop(m.Time != nil && p.At.IsZero(), "its time-range (--at)", func() { m.Time = nil })
	types := func(s policy.Service) bool { return s.Protocols.Has(policy.IGMP) && !s.ICMP.All() }
	drop(p.Protocol == policy.IGMP && !p.TypeKnown && p.Fragment != policy.Later && slices.ContainsFunc(m.Services, types), "the type of its IGMP message", func() {
		m.Services = slices.Clone(m.Services)
		for i := range m.Services {
			m.Services[i].ICMP = policy.AllNumbers()
		}
	})
	return what
}

// nodeOnlyMismatch says what only a node looks at and the packet has otherwise.
func nodeOnlyMismatch(m *policy.Match, p *policy.Packet) string {
	switch {
	case m.TrafficClass != nil && !m.TrafficClass.Has(p.TrafficClass):
		return "dscp " + strconv.Itoa(int(p.TrafficClass>>2)) + " (byte " + strconv.Itoa(int(p.TrafficClass)) + ") is another one"
	case m.HopLimit != nil && !m.HopLimit.Has(p.HopLimit):
		return "ttl " + strconv.Itoa(int(p.HopLimit)) + " is another one"
	case m.Time != nil && !p.At.IsZero() && !m.Time.Active(p.At):
		return "time-range " + m.Time.Name + " is inactive"
	}
	return ""
}

// marks reads "dscp", "traffic-class" and "ttl"; false for another word.
func (p *parser) marks(w word, out *Packet) bool {
	number := func(limit uint64) uint8 {
		v := p.next("a number")
		n, err := strconv.ParseUint(v.text, 10, 8)
		if err != nil || n > limit {
			if ace := p.line(false, "ip any any dscp %s", v); w.text == "dscp" && ace != nil && ace.DSCP != nil {
				return uint8(ace.DSCP.Number)
			}
			p.fail(v, "unexpected %q, want 0 to %d", v.text, limit)
		}
		return uint8(n)
	}
	switch w.text {
	case "dscp":
		out.TrafficClass, out.ClassKnown = number(63)<<2, true
	case "traffic-class":
		out.TrafficClass, out.ClassKnown = number(255), true
	case "ttl":
		out.HopLimit, out.HopsKnown = number(255), true
	default:
		return false
	}
	return true
}

// igmp reads the type of a message: its byte, or its name in a list.
func (p *parser) igmp(out *Packet) {
	w := p.next("an IGMP type")
	out.TypeKnown = true
	if v, err := strconv.ParseUint(w.text, 10, 8); err == nil {
		out.ICMPType = uint8(v)
		return
	}
	ace := p.line(false, "igmp any any %s", w)
	if ace == nil || ace.IGMP == nil || ace.IGMP.Number > 9 {
		p.fail(w, "unexpected %q, want an IGMP type: the byte of the message, 0 to 255, or its name", w.text)
		return
	}
	out.ICMPType = []uint8{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1e, 0x1f, 0x22}[ace.IGMP.Number]
}
