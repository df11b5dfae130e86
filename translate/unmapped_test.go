package translate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
)

const unmappedConfig = `object-group network WEB
 host 10.1.20.5
 host 10.1.99.7
object-group network FAR
 host 192.0.2.1
object-group network LONELY
 10.1.98.0 255.255.255.0
ip access-list extended EDGE
 10 permit tcp any object-group WEB eq www
 20 permit tcp host 10.1.97.1 any
 30 permit tcp any host 10.1.20.9
 40 permit ip 10.0.0.0 0.255.255.255 any
 50 deny tcp any host 10.1.97.1
 60 permit tcp object-group FAR host 10.96.0.5
 70 permit ip 10.1.20.0 0.0.1.255 any
 80 permit ip host 10.1.96.0 host 10.1.96.0
 90 permit ip 10.1.0.8 0.0.255.0 any
`

func TestUnmapped(t *testing.T) {
	config, _, err := grammar.ParseFile("edge.cfg", strings.NewReader(unmappedConfig))
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Read("i.yaml", strings.NewReader(`workloads: [{name: W, labels: {app: w}, addresses: [10.1.20.0/24]}]
clusterCIDRs: [10.1.0.0/16, 10.96.0.0/24]
services: [{name: s, namespace: n, addresses: [10.96.0.5], ports: [{port: 80}], workload: W}]
`))
	if err != nil {
		t.Fatal(err)
	}
	all, err := translate.Unmapped(config, inv)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range all {
		line := fmt.Sprintf("%s %q %s", u.Source, u.Group, u.Addresses[0].First)
		if r := u.Addresses[0]; r.First != r.Last || len(u.Addresses) > 1 {
			line += fmt.Sprintf("-%s in %d", u.Addresses[len(u.Addresses)-1].Last, len(u.Addresses))
		}
		for _, l := range u.Lines {
			line += " " + l.ID.String()
		}
		got = append(got, line)
	}
	want := []string{
		`edge.cfg:1:22 "WEB" 10.1.99.7 EDGE/10`,
		`edge.cfg:6:22 "LONELY" 10.1.98.0-10.1.98.255 in 1`,
		`edge.cfg:10:2 "" 10.1.97.1 EDGE/20 EDGE/50`,
		`edge.cfg:15:2 "" 10.1.21.0-10.1.21.255 in 1 EDGE/70`,
		`edge.cfg:16:2 "" 10.1.96.0 EDGE/80`,
		`edge.cfg:17:2 "" 10.1.0.8-10.1.255.8 in 255 EDGE/90`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
