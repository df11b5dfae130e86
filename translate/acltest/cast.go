package acltest

import (
	"fmt"
	"net/netip"

	"aclium/translate/policy"
)

// Cast gives the ends that tests know: pods with labels, the node, other nodes
// and the API server. Every other address is the world's.
func Cast() []policy.Endpoint {
	var out []policy.Endpoint
	add := func(v4, v6 string, labels map[string]string, e policy.Entity) {
		for _, a := range []string{v4, v6} {
			out = append(out, policy.Endpoint{Addr: netip.MustParseAddr(a), Labels: labels, Entity: e})
		}
	}
	n := 0
	for _, namespace := range []string{"my-application", "dev"} {
		for _, app := range []string{"frontend", "backend", "database", ""} {
			n++
			labels := map[string]string{policy.NamespaceKey: namespace}
			if app != "" {
				labels["app"] = app
			}
			if n%2 == 0 {
				labels["tier"] = "gold"
			}
			add(fmt.Sprintf("10.1.20.%d", n+1), fmt.Sprintf("2001:db8:20::%x", n+1), labels, 0)
		}
	}
	add("10.0.0.1", "2001:db8::1", nil, policy.Host)
	add("10.0.0.2", "2001:db8::2", nil, policy.RemoteNode)
	add("10.0.0.3", "2001:db8::3", nil, policy.KubeAPIServer)
	return out
}

var known = func() map[netip.Addr]policy.Endpoint {
	m := map[netip.Addr]policy.Endpoint{}
	for _, e := range Cast() {
		m[e.Addr] = e
	}
	return m
}()

// EndpointAt gives the end that has the address.
func EndpointAt(a netip.Addr) policy.Endpoint {
	if e, ok := known[a]; ok {
		return e
	}
	return policy.Endpoint{Addr: a}
}
