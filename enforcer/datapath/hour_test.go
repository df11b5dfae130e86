package datapath

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

func nightly(name string, from int) *policy.Schedule {
	return &policy.Schedule{Name: name, Periods: []policy.Period{{Days: 0x7f, From: from, Span: 59}}}
}

func timedState(schedules ...*policy.Schedule) *State {
	l := listOf()
	for _, s := range schedules {
		r := simple(policy.Permit, policy.Everybody(), policy.Everybody())
		r.Match.Time = s
		l.Rules = append(l.Rules, r)
	}
	return &State{Ports: []Port{{Interface: "a", Ingress: []policy.Policy{*l}}}}
}

// A schedule keeps its number from push to push, and equal ones share it.
func TestWindowsKeepTheirNumbers(t *testing.T) {
	first, err := windowsOf(timedState(nightly("A", 0), nightly("B", 60), nightly("A", 0)), nil)
	if err != nil || len(first) != 2 {
		t.Fatalf("%v, %v", first, err)
	}
	b, _ := first.number(nightly("B", 60))
	second, err := windowsOf(timedState(nightly("C", 0), nightly("B", 60)), first)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := second.number(nightly("B", 60))
	c, _ := second.number(nightly("C", 0))
	if b != again || c == b || c == 0 || b == 0 {
		t.Errorf("B had %d and has %d, C has %d", b, again, c)
	}
	if _, err := second.number(nightly("A", 0)); err == nil {
		t.Error("a schedule that is gone has a number")
	}
	var many []*policy.Schedule
	for i := range 256 {
		many = append(many, nightly(fmt.Sprint(i), i))
	}
	if _, err := windowsOf(timedState(many...), nil); err == nil {
		t.Error("256 schedules were accepted")
	}
}

// look gives the epoch of a timetable at a time, nil where nothing is known.
func look(t *bpf.AcliumTimetable, tai uint64) (found *bpf.AcliumEpoch) {
	for i := range t.Epochs[:t.Count] {
		if t.Epochs[i].Start <= tai && tai < t.End {
			found = &t.Epochs[i]
		}
	}
	return found
}

// A timetable says at any moment what the schedules say, and reaches far.
func TestTimetableAgreesWithSchedules(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	now := time.Date(2026, 3, 1, 12, 34, 56, 0, time.UTC)
	for _, n := range []int{1, 3, 40, 255} {
		var schedules []*policy.Schedule
		for i := range n {
			s := nightly(fmt.Sprint(i), r.IntN(1440))
			s.Periods[0].Days, s.Periods[0].Span, s.Offset = uint8(1+r.IntN(127)), r.IntN(3000), r.IntN(1000)-500
			if i%5 == 0 {
				s.End = now.Add(time.Duration(r.IntN(100)) * time.Hour).Truncate(time.Minute)
			}
			schedules = append(schedules, s)
		}
		w, err := windowsOf(timedState(schedules...), nil)
		if err != nil {
			t.Fatal(err)
		}
		table := w.timetable(now, 37*time.Second)
		reach := time.Duration(int64(table.End) - now.UnixNano() - int64(37*time.Second))
		t.Logf("%d windows: %d epochs, %s", n, table.Count, reach)
		if n <= 40 && reach < 10*24*time.Hour || reach < 24*time.Hour {
			t.Errorf("%d windows: the timetable reaches %s", n, reach)
		}
		for range 3000 {
			at := now.Add(-hindsight).Add(rand.N(reach + hindsight))
			epoch := look(table, uint64(at.UnixNano()+int64(37*time.Second)))
			for _, s := range schedules {
				number, _ := w.number(s)
				if open := epoch.Windows[number/64]>>(number%64)&1 == 1; open != s.Active(at) {
					t.Fatalf("%s at %s: open %v", s.Name, at, open)
				}
			}
		}
	}
}

