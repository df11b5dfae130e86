package kube_test

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"aclium/translate/kube"
	"aclium/translate/policy"
)

// The judges of this file read objects by the specifications of
// ClusterNetworkPolicy, Calico and AccessPolicy; they share nothing with the
// code that wrote them.

// document reads one object, as a program that applies it would.
func document(t *testing.T, o kube.Object) (m map[string]any) {
	t.Helper()
	text, err := kube.YAML([]kube.Object{o})
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func dig(m map[string]any, path ...string) any {
	for i, key := range path {
		if i == len(path)-1 {
			return m[key]
		}
		next, ok := m[key].(map[string]any)
		if !ok {
			return nil
		}
		m = next
	}
	return nil
}

// only fails the test when an object has fields that the reader does not know.
func only(t *testing.T, m map[string]any, fields ...string) {
	t.Helper()
	for k := range m {
		if !slices.Contains(fields, k) {
			t.Fatalf("unknown field %q in %v", k, m)
		}
	}
}

// targetReader gives the judge for the objects of a target.
func targetReader(t *testing.T, kind string, objects []kube.Object, d policy.Direction) func(*policy.Packet) bool {
	t.Helper()
	var read []map[string]any
	var network []networkingv1.NetworkPolicy
	for _, o := range objects {
		m := document(t, o)
		if m["apiVersion"] == "networking.k8s.io/v1" {
			var n networkingv1.NetworkPolicy
			text, _ := yaml.Marshal(m)
			if err := yaml.UnmarshalStrict(text, &n); err != nil {
				t.Fatal(err)
			}
			network = append(network, n)
			continue
		}
		read = append(read, m)
	}
	switch kind {
	case "cilium-clusterwide":
		return func(p *policy.Packet) bool { return ciliumAllows(t, read, d, p) }
	case "cluster-network-policy":
		sortByPriority(t, read)
		return func(p *policy.Packet) bool {
			switch clusterVerdict(t, read, d, p) {
			case "Accept":
				return true
			case "Deny":
				return false
			}
			return networkAllows(t, network, d, p)
		}
	case "calico":
		sort.SliceStable(read, func(i, k int) bool { return calicoPlace(read[i]) < calicoPlace(read[k]) })
		return func(p *policy.Packet) bool { return calicoAllows(t, read, d, p) }
	case "enforcer":
		return func(p *policy.Packet) bool { return accessAllows(t, read, d, p) }
	}
	t.Fatalf("no reader for %s", kind)
	return nil
}

// Cluster network policy: the Admin tier is asked first, by priority and index;
// Pass goes on to the NetworkPolicies, and so does what no rule decides.

func sortByPriority(t *testing.T, read []map[string]any) {
	t.Helper()
	seen := map[float64]bool{}
	for _, o := range read {
		p := dig(o, "spec", "priority").(float64)
		if seen[p] || p < 0 || p > 1000 {
			t.Fatalf("priority %v twice or out of range", p)
		}
		seen[p] = true
	}
	sort.SliceStable(read, func(i, k int) bool {
		return dig(read[i], "spec", "priority").(float64) < dig(read[k], "spec", "priority").(float64)
	})
}

func clusterVerdict(t *testing.T, read []map[string]any, d policy.Direction, p *policy.Packet) string {
	t.Helper()
	subject, peer, side, word := &p.Destination, &p.Source, "ingress", "from"
	if d == policy.Egress {
		subject, peer, side, word = peer, subject, "egress", "to"
	}
	for _, o := range read {
		spec := o["spec"].(map[string]any)
		only(t, spec, "tier", "priority", "subject", "ingress", "egress")
		if o["kind"] != "ClusterNetworkPolicy" || spec["tier"] != "Admin" || dig(o, "metadata", "namespace") != nil {
			t.Fatalf("not a ClusterNetworkPolicy of the Admin tier: %v", o)
		}
		if !clusterPeer(t, spec["subject"].(map[string]any), subject, d, false) {
			continue
		}
		rules := list(spec[side])
		if len(rules) > 25 {
			t.Fatalf("%d rules", len(rules))
		}
		for _, r := range rules {
			only(t, r, "name", "action", word, "protocols")
			if name, _ := r["name"].(string); len(name) > 100 {
				t.Fatalf("a name of %d letters", len(name))
			}
			peers := list(r[word])
			if len(peers) == 0 || len(peers) > 25 {
				t.Fatalf("%d peers", len(peers))
			}
			in := false
			for _, x := range peers {
				in = clusterPeer(t, x, peer, d, true) || in
			}
			if in && clusterProtocol(t, r, p) {
				return r["action"].(string)
			}
		}
	}
	return "Pass"
}

func clusterPeer(t *testing.T, x map[string]any, e *policy.Endpoint, d policy.Direction, networks bool) bool {
	t.Helper()
	if len(x) != 1 {
		t.Fatalf("a peer with %d fields: %v", len(x), x)
	}
	if n, ok := x["namespaces"]; ok {
		return e.Labels != nil && selectsMap(t, n, namespaceLabels(e.Labels))
	}
	if pods, ok := x["pods"].(map[string]any); ok {
		only(t, pods, "namespaceSelector", "podSelector")
		return e.Labels != nil && selectsMap(t, pods["namespaceSelector"], namespaceLabels(e.Labels)) && selectsMap(t, pods["podSelector"], podLabels(e))
	}
	cidrs, ok := x["networks"].([]any)
	if !ok || !networks || d == policy.Ingress || len(cidrs) == 0 || len(cidrs) > 25 {
		t.Fatalf("bad peer %v", x)
	}
	in := false
	for _, c := range cidrs {
		p := netip.MustParsePrefix(c.(string))
		if p != p.Masked() {
			t.Fatalf("%s is not a network", p)
		}
		in = in || p.Contains(e.Addr)
	}
	return in
}

// clusterProtocol: a rule without protocols is for every one, a rule with some
// never matches ICMP.
func clusterProtocol(t *testing.T, r map[string]any, p *policy.Packet) bool {
	t.Helper()
	if r["protocols"] == nil {
		return true
	}
	all := list(r["protocols"])
	if len(all) == 0 || len(all) > 25 {
		t.Fatalf("%d protocols", len(all))
	}
	name := map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp", policy.SCTP: "sctp"}[p.Protocol]
	match := false
	for _, x := range all {
		if len(x) != 1 {
			t.Fatalf("a protocol with %d fields", len(x))
		}
		of, ok := x[name].(map[string]any)
		if !ok {
			continue
		}
		port := of["destinationPort"].(map[string]any)
		only(t, port, "number", "range")
		if len(port) != 1 {
			t.Fatalf("bad port %v", port)
		}
		first, last := port["number"], port["number"]
		if r, ok := port["range"].(map[string]any); ok {
			first, last = r["start"], r["end"]
			if first.(float64) >= last.(float64) {
				t.Fatalf("range %v", r)
			}
		}
		if first.(float64) < 1 || last.(float64) > 65535 {
			t.Fatalf("ports %v-%v", first, last)
		}
		match = match || first.(float64) <= float64(p.DestinationPort) && float64(p.DestinationPort) <= last.(float64)
	}
	return match
}

// selectsMap judges by a Kubernetes label selector.
func selectsMap(t *testing.T, s any, l map[string]string) bool {
	t.Helper()
	m, _ := s.(map[string]any)
	only(t, m, "matchLabels", "matchExpressions")
	if labels, ok := m["matchLabels"].(map[string]any); ok {
		for k, v := range labels {
			if got, has := l[k]; !has || got != v {
				return false
			}
		}
	}
	for _, x := range list(m["matchExpressions"]) {
		v, has := l[x["key"].(string)]
		values, _ := x["values"].([]any)
		in := has && slices.Contains(values, any(v))
		ok, known := map[string]bool{"In": in, "NotIn": !in, "Exists": has, "DoesNotExist": !has}[x["operator"].(string)]
		if !known {
			t.Fatalf("operator %v", x["operator"])
		}
		if !ok {
			return false
		}
	}
	return true
}

// Calico: policies by order and name, rules by index; Log goes on; what no rule
// decides is denied where some policy applies.

func calicoPlace(o map[string]any) string {
	return fmt.Sprintf("%020.6f %v/%v", dig(o, "spec", "order"), dig(o, "metadata", "namespace"), dig(o, "metadata", "name"))
}

func calicoAllows(t *testing.T, read []map[string]any, d policy.Direction, p *policy.Packet) bool {
	t.Helper()
	subject, side, kind := &p.Destination, "ingress", "Ingress"
	if d == policy.Egress {
		subject, side, kind = &p.Source, "egress", "Egress"
	}
	applies := false
	for _, o := range read {
		spec := o["spec"].(map[string]any)
		only(t, spec, "order", "selector", "namespaceSelector", "types", "ingress", "egress")
		if !slices.Contains(spec["types"].([]any), any(kind)) {
			continue
		}
		scope, _ := spec["namespaceSelector"].(string)
		ns := dig(o, "metadata", "namespace")
		if (o["kind"] == "NetworkPolicy") != (ns != nil) || o["kind"] == "NetworkPolicy" && scope != "" {
			t.Fatalf("bad scope: %v", o)
		}
		if ns != nil && ns != subject.Labels[policy.NamespaceKey] || !calicoSelects(t, spec["selector"].(string), scope, "", subject) {
			continue
		}
		applies = true
		own, _ := ns.(string)
		for _, r := range list(spec[side]) {
			if calicoRule(t, r, own, p) && r["action"] != "Log" {
				if r["action"] != "Allow" && r["action"] != "Deny" {
					t.Fatalf("action %v", r["action"])
				}
				return r["action"] == "Allow"
			}
		}
	}
	return !applies
}

func calicoRule(t *testing.T, r map[string]any, own string, p *policy.Packet) bool {
	t.Helper()
	only(t, r, "action", "ipVersion", "protocol", "icmp", "source", "destination")
	version := 4.0
	if p.Source.Addr.Is6() {
		version = 6
	}
	match := r["ipVersion"] == nil || r["ipVersion"] == version
	names := map[string]uint8{"TCP": 6, "UDP": 17, "SCTP": 132, "ICMP": 1, "ICMPv6": 58}
	ports := false
	switch v := r["protocol"].(type) {
	case string:
		if names[v] == 0 {
			t.Fatalf("protocol %s", v)
		}
		if v == "ICMP" && r["ipVersion"] != nil && r["ipVersion"] != 4.0 || v == "ICMPv6" && r["ipVersion"] != nil && r["ipVersion"] != 6.0 {
			t.Fatalf("%s in IPv%v", v, r["ipVersion"])
		}
		ports = v == "TCP" || v == "UDP" || v == "SCTP"
		match = match && names[v] == p.Protocol
	case float64:
		if v < 1 || v > 255 {
			t.Fatalf("protocol %v", v)
		}
		match = match && v == float64(p.Protocol)
	}
	if icmp, ok := r["icmp"].(map[string]any); ok {
		only(t, icmp, "type", "code")
		if r["protocol"] != "ICMP" && r["protocol"] != "ICMPv6" || icmp["type"].(float64) > 254 {
			t.Fatalf("icmp in %v", r)
		}
		match = match && icmp["type"] == float64(p.ICMPType) && (icmp["code"] == nil || icmp["code"] == float64(p.ICMPCode))
	}
	return match && calicoEntity(t, r["source"], own, ports, r["ipVersion"], &p.Source, p.SourcePort) &&
		calicoEntity(t, r["destination"], own, ports, r["ipVersion"], &p.Destination, p.DestinationPort)
}

func calicoEntity(t *testing.T, x any, own string, ports bool, version any, e *policy.Endpoint, port uint16) bool {
	t.Helper()
	m, _ := x.(map[string]any)
	only(t, m, "nets", "selector", "namespaceSelector", "ports")
	match := true
	if nets, ok := m["nets"].([]any); ok {
		in, bits := false, 0
		for _, n := range nets {
			p := netip.MustParsePrefix(n.(string))
			if bits != 0 && bits != p.Addr().BitLen() || p != p.Masked() || version != nil && (version == 4.0) != p.Addr().Is4() {
				t.Fatalf("nets of two families, or not of the rule's: %v", nets)
			}
			bits = p.Addr().BitLen()
			in = in || p.Contains(e.Addr)
		}
		match = in
	}
	selector, _ := m["selector"].(string)
	scope, _ := m["namespaceSelector"].(string)
	if all, ok := m["ports"].([]any); ok {
		if !ports || len(all) == 0 {
			t.Fatalf("ports without a protocol that has some, or none: %v", m)
		}
		in := false
		for _, v := range all {
			first, last := v, v
			if s, ok := v.(string); ok {
				a, b, _ := strings.Cut(s, ":")
				x, err := strconv.Atoi(a)
				y, err2 := strconv.Atoi(b)
				if err != nil || err2 != nil {
					t.Fatalf("port %q", s)
				}
				first, last = float64(x), float64(y)
			}
			if first.(float64) < 1 || first.(float64) > last.(float64) || last.(float64) > 65535 {
				t.Fatalf("port %v", v)
			}
			in = in || first.(float64) <= float64(port) && float64(port) <= last.(float64)
		}
		match = match && in
	}
	return match && (selector == "" && scope == "" || calicoSelects(t, selector, scope, own, e))
}

// calicoSelects judges an end by a selector and a namespaceSelector. Only pods
// have labels here; a namespaced policy without the second means its own
// namespace.
func calicoSelects(t *testing.T, selector, scope, own string, e *policy.Endpoint) bool {
	t.Helper()
	if e.Labels == nil {
		return false
	}
	labels := map[string]string{"projectcalico.org/orchestrator": "k8s"}
	namespace := map[string]string{}
	for k, v := range e.Labels {
		switch {
		case k == policy.NamespaceKey:
			labels["projectcalico.org/namespace"] = v
			namespace["projectcalico.org/name"] = v
		case strings.HasPrefix(k, "io.cilium.k8s.namespace.labels."):
			namespace[strings.TrimPrefix(k, "io.cilium.k8s.namespace.labels.")] = v
		default:
			labels[k] = v
		}
	}
	if scope == "" && own != "" && e.Labels[policy.NamespaceKey] != own {
		return false
	}
	return calicoExpression(t, selector, labels) && calicoExpression(t, scope, namespace)
}

// calicoExpression is a parser of Calico's selectors that evaluates as it goes.
func calicoExpression(t *testing.T, text string, l map[string]string) bool {
	t.Helper()
	if text == "" {
		return true
	}
	x := &expression{t: t, rest: text, labels: l}
	v := x.or()
	if x.space(); x.rest != "" {
		t.Fatalf("%q remains of selector %q", x.rest, text)
	}
	return v
}

type expression struct {
	t      *testing.T
	rest   string
	labels map[string]string
}

func (x *expression) space() { x.rest = strings.TrimLeft(x.rest, " \t") }

func (x *expression) take(word string) bool {
	x.space()
	if !strings.HasPrefix(x.rest, word) {
		return false
	}
	x.rest = x.rest[len(word):]
	return true
}

func (x *expression) want(word string) {
	x.t.Helper()
	if !x.take(word) {
		x.t.Fatalf("want %q at %q", word, x.rest)
	}
}

func (x *expression) or() bool {
	v := x.and()
	for x.take("||") {
		v = x.and() || v
	}
	return v
}

func (x *expression) and() bool {
	v := x.one()
	for x.take("&&") {
		v = x.one() && v
	}
	return v
}

func (x *expression) one() bool {
	switch {
	case x.take("!"):
		return !x.one()
	case x.take("("):
		v := x.or()
		x.want(")")
		return v
	case x.take("all()"):
		return true
	case x.take("has("):
		_, has := x.labels[x.label()]
		x.want(")")
		return has
	}
	got, has := x.labels[x.label()]
	switch {
	case x.take("=="):
		return x.text() == got && has
	case x.take("!="):
		return x.text() != got || !has
	case x.take("not in"):
		return !x.set(got, has)
	}
	x.want("in")
	return x.set(got, has)
}

func (x *expression) set(got string, has bool) bool {
	x.want("{")
	in := false
	for {
		in = x.text() == got && has || in
		if !x.take(",") {
			x.want("}")
			return in
		}
	}
}

func (x *expression) label() string {
	x.space()
	n := 0
	for n < len(x.rest) && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-", rune(x.rest[n])) {
		n++
	}
	if n == 0 {
		x.t.Fatalf("want a label at %q", x.rest)
	}
	label := x.rest[:n]
	x.rest = x.rest[n:]
	return label
}

