package datapath

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

const (
	// maxWindows is how many time windows can be numbered, from 1.
	maxWindows = 255
	// hindsight is how far before its making a timetable begins: the clock may
	// be set back so far without a gap.
	hindsight = 24 * time.Hour
	// foresight is how far a timetable reaches if its epochs suffice.
	foresight = 366 * 24 * time.Hour
	// reserve is the time before its end at which a timetable is made anew.
	// One that is shorter is made anew when half of it is over.
	reserve = 24 * time.Hour
)

// windows are the numbers of the schedules in force, by what they say. A
// schedule keeps its number, because tables that stay in force hold it.
type windows map[string]numberedWindow

type numberedWindow struct {
	number   uint8
	schedule *policy.Schedule
}

// windowsOf numbers the schedules of a state, those of the one before as they
// were.
func windowsOf(s *State, before windows) (windows, error) {
	w := windows{}
	var fresh []string
	for _, schedule := range schedulesOf(s) {
		key := scheduleKey(schedule)
		if _, known := w[key]; known {
			continue
		}
		old, stays := before[key]
		if !stays {
			fresh = append(fresh, key)
		}
		w[key] = numberedWindow{old.number, schedule}
	}
	if len(w) > maxWindows {
		return nil, fmt.Errorf("%d different time-ranges are in use, want %d at most", len(w), maxWindows)
	}
	taken := map[uint8]bool{}
	for _, n := range w {
		taken[n.number] = true
	}
	next := uint8(1)
	for _, key := range fresh {
		for taken[next] {
			next++
		}
		taken[next] = true
		w[key] = numberedWindow{next, w[key].schedule}
	}
	return w, nil
}

func schedulesOf(s *State) (out []*policy.Schedule) {
	for i := range s.Ports {
		for _, lists := range [][]policy.Policy{s.Ports[i].Ingress, s.Ports[i].Egress} {
			for j := range lists {
				for k := range lists[j].Rules {
					if t := lists[j].Rules[k].Match.Time; t != nil {
						out = append(out, t)
					}
				}
			}
		}
	}
	return out
}

func scheduleKey(s *policy.Schedule) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a plain struct
	}
	return string(text)
}

// number gives the window of a schedule, 1 to 255.
func (w windows) number(s *policy.Schedule) (uint8, error) {
	n, known := w[scheduleKey(s)]
	if !known {
		return 0, fmt.Errorf("time-range %q has no window", s.Name)
	}
	return n.number, nil
}

// equal reports whether the same schedules have the same numbers.
func (w windows) equal(v windows) bool {
	return maps.EqualFunc(w, v, func(a, b numberedWindow) bool { return a.number == b.number })
}

// timetable lays down which windows are open when, from some time before now
// until the horizon. lead is TAI's lead over UTC.
func (w windows) timetable(now time.Time, lead time.Duration) *bpf.AcliumTimetable {
	t := new(bpf.AcliumTimetable)
	if len(w) == 0 {
		return t
	}
	moments, end := w.moments(now)
	tai := func(at time.Time) uint64 { return uint64(at.UnixNano() + int64(lead)) }
	t.Count, t.End = uint32(len(moments)), tai(end)
	for i, at := range moments {
		t.Epochs[i] = bpf.AcliumEpoch{Start: tai(at)}
		for _, n := range w {
			if n.schedule.Active(at) {
				t.Epochs[i].Windows[n.number/64] |= 1 << (n.number % 64)
			}
		}
	}
	return t
}

// moments gives the beginnings of the epochs, in order, and the horizon: no
// window opens or closes between two of them. They are fewer than there is room
// for if the horizon is as far as it should be.
func (w windows) moments(now time.Time) (moments []time.Time, end time.Time) {
	begin, limit := now.Add(-hindsight), len(bpf.AcliumTimetable{}.Epochs)
	for span := foresight; ; span /= 2 {
		end = now.Add(span)
		moments = []time.Time{begin}
		for _, n := range w {
			moments = append(moments, n.schedule.Changes(begin, end)...)
		}
		slices.SortFunc(moments, time.Time.Compare)
		moments = slices.CompactFunc(moments, time.Time.Equal)
		if len(moments) <= limit {
			return moments, end
		}
		if span < hindsight {
			return moments[:limit], moments[limit]
		}
	}
}

// writeTimetable makes an idle half of window_map know the windows of a push.
func (d *Datapath) writeTimetable(half byte, p *push) error {
	lead, err := taiLead()
	if err != nil {
		return err
	}
	p.timetable = d.timetable
	if lead != d.lead || !p.windows.equal(d.windows) || !current(d.timetable, time.Now().UnixNano()+int64(lead)) {
		p.timetable = p.windows.timetable(time.Now(), lead)
	}
	if err := d.maps.Maps["window_map"].Put(uint32(half), p.timetable); err != nil {
		return fmt.Errorf("write time windows: %w", err)
	}
	p.lead = lead
	return nil
}

// KeepTime lays down anew when time windows open and close, if what is laid
// down comes to its end or does not fit the clock any more. It is to be called
// every minute and when the clock was set.
func (d *Datapath) KeepTime() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.windows) == 0 {
		return nil
	}
	lead, err := taiLead()
	if err != nil {
		return err
	}
	if lead == d.lead && current(d.timetable, time.Now().UnixNano()+int64(lead)) {
		return nil
	}
	return d.apply(*d.state, time.Now(), nil)
}

// current reports whether a timetable holds at the time, and for a while yet.
func current(t *bpf.AcliumTimetable, tai int64) bool {
	if t == nil {
		return false
	}
	begin, end := int64(t.Epochs[0].Start), int64(t.End)
	return tai >= begin && end-tai > min(int64(reserve), (end-begin-int64(hindsight))/2)
}

// taiLead gives the lead of the kernel's CLOCK_TAI over UTC: whole seconds, 0
// where nobody has told the kernel of leap seconds.
func taiLead() (time.Duration, error) {
	var utc, tai unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &utc); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_TAI, &tai); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return time.Duration(tai.Nano() - utc.Nano()).Round(time.Second), nil
}
