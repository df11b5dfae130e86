package kube

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

const (
	// pageSize is how many objects one answer of the API server holds.
	pageSize = 500
	// maxObjects bounds what is kept of one kind.
	maxObjects = 500000
)

// SnapshotOptions say what of a cluster is read.
type SnapshotOptions struct {
	// Namespace is the only one to be read; empty is all.
	Namespace string
	// Progress, when not nil, is called after each page with the number of
	// objects so far.
	Progress func(resource string, objects int)
}

// Snapshot reads from a cluster what an inventory is made of: pods, namespaces,
// services with their endpoints, and the nodes' podCIDRs, page by page. Pods of
// the host's network and pods that have ended are no ends of their own and left
// out. What whoever asks may not read of nodes and namespaces is named in
// Missing; without pods and services there is an error.
func Snapshot(ctx context.Context, client kubernetes.Interface, o SnapshotOptions) (*inventory.Snapshot, error) {
	r := &survey{client: client, options: o, out: &inventory.Snapshot{Versions: map[string]string{}}, labels: map[string]map[string]string{}}
	for _, read := range []func(context.Context) error{r.namespaces, r.nodes, r.pods, r.services} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	return r.out, nil
}

// A survey is one run of Snapshot.
type survey struct {
	client  kubernetes.Interface
	options SnapshotOptions
	out     *inventory.Snapshot
	labels  map[string]map[string]string // of each namespace
}

// A lister asks for one page.
type lister[L runtime.Object] func(context.Context, metav1.ListOptions) (L, error)