func (x *expression) text() string {
	x.want(`"`)
	s, rest, ok := strings.Cut(x.rest, `"`)
	if !ok {
		x.t.Fatalf("a string without an end")
	}
	x.rest = rest
	return s
}

// AccessPolicy: an ordered list for each subject, direction and family. All
// lists on a pod must permit; the first line that matches decides, "next" goes
// on at another line, and the end denies.

func accessAllows(t *testing.T, read []map[string]any, d policy.Direction, p *policy.Packet) bool {
	t.Helper()
	subject := &p.Destination
	if d == policy.Egress {
		subject = &p.Source
	}
	family := map[bool][]any{false: {"ipv4", "dual"}, true: {"ipv6", "dual"}}[p.Source.Addr.Is6()]
	for _, o := range read {
		if o["kind"] != "AccessPolicy" || o["apiVersion"] != "aclium.dev/v1alpha1" {
			t.Fatalf("not an AccessPolicy: %v", o)
		}
		spec := o["spec"].(map[string]any)
		only(t, spec, "acl", "subject", "direction", "family", "stateful", "rules")
		selectors := dig(spec, "subject", "selectors")
		if spec["direction"] != d.String() || !slices.Contains(family, spec["family"]) || subject.Labels == nil || !accessSelects(t, selectors, subject.Labels) {
			continue
		}
		if !accessWalk(t, list(spec["rules"]), p) {
			return false
		}
	}
	return true
}

