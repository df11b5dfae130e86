package inventory

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

// A snapshot does not differ from its own inventory.
func TestNoDriftFromItself(t *testing.T) {
	inv, _, err := FromSnapshot(shop())
	if err != nil {
		t.Fatal(err)
	}
	if d := inv.Drift(shop()); len(d) > 0 {
		t.Error(d)
	}
}

func TestDrift(t *testing.T) {
	s := &Snapshot{
		Pods: []Pod{
			pod("shop", "web-1", "app", "web").of("", "", "10.1.20.1", "fd00::1"),
			pod("shop", "web-2", "app", "web").of("", "", "10.1.20.2"),
			pod("shop", "web-3", "app", "web").of("", "", "10.1.30.3"),
			pod("shop", "db-1", "app", "db", "tier", "x").of("", "", "10.9.0.1"),
			pod("shop", "other", "app", "other").of("", "", "10.1.20.4"),
			pod("shop", "far", "app", "far").of("", "", "10.8.0.1"),
		},
		Services: []ClusterService{{Namespace: "shop", Name: "web", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.6")}, Ports: []ClusterPort{{policy.TCP, 80, []uint16{8080}}}}},
	}
	inv := mustRead(t, "i.yaml", `workloads:
- {name: WEB, namespace: shop, labels: {app: web}, addresses: [10.1.20.1-10.1.20.4]}
- {name: DB, namespace: shop, labels: {app: db}, addresses: [10.1.40.0/24]}
- {name: GONE, namespace: shop, labels: {app: gone}, addresses: [10.1.50.1]}
- {name: TIER, labels: {tier: x}, addresses: [10.9.0.1]}
- {name: NOBODY, labels: {tier: x, app: db}}
clusterCIDRs: [10.1.0.0/16]
services:
- {name: web, namespace: shop, addresses: [10.96.0.5], ports: [{port: 80, targetPort: 8080}], workload: WEB}
- {name: db, namespace: shop, addresses: [10.96.0.9], ports: [{port: 80}], workload: DB}
`)
	want := []string{
		"2:3 addresses: workload WEB selects 3 pods today, 1 whose address is not in the inventory: shop/web-3 10.1.30.3",
		"2:3 unused: 10.1.20.3 of workload WEB belongs to no pod",
		"2:3 foreign: addresses of workload WEB are those of pods that it does not select: 10.1.20.4 is shop/other's",
		"3:3 addresses: workload DB selects 1 pod today, 1 whose address is not in the inventory: shop/db-1 10.9.0.1",
		"3:3 unused: 10.1.40.0/24 of workload DB belongs to no pod",
		"4:3 empty: workload GONE (" + ns + "shop,app=gone) selects no pods today",
		"5:3 shared: workloads DB and TIER both select shop/db-1: each says that its pods have its addresses alone",
		"0:0 outside: 1 pod outside of clusterCIDRs: shop/far 10.8.0.1",
		"9:3 service: service shop/web is [10.96.0.5] with TCP 80 to 8080 in the inventory and [10.96.0.6] with TCP 80 to 8080 in the cluster",
		"10:3 service: service shop/db is not in the cluster",
	}
	var got []string
	for _, d := range inv.Drift(s) {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Source.Line, d.Source.Column, d.Kind, d.Message))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFree(t *testing.T) {
	for _, c := range []struct{ r, taken, want string }{
		{"10.0.0.5", "", "10.0.0.5"}, {"10.0.0.5", "10.0.0.5", ""},
		{"10.0.0.4/30", "10.0.0.5", "10.0.0.4 10.0.0.6 10.0.0.7"},
		{"10.0.0.0/28", "10.0.0.15", "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9 10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13 10.0.0.14"},
		{"10.0.0.0/24", "", "10.0.0.0/24"}, {"10.0.0.0/24", "10.0.0.9", ""}, {"255.255.255.255", "", "255.255.255.255"}, {"::/0", "", "::/0"},
	} {
		r, _ := parseRange(c.r)
		var taken []netip.Addr
		if c.taken != "" {
			taken = append(taken, netip.MustParseAddr(c.taken))
		}
		if got := strings.Join(free(r, taken), " "); got != c.want {
			t.Errorf("%s without %s: got %s, want %s", c.r, c.taken, got, c.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	s := shop()
	for address, want := range map[string]string{
		"10.244.1.9":     "shop/db-0 today: " + ns + "shop,app=db selects 1 pod today",
		"10.244.0.2":     "shop/web-1 today: " + ns + "shop,app=web selects 3 pods today, 2 not in the ACL",
		"10.244.99.0/24": "no pod has these addresses today",
	} {
		if got := s.Suggest(ranges(t, address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestLargeDrift(t *testing.T) {
	s := &Snapshot{}
	for i := range 20000 {
		p := pod(fmt.Sprint("ns", i%40), fmt.Sprint("p", i), "app", fmt.Sprint("a", i%5000))
		s.Pods = append(s.Pods, p.of("Deployment", fmt.Sprint("d", i%5000), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	inv, _, err := FromSnapshot(s)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if d := inv.Drift(s); len(d) > 0 || time.Since(start) > 20*time.Second {
		t.Error(len(d), time.Since(start))
	}
}

func TestIdle(t *testing.T) {
	for file, want := range map[string]string{
		"clusterCIDRs: [10.1.0.0/16]": "[]",
		"workloads: [{name: A, labels: {a: b}, addresses: [10.0.0.0/8]}]\nclusterCIDRs: [10.1.0.0/16, 11.0.0.0/8]": "[11.0.0.0/8]",
		"workloads: [{name: A, labels: {a: b}, addresses: [10.1.0.1]}]\nclusterCIDRs: [10.1.0.0/16, 'fd00::/64']":  "[fd00::/64]",
	} {
		if got := fmt.Sprint(mustRead(t, "i.yaml", file).Idle()); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
}
