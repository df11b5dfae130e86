package kube_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// The judges of this file read the objects that were written, by the rules of
// the NetworkPolicy and CiliumNetworkPolicy specifications; they share nothing
// with the code that wrote them.

var clusterCIDR = netip.MustParsePrefix("10.1.0.0/16")

// ends are who may speak with the subject: pods inside the cluster's range and
// addresses outside of it.
func ends(r *rand.Rand) policy.Endpoint {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	if r.IntN(2) == 0 {
		l := map[string]string{policy.NamespaceKey: pick("dev", "prod")}
		if v := pick("", "web", "db"); v != "" {
			l["app"] = v
		}
		if v := pick("", "one", "two"); v != "" {
			l["tier"] = v
		}
		return policy.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 1, 0, byte(r.IntN(8))}), Labels: l}
	}
	role := []policy.Entity{0, 0, 0, policy.Host, policy.RemoteNode, policy.KubeAPIServer}[r.IntN(6)]
	return policy.Endpoint{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(16))}), Entity: role}
}

// isNode reports a packet from or to a node.
func isNode(p *policy.Packet) bool {
	node := func(e policy.Endpoint) bool { return e.Entity == policy.Host || e.Entity == policy.RemoteNode }
	return node(p.Source) || node(p.Destination)
}

func randomEntities(r *rand.Rand) (p policy.Peers) {
	for range 1 + r.IntN(2) {
		p.Entities = append(p.Entities, policy.World+policy.Entity(r.IntN(5)))
	}
	return p
}

func randomPeers(r *rand.Rand) policy.Peers {
	n := r.IntN(19)
	if n == 18 {
		return randomEntities(r)
	}
	switch n % 6 {
	case 0, 4, 5:
		return policy.Everybody()
	case 1:
		bits := 26 + r.IntN(7)
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(16))}), bits)
		return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(p)}}
	case 2:
		return policy.Peers{Selectors: []policy.Selector{randomSelector(r), randomSelector(r)}}
	}
	return policy.Peers{Selectors: []policy.Selector{randomSelector(r)}}
}

func randomSelector(r *rand.Rand) policy.Selector {
	all := policy.Selector{
		{Key: policy.NamespaceKey, Op: policy.In, Values: []string{"dev"}},
		{Key: "app", Op: policy.In, Values: []string{"web"}},
		{Key: "app", Op: policy.NotIn, Values: []string{"db"}},
		{Key: "tier", Op: policy.Exists},
		{Key: "tier", Op: policy.DoesNotExist},
		{Key: "tier", Op: policy.In, Values: []string{"one", "two"}},
	}
	s := policy.Selector{all[r.IntN(len(all))]}
	if r.IntN(2) == 0 {
		s = append(s, all[r.IntN(2)])
	}
	return s
}

func randomService(r *rand.Rand) policy.Service {
	protocols := []uint8{policy.TCP, policy.UDP, policy.SCTP}
	switch r.IntN(6) {
	case 0:
		return policy.AnyService()
	case 1:
		s := policy.ServiceOf(policy.Bytes(policy.ICMP))
		if r.IntN(2) == 0 {
			s.ICMP = policy.NewRanges(policy.Range{First: 8 << 8, Last: 8<<8 | 255})
		}
		return s
	}
	s := policy.ServiceOf(policy.Bytes(protocols[r.IntN(len(protocols))]))
	if r.IntN(4) > 0 {
		first := uint16(1 + r.IntN(12))
		s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: first + uint16(r.IntN(6))})
		if r.IntN(4) == 0 {
			s.DestinationPorts = s.DestinationPorts.Complement()
		}
	}
	if r.IntN(20) == 0 {
		s.SourcePorts = policy.NewRanges(policy.Range{First: 53, Last: 53})
	}
	return s
}

func randomList(r *rand.Rand, d policy.Direction) policy.Policy {
	p := policy.Policy{
		ACL: "T", Direction: d, Family: policy.IPv4, Stateful: true,
		Subject: policy.Subject{Name: "workload W", Selectors: []policy.Selector{{
			{Key: "app", Op: policy.In, Values: []string{"subject"}}, {Key: policy.NamespaceKey, Op: policy.In, Values: []string{"dev"}},
		}}},
	}
	denies := r.IntN(6)
	for i := range 1 + r.IntN(14) {
		rule := policy.Rule{
			ID: policy.RuleID{ACL: "T", Seq: uint32(10 * (i + 1))}, Text: strconv.Itoa(i), Action: policy.Permit,
			Match: policy.Match{Source: randomPeers(r), Destination: policy.Everybody(), Services: []policy.Service{randomService(r)}},
		}
		if r.IntN(10) < denies {
			rule.Action = policy.Deny
		}
		if d == policy.Egress {
			rule.Match.Source, rule.Match.Destination = rule.Match.Destination, rule.Match.Source
		}
		p.Rules = append(p.Rules, rule)
	}
	for i := range p.Rules {
		if p.Rules[i].Action == policy.Deny && r.IntN(6) == 0 {
			p.Rules[i].Action, p.Rules[i].Goto = policy.Next, i+1+r.IntN(len(p.Rules)-i)
		}
	}
	return p
}

