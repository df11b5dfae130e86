package grammar

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	for _, test := range []struct {
		lines string
		want  Clock
	}{
		{"hostname R1", Clock{Name: "UTC"}},
		{"clock timezone CET 1", Clock{Name: "CET", Offset: time.Hour}},
		{"clock timezone CET 1 0", Clock{Name: "CET", Offset: time.Hour}},
		{"clock timezone IST 5 30", Clock{Name: "IST", Offset: 5*time.Hour + 30*time.Minute}},
		{"clock timezone NST -3 30", Clock{Name: "NST", Offset: -3*time.Hour - 30*time.Minute}},
		{"clock timezone X -0 30", Clock{Name: "X", Offset: -30 * time.Minute}},
		{"clock timezone A 1; clock timezone B 2", Clock{Name: "B", Offset: 2 * time.Hour}},
		{"clock timezone A 1; no clock timezone", Clock{Name: "UTC"}},
		{"clock timezone CET 1; clock summer-time CEST recurring last Sun Mar 2:00 last Sun Oct 3:00", Clock{Name: "CET", Offset: time.Hour, Summer: true}},
	} {
		if got := typed(t, test.lines).Config.Clock(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.lines, got, test.want)
		}
	}
}
