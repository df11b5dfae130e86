package cyclonus

import (
	"fmt"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// A step is what a case looks like after one round of its actions: the
// policies in force and what cyclonus says of every flow that it would send.
type step struct {
	name     string
	policies []*networkingv1.NetworkPolicy
	flows    []flow
}

// A flow is a connection from one pod to another, and whether cyclonus lets it
// out of the one, into the other, and through.
type flow struct {
	*probe.Job
	egress, ingress, through bool
}

// newCluster gives cyclonus's own test cluster: the pods a, b and c in each of
// the namespaces x, y and z, serving ports 80 and 81 over TCP, UDP and SCTP.
func newCluster(t *testing.T) *connectivity.TestCaseState {
	t.Helper()
	mock := kube.NewMockKubernetes(1)
	pods, err := probe.NewDefaultResources(mock, []string{"x", "y", "z"}, []string{"a", "b", "c"}, []int{80, 81},
		[]v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP}, nil, 60, false, "")
	if err != nil {
		t.Fatal(err)
	}
	return &connectivity.TestCaseState{Kubernetes: mock, Resources: pods}
}

// cases gives every case that cyclonus generates, none excluded. The address
// is that of pod z/c, around which the cases put their CIDRs.
func cases(t *testing.T) []*generator.TestCase {
	t.Helper()
	zc, err := newCluster(t).Resources.GetPod("z", "c")
	if err != nil {
		t.Fatal(err)
	}
	return generator.NewTestCaseGenerator(true, zc.IP, []string{"x", "y", "z"}, nil, nil).GenerateAllTestCases()
}

// replay runs a case's actions on a fresh cluster and gives its steps.
func replay(t *testing.T, c *generator.TestCase) (steps []step) {
	t.Helper()
	cluster := newCluster(t)
	for i, s := range c.Steps {
		for _, a := range s.Actions {
			if err := act(cluster, a); err != nil {
				t.Fatalf("%s: step %d: %v", c.Description, i+1, err)
			}
		}
		out := step{name: fmt.Sprintf("%s: step %d", c.Description, i+1), policies: append([]*networkingv1.NetworkPolicy(nil), cluster.Policies...)}
		// Three steps ask about one port alone; here every step asks about all.
		jobs := (&probe.JobBuilder{}).GetJobsAllAvailableServers(cluster.Resources, generator.ProbeModePodIP)
		judge := matcher.BuildNetworkPolicies(true, cluster.Policies)
		for _, j := range jobs.Valid {
			v := judge.IsTrafficAllowed(j.Traffic())
			out.flows = append(out.flows, flow{j, v.Egress.IsAllowed(), v.Ingress.IsAllowed(), v.IsAllowed()})
		}
		steps = append(steps, out)
	}
	return steps
}

func act(c *connectivity.TestCaseState, a *generator.Action) error {
	switch {
	case a.CreatePolicy != nil:
		return c.CreatePolicy(a.CreatePolicy.Policy)
	case a.UpdatePolicy != nil:
		return c.UpdatePolicy(a.UpdatePolicy.Policy)
	case a.DeletePolicy != nil:
		return c.DeletePolicy(a.DeletePolicy.Namespace, a.DeletePolicy.Name)
	case a.CreateNamespace != nil:
		return c.CreateNamespace(a.CreateNamespace.Namespace, a.CreateNamespace.Labels)
	case a.SetNamespaceLabels != nil:
		return c.SetNamespaceLabels(a.SetNamespaceLabels.Namespace, a.SetNamespaceLabels.Labels)
	case a.DeleteNamespace != nil:
		return c.DeleteNamespace(a.DeleteNamespace.Namespace)
	case a.ReadNetworkPolicies != nil:
		return c.ReadPolicies(a.ReadNetworkPolicies.Namespaces)
	case a.CreatePod != nil:
		return c.CreatePod(a.CreatePod.Namespace, a.CreatePod.Pod, a.CreatePod.Labels)
	case a.SetPodLabels != nil:
		return c.SetPodLabels(a.SetPodLabels.Namespace, a.SetPodLabels.Pod, a.SetPodLabels.Labels)
	case a.DeletePod != nil:
		return c.DeletePod(a.DeletePod.Namespace, a.DeletePod.Pod)
	}
	return fmt.Errorf("an action that this test does not know: %+v", *a)
}