func randomPacket(r *rand.Rand, d policy.Direction) policy.Packet {
	subject := policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.200"), Labels: map[string]string{"app": "subject", policy.NamespaceKey: "dev"}}
	p := policy.Packet{Source: ends(r), Destination: subject, SourcePort: uint16([]int{53, 40000}[r.IntN(2)])}
	if d == policy.Egress {
		p.Source, p.Destination = p.Destination, p.Source
	}
	p.Protocol = []uint8{policy.TCP, policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, 47}[r.IntN(6)]
	switch {
	case policy.HasPorts(p.Protocol):
		p.DestinationPort = uint16(1 + r.IntN(20))
		if p.Protocol == policy.TCP {
			p.Flags = policy.SYN
		}
	case p.Protocol == policy.ICMP:
		p.ICMPType = uint8([]int{8, 13}[r.IntN(2)])
		p.SourcePort = 0
	default:
		p.SourcePort = 0
	}
	return p
}

// namespaceLabels are what the API server puts on every namespace.
func namespaceLabels(l map[string]string) labels.Set {
	return labels.Set{"kubernetes.io/metadata.name": l[policy.NamespaceKey]}
}

func selects(t *testing.T, s *metav1.LabelSelector, l labels.Set) bool {
	t.Helper()
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel.Matches(l)
}

func podLabels(e *policy.Endpoint) labels.Set {
	l := labels.Set{}
	for k, v := range e.Labels {
		if k != policy.NamespaceKey {
			l[k] = v
		}
	}
	return l
}

// networkAllows judges by NetworkPolicy objects on the subject: a union of
// rules, each of peers and ports (networking.k8s.io/v1).
func networkAllows(t *testing.T, objects []networkingv1.NetworkPolicy, d policy.Direction, p *policy.Packet) bool {
	t.Helper()
	subject, peer := &p.Destination, &p.Source
	if d == policy.Egress {
		subject, peer = peer, subject
	}
	selected, allowed := false, false
	for i := range objects {
		o := &objects[i]
		if o.Namespace != subject.Labels[policy.NamespaceKey] || !selects(t, &o.Spec.PodSelector, podLabels(subject)) {
			continue
		}
		for _, kind := range o.Spec.PolicyTypes {
			selected = selected || kind == networkingv1.PolicyTypeIngress && d == policy.Ingress || kind == networkingv1.PolicyTypeEgress && d == policy.Egress
		}
		if d == policy.Ingress {
			for _, r := range o.Spec.Ingress {
				allowed = allowed || networkPeer(t, r.From, o.Namespace, peer) && networkPort(r.Ports, p)
			}
		} else {
			for _, r := range o.Spec.Egress {
				allowed = allowed || networkPeer(t, r.To, o.Namespace, peer) && networkPort(r.Ports, p)
			}
		}
	}
	return !selected || allowed
}

func networkPeer(t *testing.T, peers []networkingv1.NetworkPolicyPeer, namespace string, e *policy.Endpoint) bool {
	t.Helper()
	for _, p := range peers {
		if p.IPBlock != nil {
			in := netip.MustParsePrefix(p.IPBlock.CIDR).Contains(e.Addr)
			for _, x := range p.IPBlock.Except {
				if !netip.MustParsePrefix(p.IPBlock.CIDR).Overlaps(netip.MustParsePrefix(x)) || p.IPBlock.CIDR == x {
					t.Fatalf("except %s is not inside %s", x, p.IPBlock.CIDR)
				}
				in = in && !netip.MustParsePrefix(x).Contains(e.Addr)
			}
			if in {
				return true
			}
			continue
		}
		if e.Labels == nil {
			continue
		}
		if p.NamespaceSelector == nil && e.Labels[policy.NamespaceKey] != namespace {
			continue
		}
		if p.NamespaceSelector != nil && !selects(t, p.NamespaceSelector, namespaceLabels(e.Labels)) {
			continue
		}
		if p.PodSelector == nil || selects(t, p.PodSelector, podLabels(e)) {
			return true
		}
	}
	return len(peers) == 0
}

func networkPort(ports []networkingv1.NetworkPolicyPort, p *policy.Packet) bool {
	names := map[uint8]string{policy.TCP: "TCP", policy.UDP: "UDP", policy.SCTP: "SCTP"}
	for _, port := range ports {
		if names[p.Protocol] != string(*port.Protocol) {
			continue
		}
		if port.Port == nil {
			return true
		}
		last := port.Port.IntVal
		if port.EndPort != nil {
			last = *port.EndPort
		}
		if port.Port.IntVal <= int32(p.DestinationPort) && int32(p.DestinationPort) <= last {
			return true
		}
	}
	return len(ports) == 0
}

