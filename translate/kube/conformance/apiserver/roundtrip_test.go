package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
	"aclium/translate/samples"
)

// kinds are those that a server with the custom resources serves.
var kinds = []string{"NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "ClusterNetworkPolicy"}

// TestObjects: what is written is accepted, and read back it means the same.
func TestObjects(t *testing.T) {
	c := newCluster(t)
	const lists = 200
	counts := map[string]int{}
	t.Run("random", func(t *testing.T) {
		for _, target := range translate.Targets() {
			some, err := samples.Random(target, 4, lists)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range some {
				text, err := kube.YAML(s.Objects)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.roundTrip(t, text, counts); err != nil {
					t.Fatalf("%v, of:\n%s\n%s", err, s.Config, text)
				}
			}
		}
		t.Logf("accepted: %v", counts)
		for _, kind := range kinds {
			if counts[kind] < lists/2 {
				t.Errorf("%d objects of kind %s, want %d at least", counts[kind], kind, lists/2)
			}
		}
	})
	t.Run("examples", func(t *testing.T) {
		files, err := samples.Examples()
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := c.roundTrip(t, text, counts); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("broken", c.testBroken)
}

// roundTrip creates the objects, reads them back, removes them, and compares
// what was written with what was read. Kinds that nobody serves are left out.
func (c *cluster) roundTrip(t *testing.T, text []byte, counts map[string]int) error {
	t.Helper()
	var written, read bytes.Buffer
	for _, o := range objectsIn(t, text) {
		into := c.resource(t, o)
		if into == nil {
			continue
		}
		if o.GetNamespace() != "" {
			c.namespace(t, o.GetNamespace())
		}
		if _, err := into.Create(context.Background(), o, strictly); err != nil {
			return fmt.Errorf("create: %w", err)
		}
		back, err := into.Get(context.Background(), o.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := into.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
			return err
		}
		counts[o.GetKind()]++
		add(t, &written, o)
		add(t, &read, back)
	}
	want, err := kube.Decode("written", &written)
	if err != nil {
		return err
	}
	got, err := kube.Decode("read", &read)
	if err != nil {
		return fmt.Errorf("what the server gives back: %w", err)
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(isSource, cmp.Ignore()), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		return fmt.Errorf("the server has changed the meaning (- written, + read):\n%s", diff)
	}
	return nil
}

// isSource picks the places in the text, which differ.
func isSource(p cmp.Path) bool {
	field, ok := p.Last().(cmp.StructField)
	return ok && field.Name() == "Source" && field.Type() == reflect.TypeFor[policy.Source]()
}

func add(t *testing.T, b *bytes.Buffer, o *unstructured.Unstructured) {
	t.Helper()
	text, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("---\n")
	b.Write(text)
}

// testBroken: a server that takes everything would prove nothing.
func (c *cluster) testBroken(t *testing.T) {
	for _, o := range []struct{ name, want, text string }{
		{"an except outside", "except", np(`ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [198.51.100.0/25]}}]}]`)},
		{"port 0", "port", np(`ingress: [{ports: [{port: 0}]}]`)},
		{"a range backwards", "endPort", np(`ingress: [{ports: [{port: 9, endPort: 5}]}]`)},
		{"ICMP", "protocol", np(`ingress: [{ports: [{protocol: ICMP}]}]`)},
		{"an unknown field", "unknown field", np(`ingressDeny: []`)},
		{"41 ports", "toPorts[0].ports", cnp("ingress: [{toPorts: [{ports: [" + strings.Repeat(`{port: "1", protocol: TCP}, `, 41) + "]}]}]")},
		{"an unknown protocol", "protocol", cnp(`ingress: [{toPorts: [{ports: [{port: "1", protocol: OSPF}]}]}]`)},
		{"26 rules", "spec.ingress", kcnp(`ingress: [` + strings.Repeat(`{action: Accept, from: [{namespaces: {}}]}, `, 26) + `]`)},
		{"a network as a source", "unknown field", kcnp(`ingress: [{action: Accept, from: [{namespaces: {}, networks: [192.0.2.0/24]}]}]`)},
	} {
		t.Run(o.name, func(t *testing.T) {
			for _, object := range objectsIn(t, []byte(o.text)) {
				_, err := c.resource(t, object).Create(context.Background(), object, strictly)
				if err == nil || !strings.Contains(err.Error(), o.want) {
					t.Errorf("got %v, want an error with %q", err, o.want)
				}
			}
		})
	}
}

func np(rules string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: broken, namespace: default}\nspec:\n  podSelector: {}\n  " + rules
}

func cnp(rules string) string {
	return "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: broken, namespace: default}\nspec:\n  endpointSelector: {}\n  " + rules
}

func kcnp(rules string) string {
	return "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: broken}\nspec:\n  tier: Admin\n  priority: 1\n  subject: {namespaces: {}}\n  " + rules
}
