package grammar

import (
	"strconv"
	"strings"
	"time"
)

// A Clock is the wall clock that time-ranges are read from.
type Clock struct {
	// Name is that of its zone: "UTC" unless "clock timezone" says another.
	Name string
	// Offset is its lead over UTC, negative west of it.
	Offset time.Duration
	// Summer says that it changes with the season ("clock summer-time"), which
	// Offset leaves out.
	Summer bool
}

// Clock gives what the "clock" statements say.
func (c *Config) Clock() Clock {
	clock := Clock{Name: "UTC"}
	for _, s := range c.Other {
		words := strings.Fields(s.Words)
		switch {
		case !s.Known || words[0] != "clock":
		case words[1] == "summer-time":
			clock.Summer = true
		case words[1] == "timezone":
			clock.Name, clock.Offset = words[2], offset(words[3:])
		}
	}
	return clock
}

// offset reads HOURS [MINUTES]; the minutes have the sign of the hours.
func offset(words []string) time.Duration {
	hours, _ := strconv.Atoi(words[0])
	d := time.Duration(hours) * time.Hour
	if len(words) > 1 {
		minutes, _ := strconv.Atoi(words[1])
		if strings.HasPrefix(words[0], "-") {
			minutes = -minutes
		}
		d += time.Duration(minutes) * time.Minute
	}
	return d
}

func (l *language) addClock() {
	in := []Mode{ModeGlobal}
	l.keep(
		kept{production: "ClockZone", modes: in, key: 2, no: `"clock" "timezone"`, grammar: `"clock" "timezone" <word> <hours> <minute>?`, quiet: true},
		kept{
			production: "ClockSummer", modes: in, key: 2, no: `"clock" "summer-time"`, grammar: `"clock" "summer-time" <text>`,
			why: "is kept; a line with a time-range is refused beside it, because the hours of summer are not known",
		},
	)
}

// isHours accepts -23 to 23.
func isHours(s string) bool { return between(0, 23)(strings.TrimPrefix(s, "-")) }