// A timetable is made anew before it ends, and when the clock leaves it.
func TestTimetableIsCurrent(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w, err := windowsOf(timedState(nightly("A", 0)), nil)
	if err != nil {
		t.Fatal(err)
	}
	table := w.timetable(now, 0)
	for after, want := range map[time.Duration]bool{0: true, -23 * time.Hour: true, -25 * time.Hour: false, 364 * 24 * time.Hour: true, 365*24*time.Hour + time.Minute: false, 400 * 24 * time.Hour: false} {
		if got := current(table, now.Add(after).UnixNano()); got != want {
			t.Errorf("%s later: got %v, want %v", after, got, want)
		}
	}
}

// The program finds the epoch that the timetable has for the moment, and knows
// nothing before and behind it.
func TestProgramFindsTheEpoch(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	k := newKernel(t)
	k.cpu = cpu
	lead, err := taiLead()
	k.must(err)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	data := frame(&p, frameOptions{})
	for _, count := range []int{0, 1, 2, 3, 511, 512, 513, 1023, 1024} {
		for _, running := range []int{-1, 0, 1, count / 2, count - 2, count - 1, count} {
			now := uint64(time.Now().UnixNano() + int64(lead))
			hour := uint64(time.Hour)
			table := &bpf.AcliumTimetable{Count: uint32(count), End: now + hour*uint64(count-running) - hour/2}
			for i := range count {
				table.Epochs[i].Start = now + hour*uint64(i-running) - hour/2
				for j := range 4 {
					table.Epochs[i].Windows[j] = rand.Uint64()
				}
			}
			k.bind(nil, bpf.AcliumHookFlagsHOOK_TIMED, permitAll(), nil)
			k.must(k.WindowMap.Put(uint32(k.generation&1), table))
			var want [4]uint64
			known := running >= 0 && running < count
			if known {
				want = table.Epochs[running].Windows
			}
			_, s, _ := k.read(data, skBuff{})
			if (s.Packet.Timed == 1) != known || known && s.Packet.Windows != want {
				t.Errorf("%d epochs, %d runs: got timed %d, %x, want %v, %x", count, running, s.Packet.Timed, s.Packet.Windows, known, want)
			}
		}
	}
	k.bind(nil, 0, permitAll(), nil)
	if _, s, _ := k.read(data, skBuff{}); s.Packet.Timed != 0 || s.Era != s.Generation<<11 {
		t.Errorf("without windows: timed %d, era %x of generation %x", s.Packet.Timed, s.Era, s.Generation)
	}
}

// When a window opens or closes, what was judged before is judged again:
// remembered verdicts, and connections together with their replies. Their table
// is gone by then, which shows whether it is asked.
func TestEpochEndsJudgements(t *testing.T) {
	t.Parallel()
	cpu := stay(t)
	k := newPoliceKernel(t)
	k.cpu = cpu
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	data := frame(&p, frameOptions{})
	for _, flags := range []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_POD | bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED} {
		k.bind(nil, flags|bpf.AcliumHookFlagsHOOK_TIMED, permitAll(), permitAll())
		now := uint64(time.Now().UnixNano())
		table := &bpf.AcliumTimetable{Count: 2, End: now + uint64(time.Hour)}
		table.Epochs[0].Start, table.Epochs[1].Start = now-uint64(time.Hour), now+uint64(3*time.Second)
		k.must(k.WindowMap.Put(uint32(k.generation&1), table))
		for range 3 {
			k.run(k.TcIngress, data, skBuff{Tstamp: now})
		}
		k.loseTables()
		got, s, _ := k.read(data, skBuff{Tstamp: table.Epochs[1].Start - 1})
		if s.Era&2047 != 1 || got != permit {
			t.Fatalf("flags %d: got %d in epoch %d, want permit in the first", flags, got, s.Era&2047)
		}
		got, s, _ = k.read(data, skBuff{Tstamp: table.Epochs[1].Start})
		if s.Era&2047 != 2 || got != drop {
			t.Errorf("flags %d: got %d in epoch %d, want drop in the second", flags, got, s.Era&2047)
		}
	}
}

