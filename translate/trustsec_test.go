package translate_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

const rolesText = `object-group network FRONT
 workload namespace shop label app=front
object-group network BACK
 workload namespace shop label app=back
object-group network ADMIN
 workload namespace ops
ip access-list role-based HTTP
 10 permit tcp dst eq 8080
ip access-list role-based NO-SSH
 10 deny tcp dst eq 22
ip access-list role-based REST
 10 permit ip
cts role-based enforcement
cts role-based sgt-map workload FRONT sgt 10
cts role-based sgt-map workload BACK sgt 20
cts role-based sgt-map workload ADMIN sgt 30
cts role-based sgt-map 192.0.2.0/24 sgt 40
cts role-based sgt-map 192.0.2.7 sgt 50
`

// podAt gives a pod in a namespace with one label, "app".
func podAt(namespace, app, addr string) policy.Endpoint {
	return policy.Endpoint{Addr: netip.MustParseAddr(addr), Labels: map[string]string{policy.NamespaceKey: namespace, "app": app}}
}

func outside(addr string) policy.Endpoint { return policy.Endpoint{Addr: netip.MustParseAddr(addr)} }

func opens(from, to policy.Endpoint, protocol uint8, port uint16) *policy.Packet {
	p := &policy.Packet{Source: from, Destination: to, Protocol: protocol, SourcePort: 40000, DestinationPort: port}
	if protocol == policy.TCP {
		p.Flags = policy.SYN
	}
	return p
}

func compiled(t *testing.T, text string) (*grammar.Config, []policy.Policy, []policy.Finding) {
	t.Helper()
	c, _, err := grammar.ParseDialect("f", strings.NewReader(text), grammar.IOS)
	if err != nil {
		t.Fatal(err)
	}
	policies, findings, err := translate.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range policies {
		if err := policies[i].Validate(); err != nil {
			t.Fatal(err)
		}
	}
	return c, policies, findings
}

func permits(policies []policy.Policy, d policy.Direction, p *policy.Packet) (bool, policy.RuleID) {
	action, id := policy.Stack{{Combine: policy.Series, Policies: policies}}.Judge(d, p)
	return action == policy.Permit, id
}

// A cell is its lists in order and then a deny; other cells have the default
// one, or everything passes.
func TestCellsFilterBetweenGroups(t *testing.T) {
	front, back, admin := podAt("shop", "front", "10.1.0.1"), podAt("shop", "back", "10.1.0.2"), podAt("ops", "x", "10.1.0.3")
	other, far, host, world := podAt("misc", "x", "10.1.0.4"), outside("192.0.2.9"), outside("192.0.2.7"), outside("198.51.100.1")
	const cells = rolesText + `cts role-based permissions from 10 to 20 HTTP
cts role-based permissions from 30 to 20 NO-SSH REST
cts role-based permissions from 40 to 20 HTTP
cts role-based permissions from unknown to 20 NO-SSH
`
	_, policies, findings := compiled(t, cells)
	if err := translate.Refused(findings); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		want     bool
		from     policy.Endpoint
		to       policy.Endpoint
		protocol uint8
		port     uint16
	}{
		{true, front, back, policy.TCP, 8080},
		{false, front, back, policy.TCP, 8081},
		{false, front, back, policy.UDP, 8080},
		{true, admin, back, policy.UDP, 53},
		{false, admin, back, policy.TCP, 22},
		{true, far, back, policy.TCP, 8080},
		{false, far, back, policy.TCP, 23},
		{true, host, back, policy.TCP, 23},   // sgt 50 has no cell
		{true, back, back, policy.TCP, 22},   // neither has 20 to 20
		{false, other, back, policy.TCP, 80}, // unknown: the cell permits nothing
		{false, world, back, policy.TCP, 80},
		{true, world, front, policy.TCP, 22}, // nothing filters sgt 10
		{true, front, other, policy.TCP, 22},
	} {
		p := opens(row.from, row.to, row.protocol, row.port)
		if got, id := permits(policies, policy.Ingress, p); got != row.want {
			t.Errorf("%v -> %v %d/%d: %v by %v", row.from, row.to, row.protocol, row.port, got, id)
		}
	}
	six := opens(outside("2001:db8::1"), podAt("shop", "back", "2001:db8::2"), policy.TCP, 22)
	if got, id := permits(policies, policy.Ingress, six); !got {
		t.Errorf("IPv6, which no cell governs, is denied by %v", id)
	}
	_, id := permits(policies, policy.Ingress, opens(front, back, policy.TCP, 22))
	if want := (policy.RuleID{ACL: "sgt 10 to 20"}); id != want {
		t.Errorf("the implicit deny of a cell counts on %v, want %v", id, want)
	}
}

