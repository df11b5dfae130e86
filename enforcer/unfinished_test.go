package enforcer

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// leave makes the next n changes of the kernel end unfinished, all when n is -1.
func (m *memory) leave(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.failures = errKernel, n
}

// A change that is in force with something left to do is stored, answered and
// shown as what it is, until a Sync has done the rest.
func TestUnfinishedChangeIsToldUntilItIsMended(t *testing.T) {
	socket, e, m := serveTest(t, "veth1")
	c := dial(t, socket)
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	m.leave(-1)
	revision, err := c.Put(t.Context(), client.Desired{Policies: []policy.Policy{onPods("NEW", policy.Ingress, "web")}})
	if revision != 1 || !errors.Is(err, client.ErrUnfinished) || !strings.Contains(err.Error(), "in force") || !strings.Contains(err.Error(), errKernel.Error()) {
		t.Fatalf("got revision %d and %v", revision, err)
	}
	if err := c.PutEndpoints(t.Context(), []client.Endpoint{pod("b", "web", "veth1", "10.0.0.2")}); !errors.Is(err, client.ErrUnfinished) {
		t.Errorf("endpoints: %v", err)
	}
	stored, err := e.store.load()
	if err != nil || stored.Revision != 1 || stored.Endpoints[0].Name != "b" {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if acl := m.last().Ports[0].Ingress[0].ACL; acl != "NEW" || e.Desired().Policies[0].ACL != "NEW" {
		t.Errorf("list %s is in force, readers see %s", acl, e.Desired().Policies[0].ACL)
	}
	wantUnfinished := func(want bool, status int, lines ...string) {
		t.Helper()
		if got, _ := request(t, socket, "GET", "/healthz", ""); got != status {
			t.Errorf("status %d, want %d", got, status)
		}
		if h, err := c.Health(t.Context()); err != nil || (h.Unfinished != "") != want || h.Error != "" {
			t.Errorf("health %+v, %v", h, err)
		}
		_, body := request(t, socket, "GET", "/metrics", "")
		for _, line := range lines {
			if !strings.Contains(body, line+"\n") {
				t.Errorf("no line %q in the metrics", line)
			}
		}
	}
	if err := e.Sync(); !isUnfinished(err) {
		t.Errorf("Sync: %v", err)
	}
	wantUnfinished(true, http.StatusServiceUnavailable, `aclium_healthy 0`, `aclium_apply_total{result="unfinished"} 3`)
	m.leave(0)
	if err := e.Sync(); err != nil {
		t.Error(err)
	}
	wantUnfinished(false, http.StatusOK, `aclium_healthy 1`, `aclium_apply_total{result="unfinished"} 3`)
	n := m.count()
	if err := e.Sync(); err != nil || m.count() != n {
		t.Errorf("a mended state is applied again: %v", err)
	}
}

// What a second attempt mends is counted, and nothing to tell.
func TestSecondAttemptFinishes(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	m.leave(1)
	mustPut(t, e, onPods("NEW", policy.Ingress, "web"))
	if h := e.Health(); h.Unfinished != "" || h.Revision != 1 {
		t.Errorf("health %+v", h)
	}
}

// A change that ends unfinished and cannot be remembered is undone: the old
// state is in force, and what that left undone is shown.
func TestUnfinishedChangeThatIsNotStoredIsUndone(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("OLD", policy.Ingress, "web"))
	m.leave(-1)
	blockRename(t, e, m)
	_, err := e.Put(client.Desired{Revision: 1, Policies: []policy.Policy{onPods("NEW", policy.Ingress, "web")}})
	if err == nil || isUnfinished(err) || !strings.Contains(err.Error(), "keep the state") {
		t.Errorf("got %v", err)
	}
	if acl := m.last().Ports[0].Ingress[0].ACL; acl != "OLD" {
		t.Errorf("list %s is in force", acl)
	}
	if h := e.Health(); h.Unfinished == "" || h.Revision != 1 {
		t.Errorf("health %+v", h)
	}
}

// The kernel is put back too when what it had is not known for sure, because an
// attempt before has failed.
func TestUndoAfterAFailure(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("OLD", policy.Ingress, "web"))
	m.fail = errKernel
	desired := client.Desired{Revision: 1, Policies: []policy.Policy{onPods("NEW", policy.Ingress, "web")}}
	if _, err := e.Put(desired); err == nil {
		t.Fatal("the kernel's error is lost")
	}
	m.fail = nil
	blockRename(t, e, m)
	if _, err := e.Put(desired); err == nil {
		t.Fatal("the disk's error is lost")
	}
	if acl := m.last().Ports[0].Ingress[0].ACL; acl != "OLD" || e.Desired().Policies[0].ACL != "OLD" {
		t.Errorf("list %s is in force", acl)
	}
}

// Time-ranges that cannot be kept are shown as what they are, too.
func TestFailureToKeepTimeIsShown(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("OLD", policy.Ingress, "web"))
	m.fail = errKernel
	e.keepTime()
	if h := e.Health(); !strings.Contains(h.Error, errKernel.Error()) {
		t.Errorf("health %+v", h)
	}
	m.fail = nil
	if err := e.Sync(); err != nil || e.Health().Error != "" {
		t.Errorf("%v, health %+v", err, e.Health())
	}
}
