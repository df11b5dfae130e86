package kube_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/inventory"
	"aclium/translate/kube"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

// thorough makes the mutation test judge 10,000 packets for each mutation that
// is called equal.
var thorough = flag.Bool("thorough", false, "judge many more packets of each mutation")

// knownRange says where the pods' addresses are.
var knownRange = &inventory.Inventory{ClusterCIDRs: []netip.Prefix{clusterCIDR}}

// TestConversionsAreProved: no object permits what its list denies, over all
// packets, and what it denies beside the list is said of the line.
func TestConversionsAreProved(t *testing.T) {
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, 17))
			equal, narrower := 0, 0
			for n := range proofs() {
				g := &lister{Rand: r, target: target, supported: n%4 != 0}
				p := g.list(policy.Direction(1 + n%2))
				ordered, findings := translate.Order([]policy.Policy{p}, translate.OrderOptions{Target: target, ClusterCIDRs: knownRange.ClusterCIDRs})
				if len(ordered.Policies()) == 0 {
					continue
				}
				want := policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{p}}}
				got := throughText(t, target.Name, ordered)
				result, err := verify.Compare(want, got, knownRange, verify.Options{Blind: !target.Verbatim, Families: policy.IPv4})
				if err != nil {
					t.Fatal(err)
				}
				if result.Equal {
					equal++
				}
				for _, d := range result.Wider {
					t.Fatalf("list %d is wider: %+v", n, d)
				}
				for _, d := range result.Narrower {
					narrower++
					said := func(f policy.Finding) bool {
						whole := f.ID.Seq == 0 && f.State == policy.Narrower && d.Packet.Source.Entity+d.Packet.Destination.Entity != 0
						return whole || f.ID == d.Want.ID && (f.State == policy.Narrower || f.State == policy.Refused)
					}
					if !slices.ContainsFunc(findings, said) {
						rules, _ := json.Marshal(p.Rules)
						t.Fatalf("list %d is narrower, and nobody says so: %+v\n%s\n%+v", n, d, rules, findings)
					}
				}
			}
			t.Logf("%d equal, %d packets narrower as said", equal, narrower)
		})
	}
}

// TestMutationsAreFound: whatever is changed in objects, verify finds a packet
// on which they differ from before, which the readers confirm, or calls them
// equal, and then no packet differs by the readers.
func TestMutationsAreFound(t *testing.T) {
	mutations := 170 // 1,020 with all targets
	if testing.Short() {
		mutations = 20
	}
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			t.Parallel()
			m := &mutator{Rand: rand.New(rand.NewPCG(3, 71)), target: target}
			for m.different+m.equal < mutations {
				m.list(t)
			}
			t.Logf("%d mutations differ, by %d packets that the model and %d that the readers confirm; %d mean the same; %d are no objects",
				m.different, m.packets, m.confirmed, m.equal, m.refused)
			if !testing.Short() && (m.different*10 < mutations*3 || m.confirmed*2 < m.packets) {
				t.Error("the test is lopsided")
			}
		})
	}
}

type mutator struct {
	*rand.Rand
	target                                        translate.Target
	different, equal, refused, packets, confirmed int
}

// list mutates the objects of one random list in several ways.
func (m *mutator) list(t *testing.T) {
	t.Helper()
	g := &lister{Rand: m.Rand, target: m.target, supported: true}
	d := policy.Direction(1 + m.IntN(2))
	p := g.list(d)
	if len(p.Rules) > 20 {
		return
	}
	ordered, _ := translate.Order([]policy.Policy{p}, translate.OrderOptions{Target: m.target, ClusterCIDRs: knownRange.ClusterCIDRs})
	objects, err := kube.Encode(m.target.Name, ordered)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) == 0 {
		return
	}
	before := decoded(t, objects)
	for range 6 {
		changed, what := m.mutated(t, objects)
		if changed == nil {
			continue
		}
		text, err := kube.YAML(changed)
		if err != nil {
			t.Fatal(err)
		}
		after, err := kube.Decode("mutated.yaml", bytes.NewReader(text))
		if err != nil {
			m.refused++
			continue
		}
		m.compare(t, g, &p, what, objects, changed, before, after)
	}
}

