package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeCluster answers lists as an API server does and gives the kubeconfig file
// that leads to it. The pods come in two pages.
func fakeCluster(t *testing.T) (kubeconfig string) {
	t.Helper()
	const pod = `{"metadata":{"namespace":"shop","name":"%s","labels":{"app":"%s","pod-template-hash":"abc"},
		"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"%s-abc","uid":"u","controller":true}]},"status":{"phase":"Running","podIP":"%s"}}`
	list := func(kind, meta string, items ...string) string {
		return fmt.Sprintf(`{"kind":"%sList","apiVersion":"v1","metadata":{"resourceVersion":"42"%s},"items":[%s]}`, kind, meta, strings.Join(items, ","))
	}
	answers := map[string]string{
		"/api/v1/pods":                             list("Pod", `,"continue":"more"`, fmt.Sprintf(pod, "web-1", "web", "web", "10.1.20.5"), fmt.Sprintf(pod, "web-2", "web", "web", "10.1.20.6")),
		"/api/v1/pods more":                        list("Pod", "", fmt.Sprintf(pod, "db-1", "db", "db", "10.1.20.7")),
		"/api/v1/nodes":                            list("Node", "", `{"metadata":{"name":"n"},"spec":{"podCIDRs":["10.1.20.0/24"]}}`),
		"/api/v1/namespaces":                       list("Namespace", "", `{"metadata":{"name":"shop"}}`),
		"/api/v1/services":                         list("Service", "", `{"metadata":{"namespace":"shop","name":"web"},"spec":{"clusterIP":"10.96.0.5","selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}`),
		"/api/v1/namespaces/dev":                   `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"dev"}}`,
		"/api/v1/namespaces/dev/pods":              `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"pods is forbidden","code":403}`,
		"/apis/discovery.k8s.io/v1/endpointslices": `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"42"},"items":[]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[strings.TrimSpace(r.URL.Path+" "+r.URL.Query().Get("continue"))]
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !ok || r.Method != http.MethodGet:
			http.NotFound(w, r)
		case strings.Contains(text, "Forbidden"):
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	return writeFile(t, "config", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: k\nclusters: [{name: c, cluster: {server: '%s'}}]\ncontexts: [{name: k, context: {cluster: c}}]\n", server.URL))
}

const exported = `# Written by aclium inventory export; resource versions: endpointslices 42 namespaces 42 nodes 42 pods 42 services 42
workloads:
  - {name: shop/db, namespace: shop, labels: {app: db}, addresses: [10.1.20.7]}
  - {name: shop/web, namespace: shop, labels: {app: web}, addresses: [10.1.20.5-10.1.20.6]}
clusterCIDRs: [10.1.20.0/24]
services:
  - {name: web, namespace: shop, addresses: [10.96.0.5], ports: [{protocol: TCP, port: 80, targetPort: 8080}], workload: shop/web}
`

// What export writes, check finds nothing wrong with.
func TestInventoryExport(t *testing.T) {
	kubeconfig := fakeCluster(t)
	status, out, errOut := runWith(t, "inventory", "export", "--kubeconfig", kubeconfig)
	if d := cmp.Diff(exported, out); status != statusClean || d != "" || !strings.Contains(errOut, "podCIDRs of the nodes of today") {
		t.Fatalf("status %d, %s%s", status, errOut, d)
	}
	file := writeFile(t, "inventory.yaml", out)
	if status, out, errOut = runWith(t, "inventory", "check", "--kubeconfig", kubeconfig, file); status != statusClean || out != "" || errOut != "" {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
	_, out, _ = runWith(t, "inventory", "export", "--kubeconfig", kubeconfig, "-o", "json")
	if status, out, errOut = runWith(t, "inventory", "check", writeFile(t, "inventory.json", out)); status != statusClean || out != "" || errOut != "" {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
}

func TestInventoryTrouble(t *testing.T) {
	kubeconfig := fakeCluster(t)
	for want, args := range map[string][]string{
		"list pods: not permitted, want the verb list on pods": {"export", "--kubeconfig", kubeconfig, "-n", "dev"},
		"get namespace none":                     {"export", "--kubeconfig", kubeconfig, "-n", "none"},
		"read kubeconfig: context \"other\"":     {"export", "--kubeconfig", kubeconfig, "--context", "other"},
		"want yaml or json":                      {"export", "-o", "xml"},
		"want text or json":                      {"check", "-o", "xml", kubeconfig},
		"config:1:1: unknown key \"apiVersion\"": {"check", kubeconfig},
		"no such file":                           {"check", "missing.yaml"},
	} {
		status, out, errOut := runWith(t, append([]string{"inventory"}, args...)...)
		if status != statusTrouble || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%q: status %d, %q, %q, want %s", args, status, out, errOut, want)
		}
	}
}

func TestInventoryCheckFindsDriftAndUnmapped(t *testing.T) {
	kubeconfig := fakeCluster(t)
	file := writeFile(t, "inventory.yaml", `workloads:
- {name: WEB, namespace: shop, labels: {app: web}, addresses: [10.1.20.5, 10.1.20.9]}
clusterCIDRs: [10.1.0.0/16]
`)
	config := writeFile(t, "edge.cfg", `object-group network DBS
 host 10.1.20.7
ip access-list extended EDGE
 10 permit tcp host 10.1.20.5 object-group DBS eq 5432
 20 permit tcp any host 10.1.20.6
`)
	status, out, errOut := runWith(t, "inventory", "check", "--kubeconfig", kubeconfig, file, config)
	out = strings.NewReplacer(file, "inventory.yaml", config, "edge.cfg").Replace(out)
	const want = `inventory.yaml:2:3: addresses: workload WEB selects 2 pods today, 1 whose address is not in the inventory: shop/web-2 10.1.20.6
inventory.yaml:2:3: unused: 10.1.20.9 of workload WEB belongs to no pod
edge.cfg:1:22: unmapped: object-group DBS stands for no workload alone: 10.1.20.7 in clusterCIDRs: no workload claims it
    shop/db-1 today: io.kubernetes.pod.namespace=shop,app=db selects 1 pod today
    used by edge.cfg:4: EDGE 10 permit tcp host 10.1.20.5 object-group DBS eq 5432
edge.cfg:5:2: unmapped: 10.1.20.6 in clusterCIDRs: no workload claims it
    shop/web-2 today: io.kubernetes.pod.namespace=shop,app=web selects 2 pods today, 1 not in the ACL
    used by edge.cfg:5: EDGE 20 permit tcp any host 10.1.20.6
`
	if d := cmp.Diff(want, out); status != statusFindings || d != "" || errOut != "" {
		t.Errorf("status %d, %s%s", status, errOut, d)
	}
	status, out, _ = runWith(t, "inventory", "check", "-o", "json", file, config)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || status != statusFindings || len(rows) != 2 {
		t.Fatalf("status %d, %v, %s", status, err, out)
	}
	if rows[0]["kind"] != "unmapped" || rows[0]["name"] != "DBS" || fmt.Sprint(rows[0]["addresses"]) != "[10.1.20.7]" || rows[0]["line"] != 1.0 {
		t.Error(rows[0])
	}
}

// An identity map of the configuration claims addresses as the file does.
func TestInventoryCheckKnowsIdentityMaps(t *testing.T) {
	file := writeFile(t, "inventory.yaml", "clusterCIDRs: [10.1.0.0/16]\n")
	text := "object-group network WEB\n workload namespace shop label app=web\nip access-list extended EDGE\n 10 permit tcp host 10.1.20.5 any\n"
	if status, out, _ := runWith(t, "inventory", "check", file, writeFile(t, "a.cfg", text)); status != statusFindings || !strings.Contains(out, "10.1.20.5 in clusterCIDRs") {
		t.Errorf("status %d, %s", status, out)
	}
	if status, out, errOut := runWith(t, "inventory", "check", file, writeFile(t, "a.cfg", text+"identity map 10.1.20.0 0.0.0.255 WEB\n")); status != statusClean || out != "" {
		t.Errorf("status %d, %s%s", status, out, errOut)
	}
}
