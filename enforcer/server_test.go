package enforcer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// serveTest runs an agent over memory on a real socket.
func serveTest(t *testing.T, devices ...string) (string, *Enforcer, *memory) {
	t.Helper()
	e, m := newTest(t, devices...)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket, e, m
}

func dial(t *testing.T, socket string) *client.Client {
	t.Helper()
	c, err := client.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestClientAndServer(t *testing.T) {
	socket, _, m := serveTest(t, "veth1")
	c, ctx := dial(t, socket), t.Context()
	endpoints := []client.Endpoint{pod("a", "web", "veth1", "10.0.0.1")}
	if err := c.PutEndpoints(ctx, endpoints); err != nil {
		t.Fatal(err)
	}
	d := client.Desired{Source: "! \"text\"\n", Policies: []policy.Policy{onPods("102", policy.Ingress, "web")}}
	revision, err := c.Put(ctx, d)
	if err != nil || revision != 1 {
		t.Fatalf("revision %d, %v", revision, err)
	}
	if _, err := c.Put(ctx, d); !errors.Is(err, client.ErrConflict) {
		t.Errorf("the second writer got %v, want ErrConflict", err)
	}
	d.Revision = 1
	byAddr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if got, err := c.Desired(ctx); err != nil || cmp.Diff(d, got, byAddr) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(d, got, byAddr))
	}
	if got, err := c.Endpoints(ctx); err != nil || cmp.Diff(endpoints, got, byAddr) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(endpoints, got, byAddr))
	}
	if h, err := c.Health(ctx); err != nil || h.Ports != 1 || h.Revision != 1 || h.Error != "" || h.PID != os.Getpid() {
		t.Errorf("%+v, %v", h, err)
	}
	if len(m.last().Ports) != 1 {
		t.Errorf("enforced: %+v", m.last())
	}
}

func TestCountersGoOutAndAreCleared(t *testing.T) {
	socket, _, m := serveTest(t)
	c := dial(t, socket)
	if got, err := c.Counters(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v, want an empty array", got, err)
	}
	m.counters = []policy.Counter{{RuleID: policy.RuleID{ACL: "102", Seq: 10}, Text: "permit ip any any", Direction: policy.Ingress, Subject: "workload web", Packets: 5, Bytes: 300}}
	got, err := c.Counters(t.Context())
	if err != nil || len(got) != 1 || got[0].Packets != 5 || got[0].Node != "worker-1" || got[0].ACL != "102" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := errors.Join(c.Clear(t.Context(), "zone-pair A&B=C"), c.Clear(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"zone-pair A&B=C", ""}, m.cleared); diff != "" {
		t.Error(diff)
	}
	if drops, err := c.Drops(t.Context()); err != nil || len(drops) != 1 || drops[0].Packets != 3 {
		t.Errorf("drops %v, %v", drops, err)
	}
}

func TestEventsReachEveryReader(t *testing.T) {
	socket, e, m := serveTest(t)
	got := make(chan policy.Event)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 {
		c := dial(t, socket)
		go func() { ended <- c.Events(ctx, func(event policy.Event) { got <- event }) }()
	}
	waitFor(t, "two readers", func() bool { e.events.mu.Lock(); defer e.events.mu.Unlock(); return len(e.events.readers) == 2 })
	sent := policy.Event{
		RuleID: policy.RuleID{ACL: "102", Seq: 10}, Time: time.Unix(1, 0).UTC(), Subject: "workload web", Direction: policy.Ingress,
		Action: policy.Deny, Protocol: 6, Source: netip.MustParseAddrPort("10.0.0.9:4"), Destination: netip.MustParseAddrPort("10.0.0.1:23"), Packets: 1,
	}
	m.events <- sent
	sent.Node, sent.Sequence = "worker-1", 1
	for range 2 {
		event := <-got
		if event != sent {
			t.Errorf("got %+v, want %+v", event, sent)
		}
	}
	if log, err := dial(t, socket).Log(t.Context()); err != nil || len(log) != 1 || log[0] != sent {
		t.Errorf("the log has %+v, %v", log, err)
	}
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("events ended with %v", err)
		}
	}
	waitFor(t, "no reader", func() bool { e.events.mu.Lock(); defer e.events.mu.Unlock(); return len(e.events.readers) == 0 })
}

