package linewalk

import (
	"strconv"
	"strings"
	"time"

	"aclium/grammar"
	"aclium/translate/policy"
)

// marked compares dscp, precedence, tos and ttl.
func (w walk) marked() bool {
	a, class := w.ace, uint32(w.p.TrafficClass)
	switch {
	case a.DSCP != nil && class/4 != a.DSCP.Number:
		return false
	case a.Precedence != nil && class/32 != a.Precedence.Number:
		return false
	case a.TOS != nil && class%32/2 != a.TOS.Number:
		return false
	}
	return compares(a.TTL, uint16(w.p.HopLimit))
}

// lasts asks the line's time-range. One that is not defined lasts always; at a
// moment that is not known, denies do and permits do not.
func (w walk) lasts() bool {
	if w.ace.TimeRange.Text == "" {
		return true
	}
	for _, r := range w.c.TimeRanges() {
		if r.Name == w.ace.TimeRange.Text {
			if w.p.At.IsZero() {
				return w.ace.Action == grammar.Deny
			}
			return r.Active(w.p.At.UTC().Add(lead(w.c)))
		}
	}
	return true
}

// lead is what "clock timezone NAME HOURS [MINUTES]" says.
func lead(c *grammar.Config) (d time.Duration) {
	for _, s := range c.Other {
		words := append(strings.Fields(s.Words), "0")
		if len(words) > 4 && words[0] == "clock" && words[1] == "timezone" {
			minutes, _ := strconv.Atoi(words[4])
			if words[3][0] == '-' {
				minutes = -minutes
			}
			hours, _ := strconv.Atoi(words[3])
			d = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		}
	}
	return d
}

// igmp compares the message of IGMP: RFC 2236 and 3376 have the types of
// queries, reports and leaves, IANA the others.
func (w walk) igmp() bool {
	if w.ace.IGMP == nil {
		return true
	}
	if w.p.Fragment == policy.Later {
		return w.ace.Action == grammar.Permit
	}
	wire := map[uint32]uint8{0: 17, 1: 18, 2: 19, 3: 20, 4: 21, 5: 22, 6: 23, 7: 30, 8: 31, 9: 34}
	return w.p.ICMPType == wire[w.ace.IGMP.Number]
}
