package kube_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// The tests of this file are named after faults of other converters and
// analysers. Every one states what a reader of the lines expects, asks the walk
// of the lines and the reader of the written objects, and wants all three to
// agree.

// subjects stands before the lines of every case: the pods that the list T is
// bound to, and others.
const subjects = `
object-group network BACKEND
 workload namespace shop label app=backend
object-group network WEB
 workload namespace shop label app=web
object-group network NOBODY
 workload namespace shop label app=none
interface workload BACKEND
 ip access-group T out
`

// A converted is a list T on the backend pods and what it became.
type converted struct {
	t        *testing.T
	config   *grammar.Config
	findings []policy.Finding
	objects  []kube.Object
	allows   func(*policy.Packet) bool
	text     string
}

func convertLines(t *testing.T, target translate.Target, lines ...string) *converted {
	t.Helper()
	config, _, err := grammar.ParseFile("t.cfg", strings.NewReader(subjects+strings.Join(lines, "\n")+"\nend\n"))
	if err != nil {
		t.Fatal(err)
	}
	policies, findings, err := translate.Compile(config)
	if err != nil {
		t.Fatal(err)
	}
	stack, more := translate.Order(policies, translate.OrderOptions{Target: target, ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	objects, err := kube.Encode(target.Name, stack)
	if err != nil {
		t.Fatal(err)
	}
	text, err := kube.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	return &converted{t, config, slices.Concat(findings, more), objects, reader(t, target.Name, objects, policy.Ingress), string(text)}
}

var (
	backend = policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.5"), Labels: map[string]string{"app": "backend", policy.NamespaceKey: "shop"}}
	web     = policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.6"), Labels: map[string]string{"app": "web", policy.NamespaceKey: "shop"}}
	other   = policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.7"), Labels: map[string]string{"app": "other", policy.NamespaceKey: "shop"}}
)

func from(addr string) policy.Endpoint { return policy.Endpoint{Addr: netip.MustParseAddr(addr)} }

// opening is the first packet of a connection to the backend pods.
func openingTo(port uint16, protocol uint8, source policy.Endpoint, sourcePort uint16) *policy.Packet {
	p := &policy.Packet{Source: source, Destination: backend, Protocol: protocol, SourcePort: sourcePort, DestinationPort: port}
	if protocol == policy.TCP {
		p.Flags = policy.SYN
	}
	return p
}

func ping() *policy.Packet {
	return &policy.Packet{Source: from("192.0.2.9"), Destination: backend, Protocol: policy.ICMP, ICMPType: 8}
}

// wants asks the walk of the lines and the objects.
func (c *converted) wants(want bool, what string, p *policy.Packet) {
	c.t.Helper()
	if walked, seq := linewalk.Verdict(c.config, "T", true, p); walked != want {
		c.t.Errorf("%s: the lines say %v (at %d), want %v", what, walked, seq, want)
	}
	if got := c.allows(p); got != want {
		c.t.Errorf("%s: the objects say %v, want %v\n%s", what, got, want, c.text)
	}
}

// loses wants a packet that the list permits to be kept out, and the line to
// be reported for it.
func (c *converted) loses(seq uint32, what string, p *policy.Packet) {
	c.t.Helper()
	if c.allows(p) {
		c.t.Errorf("%s: the objects permit it\n%s", what, c.text)
	}
	reported := func(f policy.Finding) bool {
		return f.ID.ACL == "T" && f.ID.Seq == seq && (f.State == policy.Refused || f.State == policy.Narrower)
	}
	if !slices.ContainsFunc(c.findings, reported) {
		c.t.Errorf("%s: line %d is not reported: %+v", what, seq, c.findings)
	}
}

// refused wants no object, and the reason to name the line.
func (c *converted) refused(seq uint32) {
	c.t.Helper()
	if len(c.objects) > 0 {
		c.t.Errorf("want no object, got\n%s", c.text)
	}
	if !slices.ContainsFunc(c.findings, func(f policy.Finding) bool { return f.State == policy.Refused && f.ID.Seq == seq }) {
		c.t.Errorf("line %d is not named: %+v", seq, c.findings)
	}
}

func bothTargets(t *testing.T, f func(*testing.T, translate.Target)) {
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.Cilium} {
		t.Run(target.Name, func(t *testing.T) { f(t, target) })
	}
}

// vmware-analyzer keeps protocol and destination port of a rule and drops its
// source port, which permits more.
func TestSourcePortsAreNotDropped(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target,
			"ip access-list extended T",
			" permit udp any eq 53 any", " permit tcp any any eq 443")
		c.wants(true, "https", openingTo(443, policy.TCP, from("192.0.2.1"), 40000))
		c.wants(false, "udp from another port", openingTo(5353, policy.UDP, from("192.0.2.1"), 40000))
		c.loses(10, "udp from port 53", openingTo(5353, policy.UDP, from("192.0.2.1"), 53))
	})
}