// ciliumAllows judges by CiliumNetworkPolicy objects: allows are a union, a
// deny beats them all, CIDRs match no pod.
func ciliumAllows(t *testing.T, objects []map[string]any, d policy.Direction, p *policy.Packet) bool {
	t.Helper()
	subject, peer, side, word := &p.Destination, &p.Source, "ingress", "from"
	if d == policy.Egress {
		subject, peer, side, word = peer, subject, "egress", "to"
	}
	selected, allowed, denied := false, false, false
	for _, o := range objects {
		spec := o["spec"].(map[string]any)
		clusterwide := o["kind"] == "CiliumClusterwideNetworkPolicy"
		if ns := dig(o, "metadata", "namespace"); clusterwide && ns != nil || !clusterwide && ns != subject.Labels[policy.NamespaceKey] || !ciliumSelects(t, spec["endpointSelector"], subject) {
			continue
		}
		if spec["enableDefaultDeny"].(map[string]any)[side] == true {
			selected = true
		}
		for _, r := range list(spec[side]) {
			allowed = allowed || ciliumRule(t, r, word, peer, p)
		}
		for _, r := range list(spec[side+"Deny"]) {
			denied = denied || ciliumRule(t, r, word, peer, p)
		}
	}
	return !denied && (!selected || allowed)
}

func list(v any) (out []map[string]any) {
	all, _ := v.([]any)
	for _, e := range all {
		out = append(out, e.(map[string]any))
	}
	return out
}

func ciliumRule(t *testing.T, r map[string]any, word string, e *policy.Endpoint, p *policy.Packet) bool {
	t.Helper()
	if len(r) == 0 {
		return false
	}
	if r["toPorts"] != nil && r["icmps"] != nil {
		t.Fatal("ports beside ICMP in one rule")
	}
	return ciliumPeer(t, r, word, e) && ciliumL4(t, r, p)
}

func ciliumPeer(t *testing.T, r map[string]any, word string, e *policy.Endpoint) bool {
	t.Helper()
	kinds := 0
	match := false
	if entities, ok := r[word+"Entities"].([]any); ok {
		kinds++
		match = slices.ContainsFunc(entities, func(x any) bool { return ciliumEntity(x.(string), e) })
	}
	if endpoints := list(r[word+"Endpoints"]); len(endpoints) > 0 {
		kinds++
		for _, s := range endpoints {
			match = match || e.Labels != nil && ciliumSelects(t, s, e)
		}
	}
	if cidrs := list(r[word+"CIDRSet"]); len(cidrs) > 0 {
		kinds++
		for _, c := range cidrs {
			in := ciliumEntity("world", e) && netip.MustParsePrefix(c["cidr"].(string)).Contains(e.Addr)
			except, _ := c["except"].([]any)
			for _, x := range except {
				in = in && !netip.MustParsePrefix(x.(string)).Contains(e.Addr)
			}
			match = match || in
		}
	}
	if names := list(r[word+"FQDNs"]); len(names) > 0 {
		kinds++
		for _, n := range names {
			match = match || ciliumNamed(n, e)
		}
	}
	if kinds != 1 {
		t.Fatalf("%d kinds of peers in one rule: %v", kinds, r)
	}
	return match
}

// ciliumEntity reads the entities of Cilium's documentation ("Entities Based"):
// an address is the world's unless it is a pod's or a node's. The API server
// stands outside of the cluster here.
func ciliumEntity(word string, e *policy.Endpoint) bool {
	node := e.Entity == policy.Host || e.Entity == policy.RemoteNode
	switch word {
	case "all":
		return true
	case "world":
		return e.Labels == nil && !node
	case "cluster":
		return e.Labels != nil || node
	}
	return map[policy.Entity]string{policy.Host: "host", policy.RemoteNode: "remote-node", policy.KubeAPIServer: "kube-apiserver"}[e.Entity] == word
}

// ciliumSelects reads a selector; keys carry their source, which Kubernetes'
// own parser would refuse.
func ciliumSelects(t *testing.T, selector any, e *policy.Endpoint) bool {
	t.Helper()
	l := make(map[string]string, len(e.Labels))
	for k, v := range e.Labels {
		l["k8s:"+k] = v
	}
	return selectsMap(t, selector, l)
}