func accessWalk(t *testing.T, rules []map[string]any, p *policy.Packet) bool {
	t.Helper()
	for i := 0; i < len(rules); i++ {
		r := rules[i]
		only(t, r, "id", "text", "source", "action", "goto", "log", "uncounted", "match")
		m := r["match"].(map[string]any)
		only(t, m, "source", "destination", "services", "fragments")
		if m["fragments"] == true || !accessEnd(t, m["source"], &p.Source) || !accessEnd(t, m["destination"], &p.Destination) {
			continue
		}
		some := false
		for _, s := range list(m["services"]) {
			some = some || accessService(t, s, p)
		}
		switch {
		case !some:
		case r["action"] == "permit":
			return true
		case r["action"] == "deny":
			return false
		default:
			i = int(r["goto"].(float64)) - 1
		}
	}
	return false
}

func accessEnd(t *testing.T, x any, e *policy.Endpoint) bool {
	t.Helper()
	m, _ := x.(map[string]any)
	only(t, m, "any", "addresses", "masked", "selectors", "entities", "fqdns")
	if m["any"] == true {
		return true
	}
	number := func(a any) *big.Int { return new(big.Int).SetBytes(netip.MustParseAddr(a.(string)).AsSlice()) }
	same := func(a any) bool { return netip.MustParseAddr(a.(string)).BitLen() == e.Addr.BitLen() }
	got := new(big.Int).SetBytes(e.Addr.AsSlice())
	for _, r := range list(m["addresses"]) {
		if same(r["first"]) && number(r["first"]).Cmp(got) <= 0 && got.Cmp(number(r["last"])) <= 0 {
			return true
		}
	}
	for _, r := range list(m["masked"]) {
		if same(r["addr"]) && new(big.Int).Or(number(r["wildcard"]), got).Cmp(new(big.Int).Or(number(r["wildcard"]), number(r["addr"]))) == 0 {
			return true
		}
	}
	names, _ := m["fqdns"].([]any)
	if slices.ContainsFunc(names, func(x any) bool { return ciliumNamed(map[string]any{"matchPattern": x}, e) }) {
		return true
	}
	entities, _ := m["entities"].([]any)
	return slices.ContainsFunc(entities, func(x any) bool { return ciliumEntity(x.(string), e) }) ||
		e.Labels != nil && m["selectors"] != nil && accessSelects(t, m["selectors"], e.Labels)
}

