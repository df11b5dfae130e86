package inventory

import (
	"regexp"
	"strings"

	"aclium/translate/policy"
)

// What a label is worth for a selector that must still be true tomorrow. The
// role of a pod outlives its release, and its release outlives its replica set.
var keyCosts = map[string]int{
	"app.kubernetes.io/name":      10,
	"app":                         11,
	"k8s-app":                     11,
	"app.kubernetes.io/component": 12,
	"component":                   12,
	"tier":                        12,
	"role":                        13,
	"app.kubernetes.io/part-of":   16,
	"app.kubernetes.io/instance":  18,
	"release":                     40,
	"version":                     60,
	"app.kubernetes.io/version":   60,
	"track":                       40,
	"chart":                       70,
	"helm.sh/chart":               70,
}

const (
	// roleCost is the most that a label costs which names a pod's role.
	roleCost = 18
	// otherCost is that of a label of which nothing is known.
	otherCost = 25
)

// unstable are keys whose values belong to one pod or one revision. Cilium
// does not even see most of them.
var unstable = map[string]bool{
	"pod-template-hash": true, "controller-revision-hash": true, "pod-template-generation": true, "controller-uid": true, "job-name": true,
	"statefulset.kubernetes.io/pod-name": true, "apps.kubernetes.io/pod-index": true, "job-completion-index": true, "date": true, "uid": true,
	"creationTimestamp": true, "build": true, "commit": true, "revision": true, "hash": true, "checksum": true, "etcd_node": true,
	"annotation": true, "pod-name": true, "pod": true, "hostname": true,
}

// unstableValue are values that look like a date, a UID or a sum.
var unstableValue = regexp.MustCompile(`(?i)^(\d{4}-\d{2}-\d{2}([tT_.-].*)?|\d{8,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,}|([0-9a-f]*\d[0-9a-f]*[a-f]|[0-9a-f]*[a-f][0-9a-f]*\d)[0-9a-f]{6,})$`)

// stableKey reports whether selectors may be built on a key. Of the keys of
// Kubernetes itself only those of app.kubernetes.io say what a pod is for; the
// others are not in a pod's identity in Cilium.
func stableKey(key string) bool {
	host, _, prefixed := strings.Cut(key, "/")
	switch {
	case unstable[key] || strings.HasPrefix(key, "annotation."):
		return false
	case host == "app.kubernetes.io":
		return true
	case prefixed && (host == "kubernetes.io" || host == "k8s.io" || strings.HasSuffix(host, ".kubernetes.io") || strings.HasSuffix(host, ".k8s.io")):
		return false
	}
	return !strings.HasPrefix(key, "io.kubernetes") && !strings.HasPrefix(key, "io.cilium")
}

// termCost ranks a term by how stable it is. A label that a pod has says more
// than one that it lacks: a stranger of tomorrow lacks it too.
func termCost(t policy.Term) int {
	cost, known := keyCosts[t.Key]
	if !known {
		cost = otherCost
	}
	switch {
	case t.Op == policy.In && len(t.Values) == 1:
		return cost
	case t.Op == policy.In:
		return cost + 5 + len(t.Values)
	case t.Op == policy.Exists:
		return cost + 20
	case t.Op == policy.DoesNotExist:
		return cost + 60
	}
	return cost + 65
}
