package kube_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"aclium/translate/kube"
	"aclium/translate/policy"
)

// end reads one end of a packet: an address, then a pod's namespace, its
// labels K=V, labels of its namespace ns:K=V, of its node node:K=V, DNS names
// name:N, an entity @E.
func end(t *testing.T, text string) policy.Endpoint {
	t.Helper()
	words := strings.Fields(text)
	e := policy.Endpoint{Addr: netip.MustParseAddr(words[0])}
	pod := func(k, v string) {
		if e.Labels == nil {
			e.Labels = map[string]string{}
		}
		e.Labels[k] = v
	}
	for _, w := range words[1:] {
		k, v, both := strings.Cut(w, "=")
		key, isNamespace := strings.CutPrefix(k, "ns:")
		node, isNode := strings.CutPrefix(k, "node:")
		switch {
		case strings.HasPrefix(w, "name:"):
			e.Names = append(e.Names, w[len("name:"):])
		case w[0] == '@':
			if err := e.Entity.UnmarshalText([]byte(w[1:])); err != nil {
				t.Fatal(err)
			}
		case !both:
			pod(policy.NamespaceKey, w)
		case isNamespace:
			pod("io.cilium.k8s.namespace.labels."+key, v)
		case isNode:
			e.Node = map[string]string{node: v}
		default:
			pod(k, v)
		}
	}
	return e
}

// flow reads "END > END PROTOCOL [PORT [NAME]]"; for icmp the port is the type.
func flow(t *testing.T, text string) policy.Packet {
	t.Helper()
	from, to, _ := strings.Cut(text, " > ")
	to, service, ok := strings.Cut(to, " : ")
	if !ok {
		t.Fatalf("bad flow %q", text)
	}
	words := strings.Fields(service)
	p := policy.Packet{Source: end(t, from), Destination: end(t, to)}
	number := 0
	if len(words) > 1 {
		number, _ = strconv.Atoi(words[1])
	}
	if len(words) > 2 {
		p.PortName = words[2]
	}
	p.Protocol = map[string]uint8{"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmp6": 58, "gre": 47, "vrrp": 112}[words[0]]
	switch p.Protocol {
	case 0:
		t.Fatalf("bad flow %q", text)
	case policy.TCP, policy.UDP, policy.SCTP:
		p.SourcePort, p.DestinationPort = 40000, uint16(number)
		if p.Protocol == policy.TCP {
			p.Flags = policy.SYN
		}
	default:
		p.ICMPType = uint8(number)
	}
	return p
}

// A sentence is what a specification says, an object that uses it, and flows
// that it lets pass and does not.
type sentence struct {
	says, object string
	pass, drop   []string
}

func (s sentence) check(t *testing.T, head string) {
	t.Helper()
	stack, err := kube.Decode("test.yaml", strings.NewReader(head+s.object))
	if err != nil {
		t.Fatalf("%s: %v", s.says, err)
	}
	for _, p := range stack.Policies() {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", s.says, err)
		}
	}
	for _, f := range s.pass {
		if p := flow(t, f); !stack.Allows(&p) {
			t.Errorf("%s: %s is dropped", s.says, f)
		}
	}
	for _, f := range s.drop {
		if p := flow(t, f); stack.Allows(&p) {
			t.Errorf("%s: %s passes", s.says, f)
		}
	}
}
