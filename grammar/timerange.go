package grammar

import (
	"slices"
	"strings"
	"time"
)

// A TimeRange is a definition of "time-range" with the meaning of its lines.
type TimeRange struct {
	Name string
	Pos  Position
	// Start and End are the first and the last minute of "absolute", as wall
	// clock readings in UTC; zero where the line does not say one.
	Start, End time.Time
	// Periods are the "periodic" lines; without any the range lasts all the
	// time that Start and End leave.
	Periods []Period
	// Lines are the canonical lines of the definition.
	Lines []string
}

// A Period recurs every week: from minute From of each of the days to minute
// To, which is inclusive. Minutes count from midnight, 0 to 1439.
type Period struct {
	Days [7]bool // by time.Weekday
	From int
	// Span is the number of minutes from From to To, 0 to 10079: a period may
	// end on a later day.
	Span int
}

// TimeRanges gives the time-ranges in the order of definition.
func (c *Config) TimeRanges() (out []TimeRange) {
	for _, s := range c.Other {
		if name, ok := strings.CutPrefix(s.Words, "time-range "); ok && s.Known {
			out = append(out, timeRange(name, s))
		}
	}
	return out
}

func timeRange(name string, s *Statement) TimeRange {
	r := TimeRange{Name: name, Pos: s.Pos}
	for _, line := range s.Below {
		r.Lines = append(r.Lines, line.Words)
		words := strings.Fields(line.Words)
		if _, ok := number(words[0]); ok {
			words = words[1:] // lines of NX-OS have numbers
		}
		switch words[0] {
		case "absolute":
			r.absolute(words[1:])
		case "periodic":
			r.Periods = append(r.Periods, period(words[1:]))
		}
	}
	return r
}

// absolute reads [start HH:MM D MONTH YYYY] [end HH:MM D MONTH YYYY] in either
// order. The grammar has checked the words; a day that the month does not have
// is the first of the next, as time.Date counts.
func (r *TimeRange) absolute(words []string) {
	for ; len(words) >= 5; words = words[5:] {
		at := moment(words[1:5])
		if words[0] == "start" {
			r.Start = at
		} else {
			r.End = at
		}
	}
}

func moment(words []string) time.Time {
	minute := minutes(words[0])
	day, _ := number(words[1])
	year, _ := number(words[3])
	month := slices.IndexFunc(months(), func(m string) bool { return m == words[2] }) + 1
	return time.Date(int(year), time.Month(month), int(day), 0, minute, 0, 0, time.UTC)
}

func months() (out []string) {
	for m := time.January; m <= time.December; m++ {
		out = append(out, m.String())
	}
	return out
}

// minutes reads hh:mm; the seconds that NX-OS has behind are left out.
func minutes(text string) int {
	hour, minute, _ := strings.Cut(text, ":")
	minute, _, _ = strings.Cut(minute, ":")
	h, _ := number(hour)
	m, _ := number(minute)
	return int(h*60 + m)
}

// period reads DAYS HH:MM to [DAY] HH:MM. Without a last day the period ends
// on the day it begins, or on the next when it would end before.
func period(words []string) (p Period) {
	for words[0] != "to" {
		switch word := words[0]; {
		case strings.Contains(word, ":"):
			p.From = minutes(word)
		default:
			p.add(word)
		}
		words = words[1:]
	}
	to := minutes(words[len(words)-1])
	p.Span = (to - p.From + 1440) % 1440
	if len(words) == 3 {
		first, last := slices.Index(p.Days[:], true), weekday(words[1])
		p.Span = ((last-first)*1440 + to - p.From + 10080) % 10080
	}
	return p
}

func (p *Period) add(word string) {
	for d := range p.Days {
		weekend := d == int(time.Saturday) || d == int(time.Sunday)
		if word == "daily" || word == "weekend" && weekend || word == "weekdays" && !weekend || d == weekday(word) {
			p.Days[d] = true
		}
	}
}

func weekday(word string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), word) {
			return int(d)
		}
	}
	return -1
}

// Active reports whether the range lasts at the reading of the wall clock,
// whose zone is not looked at. As in IOS the last minute belongs to the range,
// and "absolute" bounds what "periodic" says.
func (r *TimeRange) Active(t time.Time) bool {
	at := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	if at.Before(r.Start) || !r.End.IsZero() && at.After(r.End) {
		return false
	}
	if len(r.Periods) == 0 {
		return true
	}
	week := int(at.Weekday())*1440 + at.Hour()*60 + at.Minute()
	return slices.ContainsFunc(r.Periods, func(p Period) bool { return p.has(week) })
}

// has reports whether a minute of the week, counted from Sunday, is inside.
func (p Period) has(week int) bool {
	for d, wanted := range p.Days {
		if since := (week - d*1440 - p.From + 2*10080) % 10080; wanted && since <= p.Span {
			return true
		}
	}
	return false
}
