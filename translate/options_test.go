package translate_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// The network of these tests: two workloads of one namespace and one of
// another, in a cluster of 10.1.0.0/16, with everyone else outside.
const siteFile = `workloads:
- {name: WEB, namespace: shop, labels: {app: web}, addresses: [10.1.10.0/24]}
- {name: BACKEND, namespace: shop, labels: {app: backend}, addresses: [10.1.20.0/23]}
- {name: DB, namespace: data, labels: {app: db}, addresses: [10.1.30.0/28]}
interfaces: {GigabitEthernet0/1: BACKEND, inside: WEB, Ethernet1/1: DB, GigabitEthernet0/0/0/1: DB}
clusterCIDRs: [10.1.0.0/16]
`

// shopService leads to BACKEND, two ports of one service to the same port.
const shopService = `services:
- {name: front, namespace: shop, addresses: [10.96.0.5], ports: [{port: 80, targetPort: 8080}], workload: BACKEND}
- {name: two, namespace: shop, addresses: [10.96.0.6], ports: [{port: 81, targetPort: 7070}, {port: 82, targetPort: 7070}], workload: BACKEND}
`

func siteOf(t *testing.T, more string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Read("site.yaml", strings.NewReader(siteFile+more))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// names are the ends of packets as objects see them: pods by their labels,
// others by their addresses. fresh is a pod of no workload.
var siteNames = map[string]map[string]string{
	"web": {"app": "web", policy.NamespaceKey: "shop"}, "backend": {"app": "backend", policy.NamespaceKey: "shop"},
	"db": {"app": "db", policy.NamespaceKey: "data"}, "fresh": {policy.NamespaceKey: "shop"},
}

func siteEnd(name string) policy.Endpoint {
	if l, ok := siteNames[name]; ok {
		return policy.Endpoint{Addr: netip.MustParseAddr("10.1.99.9"), Labels: l}
	}
	return policy.Endpoint{Addr: netip.MustParseAddr(name)}
}

// siteCase is a configuration and what becomes of it: packets "SOURCE
// DESTINATION PORT" that pass and that do not, and parts of findings as
// "ACL SEQ STATE: REASON".
type siteCase struct {
	name, config string
	dialect      grammar.Dialect
	more         string // of the inventory
	transit      []string
	passes       []string
	denied       []string
	findings     []string
	silent       bool // no line is narrower or refused
}

func (c *siteCase) run(t *testing.T) {
	config, _, err := grammar.ParseDialect("r1", strings.NewReader(c.config), c.dialect)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := translate.Identities(config, siteOf(t, c.more))
	if err != nil {
		t.Fatal(err)
	}
	o := translate.Options{Inventory: inv, Transit: c.transit}
	policies, findings, err := o.Compile(config)
	if err != nil {
		t.Fatal(err)
	}
	withheld, err := o.Withheld(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.Cilium, translate.Calico, translate.Enforcer} {
		stack, more := translate.Order(policies, translate.OrderOptions{Target: target, Inventory: inv, Withheld: withheld})
		if target.Verbatim && len(c.findings) > 0 {
			continue // what the others cannot say, the enforcer may
		}
		c.packets(t, target, stack)
		c.said(t, slices.Concat(findings, more))
	}
}

func (c *siteCase) packets(t *testing.T, target translate.Target, stack policy.Stack) {
	t.Helper()
	for want, packets := range map[bool][]string{true: c.passes, false: c.denied} {
		for _, text := range packets {
			words := strings.Fields(text)
			p := policy.Packet{Source: siteEnd(words[0]), Destination: siteEnd(words[1]), Protocol: policy.TCP, Flags: policy.SYN, SourcePort: 40000}
			for _, b := range words[2] {
				p.DestinationPort = p.DestinationPort*10 + uint16(b-'0')
			}
			if got := stack.Allows(&p); got != want {
				t.Errorf("%s: %s passes %v, want %v", target.Name, text, got, want)
			}
		}
	}
}

func (c *siteCase) said(t *testing.T, findings []policy.Finding) {
	t.Helper()
	var rows []string
	for _, f := range findings {
		rows = append(rows, strings.TrimSpace(f.ID.String()+" "+f.State.String()+": "+f.Reason))
		// One family and addresses of nodes are not what these cases are about.
		if c.silent && (f.State == policy.Refused || f.State == policy.Narrower && !strings.Contains(f.Reason, "match no nodes") && !strings.Contains(f.Reason, "can be named, not")) {
			t.Errorf("%s", rows[len(rows)-1])
		}
	}
	for _, want := range c.findings {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, want) }) {
			t.Errorf("nothing says %q in\n%s", want, strings.Join(rows, "\n"))
		}
	}
}

