package identity

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// The reserved numbers that the agent uses (Cilium, pkg/identity/reserved).
const (
	Host          uint32 = 1
	World         uint32 = 2
	RemoteNode    uint32 = 6
	KubeAPIServer uint32 = 7
)

// First and Last bound the numbers given to label sets.
const (
	First uint32 = 256
	Last  uint32 = 65535
)

// An Assignment is one label set and its number.
type Assignment struct {
	ID     uint32            `json:"id"`
	Labels map[string]string `json:"labels"`
}

// A Table holds the numbers in use. The zero value is empty. A Table is never
// changed; Assign gives another one.
type Table struct {
	// Assigned is sorted by number.
	Assigned []Assignment `json:"assigned"`
	// Latest is the number given out last, 0 if none was.
	Latest uint32 `json:"latest"`
	byKey  map[string]uint32
}

// Assign gives the table for the label sets in use. Sets that t knows keep
// their numbers; a set that nobody has any more loses its own, which is not
// given out again before all others were. The error says that there are more
// sets than numbers.
func (t Table) Assign(sets []map[string]string) (Table, error) {
	next := Table{Latest: t.Latest, byKey: map[string]uint32{}}
	used := map[uint32]bool{}
	for _, a := range t.Assigned {
		used[a.ID] = true
	}
	for _, labels := range inOrder(sets) {
		id, known := t.Number(labels)
		if !known {
			if id = free(next.Latest, used); id == 0 {
				return Table{}, fmt.Errorf("more than %d different label sets", Last-First+1)
			}
			next.Latest = id
		}
		used[id] = true
		next.byKey[key(labels)] = id
		next.Assigned = append(next.Assigned, Assignment{id, maps.Clone(labels)})
	}
	slices.SortFunc(next.Assigned, func(a, b Assignment) int { return int(a.ID) - int(b.ID) })
	return next, nil
}

// Number gives the number of a label set.
func (t Table) Number(labels map[string]string) (uint32, bool) {
	if t.byKey != nil {
		id, ok := t.byKey[key(labels)]
		return id, ok
	}
	for _, a := range t.Assigned {
		if maps.Equal(a.Labels, labels) {
			return a.ID, true
		}
	}
	return 0, false
}

// Validate reports what makes a table read from a file meaningless.
func (t Table) Validate() error {
	seen := map[string]bool{}
	for i, a := range t.Assigned {
		switch {
		case a.ID < First || a.ID > Last:
			return fmt.Errorf("identity %d is not in %d-%d", a.ID, First, Last)
		case i > 0 && a.ID <= t.Assigned[i-1].ID:
			return fmt.Errorf("identity %d stands twice or out of order", a.ID)
		case seen[key(a.Labels)]:
			return fmt.Errorf("identity %d has the labels of another", a.ID)
		}
		seen[key(a.Labels)] = true
	}
	return nil
}

// free gives the next number after the latest that nobody has, 0 for none.
func free(latest uint32, used map[uint32]bool) uint32 {
	latest = max(latest, First-1)
	for range Last - First + 1 {
		if latest++; latest > Last {
			latest = First
		}
		if !used[latest] {
			return latest
		}
	}
	return 0
}

// inOrder gives the distinct sets, so that the numbers do not depend on the
// order in which pods are named.
func inOrder(sets []map[string]string) []map[string]string {
	distinct := map[string]map[string]string{}
	for _, s := range sets {
		distinct[key(s)] = s
	}
	var out []map[string]string
	for _, k := range slices.Sorted(maps.Keys(distinct)) {
		out = append(out, distinct[k])
	}
	return out
}

// key gives equal strings for equal sets alone: quoting keeps "a=b" as a key
// apart from "b" as a value.
func key(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(strconv.Quote(k) + "=" + strconv.Quote(labels[k]) + ",")
	}
	return b.String()
}

// Labels gives a pod's labels with its namespace among them, as selectors see
// them. A pod cannot pose as one of another namespace through its labels.
func Labels(namespace string, labels map[string]string) map[string]string {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all[policy.NamespaceKey] = namespace
	return all
}
