package enforcer

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
)

// Somebody before ours is in health, the metrics and the status line as long as
// they stand there; the desired state is enforced all the same.
func TestProgramsAheadAreReported(t *testing.T) {
	socket, e, m := serveTest(t, "veth1")
	shown := func(want ...client.Earlier) {
		t.Helper()
		if err := e.Sync(); err != nil {
			t.Fatal(err)
		}
		if h, err := dial(t, socket).Health(t.Context()); err != nil || !slices.Equal(h.Ahead, want) {
			t.Errorf("health %+v, %v, want %+v", h, err, want)
		}
		if status, _ := request(t, socket, "GET", "/healthz", ""); status != http.StatusOK {
			t.Errorf("status %d, want 200", status)
		}
		_, body := request(t, socket, "GET", "/metrics", "")
		line := "aclium_programs_ahead " + string(rune('0'+len(want))) + "\n"
		if !strings.Contains(body, line) {
			t.Errorf("no %q in the metrics", line)
		}
		if said := strings.Contains(e.status(), "unseen"); said != (len(want) > 0) {
			t.Errorf("status %q", e.status())
		}
	}
	shown()
	m.ahead = []datapath.Earlier{{Interface: "veth1", Direction: "ingress", Kind: "xdp", Name: "lb", ID: 7}, {Interface: "veth1", Direction: "egress", Kind: "tc", Name: "flower"}}
	shown(client.Earlier{Interface: "veth1", Direction: "ingress", Kind: "xdp", Name: "lb", ID: 7}, client.Earlier{Interface: "veth1", Direction: "egress", Kind: "tc", Name: "flower"})
	if want := "xdp \"lb\" (id 7) stands before the lists on veth1 ingress and 1 more"; !strings.Contains(e.status(), want) {
		t.Errorf("status %q lacks %q", e.status(), want)
	}
	m.ahead = nil
	shown()
}
