package lab

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

const withServices = `
name: services
pods:
- {name: client, namespace: shop, addresses: [10.9.1.5, "fd09::1:5"]}
- {name: web-1, namespace: shop, labels: {app: web}, addresses: [10.9.2.5, "fd09::2:5"], listen: [tcp/8080, udp/53]}
- {name: web-2, namespace: shop, labels: {app: web, canary: "yes"}, addresses: [10.9.2.6], listen: [tcp/8080, udp/53]}
- {name: web-3, namespace: other, labels: {app: web}, addresses: [10.9.2.7], listen: [tcp/8080]}
outside: [{name: internet, addresses: [198.51.100.7]}]
services:
- name: web
  namespace: shop
  addresses: [10.96.0.10, "fd09:96::10"]
  selector: {app: web}
  ports: [{port: tcp/80, target: 8080}, udp/53]
- {name: none, namespace: shop, addresses: [10.96.0.11], selector: {app: nobody}, ports: [tcp/80]}
`

func addrPorts(texts ...string) []netip.AddrPort {
	out := []netip.AddrPort{}
	for _, text := range texts {
		out = append(out, netip.MustParseAddrPort(text))
	}
	return out
}

// A service leads to the pods of its own namespace that have its labels, and
// the agent is told of them.
func TestServicesSelectPods(t *testing.T) {
	got := mustParse(t, withServices).clientServices()
	want := []client.Service{
		{Name: "web", Namespace: "shop", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.10"), netip.MustParseAddr("fd09:96::10")}, Ports: []client.ServicePort{
			{Protocol: policy.TCP, Port: 80, Backends: addrPorts("10.9.2.5:8080", "10.9.2.6:8080", "[fd09::2:5]:8080")},
			{Protocol: policy.UDP, Port: 53, Backends: addrPorts("10.9.2.5:53", "10.9.2.6:53", "[fd09::2:5]:53")},
		}},
		{Name: "none", Namespace: "shop", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.11")}, Ports: []client.ServicePort{
			{Protocol: policy.TCP, Port: 80, Backends: addrPorts()},
		}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Connections to a service reach its pods at their ports, and come from them
// as from the service.
func TestServicesLeadToPods(t *testing.T) {
	needNFT(t)
	l, _ := up(t, withServices)
	for _, c := range []struct {
		from string
		want Outcome
		how  string
		to   string
	}{
		{"client", Answered, "tcp", "10.96.0.10:80"}, {"client", Answered, "udp", "10.96.0.10:53"},
		{"client", Answered, "tcp", "[fd09:96::10]:80"}, {"client", Answered, "udp", "[fd09:96::10]:53"},
		{"internet", Answered, "tcp", "10.96.0.10:80"}, {"web-3", Answered, "udp", "10.96.0.10:53"},
		{"client", Unreachable, "tcp", "10.96.0.10:8080"}, {"client", Unreachable, "tcp", "10.96.0.11:80"},
		{"client", Answered, "tcp", "10.9.2.5:8080"}, {"client", Refused, "tcp", "10.9.2.5:80"},
	} {
		pod, err := l.Pod(c.from)
		if err != nil {
			t.Fatal(err)
		}
		do := pod.Connect
		if c.how == "udp" {
			do = pod.SendUDP
		}
		for range 3 { // each backend has its turn
			got, err := do(netip.MustParseAddrPort(c.to), time.Second)
			if got == Silent { // the node does not tell every sender that there is no route
				got = Unreachable
			}
			if got != c.want || err != nil {
				t.Errorf("%s to %s %s: %v, %v, want %v", c.from, c.how, c.to, got, err, c.want)
			}
		}
	}
}

func TestServiceFilesAreChecked(t *testing.T) {
	for want, service := range map[string]string{
		"a service needs the field addresses":        "{name: a, selector: {a: b}, ports: [tcp/1]}",
		"a service needs the field selector":         "{name: a, addresses: [10.9.0.1], ports: [tcp/1]}",
		"a service has no field \"backends\"":        "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: [tcp/1], backends: []}",
		"default/p has the address 10.0.0.1 already": "{name: a, addresses: [10.0.0.1], selector: {a: b}, ports: [tcp/1]}",
		"service default/a has the address 10.9.0.1": "{name: a, addresses: [10.9.0.1, 10.9.0.1], selector: {a: b}, ports: [tcp/1]}",
		"a selector needs a label":                   "{name: a, addresses: [10.9.0.1], selector: {}, ports: [tcp/1]}",
		"a service needs a port":                     "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: []}",
		"\"sctp/1\" is no port":                      "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: [sctp/1]}",
		"tcp/1 stands twice":                         "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: [tcp/1, {port: tcp/1, target: 5}]}",
		"\"65536\" is no port of a pod":              "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: [{port: tcp/1, target: 65536}]}",
		"service default/a stands twice":             "{name: a, addresses: [10.9.0.1], selector: {a: b}, ports: [tcp/1]}\n- {name: a, addresses: [10.9.0.2], selector: {a: b}, ports: [tcp/1]}",
	} {
		_, err := Parse("f.yaml", []byte("name: l\npods: [{name: p, addresses: [10.0.0.1]}]\nservices:\n- "+service+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", service, err, want)
		}
	}
}

func needNFT(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs the program nft: services are translated on the node")
	}
}
