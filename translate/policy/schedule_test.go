package policy

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func moment(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		panic(err)
	}
	return t
}

const weekdays = 0b0111110

// 1 March 2026 is a Sunday. The last minute of a range is inside, whole.
func TestScheduleActive(t *testing.T) {
	work := []Period{{Days: weekdays, From: 9 * 60, Span: 8 * 60}}
	night := []Period{{Days: 127, From: 22 * 60, Span: 8 * 60}}
	for name, c := range map[string]struct {
		s       Schedule
		in, out []string
	}{
		"weekdays 9:00 to 17:00": {
			Schedule{Periods: work},
			[]string{"2026-03-02 09:00:00", "2026-03-06 17:00:59"}, []string{"2026-03-02 08:59:59", "2026-03-06 17:01:00", "2026-03-01 12:00:00"},
		},
		"two hours east of UTC": {
			Schedule{Periods: work, Offset: 120},
			[]string{"2026-03-02 07:00:00", "2026-03-06 15:00:59"}, []string{"2026-03-02 06:59:59", "2026-03-06 15:01:00"},
		},
		"five and a half hours west": {
			Schedule{Periods: work, Offset: -330},
			[]string{"2026-03-02 14:30:00", "2026-03-06 22:30:59"}, []string{"2026-03-02 14:29:59", "2026-03-06 22:31:00"},
		},
		"over midnight": {
			Schedule{Periods: night},
			[]string{"2026-03-01 00:00:00", "2026-03-01 06:00:59", "2026-02-28 23:00:00"}, []string{"2026-03-01 06:01:00", "2026-03-01 21:59:59"},
		},
		"absolute bounds periodic": {
			Schedule{Periods: night, Start: moment("2026-03-01 23:00:00"), End: moment("2026-03-02 01:00:00")},
			[]string{"2026-03-01 23:00:00", "2026-03-02 01:00:59"}, []string{"2026-03-01 22:59:59", "2026-03-02 01:01:00", "2026-03-02 23:00:00"},
		},
		"absolute in another zone": {
			Schedule{Start: moment("2026-03-01 23:00:00"), End: moment("2026-03-02 01:00:00"), Offset: 60},
			[]string{"2026-03-01 22:00:00", "2026-03-02 00:00:59"}, []string{"2026-03-01 21:59:59", "2026-03-02 00:01:00"},
		},
		"always": {Schedule{}, []string{"1999-01-01 00:00:00"}, nil},
	} {
		for want, at := range map[bool][]string{true: c.in, false: c.out} {
			for _, text := range at {
				if c.s.Active(moment(text)) != want {
					t.Errorf("%s: at %s active is %v", name, text, !want)
				}
			}
		}
	}
}

func randomSchedule(r *rand.Rand, around time.Time) Schedule {
	s := Schedule{Name: "T", Offset: r.IntN(24*60) - 12*60}
	for range r.IntN(4) {
		s.Periods = append(s.Periods, Period{Days: uint8(1 + r.IntN(127)), From: r.IntN(1440), Span: r.IntN([]int{3, 600, 10080}[r.IntN(3)])})
	}
	if r.IntN(3) == 0 {
		s.Start = around.Add(time.Duration(r.IntN(9000)-3000) * time.Minute)
	}
	if r.IntN(3) == 0 {
		s.End = around.Add(time.Duration(r.IntN(9000)) * time.Minute)
	}
	return s
}

// TestScheduleChanges holds Changes to Active, minute by minute: it names every
// minute at which Active turns, and no other.
func TestScheduleChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	around := moment("2026-03-01 00:00:00")
	turns := 0
	for range 60 {
		s := randomSchedule(r, around)
		from, until := around.Add(time.Duration(r.IntN(2000))*time.Second), around.Add(9*24*time.Hour)
		var want []time.Time
		was := s.Active(from)
		for at := from.Truncate(time.Minute).Add(time.Minute); !at.After(until); at = at.Add(time.Minute) {
			if is := s.Active(at); is != was {
				want, was = append(want, at), is
			}
		}
		turns += len(want)
		if got := s.Changes(from, until); !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%+v: changes %v, want %v", s, got, want)
		}
	}
	if turns < 100 {
		t.Errorf("only %d changes were seen", turns)
	}
}

// TestNodeOnlyFieldsTravel sends what only a node carries through JSON.
func TestNodeOnlyFieldsTravel(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2))
	for range 50 {
		s, class, hops := randomSchedule(r, moment("2026-03-01 00:00:00")), BytesWhere(func(v uint8) bool { return v>>2 == uint8(r.IntN(64)) }), Bytes(1, 255)
		want := line(10, Permit, Everybody(), Everybody(), AnyService())
		want.Match.Time, want.Match.TrafficClass, want.Match.HopLimit = &s, &class, &hops
		want.Reflect, want.Police = &Reflect{"R", 300 * time.Second}, &Police{"C", 8000, 1500}
		data, err := json.Marshal(list(want))
		if err != nil {
			t.Fatal(err)
		}
		var got Policy
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list(want), &got); diff != "" {
			t.Fatalf("the rule changed on its way: %s", diff)
		}
		if err := got.Validate(); err != nil {
			t.Fatal(err)
		}
	}
}
