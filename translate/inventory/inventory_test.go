package inventory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aclium/translate/policy"
)

// compare looks at everything but the places.
var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.IgnoreTypes(policy.Source{}), cmpopts.EquateEmpty(),
}

func mustRead(t testing.TB, name, text string) *Inventory {
	t.Helper()
	inv, err := Read(name, strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return inv
}

func ranges(t testing.TB, texts ...string) (out []policy.AddrRange) {
	t.Helper()
	for _, text := range texts {
		r, err := parseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

const designExample = `workloads:
- {name: BACKEND, namespace: my-application, labels: {app: backend}, addresses: [10.1.20.0/24, 10.1.21.5]}
interfaces: {GigabitEthernet0/1: BACKEND}     # the legacy interface that faces this workload
clusterCIDRs: [10.1.0.0/16]                   # pod ranges: addresses in here that no workload claims are reported
services:
- {name: web, namespace: my-application, addresses: [10.96.0.5], ports: [{protocol: TCP, port: 80, targetPort: 8080}], workload: BACKEND}
`

func backend() policy.Selector {
	return policy.Selector{equals(policy.NamespaceKey, "my-application"), equals("app", "backend")}
}

func TestReadYAML(t *testing.T) {
	got := mustRead(t, "inventory.yaml", designExample)
	want := &Inventory{
		Workloads:    []Workload{{Name: "BACKEND", Selector: backend(), Addresses: ranges(t, "10.1.20.0/24", "10.1.21.5")}},
		Interfaces:   map[string]string{"GigabitEthernet0/1": "BACKEND"},
		ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		Services: []Service{{
			Name: "web", Namespace: "my-application", Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.5")},
			Ports: []ServicePort{{Protocol: policy.TCP, Port: 80, Target: 8080, Backends: backend()}},
		}},
	}
	if d := cmp.Diff(want, got, compare); d != "" {
		t.Error(d)
	}
	if at := got.Workloads[0].Source; at != (policy.Source{File: "inventory.yaml", Line: 2, Column: 3}) {
		t.Errorf("workload at %v, want inventory.yaml:2:3", at)
	}
}

func TestReadCSV(t *testing.T) {
	const file = "\ufeffname,labels,address,namespace\n" +
		"# comment\n" +
		"BACKEND,app=backend,10.1.20.0/25,my-application\n" +
		",app=backend,10.1.20.128-10.1.20.255,my-application\n" +
		"BACKEND, app=backend ,10.1.21.5,my-application\n" +
		",\"app=web;tier in (a,b);!old\",fd00::5,shop\n"
	for _, name := range []string{"inventory.csv", "stdin"} {
		got := mustRead(t, name, file)
		want := []Workload{
			{Name: "BACKEND", Selector: backend(), Addresses: ranges(t, "10.1.20.0/24", "10.1.21.5")},
			{Name: "shop/app=web,!old,tier-in-(a,b)", Addresses: ranges(t, "fd00::5"), Selector: policy.Selector{
				equals(policy.NamespaceKey, "shop"), equals("app", "web"), {Key: "old", Op: policy.DoesNotExist}, {Key: "tier", Op: policy.In, Values: []string{"a", "b"}},
			}},
		}
		if d := cmp.Diff(want, got.Workloads, compare); d != "" {
			t.Error(d)
		}
	}
}

// Every error names its place and what was wanted, and there is no inventory.
func TestErrors(t *testing.T) {
	const two = "workloads:\n- {name: A, labels: {app: a}, addresses: [10.0.0.0/24]}\n"
	for _, c := range []struct{ name, file, want string }{
		{"i.yaml", "", "i.yaml:1:1: the file is empty, want workloads"},
		{"i.yaml", "- a", "i.yaml:1:1: a list, want an inventory as a mapping"},
		{"i.yaml", "workload: []", "i.yaml:1:1: unknown key \"workload\" of an inventory, want workloads, interfaces"},
		{"i.yaml", "workloads: {}", "i.yaml:1:12: a mapping, want a list of workloads"},
		{"i.yaml", "workloads:\n- {name: A, label: {a: b}}", "i.yaml:2:13: unknown key \"label\" of a workload"},
		{"i.yaml", "workloads:\n- {labels: {a: b}}", "i.yaml:2:3: a workload has no name"},
		{"i.yaml", "workloads:\n- {name: A, name: B, labels: {a: b}}", "i.yaml:2:13: key \"name\" is no word or there twice"},
		{"i.yaml", "workloads:\n- {name: A, addresses: [10.0.0.1]}", "i.yaml:2:3: workload A has no namespace and no labels"},
		{"i.yaml", "workloads:\n- {name: A B, labels: {a: b}}", "i.yaml:2:3: \"A B\" is no name of a workload, want one word"},
		{"i.yaml", "workloads:\n- {name: A, labels: {a b: c}}", "i.yaml:2:22: \"a b\" is no key of a label"},
		{"i.yaml", "workloads:\n- {name: A, labels: {a: [c]}}", "i.yaml:2:25: a list, want the value of a label"},
		{"i.yaml", "workloads:\n- {name: A, labels: {a: }}", "i.yaml:2:25: nothing, want the value of a label"},
		{"i.yaml", "workloads:\n- {name: A, labels: {a: \"b!\"}}", "i.yaml:2:25: \"b!\" is no value of a label"},
		{"i.yaml", "workloads:\n- {name: A, namespace: Shop}", "i.yaml:2:24: \"Shop\" is no name of a namespace"},
		{"i.yaml", "workloads:\n- {name: A, selector: \"a in b\"}", "i.yaml:2:23: \"a in b\" is no key of a label"},
		{"i.yaml", two + "- {name: A, labels: {app: b}}", "i.yaml:3:3: workload A is there at i.yaml:2:3"},
		{"i.yaml", two + "- {name: B, labels: {app: a}}", "i.yaml:3:3: workload B selects the same pods as workload A at i.yaml:2:3"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [10.0.1.1, 10.0.0.9]}", "i.yaml:3:53: 10.0.0.9 of workload B overlaps 10.0.0.0/24 of workload A at i.yaml:2:43"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [10.0.1.5/24]}", "i.yaml:3:43: \"10.0.1.5/24\" has bits beyond its length, want 10.0.1.0/24"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [10.0.1.300]}", "i.yaml:3:43: bad address \"10.0.1.300\", want an address"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [10.0.1.9-10.0.1.3]}", "i.yaml:3:43: \"10.0.1.9-10.0.1.3\" ends before it starts"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [10.0.1.9-fd00::1]}", "i.yaml:3:43: \"10.0.1.9-fd00::1\" goes from one family to the other"},
		{"i.yaml", two + "- {name: B, labels: {app: b}, addresses: [\"::ffff:10.0.1.9\"]}", "i.yaml:3:43: bad address"},
		{"i.yaml", two + "interfaces: {eth0: a}", "i.yaml:3:20: workload a is not described here, want one of workloads (did you mean A?)"},
		{"i.yaml", two + "clusterCIDRs: [10.0.0.0/16, 10.0.8.0/24]", "i.yaml:3:29: 10.0.8.0/24 overlaps 10.0.0.0/16"},
		{"i.yaml", two + "clusterCIDRs: [10.0.0.1]", "i.yaml:3:16: bad prefix \"10.0.0.1\""},
		{"i.yaml", two + "services: [{name: s, namespace: n, addresses: [1.1.1.1], ports: [{port: 80}]}]", "i.yaml:3:12: a service without a workload"},
		{"i.yaml", two + "services: [{name: s, namespace: n, addresses: [1.1.1.1], ports: [{port: 80}], workload: B}]", "i.yaml:3:89: workload B is not described here"},
		{"i.yaml", two + "services: [{name: s, namespace: n, addresses: [1.1.1.1], ports: [{port: 80, targetPort: http}], workload: A}]", "i.yaml:3:89: \"http\" is no port, want a number from 1 to 65535"},
		{"i.yaml", two + "services: [{name: s, namespace: n, addresses: [1.1.1.1], ports: [{port: 80}, {port: 80}], workload: A}]", "i.yaml:3:12: service s has port 80 of TCP twice"},
		{"i.yaml", two + "services: [{name: s, namespace: n, addresses: [10.0.0.7], ports: [{port: 80}], workload: A}]", "i.yaml:3:12: 10.0.0.7 of service n/s overlaps 10.0.0.0/24 of workload A"},
		{"i.yaml", "a: &x b\nc: *x", "i.yaml:1:1: unknown key \"a\""},
		{"i.yaml", "workloads: &x []\ninterfaces: *x", "i.yaml:2:13: an alias, want interfaces"},
		{"i.yaml", "workloads: [\n", "i.yaml:1:1: no YAML: did not find"},
		{"i.yaml", two + "---\nworkloads: []", "a second document"},
		{"i.csv", "", "i.csv:1:1: the file is empty"},
		{"i.csv", "address;namespace\n", "i.csv:1:1: unknown column \"address;namespace\", want address, namespace, labels, name, with commas"},
		{"i.csv", "namespace,labels\n", "i.csv:1:1: no column address"},
		{"i.csv", "address,namespace,address\n", "i.csv:1:19: column address is there twice"},
		{"i.csv", "address,namespace\n10.0.0.1\n", "i.csv:2:1: 1 fields in this row, want 2"},
		{"i.csv", "address,namespace\n10.0.0.1,\n", "i.csv:2:1: the row has no namespace and no labels"},
		{"i.csv", "name,namespace,address\nä,shop,10.0.0\n", "i.csv:2:8: bad address \"10.0.0\""},
		{"i.csv", "address,labels,name\n10.0.0.1,a=b,X\n10.0.0.2,a=c,X\n", "i.csv:3:14: workload X is a=c here and a=b at i.csv:2:14"},
		{"i.csv", "address,labels,name\n10.0.0.1,a=b,X\n10.0.0.2,a=b,Y\n", "i.csv:3:14: workload Y selects the same pods as workload X at i.csv:2:14"},
		{"i.csv", "address,labels\n10.0.0.0/24,a=b\n10.0.0.2,a=c\n", "i.csv:3:1: 10.0.0.2 of workload a=c overlaps 10.0.0.0/24 of workload a=b at i.csv:2:1"},
		{"i.csv", "address,labels\n10.0.0.1,\"a=b\n", "i.csv:2:14: extraneous or missing \" in quoted-field"},
	} {
		inv, err := Read(c.name, strings.NewReader(c.file))
		if inv != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\ngot  %v\nwant %s", c.file, err, c.want)
		}
	}
}

