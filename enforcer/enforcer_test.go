package enforcer

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

func mustPut(t *testing.T, e *Enforcer, policies ...policy.Policy) {
	t.Helper()
	d := client.Desired{Revision: e.Desired().Revision, Source: "text", Policies: policies}
	if _, err := e.Put(d); err != nil {
		t.Fatal(err)
	}
}

func mustPutEndpoints(t *testing.T, e *Enforcer, endpoints ...client.Endpoint) {
	t.Helper()
	if err := e.PutEndpoints(endpoints); err != nil {
		t.Fatal(err)
	}
}

func TestPutEnforcesAndRemembers(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	if got := portNamed(t, m.last(), "veth1"); len(got.Ingress) != 1 {
		t.Errorf("got %v", got)
	}
	stored, err := e.store.load()
	if err != nil {
		t.Fatal(err)
	}
	restarted := &memory{}
	again := testEnforcer(t, restarted, e.store, stored, "veth1")
	if diff := cmp.Diff(m.last(), restarted.last(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("a restarted agent enforces something else: %s", diff)
	}
	if again.Desired().Revision != 1 || again.Desired().Source != "text" {
		t.Errorf("got %+v", again.Desired())
	}
}

// Whatever fails, the kernel, the disk and the readers keep the old state.
func TestFailedPutChangesNothing(t *testing.T) {
	bad := onPods("102", policy.Ingress, "web")
	bad.Direction = 0
	dns := onPods("102", policy.Ingress, "web")
	dns.Rules[0].Match.Source = policy.Peers{FQDNs: []string{"*.example.com"}}
	dns.Rules[0].Action = policy.Deny
	stateless := onPods("102", policy.Ingress, "web")
	stateless.Stateful = false
	good := onPods("103", policy.Egress, "web")
	for name, c := range map[string]struct {
		breakIt  func(*testing.T, *Enforcer, *memory)
		policies []policy.Policy
		want     string
	}{
		"invalid policy":        {nil, []policy.Policy{good, bad}, "direction"},
		"twice":                 {nil, []policy.Policy{good, good}, "twice"},
		"names of the DNS":      {nil, []policy.Policy{dns}, "fqdn in a line that does not permit cannot be enforced"},
		"stateless on a pod":    {nil, []policy.Policy{stateless}, "connections"},
		"interface not there":   {nil, []policy.Policy{onInterface("EDGE", "eth9")}, "eth9"},
		"interface of a pod":    {nil, []policy.Policy{onInterface("EDGE", "veth1")}, "shop/a"},
		"the kernel refuses":    {func(_ *testing.T, _ *Enforcer, m *memory) { m.fail = errKernel }, []policy.Policy{good}, errKernel.Error()},
		"the disk is not there": {hideDirectory, []policy.Policy{good}, "write the state"},
		"the rename fails":      {blockRename, []policy.Policy{good}, "keep the state"},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := newTest(t, "veth1")
			mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
			mustPut(t, e, onPods("102", policy.Ingress, "web"))
			enforced, health := m.last(), e.Health()
			if c.breakIt != nil {
				c.breakIt(t, e, m)
			}
			_, err := e.Put(client.Desired{Revision: 1, Policies: c.policies})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error about %q", err, c.want)
			}
			if diff := cmp.Diff(enforced, m.last(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("the kernel has changed: %s", diff)
			}
			if diff := cmp.Diff(health, e.Health()); diff != "" || e.Desired().Policies[0].ACL != "102" {
				t.Errorf("readers see a change: %s", diff)
			}
		})
	}
}

func hideDirectory(t *testing.T, e *Enforcer, _ *memory) {
	if err := os.Rename(e.store.dir, e.store.dir+".hidden"); err != nil {
		t.Fatal(err)
	}
}

