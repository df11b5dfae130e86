package enforcer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

func planOf(t *testing.T, policies []policy.Policy, endpoints []client.Endpoint, node nodeFacts) plan {
	t.Helper()
	r := record{Desired: client.Desired{Policies: policies}, Endpoints: endpoints}
	var err error
	if r.Identities, err = r.Identities.Assign(labelSets(endpoints)); err != nil {
		t.Fatal(err)
	}
	p := planner{record: &r, node: node}
	return p.plan()
}

func names(lists []policy.Policy) []string {
	out := []string{}
	for _, l := range lists {
		out = append(out, l.ACL)
	}
	return out
}

func portNamed(t *testing.T, s datapath.State, name string) datapath.Port {
	t.Helper()
	i := slices.IndexFunc(s.Ports, func(p datapath.Port) bool { return p.Interface == name })
	if i < 0 {
		t.Fatalf("no port %s in %v", name, s.Ports)
	}
	return s.Ports[i]
}

// Towards a pod a packet meets the zone before the port's own list, from the
// pod the other way round.
func TestSeriesFollowThePacket(t *testing.T) {
	policies := []policy.Policy{
		onPods("102", policy.Ingress, "web"), onPods("zone PROD", policy.Ingress, "web"), onPods("103", policy.Ingress, "web"),
		onPods("zone PROD", policy.Egress, "web"), onPods("zonefoo", policy.Egress, "web"), onPods("OUT", policy.Egress, "web"),
	}
	got := portNamed(t, planOf(t, policies, []client.Endpoint{pod("a", "web", "veth1")}, factsOf("veth1")).state, "veth1")
	if diff := cmp.Diff([]string{"zone PROD", "102", "103"}, names(got.Ingress)); diff != "" {
		t.Errorf("towards the pod: %s", diff)
	}
	if diff := cmp.Diff([]string{"zonefoo", "OUT", "zone PROD"}, names(got.Egress)); diff != "" {
		t.Errorf("from the pod: %s", diff)
	}
	if !got.Pod {
		t.Error("the port of a pod is not marked so")
	}
}

func TestPortsWithoutListsAreLeftAlone(t *testing.T) {
	endpoints := []client.Endpoint{pod("a", "web", "veth1", "10.0.0.1"), pod("b", "db", "veth2", "10.0.0.2")}
	s := planOf(t, []policy.Policy{onPods("102", policy.Ingress, "web")}, endpoints, factsOf("veth1", "veth2")).state
	if len(s.Ports) != 1 || s.Ports[0].Interface != "veth1" {
		t.Errorf("got ports %v, want veth1 alone", s.Ports)
	}
	if got := s.Addresses[netip.MustParsePrefix("10.0.0.2/32")]; got.Interface != "veth2" || got.Identity < 256 {
		t.Errorf("the unfiltered pod is known as %v", got)
	}
}

func TestNodeInterfacesGoByName(t *testing.T) {
	s := planOf(t, []policy.Policy{onInterface("EDGE", "eth0")}, nil, factsOf("eth0", "eth1")).state
	port := portNamed(t, s, "eth0")
	if port.Pod || len(port.Ingress) != 1 || len(port.Egress) != 0 || len(s.Ports) != 1 {
		t.Errorf("got %v", s.Ports)
	}
}

func TestAddressesOfTheNodeAreItsOwn(t *testing.T) {
	s := planOf(t, nil, []client.Endpoint{pod("a", "web", "veth1", "192.0.2.1", "2001:db8::1")}, factsOf("veth1")).state
	want := datapath.Address{Identity: 1}
	if got := s.Addresses[netip.MustParsePrefix("192.0.2.1/32")]; got != want {
		t.Errorf("the node's address belongs to %v", got)
	}
	if got := s.Addresses[netip.MustParsePrefix("2001:db8::1/128")]; got.Identity != 256 || got.Interface != "veth1" {
		t.Errorf("the pod's address belongs to %v", got)
	}
}

func TestMissingDevicesAreNamed(t *testing.T) {
	policies := []policy.Policy{onInterface("EDGE", "eth9"), onPods("102", policy.Ingress, "web")}
	p := planOf(t, policies, []client.Endpoint{pod("a", "web", "veth1", "10.0.0.1")}, factsOf())
	if diff := cmp.Diff([]string{"eth9", "veth1"}, p.missing); diff != "" {
		t.Error(diff)
	}
	if len(p.state.Ports) != 0 || p.state.Addresses[netip.MustParsePrefix("10.0.0.1/32")].Interface != "" {
		t.Errorf("a device that is not there is planned for: %+v", p.state)
	}
}