func accessSelects(t *testing.T, selectors any, l map[string]string) bool {
	t.Helper()
	for _, s := range selectors.([]any) {
		all := true
		for _, term := range list(s) {
			v, has := l[term["key"].(string)]
			values, _ := term["values"].([]any)
			in := has && slices.Contains(values, any(v))
			all = all && map[string]bool{"In": in, "NotIn": !in, "Exists": has, "DoesNotExist": !has}[term["op"].(string)]
		}
		if all {
			return true
		}
	}
	return false
}

func accessService(t *testing.T, s map[string]any, p *policy.Packet) bool {
	t.Helper()
	only(t, s, "protocols", "sourcePorts", "destinationPorts", "icmp", "flags")
	fits := func(field string, applies bool, v int) bool {
		text := s[field].(string)
		return text == "all" || applies && inRanges(t, text, v)
	}
	ports, icmp := p.Protocol == 6 || p.Protocol == 17 || p.Protocol == 132, p.Protocol == 1 || p.Protocol == 58
	return fits("protocols", true, int(p.Protocol)) && fits("sourcePorts", ports, int(p.SourcePort)) && fits("destinationPorts", ports, int(p.DestinationPort)) &&
		fits("icmp", icmp, int(p.ICMPType)*256+int(p.ICMPCode)) && fits("flags", p.Protocol == 6, int(p.Flags))
}

func inRanges(t *testing.T, text string, v int) bool {
	t.Helper()
	for _, part := range strings.Split(text, ",") {
		if part == "" {
			continue
		}
		a, b, both := strings.Cut(part, "-")
		if !both {
			b = a
		}
		first, err := strconv.Atoi(a)
		last, err2 := strconv.Atoi(b)
		if err != nil || err2 != nil {
			t.Fatalf("ranges %q", text)
		}
		if first <= v && v <= last {
			return true
		}
	}
	return false
}
