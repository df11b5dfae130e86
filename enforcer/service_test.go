package enforcer

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// service gives one port, 80 of TCP, of the addresses.
func service(name string, addresses []string, backends ...string) client.Service {
	s := client.Service{Name: name, Namespace: "shop", Ports: []client.ServicePort{{Protocol: policy.TCP, Port: 80, Backends: []netip.AddrPort{}}}}
	for _, a := range addresses {
		s.Addresses = append(s.Addresses, netip.MustParseAddr(a))
	}
	for _, b := range backends {
		s.Ports[0].Backends = append(s.Ports[0].Backends, netip.MustParseAddrPort(b))
	}
	return s
}

var byNet = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func TestServicesReachTheDatapath(t *testing.T) {
	socket, e, m := serveTest(t)
	c := dial(t, socket)
	if got, err := c.Services(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v, want an empty array", got, err)
	}
	services := []client.Service{
		service("web", []string{"2001:db8:96::1", "10.96.0.1"}, "10.0.0.9:8080", "10.0.0.10:8080", "[2001:db8::9]:8080", "10.0.0.9:80"),
		service("none", []string{"10.96.0.0"}),
	}
	if err := c.PutServices(t.Context(), services); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Services(t.Context()); err != nil || cmp.Diff(services, got, byNet) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(services, got, byNet))
	}
	at := netip.MustParseAddrPort
	want := []datapath.Service{
		{Addr: netip.MustParseAddr("10.96.0.0"), Protocol: policy.TCP, Port: 80, Backends: []netip.AddrPort{}},
		{Addr: netip.MustParseAddr("10.96.0.1"), Protocol: policy.TCP, Port: 80, Backends: []netip.AddrPort{at("10.0.0.9:80"), at("10.0.0.9:8080"), at("10.0.0.10:8080")}},
		{Addr: netip.MustParseAddr("2001:db8:96::1"), Protocol: policy.TCP, Port: 80, Backends: []netip.AddrPort{at("[2001:db8::9]:8080")}},
	}
	if diff := cmp.Diff(want, m.last().Services, byNet); diff != "" {
		t.Error(diff)
	}
	mustPut(t, e, policy.Policy{ACL: "1", Direction: policy.Ingress, Family: policy.IPv4, Stateful: true, Subject: onPods("1", policy.Ingress, "web").Subject})
	stored, err := e.store.load()
	if err != nil || cmp.Diff(services, stored.Services, byNet) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(services, stored.Services, byNet))
	}
	again := testEnforcer(t, m, e.store, stored)
	if diff := cmp.Diff(want, m.last().Services, byNet); diff != "" || len(again.Services()) != 2 {
		t.Errorf("after a restart: %s", diff)
	}
	if err := c.PutServices(t.Context(), nil); err != nil || len(m.last().Services) != 0 {
		t.Errorf("%v, left are %v", err, m.last().Services)
	}
}

// What the kernel does not take leaves the old services in force and on disk.
func TestFailedServicesChangeNothing(t *testing.T) {
	e, m := newTest(t)
	old := []client.Service{service("web", []string{"10.96.0.1"}, "10.0.0.9:8080")}
	if err := e.PutServices(old); err != nil {
		t.Fatal(err)
	}
	m.fail = errKernel
	if err := e.PutServices(nil); err == nil {
		t.Error("the kernel's error was lost")
	}
	stored, err := e.store.load()
	if err != nil || cmp.Diff(old, stored.Services, byNet) != "" || cmp.Diff(old, e.Services(), byNet) != "" {
		t.Errorf("%v: stored %v, shown %v", err, stored.Services, e.Services())
	}
}

func TestBadServicesAreRefused(t *testing.T) {
	vip := []string{"10.96.0.1"}
	many := make([]string, 257)
	for i := range many {
		many[i] = fmt.Sprintf("10.1.%d.%d:80", i/256, i%256)
	}
	change := func(edit func(s *client.Service)) []client.Service {
		s := service("web", vip, "10.0.0.9:8080")
		edit(&s)
		return []client.Service{s}
	}
	for want, services := range map[string][]client.Service{
		"has no name":                  change(func(s *client.Service) { s.Name = "" }),
		"has no namespace":             change(func(s *client.Service) { s.Namespace = "" }),
		"stands twice":                 {service("web", vip), service("web", []string{"10.96.0.2"})},
		"share port 80":                {service("web", vip), service("shop", vip)},
		"no address of a service":      {service("web", []string{"224.0.0.1"})},
		"10.96.0.1 twice":              {service("web", []string{"10.96.0.1", "10.96.0.1"})},
		"of endpoint shop/a":           {service("web", []string{"10.0.0.9"})},
		"protocol 1 has no ports":      change(func(s *client.Service) { s.Ports[0].Protocol = policy.ICMP }),
		"from 1 to 65535":              change(func(s *client.Service) { s.Ports[0].Port = 0 }),
		"port 80 of protocol 6 twice":  change(func(s *client.Service) { s.Ports = append(s.Ports, s.Ports[0]) }),
		"10.0.0.9:8080 stands twice":   {service("web", vip, "10.0.0.9:8080", "10.0.0.9:8080")},
		"10.0.0.9:0 is no backend":     {service("web", vip, "10.0.0.9:0")},
		"[::]:80 is no backend":        {service("web", vip, "[::]:80")},
		"257 backends, want 256":       {service("web", vip, many...)},
		"invalid AddrPort is no backe": change(func(s *client.Service) { s.Ports[0].Backends[0] = netip.AddrPort{} }),
	} {
		e, m := newTest(t)
		if err := e.PutEndpoints([]client.Endpoint{pod("a", "web", "", "10.0.0.9")}); err != nil {
			t.Fatal(err)
		}
		before := m.count()
		if err := e.PutServices(services); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if m.count() != before || len(e.Services()) != 0 {
			t.Errorf("%s: something was changed", want)
		}
	}
	e, _ := newTest(t)
	if err := e.PutServices([]client.Service{service("web", vip)}); err != nil {
		t.Fatal(err)
	}
	if err := e.PutEndpoints([]client.Endpoint{pod("a", "web", "", "10.96.0.1")}); err == nil {
		t.Error("a pod took the address of a service")
	}
}
