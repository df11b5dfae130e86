package identity

import (
	"maps"
	"slices"

	"aclium/translate/policy"
)

// Patterns gives the set by which a Table numbers addresses of the world whose
// names fit exactly these patterns. No pod has such labels: it has a namespace.
func Patterns(patterns []string) map[string]string {
	set := make(map[string]string, len(patterns))
	for _, p := range patterns {
		set[p] = ""
	}
	return set
}

// PatternsOf undoes Patterns, sorted; false when the labels are a pod's.
func PatternsOf(labels map[string]string) ([]string, bool) {
	if _, pod := labels[policy.NamespaceKey]; pod {
		return nil, false
	}
	return slices.Sorted(maps.Keys(labels)), true
}
