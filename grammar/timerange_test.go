package grammar

import (
	"testing"
	"time"
)

// TestTimeRanges holds wall clock readings to the ranges of IOS: the last
// minute is inside, and absolute bounds periodic. 1 March 2026 is a Sunday.
func TestTimeRanges(t *testing.T) {
	for _, test := range []struct {
		lines   string
		in, out []string
	}{
		{"periodic weekdays 09:00 to 17:00", []string{"2026-03-02 09:00", "2026-03-06 17:00"}, []string{"2026-03-02 08:59", "2026-03-06 17:01", "2026-03-01 12:00", "2026-03-07 12:00"}},
		{"periodic weekend 9:05 to 9:06", []string{"2026-03-01 09:06", "2026-03-07 09:05"}, []string{"2026-03-01 09:07", "2026-03-02 09:05"}},
		{"periodic daily 22:00 to 6:00", []string{"2026-03-02 22:00", "2026-03-02 05:59", "2026-03-01 00:00", "2026-03-07 23:00"}, []string{"2026-03-02 06:01", "2026-03-02 21:59"}},
		{"periodic Saturday 23:00 to Sunday 1:00", []string{"2026-03-07 23:00", "2026-03-08 01:00", "2026-03-01 00:30"}, []string{"2026-03-08 23:00", "2026-03-07 01:00", "2026-03-08 01:01"}},
		{"periodic Friday 18:00 to Monday 6:00", []string{"2026-03-06 18:00", "2026-03-07 12:00", "2026-03-08 23:59", "2026-03-09 06:00"}, []string{"2026-03-09 06:01", "2026-03-06 17:59"}},
		{"periodic Monday Wednesday 1:00 to 5:00", []string{"2026-03-02 01:00", "2026-03-04 05:00"}, []string{"2026-03-03 02:00", "2026-03-01 02:00"}},
		{"absolute start 22:00 1 March 2026 end 06:00 2 March 2026", []string{"2026-03-01 22:00", "2026-03-02 06:00"}, []string{"2026-03-01 21:59", "2026-03-02 06:01"}},
		{"absolute end 06:00 2 March 2026", []string{"1999-01-01 00:00"}, []string{"2026-03-02 06:01"}},
		{"absolute start 12:00 2 March 2026; periodic daily 8:00 to 18:00", []string{"2026-03-02 12:00", "2026-03-03 08:00"}, []string{"2026-03-02 11:59", "2026-03-02 19:00", "2026-03-01 12:00"}},
		{"periodic Monday 1:00 to 2:00; periodic Tuesday 1:00 to 2:00", []string{"2026-03-02 01:30", "2026-03-03 01:30"}, []string{"2026-03-04 01:30"}},
	} {
		r := typed(t, "time-range T; "+test.lines).Config.TimeRanges()[0]
		for _, readings := range []struct {
			want  bool
			times []string
		}{{true, test.in}, {false, test.out}} {
			for _, text := range readings.times {
				at, err := time.Parse("2006-01-02 15:04", text)
				if err != nil {
					t.Fatal(err)
				}
				if r.Active(at) != readings.want || r.Active(at.Add(59*time.Second)) != readings.want {
					t.Errorf("%s: at %s active is %v", test.lines, text, !readings.want)
				}
			}
		}
	}
}