// A mistake in a workload does not make whatever names it wrong as well.
func TestOneMistakeIsOneError(t *testing.T) {
	_, err := Read("i.yaml", strings.NewReader("workloads:\n- {name: A, labels: {a: b}, addresses: [x]}\ninterfaces: {eth0: A}"))
	var list ErrorList
	if list, _ = err.(ErrorList); len(list) != 1 {
		t.Errorf("got %v, want one error", err)
	}
}

func randomInventory(r *rand.Rand) *Inventory {
	b := newBuilder()
	for i := range 1 + r.IntN(6) {
		s := policy.Selector{equals("app", fmt.Sprint("a", i))}
		for _, t := range []policy.Term{
			equals(policy.NamespaceKey, "shop"), {Key: policy.NamespaceKey, Op: policy.In, Values: []string{"x", "y"}}, equals("on", "true"), equals("app", "0x10"),
			{Key: "tier", Op: policy.NotIn, Values: []string{"a", "b"}}, {Key: "old", Op: policy.DoesNotExist}, {Key: "k/x", Op: policy.Exists}, {Key: "env", Op: policy.NotIn, Values: []string{"dev"}},
		} {
			if r.IntN(3) == 0 {
				s = append(s, t)
			}
		}
		n, ok := b.workload(fmt.Sprint("W", i), s, policy.Source{})
		for k := range r.IntN(4) {
			base := netip.AddrFrom4([4]byte{10, byte(i), byte(k), byte(r.IntN(100))})
			if r.IntN(2) == 0 {
				base = netip.AddrFrom16([16]byte{0xfd, byte(i), byte(k), 15: byte(r.IntN(100))})
			}
			last := base
			for range r.IntN(5) {
				last = last.Next()
			}
			if ok {
				b.claim(n, policy.AddrRange{First: base, Last: last}, policy.Source{})
			}
		}
		if r.IntN(2) == 0 {
			b.faces(fmt.Sprint("Gi0/", i), fmt.Sprint("W", i), policy.Source{})
		}
		b.service(Service{
			Name: fmt.Sprint("s", i), Namespace: "shop", Addresses: []netip.Addr{netip.AddrFrom4([4]byte{172, 16, 0, byte(i)})},
			Ports: []ServicePort{{policy.UDP, 53, 5353, canonicalSelector(s)}, {policy.TCP, 53, 53, canonicalSelector(s)}},
		})
	}
	b.clusterCIDR(netip.MustParsePrefix("10.0.0.0/8"))
	inv, err := b.finish()
	if err != nil {
		panic(err)
	}
	return inv
}

