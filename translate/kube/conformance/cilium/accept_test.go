package cilium

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/samples"
)

// objectsIn gives the objects of a stream of YAML documents.
func objectsIn(t *testing.T, text []byte) (out []map[string]any) {
	t.Helper()
	for _, doc := range strings.Split("\n"+string(text), "\n---\n") {
		text, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		// As an API server reads it: whole numbers are integers, which the
		// rules of a schema insist on.
		var o map[string]any
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// lists is how many random lists are written for each target.
const lists = 800

// TestRandomObjects: whatever is written is accepted.
func TestRandomObjects(t *testing.T) {
	all := schemas(t)
	counts := map[string]int{}
	for _, target := range []translate.Target{translate.Cilium, translate.CiliumClusterwide, translate.ClusterNetworkPolicy} {
		some, err := samples.Random(target, 1, lists)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range some {
			text, err := kube.YAML(s.Objects)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objectsIn(t, text) {
				known, err := accept(t, all, o)
				if err != nil {
					t.Fatalf("%v, of:\n%s\n%s", err, s.Config, text)
				}
				if known {
					counts[o["kind"].(string)]++
				}
			}
		}
	}
	t.Logf("accepted: %v", counts)
	for kind := range all {
		if counts[kind] < lists/2 {
			t.Errorf("%d objects of kind %s, want %d at least", counts[kind], kind, lists/2)
		}
	}
}

// TestExamples: what the examples promise is accepted.
func TestExamples(t *testing.T) {
	all := schemas(t)
	files, err := samples.Examples()
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for name, text := range files {
		for _, o := range objectsIn(t, text) {
			known, err := accept(t, all, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if known {
				judged++
			}
		}
	}
	if judged < 3 {
		t.Errorf("%d objects, want 3 at least", judged)
	}
}

// TestBrokenObjects: what must not be accepted is not, and for its own reason.
func TestBrokenObjects(t *testing.T) {
	all := schemas(t)
	for _, c := range []struct{ name, want, text string }{
		{"41 ports", "toPorts[0].ports: Too many", cnp("ingress: [{toPorts: [{ports: [" + strings.Repeat(`{port: "1", protocol: TCP}, `, 41) + "]}]}]")},
		{"two kinds of peers", "is not supported yet", cnp(`ingress: [{fromEntities: [world], fromCIDRSet: [{cidr: 192.0.2.0/24}]}]`)},
		{"ICMP beside ports", "only be present without ToPorts", cnp(`ingress: [{icmps: [{fields: [{type: 8, family: IPv4}]}], toPorts: [{ports: [{port: "1", protocol: TCP}]}]}]`)},
		{"an except outside", "does not contain exclude", cnp(`ingress: [{fromCIDRSet: [{cidr: 192.0.2.0/24, except: [198.51.100.0/25]}]}]`)},
		{"an unknown field", "unknown fields", cnp(`ingress: [{fromEverybody: [{}]}]`)},
		{"an unknown protocol", "protocol", cnp(`ingress: [{toPorts: [{ports: [{port: "1", protocol: OSPF}]}]}]`)},
		{"an unknown entity", "fromEntities", cnp(`ingress: [{fromEntities: [nobody]}]`)},
		{"26 rules", "Too many", kcnp(`{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [` + strings.Repeat(`{action: Accept, from: [{namespaces: {}}]}, `, 26) + `]}`)},
		{"a priority too high", "priority", kcnp(`{tier: Admin, priority: 1001, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`)},
		{"a network as a source", "unknown fields", kcnp(`{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{networks: [192.0.2.0/24]}]}]}`)},
		{"a range of one port", "Start port", kcnp(`{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 5, end: 5}}}}]}]}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range objectsIn(t, []byte(c.text)) {
				_, err := accept(t, all, o)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			}
		})
	}
}

func cnp(rules string) string {
	return "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: broken, namespace: default}\nspec:\n  endpointSelector: {}\n  " + rules
}

func kcnp(spec string) string {
	return "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: broken}\nspec: " + spec
}
