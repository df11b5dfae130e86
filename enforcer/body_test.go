package enforcer

import (
	"errors"
	"strings"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// Whoever sends a body that is none is told where it goes wrong and what was
// wanted there.
func TestBadBodiesAreExplained(t *testing.T) {
	socket, _, _ := serveTest(t)
	for _, c := range []struct {
		path, body string
		status     int
		want       []string
	}{
		{"/v1/policies", "", 400, []string{"the body is empty", `"revision": NUMBER`}},
		{"/v1/endpoints", " \n", 400, []string{"the body is empty", `"namespace": TEXT`}},
		{"/v1/services", "", 400, []string{"the body is empty", `"ports": [...]`}},
		{"/v1/policies", "[]", 400, []string{"the body is an array", `"revision": NUMBER`}},
		{"/v1/endpoints", "{}", 400, []string{"the body is an object", `"namespace": TEXT`}},
		{"/v1/policies", `"x"`, 400, []string{"the body is a string"}},
		{"/v1/policies", "{\"revision\": 0,\n \"policies\": [}", 400, []string{"line 2, column 15", "no JSON"}},
		{"/v1/policies", `{"revision": 0, "policies": [`, 400, []string{"line 1, column 29", "ends in the middle"}},
		{"/v1/policies", "{\"policies\": [],\n\"revision\": \"7\"}", 400, []string{"line 2, column 15", `"revision" is a string`, "a whole number from 0"}},
		{"/v1/policies", `{"revision": -1, "policies": []}`, 400, []string{`"revision" is a number -1`, "from 0 to 18446744073709551615"}},
		{"/v1/policies", `{"revision": 0, "policies": 3}`, 400, []string{`"policies" is a number`, "want an array"}},
		{"/v1/policies", `{"revision": 0, "polices": []}`, 400, []string{`unknown field "polices"`, `"policies": [...]`}},
		{"/v1/policies", `{"revision": 0, "policies": []} {}`, 400, []string{"something follows"}},
		{"/v1/services", `[{"ports": [{"port": 70000}]}]`, 400, []string{`a number 70000`, "from 0 to 65535"}},
		{"/v1/policies", `{"policies": []}`, 422, []string{"no revision", "GET /v1/policies"}},
		{"/v1/policies", `{"revision": 0, "policies": [], "logging": {"rate": 10001}}`, 422, []string{"rate of 10001", "want 10000 at most"}},
		{"/v1/policies", `{"revision": 0}`, 422, []string{"no policies", "[] for none"}},
		{"/v1/endpoints", "null", 422, []string{"null", "[] for none"}},
	} {
		status, answer := request(t, socket, "PUT", c.path, c.body)
		answer = strings.ReplaceAll(answer, `\"`, `"`)
		if status != c.status {
			t.Errorf("%s: status %d, want %d", c.body, status, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: got %s, want %q in it", c.body, answer, want)
			}
		}
		for _, word := range []string{"EOF", "Go value", "enforcer.", "[]client", "json:"} {
			if strings.Contains(answer, word) {
				t.Errorf("%s: %q in %s", c.body, word, answer)
			}
		}
	}
}

// What the kernel side refuses for the state's own fault is the asker's fault.
func TestStateThatDoesNotFitIsRefused(t *testing.T) {
	socket, e, m := serveTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	m.mu.Lock()
	m.fail = &datapath.Refused{Err: errors.New("9 prefixes, want 8 at most")}
	m.mu.Unlock()
	status, answer := request(t, socket, "PUT", "/v1/endpoints", `[{"namespace":"shop","name":"a","interface":"veth1"}]`)
	if status != 422 || !strings.Contains(answer, "want 8 at most") {
		t.Errorf("%d %s, want 422 with the limit", status, answer)
	}
	if _, err := dial(t, socket).Put(t.Context(), client.Desired{Policies: []policy.Policy{onPods("1", policy.Ingress, "web")}}); err == nil || !strings.Contains(err.Error(), "want 8 at most") {
		t.Errorf("got %v", err)
	}
}