// blockRename puts a directory where the state file should go.
func blockRename(t *testing.T, e *Enforcer, _ *memory) {
	if err := errors.Join(os.Remove(e.store.path()), os.MkdirAll(filepath.Join(e.store.path(), "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	nameless, homeless := pod("", "web", "veth1"), pod("a", "web", "veth1")
	homeless.Namespace = ""
	for name, c := range map[string]struct {
		endpoints []client.Endpoint
		want      string
	}{
		"no name":        {[]client.Endpoint{nameless}, "name"},
		"no namespace":   {[]client.Endpoint{homeless}, "namespace"},
		"nowhere":        {[]client.Endpoint{pod("a", "web", "")}, "neither"},
		"twice":          {[]client.Endpoint{pod("a", "web", "veth1"), pod("a", "web", "veth2")}, "twice"},
		"shared device":  {[]client.Endpoint{pod("a", "web", "veth1"), pod("b", "web", "veth1")}, "share the device"},
		"shared address": {[]client.Endpoint{pod("a", "web", "veth1", "10.0.0.1"), pod("b", "web", "veth2", "10.0.0.1")}, "share the address"},
		"mapped address": {[]client.Endpoint{pod("a", "web", "veth1", "::ffff:10.0.0.1")}, "no address"},
		"zone":           {[]client.Endpoint{pod("a", "web", "veth1", "fe80::1%eth0")}, "no address"},
		"long device":    {[]client.Endpoint{pod("a", "web", "sixteen-letters-")}, "device"},
		"missing device": {[]client.Endpoint{pod("a", "web", "veth9")}, "veth9"},
		"node's address": {[]client.Endpoint{pod("a", "web", "veth1", "192.0.2.1")}, "node's own"},
	} {
		e, m := newTest(t, "veth1", "veth2")
		before := m.count()
		err := e.PutEndpoints(c.endpoints)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, new(refused)) {
			t.Errorf("%s: got %v, want a refusal about %q", name, err, c.want)
		}
		if m.count() != before || len(e.Endpoints()) > 0 {
			t.Errorf("%s: something has changed", name)
		}
	}
}

func TestSyncFollowsTheDevices(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	steps := []struct {
		what  string
		node  nodeFacts
		apply bool
		ports int
	}{
		{"nothing", factsOf("veth1"), false, 1},
		{"a foreign device", factsOf("veth1", "veth2"), false, 1},
		{"gone", factsOf(), true, 0},
		{"still gone", factsOf(), false, 0},
		{"made again with another index", factsOf("lo", "veth1"), true, 1},
		{"and again between two looks", factsOf("veth1"), true, 1},
	}
	for _, step := range steps {
		e.readNode = func() (nodeFacts, error) { return step.node, nil }
		before := m.count()
		if err := e.Sync(); err != nil {
			t.Fatal(err)
		}
		if applied := m.count() > before; applied != step.apply || len(m.last().Ports) != step.ports {
			t.Errorf("%s: applied %v with %d ports, want %v with %d", step.what, applied, len(m.last().Ports), step.apply, step.ports)
		}
	}
}

// What others took away is put back although no device has changed.
func TestSyncPutsBackWhatIsGone(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	before := m.count()
	for _, damage := range []string{"", "1 of 1 programs are off their devices", ""} {
		m.damage = damage
		if err := e.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.count() - before; got != 1 {
		t.Errorf("applied %d times, want once", got)
	}
}

// A list that is too long for any table is refused before a pod needs it.
func TestListThatNeverCouldStandIsRefused(t *testing.T) {
	e, _ := newTest(t)
	list := onPods("102", policy.Ingress, "web")
	for len(list.Rules[0].Match.Services) < 262145 {
		list.Rules[0].Match.Services = append(list.Rules[0].Match.Services, policy.ServiceOf(policy.Bytes(6)))
	}
	if _, err := e.Put(client.Desired{Policies: []policy.Policy{list}}); err == nil || !errors.As(err, new(refused)) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// A pod that was deleted must not block the configuration of the others.
func TestVanishedDeviceDoesNotBlock(t *testing.T) {
	e, _ := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	e.readNode = func() (nodeFacts, error) { return factsOf(), nil }
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	if diff := cmp.Diff([]string{"veth1"}, e.Health().Missing); diff != "" {
		t.Error(diff)
	}
}

// A pod that is deleted amid a push does not fail it; one whose failure is
// another fails once.
func TestDeviceThatVanishesAmidPush(t *testing.T) {
	for _, vanishes := range []bool{true, false} {
		e, m := newTest(t, "veth1")
		mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
		looks := 0
		m.fail = errKernel
		e.readNode = func() (nodeFacts, error) {
			if looks++; looks > 1 && vanishes {
				m.fail = nil
				return factsOf(), nil
			}
			return factsOf("veth1"), nil
		}
		_, err := e.Put(client.Desired{Policies: []policy.Policy{onPods("102", policy.Ingress, "web")}})
		if (err == nil) != vanishes || looks != 2 {
			t.Errorf("vanishes %v: %v after %d looks", vanishes, err, looks)
		}
	}
}

func TestFailedSyncIsSaidAndRepeated(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	m.fail = errKernel
	e.readNode = func() (nodeFacts, error) { return factsOf("lo", "veth1"), nil }
	if err := e.Sync(); err == nil || e.Health().Error == "" {
		t.Fatalf("Sync: %v, health %+v", err, e.Health())
	}
	m.fail = nil
	if err := e.Sync(); err != nil || e.Health().Error != "" {
		t.Errorf("Sync again: %v, health %+v", err, e.Health())
	}
}

// Tables and addresses are not written at one instant, so a table must know
// the label set that an address may still have.
func TestTablesKnowLabelsForOneStepLonger(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPutEndpoints(t, e, pod("a", "db", "veth1", "10.0.0.1"))
	apps := func() (out []string) {
		for _, i := range m.last().Identities {
			if i.Labels != nil {
				out = append(out, i.Labels["app"])
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"web", "db"}, apps()); diff != "" {
		t.Error(diff)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"db"}, apps()); diff != "" {
		t.Error(diff)
	}
}

// Of writers who saw the same revision one wins, and the others are told.
func TestOneOfManyWritersWins(t *testing.T) {
	e, _ := newTest(t, "veth1")
	const rounds, writers = 20, 8
	for round := range uint64(rounds) {
		results := make(chan error, writers)
		var start sync.WaitGroup
		start.Add(1)
		for range writers {
			go func() {
				start.Wait()
				_, err := e.Put(client.Desired{Revision: round, Policies: []policy.Policy{}})
				results <- err
			}()
		}
		start.Done()
		won := 0
		for range writers {
			err := <-results
			if err == nil {
				won++
			} else if !errors.Is(err, client.ErrConflict) {
				t.Fatal(err)
			}
		}
		if won != 1 || e.Desired().Revision != round+1 {
			t.Fatalf("%d writers won, the revision is %d, want 1 and %d", won, e.Desired().Revision, round+1)
		}
	}
}