func TestWriteRoundTrip(t *testing.T) {
	for seed := range uint64(150) {
		inv := randomInventory(rand.New(rand.NewPCG(seed, 1)))
		var first, second, third bytes.Buffer
		if err := Write(&first, inv); err != nil {
			t.Fatal(err)
		}
		again := mustRead(t, "again.yaml", first.String())
		if d := cmp.Diff(inv, again, compare); d != "" {
			t.Fatalf("%s\n%s", first.String(), d)
		}
		if err := WriteJSON(&third, inv); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(inv, mustRead(t, "again.json", third.String()), compare); d != "" {
			t.Fatalf("%s\n%s", third.String(), d)
		}
		if err := Write(&second, again); err != nil || first.String() != second.String() {
			t.Fatalf("%v\n%s\nis no canonical form:\n%s", err, first.String(), second.String())
		}
	}
}

// Overlaps are found exactly when some address has two owners.
func TestOverlapsAgainstBruteForce(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := newBuilder()
		owners := map[netip.Addr]int{}
		clash := false
		for i := range 3 {
			n, _ := b.workload(fmt.Sprint("W", i), policy.Selector{equals("app", fmt.Sprint(i))}, policy.Source{Line: i + 1})
			for range 1 + r.IntN(3) {
				first, length := r.IntN(60), r.IntN(6)
				c := policy.AddrRange{First: netip.AddrFrom4([4]byte{10, 0, 0, byte(first)}), Last: netip.AddrFrom4([4]byte{10, 0, 0, byte(first + length)})}
				b.claim(n, c, policy.Source{})
				for a := c.First; a.Compare(c.Last) <= 0; a = a.Next() {
					if o, taken := owners[a]; taken && o != n {
						clash = true
					}
					owners[a] = n
				}
			}
		}
		if _, err := b.finish(); (err != nil) != clash {
			t.Fatalf("seed %d: clash %v, error %v", seed, clash, err)
		}
	}
}