func decoded(t *testing.T, objects []kube.Object) policy.Stack {
	t.Helper()
	text, err := kube.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	s, err := kube.Decode("objects.yaml", bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

func (m *mutator) compare(t *testing.T, g *lister, p *policy.Policy, what string, old, changed []kube.Object, before, after policy.Stack) {
	t.Helper()
	result, err := verify.Compare(before, after, knownRange, verify.Options{Blind: !m.target.Verbatim})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range slices.Concat(result.Wider, result.Narrower) {
		m.packets++
		if m.defaulted(what) {
			continue
		}
		a, okA := m.readers(old, d.Direction, &d.Packet)
		b, okB := m.readers(changed, d.Direction, &d.Packet)
		if !okA || !okB || d.Packet.Source.Entity != 0 || d.Packet.Destination.Entity != 0 {
			continue
		}
		if a == b {
			x, _ := kube.YAML(old)
			y, _ := kube.YAML(changed)
			t.Fatalf("%s: verify says that %+v differs, the readers say %v to both\n%s\n----\n%s", what, d, a, x, y)
		}
		m.confirmed++
	}
	if !result.Equal {
		m.different++
		return
	}
	m.equal++
	m.same(t, g, p, what, old, changed, before, after)
}

// same judges packets on the edges of the list by what is called equal.
func (m *mutator) same(t *testing.T, g *lister, p *policy.Policy, what string, old, changed []kube.Object, before, after policy.Stack) {
	t.Helper()
	packets := 400
	if *thorough {
		packets = 10_000
	}
	a, okA := m.readersOf(old, p.Direction)
	b, okB := m.readersOf(changed, p.Direction)
	for range packets {
		pkt := g.packet(p)
		x, _ := before.Judge(p.Direction, &pkt)
		y, _ := after.Judge(p.Direction, &pkt)
		if x != y {
			t.Fatalf("%s: called equal, but the model says %v and %v to %+v", what, x, y, pkt)
		}
		if !okA || !okB || m.defaulted(what) {
			continue
		}
		var v, w bool
		if guarded(func(*testing.T) { v, w = a(&pkt), b(&pkt) }) && v != w {
			one, _ := kube.YAML(old)
			two, _ := kube.YAML(changed)
			t.Fatalf("%s: called equal, but the readers say %v and %v to %+v\n%s\n----\n%s", what, v, w, pkt, one, two)
		}
	}
}

// defaulted reports mutations that leave out what the API server fills in, and
// those that leave a list empty: the readers, which are written for what aclium
// writes, know neither.
func (m *mutator) defaulted(what string) bool {
	if m.target.Name == "cilium" && strings.Contains(what, "Endpoints") && !strings.Contains(what, "values") {
		return true // a selector that names no namespace means the object's own
	}
	return slices.ContainsFunc([]string{"no protocol", "policyTypes", "enableDefaultDeny", "none left", "no family"}, func(s string) bool { return strings.Contains(what, s) })
}

// readers asks the independent reader of the objects; not ok when it does not
// know what it reads, as it is written for what aclium writes.
func (m *mutator) readers(objects []kube.Object, d policy.Direction, p *policy.Packet) (allowed, ok bool) {
	ok = guarded(func(t *testing.T) { allowed = reader(t, m.target.Name, objects, d)(p) })
	return allowed, ok
}

// readersOf gives the reader of the objects if it can read them.
func (m *mutator) readersOf(objects []kube.Object, d policy.Direction) (judge func(*policy.Packet) bool, ok bool) {
	ok = guarded(func(t *testing.T) { judge = reader(t, m.target.Name, objects, d) })
	return judge, ok
}

// guarded reports whether a reader comes to an end without giving up.
func guarded(read func(*testing.T)) (ok bool) {
	done := make(chan bool)
	go func() {
		defer func() {
			_ = recover()
			done <- ok
		}()
		read(&testing.T{})
		ok = true
	}()
	return <-done
}

// mutated changes one thing of one object; nil when nothing came of it.
func (m *mutator) mutated(t *testing.T, objects []kube.Object) (out []kube.Object, what string) {
	t.Helper()
	out = slices.Clone(objects)
	i := m.IntN(len(out))
	if m.IntN(25) == 0 && len(out) > 1 {
		return slices.Delete(out, i, i+1), "an object less"
	}
	body := document(t, objects[i])
	var sites []spot
	collect(&sites, "spec", body["spec"], func(v any) { body["spec"] = v })
	meta := body["metadata"].(map[string]any)
	if ns, ok := meta["namespace"]; ok {
		collect(&sites, "namespace", ns, func(v any) { meta["namespace"] = v })
	}
	s := sites[m.IntN(len(sites))]
	s.change(m.Rand)
	out[i].Body = body
	return out, s.path
}

// A spot is one thing that may be changed.
type spot struct {
	path   string
	change func(*rand.Rand)
}

// collect lists what may be changed in a value.
func collect(sites *[]spot, path string, v any, set func(any)) {
	add := func(what string, change func(*rand.Rand)) { *sites = append(*sites, spot{path + ": " + what, change}) }
	switch v := v.(type) {
	case map[string]any:
		var keys []string
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if strings.HasSuffix(k, "description") || k == "text" || k == "source" || k == "id" || k == "log" {
				continue
			}
			add("no "+k, func(*rand.Rand) { delete(v, k) })
			collect(sites, path+"."+k, v[k], func(x any) { v[k] = x })
		}
	case []any:
		for i := range v {
			what := "one less"
			if len(v) == 1 {
				what = "none left"
			}
			add(what, func(*rand.Rand) { set(slices.Delete(slices.Clone(v), i, i+1)) })
			if i > 0 {
				add("swapped", func(*rand.Rand) { v[i], v[i-1] = v[i-1], v[i] })
			}
			collect(sites, path+"[]", v[i], func(x any) { v[i] = x })
		}
	case float64:
		add("number", func(r *rand.Rand) { set(max(v+float64(2*r.IntN(2)-1), 0)) })
	case bool:
		add("boolean", func(*rand.Rand) { set(!v) })
	case string:
		add("text", func(r *rand.Rand) { set(otherText(r, v)) })
	}
}

// otherText gives a text of the same kind.
func otherText(r *rand.Rand, v string) string {
	if p, err := netip.ParsePrefix(v); err == nil {
		bits := min(max(p.Bits()+[]int{-1, 1, 8}[r.IntN(3)], 0), p.Addr().BitLen())
		return netip.PrefixFrom(p.Addr(), bits).Masked().String()
	}
	if a, err := netip.ParseAddr(v); err == nil {
		return a.Next().String()
	}
	if n, err := strconv.Atoi(v); err == nil {
		return strconv.Itoa(n + 1)
	}
	for _, words := range [][]string{
		{"Accept", "Deny", "Pass"}, {"Allow", "Deny", "Pass"}, {"permit", "deny"}, {"TCP", "UDP", "SCTP"}, {"In", "NotIn"}, {"Exists", "DoesNotExist"},
		{"Ingress", "Egress"}, {"ingress", "egress"}, {"Admin", "Baseline"}, {"dev", "prod"}, {"web", "db"}, {"one", "two"},
	} {
		if i := slices.Index(words, v); i >= 0 {
			return words[(i+1+r.IntN(len(words)-1))%len(words)]
		}
	}
	return v + "x"
}