func TestSites(t *testing.T) {
	for _, c := range []siteCase{
		{
			name: "an interface that faces a workload, towards the pods",
			config: `ip access-list extended IN
 permit tcp 10.1.10.0 0.0.0.255 10.1.20.0 0.0.1.255 eq 8080
 permit tcp host 192.0.2.7 any eq 22
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes: []string{"web backend 8080", "192.0.2.7 backend 22", "backend web 1"},
			denied: []string{"db backend 8080", "fresh backend 8080", "192.0.2.7 backend 8080", "192.0.2.8 backend 22", "web backend 22"},
			silent: true,
		},
		{
			name: "from the pods",
			config: `ip access-list extended OUT
 permit tcp 10.1.20.0 0.0.1.255 10.1.30.0 0.0.0.15 eq 5432
 permit tcp any host 192.0.2.7
interface gigabitethernet0/1
 ip access-group OUT in
`,
			passes: []string{"backend db 5432", "backend 192.0.2.7 1", "web backend 1"},
			denied: []string{"backend db 22", "backend web 5432", "backend 192.0.2.8 1"},
			silent: true,
		},
		{
			name: "some addresses of a workload",
			config: `ip access-list extended IN
 permit tcp host 10.1.30.5 any eq 1
 permit tcp any host 10.1.20.9 eq 2
 permit tcp any any eq 3
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes: []string{"web backend 3", "db backend 3"},
			denied: []string{"db backend 1", "web backend 2"},
			findings: []string{
				"IN/10 refused: left out: 10.1.30.5 is one of the 16 addresses of workload DB (site.yaml:4:3), which its selector cannot tell apart: map it as a workload of its own",
				"IN/20 refused: left out: 10.1.20.9 is one of the 512 addresses of workload BACKEND",
			},
		},
		{
			name: "a deny of some addresses before a permit of them",
			config: `ip access-list extended IN
 deny tcp host 10.1.30.5 any
 permit tcp any any
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes:   []string{"fresh backend 1"}, // the list has no object
			findings: []string{"IN/0 refused: line 10 cannot be left out: 10.1.30.5 is one of the 16 addresses of workload DB"},
		},
		{
			name: "a deny of some addresses, and permits of others",
			config: `ip access-list extended IN
 deny tcp host 10.1.30.5 any
 permit tcp 10.1.10.0 0.0.0.255 any
 permit tcp host 192.0.2.7 any
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes: []string{"web backend 1", "192.0.2.7 backend 1"},
			denied: []string{"db backend 1", "fresh backend 1"},
			silent: true,
		},
		{
			name: "the whole cluster, and what no workload has",
			config: `ip access-list extended IN
 deny tcp 10.1.30.0 0.0.0.15 any
 permit tcp 10.1.0.0 0.0.255.255 any eq 1
 permit tcp host 10.1.77.1 any eq 2
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes:   []string{"web backend 1", "fresh backend 1"},
			denied:   []string{"db backend 1", "192.0.2.7 backend 1", "fresh backend 2"},
			findings: []string{"IN/30 refused: left out: the addresses 10.1.77.1 are pods' of no workload in the inventory: map them as a workload"},
		},
		{
			name: "an interface that nobody knows",
			config: `ip access-list extended IN
 permit ip any any
interface GigabitEthernet0/9
 ip access-group IN in
`,
			findings: []string{"IN/0 refused: no workload stands behind interface GigabitEthernet0/9: name the workload that it faces (interfaces: in an inventory), take the list as a router's between everyone (--transit IN)"},
		},
		{
			name: "lines about others have no effect, and none about the pods is an error",
			config: `ip access-list extended IN
 permit tcp any host 192.0.2.1
 permit tcp any 10.1.30.0 0.0.0.15
interface GigabitEthernet0/1
 ip access-group IN out
`,
			findings: []string{"IN/10 no-effect: is not about the pods of workload BACKEND", "IN/20 no-effect", "IN/0 refused: no permit of the list is about the pods of workload BACKEND"},
		},
		{
			name: "identity maps are an inventory",
			config: `object-group network CACHE
 workload namespace shop label app=cache
identity map 10.1.40.0 0.0.0.255 CACHE
ip access-list extended IN
 permit tcp 10.1.40.0 0.0.0.255 any eq 1
interface GigabitEthernet0/1
 ip access-group IN out
`,
			denied: []string{"web backend 1", "fresh backend 1"},
			silent: true,
		},
		{
			name: "a service stands for its pods at their port", more: shopService,
			config: `ip access-list extended OUT
 permit tcp any host 10.96.0.5 eq 80
 permit tcp any 10.1.30.0 0.0.0.15 eq 5432
interface inside
 ip access-group OUT in
`,
			passes: []string{"web backend 8080", "web db 5432"},
			denied: []string{"web backend 80", "web db 8080", "web 10.96.0.5 80", "web 192.0.2.1 80"},
			silent: true,
		},
		{
			name: "two ports of services that lead to one must both be permitted", more: shopService,
			config: `ip access-list extended OUT
 permit tcp any host 10.96.0.6 eq 81
 deny tcp any host 10.96.0.6 eq 82
 permit tcp any any eq 9090
interface inside
 ip access-group OUT in
`,
			passes:   []string{"web backend 9090"},
			denied:   []string{"web backend 7070"},
			findings: []string{"OUT/10 narrower: service two at 10.96.0.6 port 81 and service two at 10.96.0.6 port 82 lead to one port, 7070"},
		},
		{
			name: "pods that are denied by their own addresses", more: shopService,
			config: `ip access-list extended OUT
 permit tcp any host 10.96.0.5 eq 80
 deny ip any 10.1.20.0 0.0.1.255
 permit ip any any
interface inside
 ip access-group OUT in
`,
			passes: []string{"web db 8080", "web 192.0.2.1 1"},
			denied: []string{"web backend 8080", "web backend 80"},
			findings: []string{
				"OUT/10 narrower: service front at 10.96.0.5 port 80 leads to pods at port 8080, where line 20 denies",
				"OUT/20 narrower: denies what service front at 10.96.0.5 port 80 leads to, which line 10 decides otherwise or may",
			},
		},
		{
			name: "a service that is denied, and its pods are not", more: shopService,
			config: `ip access-list extended OUT
 deny tcp any host 10.96.0.5 eq 80
 permit ip any any
interface inside
 ip access-group OUT in
`,
			passes: []string{"web backend 80", "web backend 8081"},
			denied: []string{"web backend 8080"},
		},
		{
			name: "a service that nobody names is judged by its pods", more: shopService,
			config: `ip access-list extended OUT
 permit tcp any 10.1.20.0 0.0.1.255 eq 8080
interface inside
 ip access-group OUT in
`,
			passes: []string{"web backend 8080"},
			denied: []string{"web backend 80"},
			silent: true,
		},
		{
			name: "a service is the subject's own end", more: shopService,
			config: `ip access-list extended IN
 permit tcp host 192.0.2.7 host 10.96.0.5 eq 80
 permit tcp any host 10.96.0.5 eq 443
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes:   []string{"192.0.2.7 backend 8080"},
			denied:   []string{"192.0.2.8 backend 8080", "192.0.2.7 backend 80", "192.0.2.7 backend 443"},
			findings: []string{"IN/20 no-effect: no port of the service that it names fits the line"},
		},
		{
			name: "pods that are permitted by their own addresses, and not by their service", more: shopService,
			config: `ip access-list extended IN
 permit tcp host 192.0.2.7 host 10.96.0.5 eq 80
 permit tcp host 192.0.2.8 10.1.20.0 0.0.1.255 eq 8080
interface GigabitEthernet0/1
 ip access-group IN out
`,
			passes:   []string{"192.0.2.7 backend 8080"},
			denied:   []string{"192.0.2.8 backend 8080"},
			findings: []string{"IN/20 narrower: permits what service front at 10.96.0.5 port 80 leads to"},
		},
		{
			name: "a service in transit", more: shopService, transit: []string{"EDGE"},
			config: `ip access-list extended EDGE
 permit tcp any host 10.96.0.5 eq 80
 permit tcp any 10.1.10.0 0.0.0.255
 permit tcp any 10.1.30.0 0.0.0.15 eq 5432
interface GigabitEthernet0/7
 ip access-group EDGE in
`,
			passes: []string{"web backend 8080", "192.0.2.1 backend 8080", "db web 1", "web db 5432"},
			denied: []string{"web backend 80", "db backend 8081", "web 192.0.2.1 80"},
			silent: true,
		},
		{
			name:    "transit",
			transit: []string{"EDGE"},
			config: `ip access-list extended EDGE
 permit tcp any 10.1.10.0 0.0.0.255 eq 443
 permit tcp 10.1.10.0 0.0.0.255 10.1.20.0 0.0.1.255 eq 8080
 deny ip any 10.1.30.0 0.0.0.15
 permit tcp 10.1.20.0 0.0.1.255 any eq 53
interface GigabitEthernet0/7
 ip access-group EDGE in
`,
			passes: []string{"192.0.2.1 web 443", "db web 443", "web backend 8080", "backend 192.0.2.1 53", "backend web 53", "fresh 192.0.2.1 9", "backend fresh 53"},
			denied: []string{"192.0.2.1 web 80", "db backend 8080", "web 192.0.2.1 53", "db 192.0.2.1 1", "backend 192.0.2.1 54", "web fresh 53", "backend web 54", "192.0.2.1 db 1", "web db 53", "backend db 53"},
			silent: true,
		},
		{
			name: "NX-OS", dialect: grammar.NXOS,
			config: `ip access-list A
  10 permit tcp 10.1.20.0/23 any eq 5432
  20 permit tcp any any syn
  30 permit tcp 10.1.10.0/24 any eq 1 capture session 3
interface Ethernet1/1
  ip access-group A out
interface Ethernet1/2
  ip access-group A out
`,
			passes: []string{"backend db 5432", "web db 1"},
			denied: []string{"web db 5432"},
			findings: []string{
				"A/20 refused: TCP flags other than established are not supported in NX-OS",
				"A/0 refused: not applied: no workload stands behind interface Ethernet1/2: name the one",
			},
		},
		{
			name: "NX-OS fragments", dialect: grammar.NXOS,
			config: `ip access-list A
  fragments permit-all
  10 permit tcp 10.1.20.0/23 any eq 5432
interface Ethernet1/1
  ip access-group A out
`,
			findings: []string{"A/0 refused: the list cannot be applied to workload DB ingress"},
		},
		{
			name: "NX-OS port lists", dialect: grammar.NXOS,
			config: `ip access-list A
  10 permit tcp 10.1.20.0/23 any eq 5432
interface Ethernet1/1
  ip access-group A out
  ip port access-group A in
`,
			findings: []string{"interface Ethernet1/1/0 refused: ip port access-group is not supported", "A/0 refused: the list cannot be applied to workload DB ingress"},
		},
		{
			name: "IOS-XR, one name for both families", dialect: grammar.IOSXR,
			config: `ipv4 access-list A
 10 permit tcp 10.1.20.0 0.0.1.255 any eq 5432
!
ipv6 access-list A
 10 permit tcp any any eq 5432
!
interface GigabitEthernet0/0/0/1
 ipv4 access-group A egress hardware-count
 ipv6 access-group A egress
!
`,
			passes:   []string{"backend db 5432"},
			denied:   []string{"web db 5432", "backend db 5433"},
			findings: []string{"A/"},
		},
		{
			name: "ASA", dialect: grammar.ASA,
			config: `interface GigabitEthernet0/3
 nameif inside
access-list OUT extended permit tcp 10.1.10.0 255.255.255.0 10.1.20.0 255.255.254.0 eq 8080
access-list OUT extended deny ip any4 any4
access-list ALL extended permit ip any any
access-group OUT in interface inside
access-group ALL global
`,
			passes:   []string{"web backend 8080"},
			denied:   []string{"web backend 1", "web db 8080", "web 192.0.2.1 8080"},
			findings: []string{"ALL/0 refused: not applied: no workload stands behind any interface of an ASA"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.dialect == 0 {
				c.dialect = grammar.IOS
			}
			c.run(t)
		})
	}
}