// pages reads a list to its end and gives it to take page by page. A list that
// the server forgets on the way is asked for again as a whole; take is
// called with nil then, to forget what it has.
func pages[L runtime.Object](ctx context.Context, r *survey, resource string, list lister[L], take func(L) int) error {
	options, n := metav1.ListOptions{Limit: pageSize}, 0
	for {
		page, err := list(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			options, n = metav1.ListOptions{}, 0
			take(*new(L))
			continue
		}
		if err != nil {
			return listError(resource, err)
		}
		n += take(page)
		if r.options.Progress != nil {
			r.options.Progress(resource, n)
		}
		meta, ok := any(page).(metav1.ListInterface)
		if !ok {
			return fmt.Errorf("list %s: %T is no list", resource, page)
		}
		r.out.Versions[resource] = meta.GetResourceVersion()
		if n > maxObjects {
			return fmt.Errorf("list %s: more than %d, want fewer: read one namespace alone", resource, maxObjects)
		}
		if options.Continue = meta.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

func listError(resource string, err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("list %s: not permitted, want the verb list on %s: %w", resource, resource, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("list %s: the cluster does not accept the credentials of the kubeconfig: %w", resource, err)
	}
	return fmt.Errorf("list %s: %w", resource, err)
}

// optional turns a missing permission into a word about what is missing.
func (r *survey) optional(err error, without string) error {
	if apierrors.IsForbidden(err) {
		r.out.Missing = append(r.out.Missing, fmt.Sprintf("%v: %s", err, without))
		return nil
	}
	return err
}

func (r *survey) namespaces(ctx context.Context) error {
	const without = "labels of namespaces are not known"
	if name := r.options.Namespace; name != "" {
		n, err := r.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return r.optional(fmt.Errorf("get namespace %s: %w", name, err), without)
		}
		r.labels[name] = n.Labels
		return nil
	}
	return r.optional(pages(ctx, r, "namespaces", r.client.CoreV1().Namespaces().List, func(l *corev1.NamespaceList) int {
		if l == nil {
			clear(r.labels)
			return 0
		}
		for i := range l.Items {
			r.labels[l.Items[i].Name] = l.Items[i].Labels
		}
		return len(l.Items)
	}), without)
}

func (r *survey) nodes(ctx context.Context) error {
	var cidrs []netip.Prefix
	err := pages(ctx, r, "nodes", r.client.CoreV1().Nodes().List, func(l *corev1.NodeList) int {
		if l == nil {
			cidrs = nil
			return 0
		}
		for i := range l.Items {
			cidrs = append(cidrs, podCIDRs(&l.Items[i])...)
		}
		return len(l.Items)
	})
	slices.SortFunc(cidrs, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	r.out.PodCIDRs = slices.Compact(cidrs)
	return r.optional(err, "clusterCIDRs are not known")
}

func podCIDRs(n *corev1.Node) (out []netip.Prefix) {
	texts := n.Spec.PodCIDRs
	if len(texts) == 0 && n.Spec.PodCIDR != "" {
		texts = []string{n.Spec.PodCIDR}
	}
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

func (r *survey) pods(ctx context.Context) error {
	return pages(ctx, r, "pods", r.client.CoreV1().Pods(r.options.Namespace).List, func(l *corev1.PodList) int {
		if l == nil {
			r.out.Pods = nil
			return 0
		}
		for i := range l.Items {
			if p := &l.Items[i]; !p.Spec.HostNetwork && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				r.out.Pods = append(r.out.Pods, r.pod(p))
			}
		}
		return len(l.Items)
	})
}

func (r *survey) pod(p *corev1.Pod) inventory.Pod {
	out := inventory.Pod{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, NamespaceLabels: r.labels[p.Namespace], Owner: ownerOf(p)}
	texts := []string{p.Status.PodIP}
	for _, ip := range p.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	out.Addresses = addresses(texts)
	return out
}

// addresses gives each address of the texts once; what is no address, such as
// "None", is left out.
func addresses(texts []string) (out []netip.Addr) {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// scheduled is the time that a CronJob puts behind the names of its Jobs.
var scheduled = regexp.MustCompile(`-\d{8,}$`)

// ownerOf gives what makes the pod's successors. A Deployment's ReplicaSet has
// its name with the pod's template hash, and a CronJob's Job with a time.
func ownerOf(p *corev1.Pod) inventory.Owner {
	o := metav1.GetControllerOf(p)
	if o == nil {
		return inventory.Owner{}
	}
	hash := p.Labels["pod-template-hash"]
	if name, cut := strings.CutSuffix(o.Name, "-"+hash); cut && hash != "" && o.Kind == "ReplicaSet" {
		return inventory.Owner{Kind: "Deployment", Name: name}
	}
	if name := scheduled.ReplaceAllString(o.Name, ""); name != o.Name && o.Kind == "Job" {
		return inventory.Owner{Kind: "CronJob", Name: name}
	}
	return inventory.Owner{Kind: o.Kind, Name: o.Name}
}

func (r *survey) services(ctx context.Context) error {
	slicesOf := map[string][]discoveryv1.EndpointSlice{}
	err := pages(ctx, r, "endpointslices", r.client.DiscoveryV1().EndpointSlices(r.options.Namespace).List, func(l *discoveryv1.EndpointSliceList) int {
		if l == nil {
			clear(slicesOf)
			return 0
		}
		for _, s := range l.Items {
			key := s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]
			slicesOf[key] = append(slicesOf[key], s)
		}
		return len(l.Items)
	})
	if err != nil {
		return err
	}
	return pages(ctx, r, "services", r.client.CoreV1().Services(r.options.Namespace).List, func(l *corev1.ServiceList) int {
		if l == nil {
			r.out.Services = nil
			return 0
		}
		for i := range l.Items {
			if s := &l.Items[i]; len(clusterIPs(s)) > 0 {
				r.out.Services = append(r.out.Services, serviceOf(s, slicesOf[s.Namespace+"/"+s.Name]))
			}
		}
		return len(l.Items)
	})
}

func clusterIPs(s *corev1.Service) []netip.Addr {
	return addresses(append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...))
}

func serviceOf(s *corev1.Service, endpoints []discoveryv1.EndpointSlice) inventory.ClusterService {
	out := inventory.ClusterService{Namespace: s.Namespace, Name: s.Name, Addresses: clusterIPs(s), Labels: s.Spec.Selector}
	for _, p := range s.Spec.Ports {
		out.Ports = append(out.Ports, portOfService(&p, endpoints))
	}
	var texts []string
	for i := range endpoints {
		for _, e := range endpoints[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				texts = append(texts, e.Addresses...)
			}
		}
	}
	out.Endpoints = addresses(texts)
	slices.SortFunc(out.Endpoints, netip.Addr.Compare)
	return out
}

var protocols = map[corev1.Protocol]uint8{"": policy.TCP, corev1.ProtocolTCP: policy.TCP, corev1.ProtocolUDP: policy.UDP, corev1.ProtocolSCTP: policy.SCTP}

// portOfService gives a port with the ports that the endpoints have for it. Where
// there are no endpoints, the number of the target port is known all the same.
func portOfService(p *corev1.ServicePort, endpoints []discoveryv1.EndpointSlice) inventory.ClusterPort {
	out := inventory.ClusterPort{Protocol: protocols[p.Protocol], Port: uint16(p.Port)}
	add := func(target int32) {
		if target > 0 && target <= 65535 && !slices.Contains(out.Targets, uint16(target)) {
			out.Targets = append(out.Targets, uint16(target))
		}
	}
	for i := range endpoints {
		for _, e := range endpoints[i].Ports {
			if name := e.Name; e.Port != nil && (name == nil && p.Name == "" || name != nil && *name == p.Name) && (e.Protocol == nil || protocols[*e.Protocol] == out.Protocol) {
				add(*e.Port)
			}
		}
	}
	if len(out.Targets) == 0 && p.TargetPort.StrVal == "" {
		add(cmp.Or(p.TargetPort.IntVal, p.Port))
	}
	slices.Sort(out.Targets)
	return out
}
