package policy

import (
	"strings"
	"testing"
	"time"
)

func with(r Rule, change func(*Rule)) Rule {
	change(&r)
	return r
}

func dscp(values ...uint8) func(*Rule) {
	set := BytesWhere(func(v uint8) bool { return strings.ContainsRune(string(values), rune(v>>2)) })
	return func(r *Rule) { r.Match.TrafficClass = &set }
}

func ttl(values ...uint8) func(*Rule) {
	set := Bytes(values...)
	return func(r *Rule) { r.Match.HopLimit = &set }
}

// timed makes a rule that lasts on Sundays.
func timed(r *Rule) { r.Match.Time = &Schedule{Name: "T", Periods: []Period{{Days: 1, Span: 1439}}} }

func igmp(types ...uint8) Service {
	s := ServiceOf(Bytes(IGMP))
	s.ICMP = nil
	for _, t := range types {
		s.ICMP = s.ICMP.Union(NewRanges(Range{uint16(t) << 8, uint16(t)<<8 | 255}))
	}
	return s
}

// A later fragment has a header of its own with TOS and TTL, but no types; an
// unknown moment denies whatever may be denied.
func TestEvalNodeOnly(t *testing.T) {
	sunday, monday := moment("2026-03-01 12:00:00"), moment("2026-03-02 12:00:00")
	plain := func(a Action) Rule { return line(10, a, Everybody(), Everybody(), AnyService()) }
	rest := line(20, Permit, Everybody(), Everybody(), AnyService())
	packet := func(change func(*Packet)) Packet {
		p := tcp("10.0.0.9", 40000, "10.0.0.1", 80, SYN)
		change(&p)
		return p
	}
	skip := with(plain(Next), timed)
	skip.Goto = 2
	for name, c := range map[string]struct {
		want Action
		line int
		p    *Policy
		pkt  Packet
	}{
		"dscp, whole byte":      {Deny, 0, list(with(plain(Deny), dscp(46)), rest), packet(func(p *Packet) { p.TrafficClass = 46<<2 | 3 })},
		"dscp, other":           {Permit, 1, list(with(plain(Deny), dscp(46)), rest), packet(func(p *Packet) { p.TrafficClass = 47 << 2 })},
		"dscp, later fragment":  {Deny, 0, list(with(plain(Deny), dscp(46)), rest), later(packet(func(p *Packet) { p.TrafficClass = 46 << 2 }))},
		"permit dscp, later":    {Deny, Implicit, list(with(plain(Permit), dscp(46))), later(packet(func(p *Packet) {}))},
		"ttl":                   {Deny, 0, list(with(plain(Deny), ttl(0, 1)), rest), packet(func(p *Packet) { p.HopLimit = 1 })},
		"ttl, other":            {Permit, 1, list(with(plain(Deny), ttl(0, 1)), rest), packet(func(p *Packet) { p.HopLimit = 2 })},
		"permit ttl, later":     {Deny, Implicit, list(with(plain(Permit), ttl(255))), later(packet(func(p *Packet) { p.HopLimit = 254 }))},
		"igmp query":            {Permit, 0, list(line(10, Permit, Everybody(), Everybody(), igmp(0x11))), packet(func(p *Packet) { p.Protocol, p.ICMPType, p.ICMPCode = IGMP, 0x11, 100 })},
		"igmp report":           {Deny, Implicit, list(line(10, Permit, Everybody(), Everybody(), igmp(0x11))), packet(func(p *Packet) { p.Protocol, p.ICMPType = IGMP, 0x12 })},
		"deny igmp type, later": {Permit, 1, list(line(10, Deny, Everybody(), Everybody(), igmp(0x11)), rest), later(packet(func(p *Packet) { p.Protocol = IGMP }))},
		"timed permit, inside":  {Permit, 0, list(with(plain(Permit), timed)), packet(func(p *Packet) { p.At = sunday })},
		"timed permit, outside": {Deny, Implicit, list(with(plain(Permit), timed)), packet(func(p *Packet) { p.At = monday })},
		"timed permit, unknown": {Deny, Implicit, list(with(plain(Permit), timed)), packet(func(p *Packet) {})},
		"timed deny, inside":    {Deny, 0, list(with(plain(Deny), timed), rest), packet(func(p *Packet) { p.At = sunday })},
		"timed deny, outside":   {Permit, 1, list(with(plain(Deny), timed), rest), packet(func(p *Packet) { p.At = monday })},
		"timed deny, unknown":   {Deny, 0, list(with(plain(Deny), timed), rest), packet(func(p *Packet) {})},
		"timed next, inside":    {Permit, 2, list(skip, with(plain(Deny), timed), rest), packet(func(p *Packet) { p.At = sunday })},
		"timed next, outside":   {Deny, 1, list(skip, plain(Deny), rest), packet(func(p *Packet) { p.At = monday })},
		"timed next, unknown":   {Deny, 0, list(skip, rest, rest), packet(func(p *Packet) {})},
		"evaluate, no entries":  {Deny, Implicit, list(with(plain(Permit), func(r *Rule) { r.Match.Evaluate = "R" })), packet(func(p *Packet) {})},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.p.Validate(); err != nil {
				t.Fatal(err)
			}
			action, at := c.p.Eval(&c.pkt)
			if action != c.want || at != c.line {
				t.Errorf("got %v at %d, want %v at %d", action, at, c.want, c.line)
			}
		})
	}
}

func TestBeyondObject(t *testing.T) {
	plain := line(10, Permit, Everybody(), Everybody(), AnyService())
	for want, r := range map[string]Rule{
		"":                        plain,
		"dscp, precedence or tos": with(plain, dscp(0)),
		"ttl":                     with(plain, ttl(1)),
		"time-range":              with(plain, timed),
		"types of igmp":           line(10, Permit, Everybody(), Everybody(), ports(TCP), igmp(0x11)),
		"evaluate":                with(plain, func(r *Rule) { r.Match.Evaluate = "R" }),
		"reflect":                 with(plain, func(r *Rule) { r.Reflect = &Reflect{"R", time.Second} }),
		"police":                  with(plain, func(r *Rule) { r.Police = &Police{"C", 8000, 1} }),
	} {
		if got := r.BeyondObject(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestValidateNodeOnly(t *testing.T) {
	plain := line(10, Permit, Everybody(), Everybody(), AnyService())
	deny := line(10, Deny, Everybody(), Everybody(), AnyService())
	schedule := func(s Schedule) func(*Rule) { return func(r *Rule) { r.Match.Time = &s } }
	for want, r := range map[string]Rule{
		"deny with reflect":       with(deny, func(r *Rule) { r.Reflect = &Reflect{"R", time.Second} }),
		"timeout of 0s":           with(plain, func(r *Rule) { r.Reflect = &Reflect{"R", 0} }),
		"bad police":              with(plain, func(r *Rule) { r.Police = &Police{"C", 7, 1} }),
		"without a name":          with(plain, schedule(Schedule{})),
		"offset of 1440":          with(plain, schedule(Schedule{Name: "T", Offset: 1440})),
		"whole minutes":           with(plain, schedule(Schedule{Name: "T", End: moment("2026-03-01 00:00:01")})),
		"bad period":              with(plain, schedule(Schedule{Name: "T", Periods: []Period{{Days: 128}}})),
		"reflects and evaluates":  with(plain, func(r *Rule) { r.Reflect, r.Match.Evaluate = &Reflect{"R", time.Second}, "S" }),
		"deny with reflect, eval": with(deny, func(r *Rule) { r.Match.Evaluate = "R" }),
	} {
		if err := list(r).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