func ciliumL4(t *testing.T, r map[string]any, p *policy.Packet) bool {
	t.Helper()
	names := map[uint8]string{policy.TCP: "TCP", policy.UDP: "UDP", policy.SCTP: "SCTP"}
	if r["toPorts"] == nil && r["icmps"] == nil {
		return true
	}
	for _, item := range list(r["toPorts"]) {
		ports := list(item["ports"])
		if len(ports) > 40 {
			t.Fatalf("%d ports in one item", len(ports))
		}
		for _, port := range ports {
			first, err := strconv.Atoi(port["port"].(string))
			if err != nil || first == 0 {
				t.Fatalf("port %v", port["port"])
			}
			last := first
			if end, ok := port["endPort"].(float64); ok {
				last = int(end)
			}
			if port["protocol"] == names[p.Protocol] && first <= int(p.DestinationPort) && int(p.DestinationPort) <= last && ciliumL7(t, item, p) {
				return true
			}
		}
	}
	for _, item := range list(r["icmps"]) {
		for _, f := range list(item["fields"]) {
			family := map[uint8]string{policy.ICMP: "IPv4", policy.ICMPv6: "IPv6"}[p.Protocol]
			if family != "" && f["family"] == family && f["type"] == float64(p.ICMPType) {
				return true
			}
		}
	}
	return false
}

// TestObjectsAgreeWithTheList: what the objects permit is never more than what
// the list permits, and less only where a finding says so.
func TestObjectsAgreeWithTheList(t *testing.T) {
	for _, c := range []struct {
		target translate.Target
	}{{translate.NetworkPolicy}, {translate.Cilium}} {
		t.Run(c.target.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 7))
			permitted, packets, refused := 0, 0, 0
			for n := range 700 {
				d := policy.Direction(1 + n%2)
				p := randomList(r, d)
				o := translate.OrderOptions{Target: c.target, ClusterCIDRs: []netip.Prefix{clusterCIDR}}
				ordered, findings := translate.Order([]policy.Policy{p}, o)
				objects, err := kube.Encode(c.target.Name, ordered)
				if err != nil {
					t.Fatal(err)
				}
				if len(objects) == 0 {
					refused++
					if !slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.ID.Seq == 0 && f.State == policy.Refused }) {
						t.Fatalf("no object and no refusal: %+v", p.Rules)
					}
					continue
				}
				allows := reader(t, c.target.Name, objects, d)
				for range 100 {
					pkt := randomPacket(r, d)
					action, line := p.Eval(&pkt)
					got := allows(&pkt)
					packets++
					if got {
						permitted++
					}
					said := false
					for _, f := range findings {
						said = said || f.ID == p.ID(line) && (f.State == policy.Narrower || f.State == policy.Refused)
						said = said || isNode(&pkt) && strings.Contains(f.Reason, "addresses match no nodes")
					}
					if got && action != policy.Permit || !got && action == policy.Permit && !said {
						text, _ := kube.YAML(objects)
						rules, _ := json.MarshalIndent(p.Rules, "", " ")
						t.Fatalf("list %d says %v at %d, objects allow %v: %+v\n%s\n%s\n%+v", n, action, line, got, pkt, rules, text, findings)
					}
				}
			}
			t.Logf("%d of %d packets permitted, %d of 700 lists refused", permitted, packets, refused)
			if permitted*10 < packets*3 {
				t.Errorf("only %d of %d packets are permitted, want 30 %%", permitted, packets)
			}
		})
	}
}

// reader gives the judge of what was written, as text.
func reader(t *testing.T, kind string, objects []kube.Object, d policy.Direction) func(*policy.Packet) bool {
	t.Helper()
	if kind != translate.NetworkPolicy.Name && kind != translate.Cilium.Name {
		return targetReader(t, kind, objects, d)
	}
	var network []networkingv1.NetworkPolicy
	var cilium []map[string]any
	for i := range objects {
		text, err := kube.YAML(objects[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		if kind == translate.NetworkPolicy.Name {
			var o networkingv1.NetworkPolicy
			if err := yaml.UnmarshalStrict(text, &o); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			network = append(network, o)
			continue
		}
		var o map[string]any
		if err := yaml.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		cilium = append(cilium, o)
	}
	if kind == translate.NetworkPolicy.Name {
		return func(p *policy.Packet) bool { return networkAllows(t, network, d, p) }
	}
	return func(p *policy.Packet) bool { return ciliumAllows(t, cilium, d, p) }
}

func ExampleYAML() {
	p := policy.Policy{
		ACL: "NOTHING", Direction: policy.Ingress, Family: policy.Dual, Stateful: true,
		Subject: policy.Subject{Name: "workload DB", Selectors: []policy.Selector{{
			{Key: policy.NamespaceKey, Op: policy.In, Values: []string{"shop"}}, {Key: "app", Op: policy.In, Values: []string{"db"}},
		}}},
	}
	objects, err := kube.Encode("networkpolicy", policy.Stack{{Combine: policy.Union, Policies: []policy.Policy{p}}})
	if err != nil {
		panic(err)
	}
	fmt.Println(objects[0].Namespace, objects[0].Kind)
	// Output: shop NetworkPolicy
}