// A reader that wants text gets IOS's messages.
func TestEventsAsText(t *testing.T) {
	socket, e, m := serveTest(t)
	h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	defer h.CloseIdleConnections()
	answer, err := h.Get("http://x/v1/events?format=ios")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	waitFor(t, "a reader", func() bool { e.events.mu.Lock(); defer e.events.mu.Unlock(); return len(e.events.readers) == 1 })
	m.events <- policy.Event{
		RuleID: policy.RuleID{ACL: "WEB", Seq: 20}, Time: time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.UTC), Action: policy.Deny, Protocol: 6,
		Source: netip.MustParseAddrPort("10.0.0.1:1234"), Destination: netip.MustParseAddrPort("10.0.0.2:80"), Packets: 1,
	}
	want := "*Nov  2 03:04:05.006: %SEC-6-IPACCESSLOGP: list WEB denied tcp 10.0.0.1(1234) -> 10.0.0.2(80), 1 packet\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if status, _ := request(t, socket, "GET", "/v1/events?format=xml", ""); status != 422 {
		t.Errorf("format=xml: status %d, want 422", status)
	}
}

// The agent's own log takes so many messages a second; the rest is added up.
func TestConsoleKeepsBack(t *testing.T) {
	var printed []policy.Event
	c := console{rate: consoleRate, print: func(e policy.Event) { printed = append(printed, e) }}
	now := time.Unix(1000, 0)
	for range consoleRate + 7 {
		c.take(now, policy.Event{Packets: 2})
	}
	c.take(now.Add(time.Second), policy.Event{Packets: 1})
	if len(printed) != consoleRate+2 || !printed[consoleRate].Missed || printed[consoleRate].Packets != 14 {
		t.Errorf("%d printed, then %+v", len(printed), printed[consoleRate:])
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

func TestSlowReadersMissEvents(t *testing.T) {
	h := newHub()
	slow, end := h.subscribe()
	defer end()
	for range backlog + 5 {
		h.publish(policy.Event{Packets: 3})
	}
	if len(slow) != backlog || h.missed.Load() != 5 {
		t.Errorf("%d waiting, %d missed, want %d and 5", len(slow), h.missed.Load(), backlog)
	}
	for range backlog {
		<-slow
	}
	h.publish(policy.Event{Packets: 9})
	if told, next := <-slow, <-slow; !told.Missed || told.Packets != 15 || next.Packets != 9 {
		t.Errorf("the reader got %+v and %+v, want to be told of 15 packets", told, next)
	}
}

func request(t *testing.T, socket, method, path, body string) (int, string) {
	t.Helper()
	h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	defer h.CloseIdleConnections()
	r, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func TestBadRequestsChangeNothing(t *testing.T) {
	socket, _, m := serveTest(t)
	before := m.count()
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/v1/policies", ``, 400},
		{"PUT", "/v1/policies", `{`, 400},
		{"PUT", "/v1/policies", `[]`, 400},
		{"PUT", "/v1/policies", `{"revision":0,"policies":[]} {}`, 400},
		{"PUT", "/v1/policies", `{"revision":0,"policies":[],"polices":[]}`, 400},
		{"PUT", "/v1/policies", `{"revision":0,"policies":[{"action":"permit"}]}`, 400},
		{"PUT", "/v1/policies", `{"revision":-1,"policies":[]}`, 400},
		{"PUT", "/v1/policies", `{"revision":0}`, 422},
		{"PUT", "/v1/policies", `{"policies":[]}`, 422},
		{"PUT", "/v1/policies", `{"revision":0,"policies":null}`, 422},
		{"PUT", "/v1/policies", `{"revision":0,"policies":[{}]}`, 422},
		{"PUT", "/v1/policies", `{"revision":5,"policies":[]}`, 409},
		{"PUT", "/v1/endpoints", `null`, 422},
		{"PUT", "/v1/endpoints", `{}`, 400},
		{"PUT", "/v1/endpoints", `[{"name":"a","addresses":["no"]}]`, 400},
		{"PUT", "/v1/endpoints", `[{"name":"a"}]`, 422},
		{"PUT", "/v1/services", `null`, 422},
		{"PUT", "/v1/services", `{}`, 400},
		{"PUT", "/v1/services", `[{"name":"a","namespace":"b","ports":[{"protocol":6,"port":80,"backends":["no"]}]}]`, 400},
		{"PUT", "/v1/services", `[{"name":"a"}]`, 422},
		{"POST", "/v1/policies", `{}`, 405},
		{"DELETE", "/v1/counters?alc=102", ``, 422},
		{"DELETE", "/v1/counters?acl=", ``, 422},
		{"DELETE", "/v1/counters?acl=1&acl=2", ``, 422},
		{"GET", "/v2/policies", ``, 404},
		{"GET", "/", ``, 404},
	} {
		status, body := request(t, socket, c.method, c.path, c.body)
		if status != c.want || !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s %s %s: %d %s, want %d and an error", c.method, c.path, c.body, status, body, c.want)
		}
	}
	if m.count() != before || len(m.cleared) > 0 {
		t.Error("a bad request has changed something")
	}
}

func TestMetrics(t *testing.T) {
	socket, _, m := serveTest(t)
	line := policy.Counter{RuleID: policy.RuleID{ACL: "102", Seq: 10}, Action: policy.Deny, Direction: policy.Ingress, Subject: "workload web", Packets: 5, Bytes: 300}
	m.counters = []policy.Counter{line, line}
	_, body := request(t, socket, "GET", "/metrics", "")
	for _, want := range []string{
		`aclium_line_packets_total{acl="102",action="deny",direction="ingress",seq="10",subject="workload web"} 10`,
		`aclium_line_bytes_total{acl="102",action="deny",direction="ingress",seq="10",subject="workload web"} 600`,
		`aclium_dropped_packets_total{reason="spoofed"} 3`,
		`aclium_apply_total{result="ok"} 1`, `aclium_apply_total{result="error"} 0`,
		`aclium_apply_duration_seconds_count 1`, `aclium_endpoints 0`, `aclium_healthy 1`, `aclium_connections 5`, `aclium_log_missed_packets_total 7`,
		`aclium_kernel_memory_bytes{kind="tables"} 65536`, `aclium_lines_without_series 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %q in\n%s", want, body)
		}
	}
}

func TestHealthTellsWhatIsWrong(t *testing.T) {
	socket, e, m := serveTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	m.mu.Lock()
	m.fail = errKernel
	m.mu.Unlock()
	e.changing.Lock()
	e.readNode = func() (nodeFacts, error) { return factsOf("lo", "veth1"), nil }
	e.changing.Unlock()
	if err := e.Sync(); err == nil {
		t.Fatal("Sync found no fault")
	}
	if status, _ := request(t, socket, "GET", "/healthz", ""); status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
	if h, err := dial(t, socket).Health(t.Context()); err != nil || !strings.Contains(h.Error, errKernel.Error()) {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestLongPolicyGoesThrough(t *testing.T) {
	socket, _, m := serveTest(t, "veth1")
	c := dial(t, socket)
	list := onPods("102", policy.Ingress, "web")
	for i := range 10000 {
		rule := permitAll("102")
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		rule.ID.Seq = uint32(10 * (i + 1))
		rule.Match.Source = policy.Peers{Addresses: []policy.AddrRange{{First: a, Last: a}}}
		list.Rules = append(list.Rules, rule)
	}
	if err := c.PutEndpoints(t.Context(), []client.Endpoint{pod("a", "web", "veth1", "10.0.0.1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), client.Desired{Source: strings.Repeat("x", 1<<20), Policies: []policy.Policy{list}}); err != nil {
		t.Fatal(err)
	}
	if got := len(m.last().Ports[0].Ingress[0].Rules); got != 10001 {
		t.Errorf("%d rules arrived", got)
	}
}

func TestSocketIsForTheOwnerAlone(t *testing.T) {
	socket, _, _ := serveTest(t)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestLiveSocketIsRefusedAndDeadOneReplaced(t *testing.T) {
	socket, _, _ := serveTest(t)
	if _, err := listen(socket); err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v, want an error with the socket and the process", err)
	}
	dead := filepath.Join(t.TempDir(), "new", "dead")
	l, err := listen(dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = listen(dead); err != nil {
		t.Fatalf("the socket of a dead agent: %v", err)
	}
	l.Close()
}

func TestWhatIsNoSocketStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "precious" {
		t.Error("the file is gone")
	}
	if _, err := listen("/tmp/" + strings.Repeat("x", 108)); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("got %v, want an error about the length", err)
	}
}

func TestDialSaysWhatToDo(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := client.Dial(none); !errors.Is(err, client.ErrNoAgent) || !strings.Contains(err.Error(), "aclium enforcer --socket "+none) {
		t.Errorf("got %v", err)
	}
}

// The watch notices a device that is made while nothing else is going on.
func TestWatchSeesDevices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a device")
	}
	// The thread keeps its own network for good: it ends with the test.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs a network namespace: %v", err)
	}
	changed, err := watchNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "link", "add", "veth7", "type", "veth").CombinedOutput(); err != nil {
		t.Skipf("cannot make a device: %v %s", err, out)
	}
	select {
	case <-changed:
	case <-time.After(fallback / 2):
		t.Error("the device was not noticed")
	}
}
