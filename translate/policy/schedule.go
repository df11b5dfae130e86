package policy

import (
	"fmt"
	"slices"
	"time"
)

// A Schedule says when a rule exists: a time-range with everything that it
// needs from its configuration. Its readings are those of a wall clock that is
// always Offset minutes ahead of UTC.
//
// As in IOS the last minute belongs to the schedule, whole, and Start and End
// bound what the periods say. Without periods it lasts all the time that Start
// and End leave.
type Schedule struct {
	// Name is that of the time-range.
	Name string `json:"name"`
	// Offset is the wall clock's lead over UTC in minutes, -1439 to 1439;
	// negative west of it.
	Offset int `json:"offset,omitempty"`
	// Start and End are the first and the last minute, as readings of the wall
	// clock written as UTC; zero where there is none.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Periods is a union.
	Periods []Period `json:"periods,omitempty"`
}

// A Period recurs every week: on each of the days, from minute From on for
// Span minutes and the one that follows.
type Period struct {
	// Days holds a bit for each day: bit 0 is Sunday, bit 6 Saturday.
	Days uint8 `json:"days"`
	// From counts minutes from midnight, 0 to 1439.
	From int `json:"from"`
	// Span is the number of minutes from the first to the last, 0 to 10079.
	Span int `json:"span"`
}

// Minutes of a day and of a week.
const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
)

// Active reports whether the schedule lasts at the moment.
func (s *Schedule) Active(t time.Time) bool {
	at := s.reading(t)
	if at.Before(s.Start) || !s.End.IsZero() && at.After(s.End) {
		return false
	}
	week := int(at.Weekday())*dayMinutes + at.Hour()*60 + at.Minute()
	return len(s.Periods) == 0 || slices.ContainsFunc(s.Periods, func(p Period) bool { return p.has(week) })
}

// reading gives what the wall clock shows, to the minute, written as UTC.
func (s *Schedule) reading(t time.Time) time.Time {
	return t.UTC().Add(time.Duration(s.Offset) * time.Minute).Truncate(time.Minute)
}

// has reports whether a minute of the week, counted from Sunday, is inside.
func (p Period) has(week int) bool {
	for day := range 7 {
		since := (week - day*dayMinutes - p.From + 2*weekMinutes) % weekMinutes
		if p.Days>>day&1 == 1 && since <= p.Span {
			return true
		}
	}
	return false
}

// Changes gives the moments after from, up to until, from which on the schedule
// lasts or does so no longer, in order. Between two of them Active does not
// change.
func (s *Schedule) Changes(from, until time.Time) (out []time.Time) {
	offset := time.Duration(s.Offset) * time.Minute
	for _, at := range s.edges(s.reading(from), s.reading(until)) {
		t := at.Add(-offset)
		if t.After(from) && !t.After(until) && s.Active(t) != s.Active(t.Add(-time.Minute)) {
			out = append(out, t)
		}
	}
	return out
}

// edges gives the readings at which something of the schedule begins, or has
// ended, in order. Some lie outside the two readings.
func (s *Schedule) edges(first, last time.Time) (out []time.Time) {
	if !s.Start.IsZero() {
		out = append(out, s.Start)
	}
	if !s.End.IsZero() {
		out = append(out, s.End.Add(time.Minute))
		last = earlier(last, s.End)
	}
	if first.Before(s.Start) {
		first = s.Start
	}
	midnight := time.Date(first.Year(), first.Month(), first.Day()-8, 0, 0, 0, 0, time.UTC)
	for day := midnight; !day.After(last); day = day.AddDate(0, 0, 1) {
		for _, p := range s.Periods {
			if p.Days>>day.Weekday()&1 == 1 {
				begin := day.Add(time.Duration(p.From) * time.Minute)
				out = append(out, begin, begin.Add(time.Duration(p.Span+1)*time.Minute))
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (s *Schedule) validate() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("schedule without a name")
	case s.Offset <= -dayMinutes || s.Offset >= dayMinutes:
		return fmt.Errorf("time-range %q: offset of %d minutes, want less than a day", s.Name, s.Offset)
	case !isReading(s.Start) || !isReading(s.End):
		return fmt.Errorf("time-range %q: start and end must be whole minutes written as UTC", s.Name)
	}
	for _, p := range s.Periods {
		if p.Days == 0 || p.Days > 127 || p.From < 0 || p.From >= dayMinutes || p.Span < 0 || p.Span >= weekMinutes {
			return fmt.Errorf("time-range %q: bad period %+v", s.Name, p)
		}
	}
	return nil
}

func isReading(t time.Time) bool {
	_, offset := t.Zone()
	return offset == 0 && t.Equal(t.Truncate(time.Minute))
}
