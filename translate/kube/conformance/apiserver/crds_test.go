package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// definitions are the custom resources that aclium writes, by the module that
// carries them.
var definitions = []struct{ module, file string }{
	{"github.com/cilium/cilium", "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml"},
	{"github.com/cilium/cilium", "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumclusterwidenetworkpolicies.yaml"},
	{"sigs.k8s.io/network-policy-api", "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"},
}

// A cluster is an API server with the custom resources.
type cluster struct {
	objects dynamic.Interface
	mapper  meta.RESTMapper
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	config := Start(t)
	c := &cluster{objects: dynamic.NewForConfigOrDie(config)}
	for _, d := range definitions {
		c.define(t, filepath.Join(moduleDir(t, d.module), d.file))
	}
	c.discover(t, config)
	for _, name := range []string{"my-application", "dev"} {
		c.namespace(t, name)
	}
	return c
}

// moduleDir gives the folder of a module that the module beside this one uses,
// so that Cilium's versions stay out of the server's.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = "../cilium"
	out, err := cmd.Output()
	var answer struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil || answer.Dir == "" {
		t.Fatalf("find module %s: %v\n%s", module, err, out)
	}
	return answer.Dir
}

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define creates a custom resource and waits until it is served.
func (c *cluster) define(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := c.objects.Resource(crdResource).Create(context.Background(), &crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, crd.GetName(), func() error {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		resource, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		version := versions[0].(map[string]any)["name"].(string)
		_, err := c.objects.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource}).List(context.Background(), metav1.ListOptions{})
		return err
	})
}

// discover learns which resource serves which kind.
func (c *cluster) discover(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
}

// namespace creates a namespace if there is none.
func (c *cluster) namespace(t *testing.T, name string) {
	t.Helper()
	all := c.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if _, err := all.Get(context.Background(), name, metav1.GetOptions{}); err == nil {
		return
	}
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	if _, err := all.Create(context.Background(), o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// resource gives where the object's kind is served; nil when it is not.
func (c *cluster) resource(t *testing.T, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	kind := o.GroupVersionKind()
	m, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return c.objects.Resource(m.Resource)
	}
	return c.objects.Resource(m.Resource).Namespace(o.GetNamespace())
}

// strictly refuses unknown and repeated fields, which an API server otherwise
// drops with a warning.
var strictly = metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}

// objectsIn gives the objects of a stream of YAML documents.
func objectsIn(t *testing.T, text []byte) (out []*unstructured.Unstructured) {
	t.Helper()
	for _, doc := range bytes.Split(slices.Concat([]byte("\n"), text), []byte("\n---\n")) {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &o.Object); err != nil {
			t.Fatal(err)
		}
		if o.Object != nil {
			out = append(out, o)
		}
	}
	return out
}