// A deny with a source port before a permit cannot be left out.
func TestSourcePortOfADenyIsNotDropped(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		convertLines(t, target, "ip access-list extended T", " deny tcp any eq 1024 any", " permit tcp any any").refused(10)
	})
}

// vmware-analyzer takes TCP and UDP with all ports for all protocols, so that
// "all but ICMP" becomes everything.
func TestAllMinusICMPIsNotAll(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T", " deny icmp any any", " permit ip any any")
		c.wants(false, "ping", ping())
		c.wants(true, "tcp", openingTo(80, policy.TCP, from("192.0.2.1"), 40000))
		c.wants(true, "udp", openingTo(80, policy.UDP, from("192.0.2.1"), 40000))
	})
	c := convertLines(t, translate.NetworkPolicy, "ip access-list extended T", " deny icmp any any", " permit ip any any")
	c.loses(20, "gre, which no port list names", &policy.Packet{Source: from("192.0.2.1"), Destination: backend, Protocol: 47})
}

// vmware-analyzer adds SCTP where TCP and UDP are permitted.
func TestTCPAndUDPAreNotSCTP(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T", " permit tcp any any", " permit udp any any")
		c.wants(true, "tcp", openingTo(80, policy.TCP, from("192.0.2.1"), 40000))
		c.wants(true, "udp", openingTo(80, policy.UDP, from("192.0.2.1"), 40000))
		c.wants(false, "sctp", openingTo(80, policy.SCTP, from("192.0.2.1"), 40000))
		c.wants(false, "ping", ping())
	})
}

// vmware-analyzer drops rules of ICMP alone with no more than a line in its log.
func TestICMPOnlyLinesAreReported(t *testing.T) {
	c := convertLines(t, translate.NetworkPolicy, "ip access-list extended T", " permit icmp any any echo", " permit tcp any any eq 80")
	c.wants(true, "web", openingTo(80, policy.TCP, from("192.0.2.1"), 40000))
	c.loses(10, "ping", ping())
	only := convertLines(t, translate.NetworkPolicy, "ip access-list extended T", " permit icmp any any echo")
	if len(only.objects) > 0 {
		t.Errorf("a list of ICMP alone gives objects that deny everything:\n%s", only.text)
	}
	cilium := convertLines(t, translate.Cilium, "ip access-list extended T", " permit icmp any any echo")
	cilium.wants(true, "ping", ping())
}

// Converters that know permits alone (Capirca's for Kubernetes, the policy
// migrator) stop at a deny or lose it: what it keeps out then passes below.
func TestDenyLinesDoNotVanish(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T",
			" permit tcp host 192.0.2.130 any eq 22", " deny ip 192.0.2.128 0.0.0.127 any", " permit ip 192.0.2.0 0.0.0.255 any")
		c.wants(true, "the host before the deny", openingTo(22, policy.TCP, from("192.0.2.130"), 40000))
		c.wants(false, "the host on another port", openingTo(23, policy.TCP, from("192.0.2.130"), 40000))
		c.wants(false, "the denied half", openingTo(22, policy.TCP, from("192.0.2.200"), 40000))
		c.wants(true, "the other half", openingTo(22, policy.TCP, from("192.0.2.100"), 40000))
		c.wants(false, "nobody else", openingTo(22, policy.TCP, from("192.0.3.1"), 40000))
	})
}

// Batfish's reader of IOS takes a line with log-input, fragments or ttl for
// one that never matches, so that what the line denies passes below.
func TestLogInputMatches(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T", " deny tcp any any eq 23 log-input", " permit tcp any any log")
		c.wants(false, "telnet", openingTo(23, policy.TCP, from("192.0.2.1"), 40000))
		c.wants(true, "ssh", openingTo(22, policy.TCP, from("192.0.2.1"), 40000))
	})
	convertLines(t, translate.NetworkPolicy, "ip access-list extended T", " deny tcp any any eq 23 ttl lt 5", " permit tcp any any").refused(10)
}

