package datapath

import (
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// fuzzEpoch is when the clock of a scenario begins; it is a Monday.
var fuzzEpoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// A fuzzClock is the time of a scenario, which its frames carry, so that the
// reference knows it to the nanosecond. It stands still where the frames cannot
// carry one.
type fuzzClock struct {
	steered bool
	// coarse lets it go in whole seconds, because the programs write a
	// connection's last use in steps of a second.
	coarse bool
	now    time.Duration // since fuzzEpoch
	table  *bpf.AcliumTimetable
	epoch  *bpf.AcliumEpoch
}

// newSteeredKernel takes the time from its packets. With exact it notes a
// connection's last use to the nanosecond.
func newSteeredKernel(k *kernel, exact bool) *kernel {
	k.Helper()
	return newKernelWith(k.TB, func(spec *ebpf.CollectionSpec) {
		k.must(spec.Variables["clock_in_packet"].Set(true))
		spec.Maps["conn_map"].MaxEntries = fuzzConns
		if exact {
			k.must(spec.Variables["seen_step"].Set(uint64(0)))
		}
	})
}

// fuzzConns is more connections than a scenario opens before it forgets them:
// the table must not do that by itself.
const fuzzConns = 1 << 16

// stamp is the time as a packet carries it, and TAI.
func (c *fuzzClock) stamp() uint64 { return uint64(fuzzEpoch.Add(c.now).UnixNano()) }

// at is the moment as far as the timetable knows it; zero where it does not.
func (c *fuzzClock) at() time.Time {
	if c.epoch == nil {
		return time.Time{}
	}
	return fuzzEpoch.Add(c.now)
}

// idles are the times after which something is forgotten.
var idles = []time.Duration{
	policy.TCPIdle, policy.TCPOpen, policy.TCPFin, policy.UDPIdle, policy.ICMPLen, policy.ReflexiveFin, time.Second, 3 * time.Second,
}

// tick lets some time pass now and then: some of it just not enough for
// something to be forgotten, just enough, or a little more.
func (s *scenario) tick() {
	if !s.clock.steered {
		return
	}
	switch {
	case s.port.one(32):
		by, edge := pick(s.port.world, idles), time.Duration(s.port.IntN(3)-1)
		if by == policy.TCPIdle && !s.port.one(8) { // which ends all else
			by = 0
		}
		if s.clock.coarse {
			edge *= time.Second
		}
		s.advance(max(0, by+edge))
	case s.clock.coarse && s.port.one(16):
		s.advance(time.Second)
	case !s.clock.coarse && s.port.one(2):
		s.advance(time.Duration(s.port.Int64N(1 << s.port.UintN(26))))
	}
}

// advance moves the clock on. Where an hour has changed what timed ports have
// judged is judged again.
func (s *scenario) advance(by time.Duration) {
	lapsed := s.naming.lapsed(s.clock.now)
	s.clock.now += by
	if s.naming.lapsed(s.clock.now) != lapsed {
		s.unsettle()
	}
	before := s.clock.epoch
	if s.clock.table == nil {
		return
	}
	s.clock.epoch = look(s.clock.table, s.clock.stamp())
	if s.clock.epoch == before {
		return
	}
	for _, at := range s.sites {
		if at.timed {
			at.judge.again()
		}
	}
	s.unsettle()
}

// unsettle says that what is reachable was found out for another time.
func (s *scenario) unsettle() {
	for _, at := range s.sites {
		at.settled = false
	}
}

// setHours lays down the windows of the lists that are bound. Some timetables
// end soon, as when there is no agent to lay down another one.
func (s *scenario) setHours(lists []*policy.Policy) {
	s.Helper()
	s.windows = windowsOfLists(s, lists)
	s.clock.table, s.clock.epoch = nil, nil
	if len(s.windows) == 0 {
		return
	}
	table := s.windows.timetable(fuzzEpoch.Add(s.clock.now), 0)
	if s.port.one(3) {
		table.End = s.clock.stamp() + uint64(s.port.Int64N(int64(2*24*time.Hour)))
		for table.Count > 1 && table.Epochs[table.Count-1].Start >= table.End {
			table.Count--
		}
	}
	s.clock.table, s.clock.epoch = table, look(table, s.clock.stamp())
}

// hours is how many moments the lists meet: few, as the packets for each line
// are looked for in each of them.
func (s *scenario) hours() int {
	if s.clock.table == nil {
		return 1
	}
	return 3
}

// nextHour goes to another time of the week.
func (s *scenario) nextHour() {
	s.advance(time.Duration(1+s.port.IntN(40))*time.Hour + time.Duration(s.port.IntN(60))*time.Minute)
}

// hourSchedule gives one of few schedules, which change some times a week.
func (p *port) hourSchedule() *policy.Schedule {
	n := p.IntN(6)
	out := &policy.Schedule{Name: fmt.Sprint("T", n), Offset: 60 * (n - 3)}
	for range p.IntN(3) {
		out.Periods = append(out.Periods, policy.Period{Days: uint8(1 + p.IntN(127)), From: p.IntN(1440), Span: p.IntN(2000)})
	}
	if p.one(4) {
		out.Start = fuzzEpoch.Add(time.Duration(p.IntN(200)) * time.Hour)
	}
	if p.one(4) {
		out.End = fuzzEpoch.Add(time.Duration(p.IntN(400)) * time.Hour)
	}
	return out
}
