package cyclonus

import (
	"bytes"
	"maps"
	"net/netip"
	"testing"

	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"aclium/translate/kube"
	"aclium/translate/policy"
)

// The sizes of cyclonus v0.5.6's suite. A suite that shrinks proves less, so
// they are part of the test. A step has 9 pods to 9 pods on 6 ports, fewer or
// more where a case deletes or adds a pod.
const (
	wantCases = 230
	wantSteps = 256
	wantFlows = 124_884
)

// TestFlows compares the verdict on every flow of every case, at each end by
// itself and at both.
func TestFlows(t *testing.T) {
	all := cases(t)
	steps, flows, allowed := 0, 0, 0
	for _, c := range all {
		for _, s := range replay(t, c) {
			stack := decode(t, &s)
			steps++
			for _, f := range s.flows {
				flows++
				if f.through {
					allowed++
				}
				compare(t, &s, stack, f)
			}
		}
	}
	t.Logf("%d cases, %d steps, %d flows, %d of them allowed", len(all), steps, flows, allowed)
	if len(all) != wantCases || steps != wantSteps || flows != wantFlows {
		t.Errorf("want %d cases, %d steps, %d flows", wantCases, wantSteps, wantFlows)
	}
	if allowed == 0 || allowed == flows {
		t.Error("all flows have one verdict")
	}
}

// decode reads the step's policies as they would lie in a file.
func decode(t *testing.T, s *step) policy.Stack {
	t.Helper()
	var text bytes.Buffer
	for _, p := range s.policies {
		p := p.DeepCopy()
		p.APIVersion, p.Kind = networkingv1.SchemeGroupVersion.String(), "NetworkPolicy"
		b, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
		text.Write(b)
	}
	stack, err := kube.Decode(s.name, &text)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return stack
}

func compare(t *testing.T, s *step, stack policy.Stack, f flow) {
	t.Helper()
	p := packet(t, &f)
	in, line := stack.Judge(policy.Ingress, &p)
	out, outLine := stack.Judge(policy.Egress, &p)
	for _, c := range []struct {
		what      string
		want, got bool
		line      policy.RuleID
	}{
		{"ingress", f.ingress, in == policy.Permit, line},
		{"egress", f.egress, out == policy.Permit, outLine},
		{"both ends", f.through, stack.Allows(&p), policy.RuleID{}},
	} {
		if c.want != c.got {
			t.Errorf("%s: %s: %s to %s %s/%d: cyclonus says %v, aclium %v at %+v",
				s.name, c.what, f.FromKey, f.ToKey, f.Protocol, f.ResolvedPort, c.want, c.got, c.line)
		}
	}
}

var protocols = map[v1.Protocol]uint8{v1.ProtocolTCP: policy.TCP, v1.ProtocolUDP: policy.UDP, v1.ProtocolSCTP: policy.SCTP}

// packet gives the packet that opens the flow.
func packet(t *testing.T, j *flow) policy.Packet {
	t.Helper()
	p := policy.Packet{
		Source:      endpoint(t, j.FromIP, j.FromNamespace, j.FromPodLabels, j.FromNamespaceLabels),
		Destination: endpoint(t, j.ToIP, j.ToNamespace, j.ToPodLabels, j.ToNamespaceLabels),
		Protocol:    protocols[j.Protocol], SourcePort: 40000, DestinationPort: uint16(j.ResolvedPort), PortName: j.ResolvedPortName,
	}
	if p.Protocol == policy.TCP {
		p.Flags = policy.SYN
	}
	return p
}

// endpoint gives a pod with its labels, its namespace's labels and its
// namespace's name, each under the key that the contract has for it.
func endpoint(t *testing.T, ip, namespace string, pod, namespaceLabels map[string]string) policy.Endpoint {
	t.Helper()
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		t.Fatal(err)
	}
	labels := maps.Clone(pod)
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range namespaceLabels {
		labels["io.cilium.k8s.namespace.labels."+k] = v
	}
	labels[policy.NamespaceKey] = namespace
	return policy.Endpoint{Addr: addr, Labels: labels}
}