// An optimiser that merges prefixes by the one that covers them loses a deny
// between them, or joins neighbours that make no prefix.
func TestCoveringPrefixesAreMergedRightly(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T",
			" permit tcp 192.0.2.16 0.0.0.15 any eq 80", " deny tcp 192.0.2.0 0.0.0.127 any eq 80", " permit tcp 192.0.2.0 0.0.0.255 any eq 80",
			" permit tcp 198.51.100.64 0.0.0.63 any eq 80", " permit tcp 198.51.100.128 0.0.0.63 any eq 80")
		for addr, want := range map[string]bool{
			"192.0.2.15": false, "192.0.2.16": true, "192.0.2.31": true, "192.0.2.32": false, "192.0.2.127": false, "192.0.2.128": true, "192.0.2.255": true,
			"198.51.100.63": false, "198.51.100.64": true, "198.51.100.127": true, "198.51.100.128": true, "198.51.100.191": true, "198.51.100.192": false,
		} {
			c.wants(want, addr, openingTo(80, policy.TCP, from(addr), 40000))
		}
	})
}

// An empty list of peers means everybody in both kinds of object: a group
// without members, or one that selects nobody, must not become one.
func TestAnEmptyGroupIsNotEverybody(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "object-group network EMPTY", "ip access-list extended T",
			" permit tcp object-group EMPTY any eq 80", " permit tcp object-group NOBODY any eq 81", " permit tcp object-group WEB any eq 82")
		for port := uint16(80); port < 83; port++ {
			c.wants(false, "from outside", openingTo(port, policy.TCP, from("192.0.2.1"), 40000))
			c.wants(false, "from another pod", openingTo(port, policy.TCP, other, 40000))
			c.wants(port == 82, "from web", openingTo(port, policy.TCP, web, 40000))
		}
	})
}

// A list of one group without members permits nobody, in every target, or is
// refused; it never becomes an object without a selector.
func TestAnEmptyGroupAlone(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "object-group network EMPTY", "ip access-list extended T", " permit tcp object-group EMPTY any eq 80")
		if len(c.objects) > 0 {
			c.wants(false, "from outside", openingTo(80, policy.TCP, from("192.0.2.1"), 40000))
			c.wants(false, "from a pod", openingTo(80, policy.TCP, web, 40000))
		}
	})
}

// Batfish takes the operand addrgroup for any; several importers know no range
// in a group of addresses and no source port in a group of services.
func TestGroupOperandsKeepTheirMembers(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target,
			"object-group network INNER", " range 192.0.2.10 192.0.2.12", "object-group network OUTER", " host 198.51.100.1", " group-object INNER",
			"object-group service SVC", " tcp eq 80", " udp range 5000 5001", " icmp echo",
			"ip access-list extended T", " permit object-group SVC object-group OUTER any")
		for addr, want := range map[string]bool{"192.0.2.9": false, "192.0.2.10": true, "192.0.2.12": true, "192.0.2.13": false, "198.51.100.1": true} {
			c.wants(want, addr, openingTo(80, policy.TCP, from(addr), 40000))
			c.wants(want, addr, openingTo(5001, policy.UDP, from(addr), 40000))
			c.wants(false, addr, openingTo(5001, policy.TCP, from(addr), 40000))
		}
	})
}

// The policy migrator reads the first network and the first port of a rule and
// forgets the others.
func TestEveryPortOfALineCounts(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "ip access-list extended T", " permit tcp any any eq 80 443 8080", " permit udp any any neq 53")
		for port, want := range map[uint16]bool{79: false, 80: true, 81: false, 443: true, 8080: true, 8081: false} {
			c.wants(want, "tcp", openingTo(port, policy.TCP, from("192.0.2.1"), 40000))
		}
		for port, want := range map[uint16]bool{1: true, 52: true, 53: false, 54: true, 65535: true} {
			c.wants(want, "udp", openingTo(port, policy.UDP, from("192.0.2.1"), 40000))
		}
	})
}

