package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"aclium/translate/inventory"
	"aclium/translate/kube"
)

// webPods are more than one page of a list holds.
const webPods = 520

// TestSnapshot: what an API server says of pods, services and nodes becomes an
// inventory in which the cluster finds nothing wrong.
func TestSnapshot(t *testing.T) {
	config := Start(t)
	client := kubernetes.NewForConfigOrDie(config)
	populate(t, client)
	s, err := kube.Snapshot(context.Background(), client, kube.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Pods) != webPods+1 || s.Versions["pods"] == "" || s.Pods[0].NamespaceLabels["kubernetes.io/metadata.name"] != "shop" {
		t.Fatalf("%d pods, versions %v, first %v", len(s.Pods), s.Versions, s.Pods[0])
	}
	inv, notes, err := inventory.FromSnapshot(s)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := inventory.Write(&b, inv); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"{name: shop/web, namespace: shop, labels: {app: web}, addresses: [10.244.0.0-10.244.2.7]}", "{name: shop/db, namespace: shop, labels: {app: db}, addresses: [10.244.200.1]}",
		"clusterCIDRs: [10.244.0.0/16]", "targetPort: 8080}], workload: shop/web}",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\nhas no %s\nnotes: %q", b.String(), want, notes)
		}
	}
	again, err := inventory.Read("inventory.yaml", &b)
	if err != nil {
		t.Fatal(err)
	}
	if d := again.Drift(s); len(d) > 0 {
		t.Error(d)
	}
	t.Run("forbidden", func(t *testing.T) { testForbidden(t, config) })
}

// A user without rights is told which one is missing.
func testForbidden(t *testing.T, config *rest.Config) {
	nobody := rest.CopyConfig(config)
	nobody.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
	_, err := kube.Snapshot(context.Background(), kubernetes.NewForConfigOrDie(nobody), kube.SnapshotOptions{})
	if err == nil || !strings.Contains(err.Error(), "list pods: not permitted, want the verb list on pods") {
		t.Error(err)
	}
}

// populate makes a node, a Deployment's pods, a pod of a StatefulSet, one of the
// host's network, and a service with its endpoints.
func populate(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	ctx := context.Background()
	create := metav1.CreateOptions{}
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, create)
	must(t, err)
	_, err = client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{PodCIDR: "10.244.0.0/16", PodCIDRs: []string{"10.244.0.0/16"}}}, create)
	must(t, err)
	address := netip.MustParseAddr("10.244.0.0")
	for i := range webPods {
		placePod(t, client, fmt.Sprint("web-", i), "web", "ReplicaSet", "web-abc", address.String(), false)
		address = address.Next()
	}
	placePod(t, client, "db-0", "db", "StatefulSet", "db", "10.244.200.1", false)
	placePod(t, client, "agent", "agent", "DaemonSet", "agent", "192.168.0.1", true)
	_, err = client.CoreV1().Services("shop").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}}, create)
	must(t, err)
	name, port, protocol := "http", int32(8080), corev1.ProtocolTCP
	_, err = client.DiscoveryV1().EndpointSlices("shop").Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}}, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.1"}}}, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}, create)
	must(t, err)
}

// placePod makes a pod as a kubelet would report it.
func placePod(t *testing.T, client kubernetes.Interface, name, app, kind, owner, address string, host bool) {
	t.Helper()
	yes := true
	p, err := client.CoreV1().Pods("shop").Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"app": app, "pod-template-hash": "abc"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: "u", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: "n1", HostNetwork: host, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	p.Status.Phase, p.Status.HostIP, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, "192.168.0.1", address, []corev1.PodIP{{IP: address}}
	p.Status.HostIPs = []corev1.HostIP{{IP: "192.168.0.1"}}
	_, err = client.CoreV1().Pods("shop").UpdateStatus(context.Background(), p, metav1.UpdateOptions{})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