// The default cell governs everybody: also the pods that no workload names.
func TestDefaultCellGovernsPodsWithoutTag(t *testing.T) {
	text := strings.Replace(rolesText, "cts role-based sgt-map 192.0.2.0/24 sgt 40\ncts role-based sgt-map 192.0.2.7 sgt 50\n", "", 1)
	_, policies, findings := compiled(t, text+"cts role-based permissions default HTTP\ncts role-based permissions from 10 to 20 REST\n")
	if err := translate.Refused(findings); err != nil {
		t.Fatal(err)
	}
	front, back, other := podAt("shop", "front", "10.1.0.1"), podAt("shop", "back", "10.1.0.2"), podAt("misc", "x", "10.1.0.4")
	for _, row := range []struct {
		want     bool
		from, to policy.Endpoint
		port     uint16
	}{
		{true, front, back, 22}, {false, back, front, 22}, {true, back, front, 8080}, {false, other, back, 22},
		{true, other, back, 8080}, {false, back, other, 22}, {true, back, other, 8080},
	} {
		if got, id := permits(policies, policy.Ingress, opens(row.from, row.to, policy.TCP, row.port)); got != row.want {
			t.Errorf("%v -> %v %d: %v by %v", row.from, row.to, row.port, got, id)
		}
	}
}

// What cannot be placed or said refuses what it would protect, and nothing
// else.
func TestCellsThatCannotBeSaid(t *testing.T) {
	for name, test := range map[string]struct {
		lines    string
		reason   string
		withheld bool // for a known workload; else nothing at all is converted
	}{
		"source without a map":       {"cts role-based permissions from 11 to 20 HTTP\n", "no host has sgt 11: map it with cts role-based sgt-map workload NAME sgt 11", true},
		"destination without a map":  {"cts role-based permissions from 10 to 21 HTTP\n", "no pod has sgt 21: map it with cts role-based sgt-map workload NAME sgt 21", false},
		"destination of addresses":   {"cts role-based permissions from 10 to 40 HTTP\n", "sgt 40 is addresses alone", true},
		"pods without tag":           {"cts role-based permissions from 10 to unknown HTTP\n", "depends on the addresses", true},
		"a deny with an option":      {"ip access-list role-based T\n deny tcp dst eq 22 option 7\n permit ip\ncts role-based permissions from 10 to 20 T\n", "option is not supported", true},
		"an empty list":              {"ip access-list role-based E\n remark none\ncts role-based permissions from 10 to 20 E\n", "role-based list E is empty", true},
		"a map of a VLAN":            {"cts role-based sgt-map vlan-list 10 sgt 20\ncts role-based permissions from 10 to 20 HTTP\n", "which pods are in a VLAN is not known", false},
		"a map of a VRF":             {"cts role-based sgt-map vrf R 10.0.0.0/8 sgt 20\ncts role-based permissions from 10 to 20 HTTP\n", "pods are in no VRF", false},
		"enforcement of a VLAN only": {"no cts role-based enforcement\ncts role-based enforcement vlan-list 10\ncts role-based permissions from 10 to 20 HTTP\n", "which pods are in a VLAN is not known", false},
	} {
		c, _, findings := compiled(t, rolesText+test.lines)
		err := translate.Refused(findings)
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want %s", name, err, test.reason)
		}
		if _, err := translate.Withheld(c); (err == nil) != test.withheld {
			t.Errorf("%s: withheld: %v", name, err)
		}
	}
}

