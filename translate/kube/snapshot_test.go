package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aclium/translate/inventory"
)

func ptr[T any](v T) *T { return &v }

func kubePod(name, ip, ownerKind, owner string, labels map[string]string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: labels}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Name: owner, Controller: ptr(true)}}
	}
	return p
}

// fakeShop has pods that count and pods that do not.
func fakeShop() []runtime.Object {
	host, done := kubePod("host", "192.168.0.1", "", "", nil), kubePod("done", "10.244.0.2", "Job", "backup-28712345", nil)
	host.Spec.HostNetwork, done.Status.Phase = true, corev1.PodSucceeded
	web := kubePod("web-1", "10.244.0.2", "ReplicaSet", "web-7d4b9c6f5d", map[string]string{"app": "web", "pod-template-hash": "7d4b9c6f5d"})
	web.Status.PodIPs = []corev1.PodIP{{IP: "10.244.0.2"}, {IP: "fd00::2"}}
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "a"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}, Spec: corev1.NodeSpec{PodCIDR: "10.244.1.0/24"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{PodCIDRs: []string{"10.244.0.0/24", "fd00::/64"}}},
		host, done, web, kubePod("cron", "10.244.0.3", "Job", "report-28712345", map[string]string{"app": "report"}),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{
			ClusterIP: "10.96.0.5", ClusterIPs: []string{"10.96.0.5", "fd96::5"}, Selector: map[string]string{"app": "web"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}, {Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53}},
		}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "headless"}, Spec: corev1.ServiceSpec{ClusterIP: "None", Selector: map[string]string{"app": "web"}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.2"}}, {Addresses: []string{"10.244.0.9"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(false)}}},
			Ports:      []discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr(int32(8080)), Protocol: ptr(corev1.ProtocolTCP)}},
		},
	}
}

func TestSnapshot(t *testing.T) {
	seen := map[string]int{}
	s, err := Snapshot(context.Background(), fake.NewClientset(fakeShop()...), SnapshotOptions{Progress: func(resource string, n int) { seen[resource] = n }})
	if err != nil {
		t.Fatal(err)
	}
	var pods []string
	for _, p := range s.Pods {
		pods = append(pods, fmt.Sprint(p.Name, p.Addresses, p.Owner, p.NamespaceLabels))
	}
	slices.Sort(pods)
	want := []string{"cron[10.244.0.3] {CronJob report} map[team:a]", "web-1[10.244.0.2 fd00::2] {Deployment web} map[team:a]"}
	if !slices.Equal(pods, want) {
		t.Errorf("got  %q\nwant %q", pods, want)
	}
	if got := fmt.Sprint(s.PodCIDRs); got != "[10.244.0.0/24 10.244.1.0/24 fd00::/64]" {
		t.Error(got)
	}
	if got := fmt.Sprint(s.Services); got != "[{shop web [10.96.0.5 fd96::5] map[app:web] [{6 80 [8080]} {17 53 [53]}] [10.244.0.2]}]" {
		t.Error(got)
	}
	if seen["pods"] != 4 || len(s.Versions) != 5 || len(s.Missing) > 0 {
		t.Error(seen, s.Versions, s.Missing)
	}
	inv, notes, err := inventory.FromSnapshot(s)
	if err != nil || len(inv.Workloads) != 2 || len(inv.Services) != 1 || len(inv.ClusterCIDRs) != 2 {
		t.Error(inv, notes, err)
	}
}

// Every page is read, and a list that the server forgets on the way is read
// again without a pod twice.
func TestSnapshotReadsEveryPage(t *testing.T) {
	for _, expires := range []bool{false, true} {
		client := fake.NewClientset()
		asked := []metav1.ListOptions{}
		client.PrependReactor("list", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
			o := a.(clienttesting.ListActionImpl).ListOptions
			asked = append(asked, o)
			first, second := *kubePod("a", "10.0.0.1", "", "", nil), *kubePod("b", "10.0.0.2", "", "", nil)
			switch {
			case o.Continue == "more" && expires:
				return true, nil, apierrors.NewResourceExpired("too old")
			case o.Continue == "more":
				return true, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Pod{second}}, nil
			case o.Limit == 0:
				return true, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "9"}, Items: []corev1.Pod{first, second}}, nil
			}
			return true, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "more"}, Items: []corev1.Pod{first}}, nil
		})
		s, err := Snapshot(context.Background(), client, SnapshotOptions{})
		if err != nil || len(s.Pods) != 2 || s.Pods[0].Name != "a" || s.Pods[1].Name != "b" || asked[0].Limit != pageSize {
			t.Errorf("expires %v: %v %v %v", expires, s, err, asked)
		}
		if want := map[bool]string{false: "7", true: "9"}[expires]; s.Versions["pods"] != want {
			t.Errorf("version %s, want %s", s.Versions["pods"], want)
		}
	}
}

// Without a permission the error says which one is missing; nodes and
// namespaces can be missed.
func TestSnapshotWithoutPermissions(t *testing.T) {
	for resource, must := range map[string]bool{"pods": true, "services": true, "endpointslices": true, "nodes": false, "namespaces": false} {
		client := fake.NewClientset(fakeShop()...)
		client.PrependReactor("*", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", fmt.Errorf("no"))
		})
		s, err := Snapshot(context.Background(), client, SnapshotOptions{})
		switch {
		case must && (err == nil || !strings.Contains(err.Error(), "not permitted, want the verb list on "+resource)):
			t.Errorf("%s: %v", resource, err)
		case !must && (err != nil || len(s.Missing) != 1 || !strings.Contains(s.Missing[0], resource)):
			t.Errorf("%s: %v %v", resource, s, err)
		}
	}
}

func TestSnapshotOfOneNamespace(t *testing.T) {
	other := kubePod("x", "10.244.5.5", "", "", nil)
	other.Namespace = "dev"
	s, err := Snapshot(context.Background(), fake.NewClientset(append(fakeShop(), other)...), SnapshotOptions{Namespace: "shop"})
	if err != nil || slices.ContainsFunc(s.Pods, func(p inventory.Pod) bool { return p.Namespace != "shop" }) || len(s.Pods) != 2 || s.Pods[0].NamespaceLabels["team"] != "a" {
		t.Error(s, err)
	}
	if _, err = Snapshot(context.Background(), fake.NewClientset(), SnapshotOptions{Namespace: "none"}); err == nil || !strings.Contains(err.Error(), "get namespace none") {
		t.Error(err)
	}
}

func TestConnectSaysWhatIsMissing(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"} {
		t.Setenv(name, "")
	}
	file := filepath.Join(home, "config")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: k, context: {cluster: c}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(filepath.Join(home, "none"), ""); err == nil || !strings.Contains(err.Error(), "none") {
		t.Error(err)
	}
	if _, err := Connect(file, "other"); err == nil || !strings.Contains(err.Error(), "other") {
		t.Error(err)
	}
	if client, err := Connect(file, "k"); err != nil || client == nil {
		t.Error(err)
	}
}
