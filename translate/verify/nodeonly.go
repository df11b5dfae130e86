package verify

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"aclium/translate/policy"
)

/*
What only a node looks at

TOS and TTL are bytes like any other. A schedule is one bit, "it lasts": two of
them are told apart by what they say and not by their names, and moments leaves
only those bits together that some minute has. Minutes that matter are where
something begins or ends: around every start and end that is written, and in one
week between any two of those, because periods recur every week. An entry of a
reflexive list is one bit too: what made it is not looked at.
*/

// nodeOnly numbers the variables of what only a node looks at. They come last:
// few lines have them.
func (s *space) nodeOnly() {
	s.class, s.hops = s.take(8), s.take(8)
	s.schedules, s.reflexive = map[string]field{}, map[string]field{}
	for _, key := range slices.Sorted(maps.Keys(s.known.schedules)) {
		s.schedules[key] = s.take(1)
	}
	for _, name := range slices.Sorted(maps.Keys(s.known.reflexive)) {
		s.reflexive[name] = s.take(1)
	}
}

// said gives what a schedule says, without its name.
func said(t *policy.Schedule) string {
	plain := *t
	plain.Name = ""
	text, _ := json.Marshal(plain) // plain data: it cannot fail
	return string(text)
}

// matchesNodeOnly gives the conditions of a match on what only a node looks at.
func (s *space) matchesNodeOnly(m *policy.Match) (fs []ref) {
	if m.TrafficClass != nil {
		fs = append(fs, s.bytes(s.class, *m.TrafficClass))
	}
	if m.HopLimit != nil {
		fs = append(fs, s.bytes(s.hops, *m.HopLimit))
	}
	if m.Time != nil {
		fs = append(fs, s.is(s.schedules[said(m.Time)], 1))
	}
	if m.Evaluate != "" {
		fs = append(fs, s.is(s.reflexive[m.Evaluate], 1))
	}
	return fs
}

// moments holds where some moment has just these schedules lasting.
func (s *space) moments() ref {
	if len(s.schedules) == 0 {
		return yes
	}
	var fs []ref
	for _, at := range s.combinations() {
		var bits []ref
		for key, f := range s.schedules {
			lasts := uint64(0)
			if s.known.schedules[key].Active(at) {
				lasts = 1
			}
			bits = append(bits, s.is(f, lasts))
		}
		fs = append(fs, s.all(bits))
	}
	return s.any(fs)
}

// combinations gives one moment for each set of schedules that last together.
func (s *space) combinations() (out []time.Time) {
	seen := map[string]bool{}
	for _, at := range momentsOf(slices.Collect(maps.Values(s.known.schedules))) {
		key := ""
		for _, name := range slices.Sorted(maps.Keys(s.known.schedules)) {
			if s.known.schedules[name].Active(at) {
				key += "1"
			} else {
				key += "0"
			}
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, at)
		}
	}
	return out
}

// momentsOf gives moments among which there is one for every set of schedules
// that last together.
func momentsOf(all []*policy.Schedule) (out []time.Time) {
	const week = 7 * 24 * time.Hour
	marks := []time.Time{time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for _, t := range all {
		for _, reading := range []time.Time{t.Start, t.End} {
			if !reading.IsZero() {
				marks = append(marks, reading.Add(-time.Duration(t.Offset)*time.Minute))
			}
		}
	}
	for _, mark := range marks {
		from, until := mark.Add(-week-time.Hour), mark.Add(week+time.Hour)
		out = append(out, from)
		for _, t := range all {
			out = append(out, t.Changes(from, until)...)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// nodeOnlyValues takes TOS, TTL, a moment and the entries of reflexive lists.
func (k *picker) nodeOnlyValues(p *policy.Packet) {
	p.TrafficClass = uint8(k.value(k.class, 0))
	if hops := uint8(k.value(k.hops, 64)); k.known.hops {
		p.HopLimit = hops
	}
	if len(k.schedules) > 0 {
		p.At = k.moment()
	}
	for _, name := range slices.Sorted(maps.Keys(k.reflexive)) {
		if k.value(k.reflexive[name], 0) == 1 {
			p.Reflected = append(p.Reflected, name)
		}
	}
}

// moment takes the first moment that the set allows.
func (k *picker) moment() time.Time {
	for _, at := range k.combinations() {
		left := k.left
		for key, f := range k.schedules {
			lasts := uint64(0)
			if k.known.schedules[key].Active(at) {
				lasts = 1
			}
			left = k.and(left, k.is(f, lasts))
		}
		if left != no {
			k.left = left
			for _, key := range slices.Sorted(maps.Keys(k.schedules)) {
				k.value(k.schedules[key], 0) // goes past the variable
			}
			return at
		}
	}
	return time.Time{}
}
