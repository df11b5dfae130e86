package inventory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

func pod(namespace, name string, labels ...string) Pod {
	p := Pod{Namespace: namespace, Name: name, Labels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		p.Labels[labels[i]] = labels[i+1]
	}
	return p
}

func texts(selectors []policy.Selector) (out []string) {
	for _, s := range selectors {
		out = append(out, s.String())
	}
	return out
}

const ns = policy.NamespaceKey + "="

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		name   string
		pods   []Pod
		wanted []int
		want   []string
	}{
		{"the role is named although the namespace is enough", []Pod{pod("shop", "a", "app", "web", "pod-template-hash", "abc")}, []int{0}, []string{ns + "shop,app=web"}},
		{"the well-known key before any other", []Pod{
			pod("shop", "a", "app.kubernetes.io/name", "web", "app", "x", "zone", "z"), pod("shop", "b", "app.kubernetes.io/name", "db", "app", "y", "zone", "z"),
		}, []int{0}, []string{ns + "shop,app.kubernetes.io/name=web"}},
		{"a second term where the role is shared", []Pod{
			pod("shop", "a", "app", "web", "track", "stable"), pod("shop", "b", "app", "web", "track", "canary"),
		}, []int{0}, []string{ns + "shop,app=web,track=stable"}},
		{"a stable label before a shorter selector", []Pod{
			pod("shop", "a", "helm.sh/chart", "web-1", "app", "w", "tier", "t"), pod("shop", "b", "helm.sh/chart", "web-2", "app", "w", "tier", "u"),
		}, []int{0}, []string{ns + "shop,app=w,tier=t"}},
		{"another namespace is no matter", []Pod{pod("shop", "a", "app", "web"), pod("dev", "b", "app", "web")}, []int{0}, []string{ns + "shop,app=web"}},
		{"several values", []Pod{pod("shop", "a", "app", "a"), pod("shop", "b", "app", "b"), pod("shop", "c", "app", "c")}, []int{0, 1}, []string{ns + "shop,app in (a,b)"}},
		{"a label that is lacking, where nothing else helps", []Pod{pod("shop", "a", "app", "w"), pod("shop", "b", "app", "w", "canary", "yes")}, []int{0}, []string{ns + "shop,app=w,!canary"}},
		{"parts by namespace", []Pod{pod("x", "a", "app", "a"), pod("y", "b", "app", "b"), pod("x", "c", "app", "b"), pod("y", "d", "app", "a")}, []int{0, 1},
			[]string{ns + "x,app=a", ns + "y,app=b"}},
		{"both namespaces in one", []Pod{pod("x", "a", "app", "a"), pod("y", "b", "app", "a"), pod("z", "c", "app", "a")}, []int{0, 1}, []string{policy.NamespaceKey + " in (x,y),app=a"}},
		{"nobody", []Pod{pod("x", "a")}, nil, nil},
	} {
		if d := cmp.Diff(c.want, texts(Select(c.pods, c.wanted).Selectors)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// Labels that belong to one pod, one revision or one day tell nobody apart.
func TestUnstableLabelsMakeTwins(t *testing.T) {
	for key, value := range map[string]string{
		"pod-template-hash": "7d4b9c6f5d", "controller-revision-hash": "web-6b9", "statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0",
		"batch.kubernetes.io/job-name": "backup", "controller-uid": "x", "topology.kubernetes.io/zone": "a", "started": "2026-11-21", "run": "20261121",
		"owner": "0bd7f0aa-1c5d-4a1e-9f5b-0a3a4ad2d1c5", "sum": "9f86d081884c7d65", "git": "c52f729e",
	} {
		pods := []Pod{pod("shop", "a", "app", "web", key, value), pod("shop", "b", "app", "web")}
		s := Select(pods, []int{0})
		if len(s.Selectors) > 0 || len(s.Twins) != 1 || s.Twins[0] != (Twin{0, 1}) {
			t.Errorf("%s=%s: %v, twins %v, want the twins 0 and 1", key, value, texts(s.Selectors), s.Twins)
		}
		c := CloseOver(pods, s.Nearest, []int{0})
		if got := c.String(); got != "selects 2 pods today, 1 not in the ACL" || c.Exact() {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestClosureSaysWhatIsMissing(t *testing.T) {
	pods := []Pod{pod("shop", "a", "app", "web"), pod("shop", "b", "app", "web"), pod("shop", "c", "app", "db")}
	c := CloseOver(pods, []policy.Selector{{equals("app", "db")}}, []int{0, 2})
	if got := c.String(); got != "selects 1 pod today, 1 of the ACL missing" {
		t.Error(got)
	}
	c = CloseOver(pods, Select(pods, []int{0, 1}).Selectors, []int{0, 1})
	if got := c.String(); got != "selects 2 pods today" || !c.Exact() {
		t.Error(got)
	}
}

// smallUniverse has few labels, so that much is alike.
func smallUniverse(r *rand.Rand) (pods []Pod, wanted []int) {
	for i := range 2 + r.IntN(7) {
		p := pod([]string{"x", "y"}[r.IntN(2)], fmt.Sprint("p", i), "pod-template-hash", fmt.Sprint(r.IntN(3)))
		p.Owner = Owner{"Deployment", fmt.Sprint("d", r.IntN(3))}
		for _, key := range smallKeys {
			if v := r.IntN(4); v > 0 {
				p.Labels[key] = string(rune('a' + v - 1))
			}
		}
		pods = append(pods, p)
		if r.IntN(2) == 0 {
			wanted = append(wanted, i)
		}
	}
	return pods, wanted
}

var smallKeys = []string{"app", "color", "track"}

// everyTerm gives all terms on a key that the small universe has values for.
func everyTerm(key string) (out []policy.Term) {
	out = []policy.Term{{Key: key, Op: policy.Exists}, {Key: key, Op: policy.DoesNotExist}}
	for set := 1; set < 8; set++ {
		var values []string
		for i := range 3 {
			if set>>i&1 == 1 {
				values = append(values, string(rune('a'+i)))
			}
		}
		out = append(out, policy.Term{Key: key, Op: policy.In, Values: values}, policy.Term{Key: key, Op: policy.NotIn, Values: values})
	}
	return out
}

// everyConjunction gives all selectors with at most one term on each key.
func everyConjunction() []policy.Selector {
	all := []policy.Selector{nil}
	for _, key := range smallKeys {
		for _, s := range all {
			for _, t := range everyTerm(key) {
				all = append(all, append(slices.Clip(s), t))
			}
		}
	}
	return all
}

// Select is exact whenever pods can be told apart at all, gives one selector
// whenever there is one, and the cheapest of those that name the role.
func TestSelectAgainstBruteForce(t *testing.T) {
	all := everyConjunction()
	singles := 0
	for seed := range uint64(400) {
		pods, wanted := smallUniverse(rand.New(rand.NewPCG(seed, 3)))
		s := Select(pods, wanted)
		if want := bruteTwins(pods, wanted); want != (len(s.Twins) > 0) {
			t.Fatalf("seed %d: twins %v, want %v", seed, s.Twins, want)
		}
		if len(wanted) == 0 || len(s.Twins) > 0 {
			if s.Selectors != nil {
				t.Fatalf("seed %d: %v", seed, texts(s.Selectors))
			}
			continue
		}
		if c := CloseOver(pods, s.Selectors, wanted); !c.Exact() {
			t.Fatalf("seed %d: %v %s", seed, texts(s.Selectors), &c)
		}
		cost, exists := bruteCost(pods, wanted, all)
		if exists != (len(s.Selectors) == 1) {
			t.Fatalf("seed %d: %v, one selector exists: %v", seed, texts(s.Selectors), exists)
		}
		if exists {
			singles++
			if got := costOf(s.Selectors[0]); got != cost {
				t.Fatalf("seed %d: %v costs %d, the cheapest costs %d", seed, texts(s.Selectors), got, cost)
			}
		}
	}
	if singles < 100 {
		t.Errorf("only %d universes have one selector", singles)
	}
}

func bruteTwins(pods []Pod, wanted []int) bool {
	for i := range pods {
		for k := range pods {
			same := pods[i].Namespace == pods[k].Namespace
			for _, key := range smallKeys {
				a, inA := pods[i].Labels[key]
				b, inB := pods[k].Labels[key]
				same = same && a == b && inA == inB
			}
			if same && slices.Contains(wanted, i) && !slices.Contains(wanted, k) {
				return true
			}
		}
	}
	return false
}

// bruteCost gives the least cost of a conjunction that is exact within the
// wanted pods' namespaces and names their role where they share one.
func bruteCost(pods []Pod, wanted []int, all []policy.Selector) (least int, exists bool) {
	namespaces := map[string]bool{}
	role, shared := pods[wanted[0]].Labels["app"]
	for _, i := range wanted {
		namespaces[pods[i].Namespace] = true
		shared = shared && pods[i].Labels["app"] == role && role != ""
	}
	for _, s := range all {
		if shared && (len(s) == 0 || s[0].String() != "app="+role) {
			continue
		}
		exact := true
		for i := range pods {
			if namespaces[pods[i].Namespace] && s.Matches(pods[i].Labels) != slices.Contains(wanted, i) {
				exact = false
				break
			}
		}
		if exact && (!exists || costOf(s) < least) {
			least, exists = costOf(s), true
		}
	}
	return least, exists
}

// costOf adds up the terms but for the namespace.
func costOf(s policy.Selector) (sum int) {
	for _, t := range s {
		if t.Key != policy.NamespaceKey {
			sum += termCost(t)
		}
	}
	return sum
}

// The order in which a cluster lists its pods is no matter.
func TestSelectKnowsNoOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		pods, wanted := smallUniverse(r)
		want := texts(Select(pods, wanted).Selectors)
		order := r.Perm(len(pods))
		shuffled, moved := make([]Pod, len(pods)), []int(nil)
		for from, to := range order {
			shuffled[to] = pods[from]
			if slices.Contains(wanted, from) {
				moved = append(moved, to)
			}
		}
		if d := cmp.Diff(want, texts(Select(shuffled, moved).Selectors)); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}