func TestMerge(t *testing.T) {
	maps, err := FromConfig([]Mapping{
		{Name: "BACKEND", Selectors: []policy.Selector{backend()}, Addresses: ranges(t, "10.1.20.0/24"), Source: policy.Source{File: "edge.cfg", Line: 7, Column: 1}},
		{Name: "BACKEND", Selectors: []policy.Selector{backend()}, Addresses: ranges(t, "10.1.30.0/24"), Source: policy.Source{File: "edge.cfg", Line: 8, Column: 1}},
		{Name: "WEB", Selectors: []policy.Selector{{equals("app", "b")}, {equals("app", "a")}}, Addresses: ranges(t, "10.1.40.0/24")},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Merge(maps, mustRead(t, "inventory.yaml", designExample))
	if err != nil {
		t.Fatal(err)
	}
	want := []Workload{
		{Name: "BACKEND", Selector: backend(), Addresses: ranges(t, "10.1.20.0/24", "10.1.21.5", "10.1.30.0/24")},
		{Name: "WEB", Selector: policy.Selector{{Key: "app", Op: policy.In, Values: []string{"a", "b"}}}, Addresses: ranges(t, "10.1.40.0/24")},
	}
	if d := cmp.Diff(want, got.Workloads, compare); d != "" || len(got.Services) != 1 || got.Interfaces["GigabitEthernet0/1"] != "BACKEND" {
		t.Error(d, got)
	}
	if alone, err := Merge(nil, maps); err != nil || len(alone.Workloads) != 2 {
		t.Errorf("%v %v", alone, err)
	}
}

// What contradicts names both places.
func TestMergeConflicts(t *testing.T) {
	file := mustRead(t, "inventory.yaml", designExample)
	for _, c := range []struct {
		m    Mapping
		want string
	}{
		{Mapping{Name: "BACKEND", Selectors: []policy.Selector{{equals("app", "x")}}}, "BACKEND is io.kubernetes.pod.namespace=my-application,app=backend here and app=x at edge.cfg:7:1"},
		{Mapping{Name: "OTHER", Selectors: []policy.Selector{backend()}}, "inventory.yaml:2:3: workload BACKEND selects the same pods as workload OTHER at edge.cfg:7:1"},
		{Mapping{Name: "OTHER", Selectors: []policy.Selector{{equals("app", "x")}}, Addresses: ranges(t, "10.1.21.5")}, "10.1.21.5 of workload BACKEND overlaps 10.1.21.5 of workload OTHER at edge.cfg:7:1"},
	} {
		c.m.Source = policy.Source{File: "edge.cfg", Line: 7, Column: 1}
		maps, err := FromConfig([]Mapping{c.m})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Merge(maps, file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	two := Mapping{Name: "X", Selectors: []policy.Selector{{equals("app", "a")}, {equals("tier", "b")}}, Source: policy.Source{File: "edge.cfg", Line: 3, Column: 1}}
	if _, err := FromConfig([]Mapping{two}); err == nil || !strings.Contains(err.Error(), "edge.cfg:3:1: object-group X has 2 workload lines") {
		t.Errorf("got %v", err)
	}
}

func TestLargeCSV(t *testing.T) {
	var b strings.Builder
	b.WriteString("address,namespace,labels,name\n")
	for i := range 100000 {
		fmt.Fprintf(&b, "10.%d.%d.%d,ns%d,app=a%d,\n", i>>16, i>>8&255, i&255, i%50, i%5000)
	}
	start := time.Now()
	inv := mustRead(t, "large.csv", b.String())
	if len(inv.Workloads) != 5000 {
		t.Errorf("%d workloads, want 5000", len(inv.Workloads))
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("100,000 rows take %v", d)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("i.yaml", designExample)
	f.Add("i.csv", "address,namespace,labels,name\n10.0.0.1,shop,\"app=web;tier in (a,b)\",W\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		inv, err := Read(name, strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, inv); err != nil {
			return
		}
		if again := mustRead(t, "again.yaml", b.String()); cmp.Diff(inv, again, compare) != "" {
			t.Errorf("%s\n%s", b.String(), cmp.Diff(inv, again, compare))
		}
	})
}

// Every contradiction is told at once, also those behind a longer range of the
// same workload.
func TestEveryOverlapIsTold(t *testing.T) {
	_, err := Read("i.yaml", strings.NewReader(`workloads:
- {name: A, labels: {app: a}, addresses: [10.0.0.0-10.0.0.100, 10.0.0.6-10.0.0.7]}
- {name: B, labels: {app: b}, addresses: [10.0.0.5-10.0.0.6]}
`))
	if list, _ := err.(ErrorList); len(list) != 2 {
		t.Errorf("got %v, want two errors", err)
	}
}
