package shell

import (
	"strings"
	"testing"
)

// The clock of the configuration is what "show clock" shows and what decides
// whether a time-range is active: it is noon by UTC.
func TestClockTimezone(t *testing.T) {
	for zone, want := range map[string][2]string{
		"hostname R1":               {"(inactive)", "*12:00:00.123 UTC"},
		"clock timezone EAST 5 30":  {"(active)", "*17:30:00.123 EAST"},
		"clock timezone EAST 5 29":  {"(inactive)", "*17:29:00.123 EAST"},
		"clock timezone WEST -6 30": {"(inactive)", "*05:30:00.123 WEST"},
		"clock timezone EAST 5 31":  {"(active)", "*17:31:00.123 EAST"},
		"clock timezone EAST 5 32":  {"(inactive)", "*17:32:00.123 EAST"},
	} {
		out, errs, err := script(t, &memory{}, "configure terminal\n"+zone+"\ntime-range T\nperiodic daily 17:30 to 17:31\nend\nshow time-range\nshow clock\n")
		if err != nil || !strings.Contains(out, "time-range entry: T "+want[0]+"\n") || !strings.Contains(out, want[1]) {
			t.Errorf("%q: %v %s\n%s, want %q", zone, err, errs, out, want)
		}
	}
}
