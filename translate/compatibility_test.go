package translate_test

import (
	"os"
	"strings"
	"testing"

	"aclium/translate"
)

// TestCompatibility holds docs/compatibility.md to what the targets are: a cell
// says "refused", or that a word is left unsaid, exactly where a target has no
// word for it.
func TestCompatibility(t *testing.T) {
	text, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = cells[1:]
	}
	column := map[string]int{"networkpolicy": 0, "cilium": 1, "cilium-clusterwide": 1, "cluster-network-policy": 2, "calico": 3, "enforcer": 4}
	for _, target := range translate.Targets() {
		if rows["`"+target.Name+"`"] == nil {
			t.Errorf("no row for -t %s", target.Name)
		}
		i, ok := column[target.Name]
		if !ok {
			t.Errorf("no column for -t %s", target.Name)
			continue
		}
		for name, said := range map[string]bool{
			"ICMP": target.ICMP, "source ports": target.SourcePorts, "protocols without ports (GRE, ESP, ...)": target.Protocols,
			"service accounts": target.Accounts, "another cluster's pods": target.Clusters, "entities": target.Entities,
			"a subject by labels of its namespace": target.NamespaceLabels, "FQDN": target.FQDNs, "HTTP": target.HTTP,
		} {
			cells := rows[name]
			if len(cells) != 5 {
				t.Errorf("row %q has %d cells, want 5", name, len(cells))
				continue
			}
			without := cells[i] == "refused" || strings.HasPrefix(cells[i], "only as part of")
			if without == said {
				t.Errorf("-t %s, %s: the page says %q, and the target can say it: %v", target.Name, name, cells[i], said)
			}
		}
	}
}
