package inventory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

func (p Pod) of(kind, owner string, addresses ...string) Pod {
	p.Owner = Owner{kind, owner}
	for _, a := range addresses {
		p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
	}
	return p
}

func summary(inv *Inventory) (out []string) {
	for _, w := range inv.Workloads {
		line := w.Name + ": " + strings.ReplaceAll(w.Selector.String(), ns, "ns=")
		for _, r := range w.Addresses {
			line += " " + RangeText(r)
		}
		out = append(out, line)
	}
	return out
}

// shop is a small cluster with what clusters have: replicas, a canary, a set, a
// pod of its own, owners with the same labels, and a pod without an address.
func shop() *Snapshot {
	return &Snapshot{
		Pods: []Pod{
			pod("shop", "web-1", "app", "web", "pod-template-hash", "x").of("Deployment", "web", "10.244.0.2", "fd00::2"),
			pod("shop", "web-2", "app", "web", "pod-template-hash", "y").of("Deployment", "web", "10.244.0.3", "fd00::3"),
			pod("shop", "web-3", "app", "web").of("Deployment", "web"),
			pod("shop", "db-0", "app", "db", "statefulset.kubernetes.io/pod-name", "db-0").of("StatefulSet", "db", "10.244.1.9"),
			pod("shop", "debug", "who", "ann").of("", "", "10.244.1.10"),
			pod("dev", "a", "app", "x").of("Deployment", "one", "10.244.1.11"),
			pod("dev", "b", "app", "x").of("Deployment", "two", "10.244.1.12"),
			pod("dev", "c", "app", "y").of("Deployment", "web", "10.244.1.13"),
			pod("dev", "d", "app", "z").of("StatefulSet", "web", "10.244.1.14"),
		},
		PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24"), netip.MustParsePrefix("10.244.1.0/24")},
		Services: []ClusterService{
			{Namespace: "shop", Name: "web", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.5")}, Labels: map[string]string{"app": "web"}, Ports: []ClusterPort{{policy.TCP, 80, []uint16{8080}}}},
			{Namespace: "shop", Name: "db-0", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.6")}, Labels: map[string]string{"statefulset.kubernetes.io/pod-name": "db-0"}, Ports: []ClusterPort{{policy.TCP, 5432, []uint16{5432}}}},
			{Namespace: "default", Name: "kubernetes", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1")}, Ports: []ClusterPort{{policy.TCP, 443, []uint16{6443}}}, Endpoints: []netip.Addr{netip.MustParseAddr("192.168.0.1")}},
			{Namespace: "shop", Name: "odd", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7")}, Labels: map[string]string{"app": "db"}, Ports: []ClusterPort{{policy.TCP, 1, []uint16{1, 2}}}},
			{Namespace: "shop", Name: "gone", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.8")}, Labels: map[string]string{"app": "gone"}, Ports: []ClusterPort{{policy.TCP, 1, []uint16{1}}}},
			{Namespace: "shop", Name: "manual", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.9")}, Ports: []ClusterPort{{policy.UDP, 53, []uint16{53}}}, Endpoints: []netip.Addr{netip.MustParseAddr("10.244.1.9")}},
		},
	}
}

func TestFromSnapshot(t *testing.T) {
	inv, notes, err := FromSnapshot(shop())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"dev/one: ns=dev,app=x 10.244.1.11-10.244.1.12",
		"dev/web: ns=dev,app=y 10.244.1.13",
		"dev/web.statefulset: ns=dev,app=z 10.244.1.14",
		"shop/db: ns=shop,app=db 10.244.1.9",
		"shop/web: ns=shop,app=web 10.244.0.2/31 fd00::2/127",
		"shop/who=ann: ns=shop,who=ann 10.244.1.10",
	}
	if d := cmp.Diff(want, summary(inv)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]netip.Prefix{netip.MustParsePrefix("10.244.0.0/23")}, inv.ClusterCIDRs, compare); d != "" {
		t.Error(d)
	}
	var services []string
	for _, s := range inv.Services {
		services = append(services, s.Name+" "+s.Ports[0].Backends.String())
	}
	if d := cmp.Diff([]string{"db-0 " + ns + "shop,app=db", "manual " + ns + "shop,app=db", "web " + ns + "shop,app=web"}, services); d != "" {
		t.Error(d)
	}
	wantNotes := []string{
		"Deployment one, Deployment two of namespace dev have pods that no stable label tells apart: they are one workload",
		"the nodes name no podCIDRs for IPv6: clusterCIDRs are left out, give them by hand",
		"clusterCIDRs are the podCIDRs of the nodes of today: a node that joins brings another; the range that the cluster was made with is better",
		"service default/kubernetes is left out: 192.168.0.1 behind it is no address of its pods",
		"service shop/odd is left out: port 1 leads to 2 different ports",
		"service shop/gone is left out: it stands for no pods",
	}
	if d := cmp.Diff(wantNotes, notes); d != "" {
		t.Error(d)
	}
	var b bytes.Buffer
	if err := Write(&b, inv); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(inv, mustRead(t, "i.yaml", b.String()), compare); d != "" {
		t.Error(d)
	}
}

// A range that misses a pod would call the pod a stranger.
func TestPodsOutsideTakeTheClusterCIDRsAway(t *testing.T) {
	s := shop()
	s.PodCIDRs = s.PodCIDRs[:1]
	inv, notes, err := FromSnapshot(s)
	if err != nil || len(inv.ClusterCIDRs) > 0 || !slices.ContainsFunc(notes, func(n string) bool {
		return strings.Contains(n, "6 pods outside of the nodes' podCIDRs (dev/a first): clusterCIDRs of IPv4 are left out")
	}) {
		t.Error(inv.ClusterCIDRs, notes, err)
	}
}

// Nodes may have podCIDRs that the network in use does not look at.
func TestNoPodShowsThatTheRangesAreInUse(t *testing.T) {
	s := shop()
	s.PodCIDRs = append(s.PodCIDRs, netip.MustParsePrefix("fd00::/64"))
	for i := range s.Pods {
		s.Pods[i].Addresses = slices.DeleteFunc(s.Pods[i].Addresses, netip.Addr.Is6)
	}
	inv, notes, err := FromSnapshot(s)
	if err != nil || len(inv.ClusterCIDRs) != 1 || !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "no pod with an IPv6 address") }) {
		t.Error(inv.ClusterCIDRs, notes, err)
	}
}

func TestTwoPodsWithOneAddressAreAnError(t *testing.T) {
	s := shop()
	s.Pods[4].Addresses = s.Pods[0].Addresses
	if _, _, err := FromSnapshot(s); err == nil || !strings.Contains(err.Error(), "10.244.0.2") {
		t.Error(err)
	}
}

// What FromSnapshot says holds in the snapshot: every pod is selected by exactly
// one workload and has one of its addresses, and every address is a pod's.
func TestFromSnapshotHoldsInTheSnapshot(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		pods, _ := smallUniverse(r)
		owner := map[netip.Addr]int{}
		for i := range pods {
			if r.IntN(4) == 0 {
				pods[i].Owner = Owner{}
			}
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			pods[i].Addresses, owner[a] = []netip.Addr{a}, i
		}
		inv, _, err := FromSnapshot(&Snapshot{Pods: pods})
		if err != nil {
			t.Fatal(seed, err)
		}
		for i := range pods {
			var by []string
			for _, w := range inv.Workloads {
				has := slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.Has(pods[i].Addresses[0]) })
				if w.Selector.Matches(pods[i].EndpointLabels()) != has {
					t.Fatalf("seed %d: pod %d, workload %s", seed, i, w.Name)
				}
				if has {
					by = append(by, w.Name)
				}
			}
			if len(by) != 1 {
				t.Fatalf("seed %d: pod %d is of %v", seed, i, by)
			}
		}
		if n := len(addressesOf(inv)); n != len(pods) {
			t.Fatalf("seed %d: %d addresses of %d pods", seed, n, len(pods))
		}
	}
}