// TestMistakesInCells have a place.
func TestMistakesInCells(t *testing.T) {
	for text, want := range map[string]string{
		"cts role-based permissions from 10 to 20 HTPP\n":                                                                                  "role-based list HTPP is not defined (did you mean HTTP",
		"cts role-based permissions from 10 to 20 ipv6 HTTP\n":                                                                             "HTTP is no role-based list of the family",
		"cts role-based sgt-map workload NONE sgt 9\ncts role-based permissions from 10 to 20 HTTP\n":                                      "object-group NONE is not defined",
		"object-group network A\n host 10.0.0.1\ncts role-based sgt-map workload A sgt 9\ncts role-based permissions from 10 to 20 HTTP\n": "may hold workloads only",
	} {
		c, _, err := grammar.ParseDialect("f", strings.NewReader(rolesText+text), grammar.IOS)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := translate.Compile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s%v, want %s", text, err, want)
		}
	}
}

// TestCellsAsWalked holds random permissions against a walk over the text.
func TestCellsAsWalked(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	compared, permitted := 0, 0
	for range 150 {
		text := randomRoles(r)
		c, policies, findings := compiled(t, text)
		withheld, err := translate.Withheld(c)
		if err != nil {
			t.Fatal(err)
		}
		if translate.Refused(findings) != nil && len(withheld) == 0 {
			continue // a cell of addresses
		}
		for range 60 {
			p := opens(randomEnd(r), randomEnd(r), []uint8{policy.TCP, policy.UDP, policy.ICMP}[r.IntN(3)], uint16(20+r.IntN(5)))
			if slices.ContainsFunc(withheld, func(w policy.Policy) bool { return w.Subject.Selects(&p.Destination) }) {
				continue
			}
			want := linewalk.Roles(c, p)
			got, id := permits(policies, policy.Ingress, p)
			if got != want {
				t.Fatalf("%s%+v: %v by %v, want %v", text, p, got, id, want)
			}
			if compared++; got {
				permitted++
			}
		}
	}
	if compared < 5000 || permitted*10 < compared*3 || permitted*10 > compared*9 {
		t.Errorf("%d packets compared, %d permitted", compared, permitted)
	}
}

// randomEnd gives a pod, which may be in more than one workload, or a host.
func randomEnd(r *rand.Rand) policy.Endpoint {
	if r.IntN(3) == 0 {
		return outside(fmt.Sprintf("192.0.%d.%d", 1+r.IntN(3), r.IntN(16)))
	}
	e := podAt([]string{"shop", "ops", "misc"}[r.IntN(3)], []string{"front", "back", "x"}[r.IntN(3)], fmt.Sprintf("10.1.0.%d", r.IntN(250)))
	if r.IntN(2) == 0 {
		e.Labels["tier"] = "web"
	}
	return e
}

func randomRoles(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("object-group network G0\n workload namespace shop label app=front\nobject-group network G1\n workload label tier=web\n" +
		"object-group network G2\n workload namespace ops\n workload label app=back\n")
	for i := range 3 {
		fmt.Fprintf(&b, "ip access-list role-based L%d\n", i)
		for n := range 1 + r.IntN(3) {
			line := []string{"tcp dst eq 22", "tcp dst range 21 23", "udp", "icmp", "udp dst neq 24", "ip"}[r.IntN(6)]
			fmt.Fprintf(&b, " %d %s %s\n", 10*n+10, []string{"permit", "deny"}[r.IntN(2)], line)
		}
	}
	b.WriteString("cts role-based enforcement\n")
	for _, i := range r.Perm(3) {
		fmt.Fprintf(&b, "cts role-based sgt-map workload G%d sgt %d\n", i, 2+r.IntN(4))
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "cts role-based sgt-map 192.0.2.0/24 sgt %d\ncts role-based sgt-map 192.0.2.0/29 sgt %d\n", 2+r.IntN(4), 2+r.IntN(4))
	}
	tag := func() string { return []string{"unknown", "2", "3", "4", "5"}[r.IntN(5)] }
	mapped := func() string {
		c, _, _ := grammar.ParseDialect("f", strings.NewReader(b.String()), grammar.IOS)
		return fmt.Sprint(c.SGTMaps[r.IntN(3)].SGT)
	}
	for range 1 + r.IntN(5) {
		fmt.Fprintf(&b, "cts role-based permissions from %s to %s L%d L%d\n", tag(), mapped(), r.IntN(3), r.IntN(3))
	}
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "cts role-based permissions default L%d\n", r.IntN(3))
	}
	return b.String()
}