// Lines with time-ranges decide as policy.Eval does at every hour, and past the
// horizon as it does without one. The timetable is shifted, so that the moment
// of the test is any other one.
func TestTimedLinesAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	lead, err := taiLead()
	k.must(err)
	verdicts, timed := map[int]int{}, 0
	for seed := range uint64(25) {
		w := newWorld(7000 + seed)
		k.populate(w)
		k.lines = map[counterOf]uint32{}
		k.must(clearCounters(k))
		list := w.list(fmt.Sprint("A", seed), policy.Ingress, policy.Dual, 4+w.IntN(12))
		for i := range list.Rules {
			if !w.one(3) {
				list.Rules[i].Match.Time = &policy.Schedule{Name: fmt.Sprint(w.IntN(4)), Offset: 60 * w.IntN(3),
					Periods: []policy.Period{{Days: uint8(1 + w.IntN(127)), From: w.IntN(1440), Span: w.IntN(2000)}}}
			}
		}
		k.windows, err = windowsOf(&State{Ports: []Port{{Ingress: []policy.Policy{*list}}}}, nil)
		k.must(err)
		want := expected{}
		for range 4 {
			at := time.Date(2026, 3, 1+w.IntN(7), w.IntN(24), w.IntN(60), 5, 0, time.UTC)
			table := k.windows.timetable(at, lead+time.Since(at))
			if w.one(4) { // past the horizon
				at, table.End = time.Time{}, 1
			}
			k.bind(w.identities(), bpf.AcliumHookFlagsHOOK_TIMED, []*policy.Policy{list}, nil)
			k.must(k.WindowMap.Put(uint32(k.generation&1), table))
			for range 150 {
				p := w.packet(w.family(policy.Dual))
				p.At = at
				verdict := want.judge([]*policy.Policy{list}, &p, l3Length(&p, frameOptions{}))
				verdicts[verdict]++
				if _, line := list.Eval(&p); line != policy.Implicit && list.Rules[line].Match.Time != nil {
					timed++
				}
				for range 2 {
					if got := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); got != verdict {
						k.Fatalf("seed %d at %s: got %d, want %d: %+v", seed, at, got, verdict, p)
					}
				}
				want.judge([]*policy.Policy{list}, &p, l3Length(&p, frameOptions{}))
			}
		}
		want.compare(k)
	}
	t.Logf("%v, %d by a timed line", verdicts, timed)
	if verdicts[permit] < 1000 || timed < 1500 {
		t.Errorf("%v, %d by a timed line: the test sees too little", verdicts, timed)
	}
}

// What a push lays down for time windows reaches the kernel, and is left alone
// while it holds.
func TestPushLaysDownWindows(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		always, never := &policy.Schedule{Name: "always"}, &policy.Schedule{Name: "never", End: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
		link := x.link(addrA, addrB, 53)
		for schedule, want := range map[*policy.Schedule]int{always: 3, never: 0} {
			p := udpPorts("T", 53)
			p.Rules[0].Match.Time = schedule
			x.apply(d, x.state(p))
			if got := link.send(t, 3); got != want {
				t.Errorf("%s: %d arrived, want %d", schedule.Name, got, want)
			}
		}
		generation, err := d.generation()
		if err != nil {
			t.Fatal(err)
		}
		keep := func(change uint64) {
			t.Helper()
			if err := d.KeepTime(); err != nil {
				t.Fatal(err)
			}
			if g, _ := d.generation(); g != generation+change {
				t.Errorf("generation %d, want %d", g, generation+change)
			}
		}
		keep(0)
		d.lead += time.Second // as before a leap second
		keep(1)
		keep(1)
		d.timetable.Epochs[0].Start = d.timetable.End // as when the clock was set far back
		keep(2)
	})
}
