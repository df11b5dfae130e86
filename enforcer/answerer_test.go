package enforcer

import (
	"log/slog"
	"net/netip"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// A pod may answer from its own address and from those of the services for DNS
// that it is ready behind, no other pod may, and others are not known here.
func TestWhoMayAnswer(t *testing.T) {
	addr := netip.MustParseAddr
	r := &record{
		Endpoints: []client.Endpoint{
			pod("dns", "dns", "veth1", "10.0.0.1", "2001:db8::1"), pod("web", "web", "veth2", "10.0.0.2"), pod("away", "web", "", "10.0.0.3"), pod("gone", "web", "veth9", "10.0.0.4"),
		},
		Services: []client.Service{
			{Name: "dns", Namespace: "kube-system", Addresses: []netip.Addr{addr("10.96.0.10"), addr("2001:db8::10")}, Ports: []client.ServicePort{
				{Protocol: policy.UDP, Port: 53, Backends: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:5353"), netip.MustParseAddrPort("[2001:db8::1]:5353"), netip.MustParseAddrPort("10.0.0.3:53")}},
				{Protocol: policy.TCP, Port: 53, Backends: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:53")}},
			}},
			{Name: "web", Namespace: "shop", Addresses: []netip.Addr{addr("10.96.0.11")}, Ports: []client.ServicePort{
				{Protocol: policy.UDP, Port: 80, Backends: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:80")}},
			}},
		},
	}
	r.ports = portsOf(r.Services)
	a := answerersOf(r, factsOf("veth1", "veth2"))
	for _, c := range []struct {
		want   bool
		device uint32
		server string
	}{
		{true, 1, "10.0.0.1"}, {true, 1, "2001:db8::1"}, {true, 1, "10.96.0.10"}, {true, 1, "2001:db8::10"},
		{false, 1, "10.0.0.2"}, {false, 1, "10.96.0.11"},
		{true, 2, "10.0.0.2"}, {false, 2, "10.96.0.10"}, {false, 2, "10.96.0.11"}, {false, 2, "192.0.2.53"},
		{true, 0, "10.96.0.10"}, {true, 3, "10.96.0.10"},
	} {
		if got := a.may(c.device, addr(c.server)); got != c.want {
			t.Errorf("device %d may answer as %s: %v, want %v", c.device, c.server, got, c.want)
		}
	}
}

// An agent whose first push fails goes on with the lists of the one before it,
// and learns names for them: it believes no pod that is not the server either.
func TestNobodyAnswersForServersBehindAFailedStart(t *testing.T) {
	names, _ := newTest(t)
	list := onPods("N", policy.Egress, "web")
	list.Rules[0].Match.Destination = policy.Peers{FQDNs: []string{"*.example.com"}}
	r := names.current.Load().record
	r.Policies = []policy.Policy{list}
	r.Endpoints = []client.Endpoint{pod("web", "web", "veth1", "10.1.0.1"), pod("dns", "dns", "veth2", "10.1.0.53"), pod("bad", "bad", "veth3", "10.1.0.9")}
	var err error
	if r.Identities, err = r.Identities.Assign(append(labelSets(r.Endpoints), names.names.sets(r.Policies)...)); err != nil {
		t.Fatal(err)
	}
	k := &keeper{names: map[netip.Addr]datapath.Name{}}
	k.fail = errKernel
	e := newEnforcer("n", slog.New(slog.DiscardHandler), k, names.store, r)
	e.readNode = func() (nodeFacts, error) { return factsOf("veth1", "veth2", "veth3"), nil }
	if err := e.Sync(); err == nil {
		t.Fatal("the first push did not fail")
	}
	forged, told := netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("192.0.2.80")
	exchangeBy(t, e.names, 3, "www.example.com", forged, 60, datapath.Now(), true)
	exchangeBy(t, e.names, 2, "www.example.com", told, 60, datapath.Now(), true)
	if k.names[forged].Identity != 0 || k.names[told].Identity == 0 || e.names.tally.misplaced != 1 {
		t.Errorf("learned %v, %d misplaced", k.names, e.names.tally.misplaced)
	}
}