// A namespace is matched like a label, and a pod cannot claim another one.
func TestNamespaceIsALabel(t *testing.T) {
	list := onPods("102", policy.Ingress, "web")
	list.Subject.Selectors = []policy.Selector{{{Key: policy.NamespaceKey, Op: policy.In, Values: []string{"prod"}}}}
	liar := pod("a", "web", "veth1")
	liar.Labels[policy.NamespaceKey] = "prod"
	if s := planOf(t, []policy.Policy{list}, []client.Endpoint{liar}, factsOf("veth1")).state; len(s.Ports) != 0 {
		t.Errorf("a pod of namespace shop passes for one of prod: %v", s.Ports)
	}
	liar.Namespace = "prod"
	if s := planOf(t, []policy.Policy{list}, []client.Endpoint{liar}, factsOf("veth1")).state; len(s.Ports) != 1 {
		t.Error("the pod of namespace prod is not covered")
	}
}

// Random pods and lists: every list stands on exactly the pods that it
// selects, once, zones outermost, and equal input gives an equal plan.
func TestPlanProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		endpoints, policies, node := randomWorld(r)
		p := planOf(t, policies, endpoints, node)
		for i := range endpoints {
			checkPort(t, p.state, &endpoints[i], policies, node)
		}
		if again := planOf(t, policies, endpoints, node); cmp.Diff(p.state, again.state, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) != "" {
			t.Fatal("the same input gives another plan")
		}
	}
}

func randomWorld(r *rand.Rand) ([]client.Endpoint, []policy.Policy, nodeFacts) {
	var endpoints []client.Endpoint
	var devices []string
	for i := range r.IntN(12) {
		device := fmt.Sprintf("veth%d", i)
		endpoints = append(endpoints, pod(fmt.Sprint("p", i), fmt.Sprint(r.IntN(4)), device, fmt.Sprintf("10.0.0.%d", i+1)))
		if r.IntN(5) > 0 {
			devices = append(devices, device)
		}
	}
	var policies []policy.Policy
	for i := range r.IntN(8) {
		name := fmt.Sprint("L", i)
		if r.IntN(2) == 0 {
			name = fmt.Sprint("zone Z", i)
		}
		policies = append(policies, onPods(name, policy.Direction(1+r.IntN(2)), fmt.Sprint(r.IntN(4))))
	}
	return endpoints, policies, factsOf(devices...)
}

func checkPort(t *testing.T, s datapath.State, e *client.Endpoint, policies []policy.Policy, node nodeFacts) {
	t.Helper()
	want := map[policy.Direction][]string{}
	for _, p := range policies {
		if p.Subject.Name == "workload "+e.Labels["app"] {
			want[p.Direction] = append(want[p.Direction], p.ACL)
		}
	}
	i := slices.IndexFunc(s.Ports, func(p datapath.Port) bool { return p.Interface == e.Interface })
	if _, exists := node.devices[e.Interface]; !exists || len(want) == 0 {
		if i >= 0 {
			t.Fatalf("%s has a port %v, want none", e.Name, s.Ports[i])
		}
		return
	}
	if i < 0 {
		t.Fatalf("%s has no port, want %v", e.Name, want)
	}
	got := s.Ports[i]
	checkOrder(t, names(got.Ingress), want[policy.Ingress], true)
	checkOrder(t, names(got.Egress), want[policy.Egress], false)
}

// checkOrder wants the zones at one end and everything else in its old order.
func checkOrder(t *testing.T, got, lists []string, zonesFirst bool) {
	t.Helper()
	var zones, others []string
	for _, l := range lists {
		if strings.HasPrefix(l, "zone ") {
			zones = append(zones, l)
		} else {
			others = append(others, l)
		}
	}
	want := slices.Concat(zones, others)
	if !zonesFirst {
		want = slices.Concat(others, zones)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("series %v, want %v", got, want)
	}
}

// An agent in audit mode says so everywhere, and no port drops.
func TestAuditModeReachesEveryPort(t *testing.T) {
	for _, audit := range []bool{false, true} {
		e, m := newTest(t, "veth1", "eth0")
		e.audit = audit
		mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
		if _, err := e.Put(client.Desired{Policies: []policy.Policy{onPods("102", policy.Ingress, "web"), onInterface("EDGE", "eth0")}}); err != nil {
			t.Fatal(err)
		}
		ports := m.last().Ports
		if len(ports) != 2 || ports[0].Audit != audit || ports[1].Audit != audit {
			t.Errorf("audit %v: %+v", audit, ports)
		}
		if e.Health().Audit != audit || strings.Contains(e.status(), "AUDIT") != audit {
			t.Errorf("audit %v: health %+v, status %q", audit, e.Health(), e.status())
		}
	}
}