// Capirca lost "established" where object-groups stood on the line: the permit
// then opens connections.
func TestEstablishedOpensNothing(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		c := convertLines(t, target, "object-group network CLIENTS", " 192.0.2.0 255.255.255.0", "ip access-list extended T",
			" permit tcp object-group CLIENTS any established", " permit tcp any any eq 443")
		c.wants(false, "a connection to ssh", openingTo(22, policy.TCP, from("192.0.2.1"), 40000))
		c.wants(true, "https", openingTo(443, policy.TCP, from("192.0.2.1"), 40000))
	})
}

// vmware-analyzer numbers its policies: a line that is put in before others
// renames them all.
func TestNamesDoNotCountLines(t *testing.T) {
	bothTargets(t, func(t *testing.T, target translate.Target) {
		lines := []string{"ip access-list extended T", " 10 permit tcp any any eq 80", " 20 permit tcp any any eq 81"}
		before := convertLines(t, target, lines...)
		after := convertLines(t, target, append(lines, " 5 permit tcp any any eq 79", "object-group network ANOTHER", " host 192.0.2.1")...)
		if before.objects[0].Name != after.objects[0].Name || len(before.objects) != len(after.objects) {
			t.Errorf("%s became %s", before.objects[0].ID(), after.objects[0].ID())
		}
	})
}

// In Cilium a deny beats every permit (P1): a permit before it must survive.
func TestADenyOfCiliumDoesNotBeatAnEarlierPermit(t *testing.T) {
	c := convertLines(t, translate.Cilium, "ip access-list extended T",
		" permit ip object-group WEB any", " deny ip any any log")
	c.wants(true, "web", openingTo(80, policy.TCP, web, 40000))
	c.wants(false, "other", openingTo(80, policy.TCP, other, 40000))
	c = convertLines(t, translate.Cilium, "object-group network SHOP", " workload namespace shop", "ip access-list extended T",
		" permit tcp object-group WEB any eq 80", " deny ip object-group SHOP any", " permit ip any any")
	c.wants(true, "web", openingTo(80, policy.TCP, web, 40000))
	c.wants(false, "web on another port", openingTo(81, policy.TCP, web, 40000))
	c.wants(false, "other", openingTo(80, policy.TCP, other, 40000))
	c.wants(true, "outside", openingTo(80, policy.TCP, from("192.0.2.1"), 40000))
}

// Entities are told apart by role: nodes from pods, the world from the cluster,
// and the API server, whose address nobody knows, by a deny of its own.
func TestEntitiesAreRoles(t *testing.T) {
	node, api := from("10.9.0.1"), from("192.0.2.200")
	node.Entity, api.Entity = policy.RemoteNode, policy.KubeAPIServer
	ends := map[string]policy.Endpoint{"outside": from("192.0.2.1"), "pod": other, "node": node, "api": api}
	group := func(word string) []string {
		return []string{"object-group network E", " entity " + word, "ip access-list extended T"}
	}
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"permit world":     {append(group("world"), " permit tcp object-group E any"), "outside api"},
		"permit cluster":   {append(group("cluster"), " permit tcp object-group E any"), "pod node"},
		"permit nodes":     {append(group("remote-node"), " permit tcp object-group E any"), "node"},
		"permit api":       {append(group("kube-apiserver"), " permit tcp object-group E any"), "api"},
		"all but world":    {append(group("world"), " deny ip object-group E any", " permit ip any any"), "pod node"},
		"all but cluster":  {append(group("cluster"), " deny ip object-group E any", " permit ip any any"), "outside api"},
		"all but api":      {append(group("kube-apiserver"), " deny ip object-group E any", " permit ip any any"), "outside pod node"},
		"all but web":      {[]string{"ip access-list extended T", " deny ip object-group WEB any", " permit ip any any"}, "outside pod node api"},
		"web, then no pod": {append(group("cluster"), " permit ip object-group WEB any", " deny ip object-group E any", " permit ip any any"), "outside api"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := convertLines(t, translate.Cilium, c.lines...)
			for word, e := range ends {
				c2.wants(slices.Contains(strings.Fields(c.want), word), word, openingTo(80, policy.TCP, e, 40000))
			}
		})
	}
	refused := convertLines(t, translate.Cilium, append(group("kube-apiserver"), " permit tcp any any eq 80", " deny ip object-group E any", " permit ip any any")...)
	refused.refused(20)
}