func addressesOf(inv *Inventory) (out []netip.Addr) {
	for _, w := range inv.Workloads {
		for _, r := range w.Addresses {
			for a := r.First; a.Compare(r.Last) <= 0; a = a.Next() {
				out = append(out, a)
			}
		}
	}
	return out
}

func TestPrefixesOf(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 6))
		a, b := byte(r.IntN(256)), byte(r.IntN(256))
		want := policy.AddrRange{First: netip.AddrFrom4([4]byte{255, 255, 255, min(a, b)}), Last: netip.AddrFrom4([4]byte{255, 255, 255, max(a, b)})}
		var got []policy.AddrRange
		for _, p := range prefixesOf(want) {
			if len(got) > 0 && got[len(got)-1].Last.Next() != p.Addr() {
				t.Fatal(want, prefixesOf(want))
			}
			got = append(got, policy.PrefixRange(p))
		}
		if all := canonicalRanges(got); len(all) != 1 || all[0] != want || len(got) > 14 {
			t.Fatal(want, got)
		}
	}
}

// A large cluster takes seconds.
func TestLargeSnapshot(t *testing.T) {
	s := &Snapshot{}
	for i := range 20000 {
		p := pod(fmt.Sprint("ns", i%40), fmt.Sprint("p", i), "app", fmt.Sprint("a", i%2000), "tier", fmt.Sprint("t", i%3), "pod-template-hash", fmt.Sprint(i))
		s.Pods = append(s.Pods, p.of("Deployment", fmt.Sprint("d", i%2000), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	inv, _, err := FromSnapshot(s)
	if err != nil || len(inv.Workloads) != 2000 {
		t.Error(len(inv.Workloads), err)
	}
}
