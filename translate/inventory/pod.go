package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// A Pod is what a snapshot knows of one pod.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	// NamespaceLabels are those of the pod's namespace.
	NamespaceLabels map[string]string
	// Addresses is empty while the pod has none.
	Addresses []netip.Addr
	Owner     Owner
}

// An Owner is what made a pod and makes its successors: the Deployment, not
// its ReplicaSet of today. The zero value stands for nobody.
type Owner struct{ Kind, Name string }

// String gives "namespace/name".
func (p *Pod) String() string { return p.Namespace + "/" + p.Name }

// namespaceLabel stands before the keys of a namespace's labels; it is
// Cilium's own.
const namespaceLabel = "io.cilium.k8s.namespace.labels."

// EndpointLabels gives the labels as selectors see them: the pod's own, its
// namespace under policy.NamespaceKey and the namespace's labels under Cilium's
// prefix.
func (p *Pod) EndpointLabels() map[string]string {
	out := maps.Clone(p.Labels)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range p.NamespaceLabels {
		out[namespaceLabel+k] = v
	}
	out[policy.NamespaceKey] = p.Namespace
	return out
}

// A Closure is what selectors select beyond the pods that they stand for.
type Closure struct {
	// Selected are the selected pods, Extra those of them that were not
	// wanted, Missed the wanted ones that are not selected: indexes, sorted.
	Selected, Extra, Missed []int
}

// CloseOver compares what selectors select of the pods with the wanted ones,
// which are indexes of pods.
func CloseOver(pods []Pod, selectors []policy.Selector, wanted []int) (c Closure) {
	for i := range pods {
		labels := pods[i].EndpointLabels()
		selected := slices.ContainsFunc(selectors, func(s policy.Selector) bool { return s.Matches(labels) })
		want := slices.Contains(wanted, i)
		if selected {
			c.Selected = append(c.Selected, i)
		}
		switch {
		case selected && !want:
			c.Extra = append(c.Extra, i)
		case want && !selected:
			c.Missed = append(c.Missed, i)
		}
	}
	return c
}

// Exact reports whether exactly the wanted pods are selected.
func (c *Closure) Exact() bool { return len(c.Extra)+len(c.Missed) == 0 }

// String gives "selects 3 pods today, 1 not in the ACL".
func (c *Closure) String() string {
	text := fmt.Sprintf("selects %s today", count(len(c.Selected), "pod"))
	if len(c.Extra) > 0 {
		text += fmt.Sprintf(", %d not in the ACL", len(c.Extra))
	}
	if len(c.Missed) > 0 {
		text += fmt.Sprintf(", %d of the ACL missing", len(c.Missed))
	}
	return text
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
