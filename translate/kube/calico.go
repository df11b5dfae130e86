package kube

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aclium/translate/policy"
)

// The part of projectcalico.org/v3 that aclium writes
// (docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy).
type (
	calicoObject struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta `json:"metadata"`
		Spec            calicoSpec        `json:"spec"`
	}
	calicoSpec struct {
		// Order puts the policy before Kubernetes' own, which have 1000.
		Order             float64      `json:"order"`
		Selector          string       `json:"selector"`
		NamespaceSelector string       `json:"namespaceSelector,omitempty"`
		Types             []string     `json:"types"`
		Ingress           []calicoRule `json:"ingress,omitempty"`
		Egress            []calicoRule `json:"egress,omitempty"`
	}
	calicoRule struct {
		Action      string       `json:"action"`
		IPVersion   int          `json:"ipVersion,omitempty"`
		Protocol    any          `json:"protocol,omitempty"` // a name, or a number from 1 to 255
		ICMP        *calicoICMP  `json:"icmp,omitempty"`
		Source      calicoEntity `json:"source,omitzero"`
		Destination calicoEntity `json:"destination,omitzero"`
	}
	calicoICMP struct {
		Type int  `json:"type"` // 0 to 254
		Code *int `json:"code,omitempty"`
	}
	// Everything in a calicoEntity must hold.
	calicoEntity struct {
		Nets              []string `json:"nets,omitempty"` // of one family
		Selector          string   `json:"selector,omitempty"`
		NamespaceSelector string   `json:"namespaceSelector,omitempty"`
		Ports             []any    `json:"ports,omitempty"` // numbers, or "first:last"
	}
)

// calicoOrder is the order of the first policy on some pods. A list of more than
// one has the numbers behind it, of which there are at most some hundred.
const calicoOrder = 100

// calico encodes one NetworkPolicy for each policy and namespace of its
// subject, or a GlobalNetworkPolicy when that names none.
func calico(s policy.Stack) (out []Object, err error) {
	names, places := map[string]int{}, map[string]int{}
	for i := range s {
		if s[i].Combine != policy.Ordered {
			return nil, fmt.Errorf("a tier of policies without order, which Calico does not have")
		}
		for k := range s[i].Policies {
			p := &s[i].Policies[k]
			// Policies on the same pods are asked in their order.
			same := fmt.Sprint(p.Direction, p.Subject.Selectors)
			objects, err := calicoObjects(p, calicoOrder+places[same], names)
			if err != nil {
				return nil, fmt.Errorf("policy %s on %s: %w", p.ACL, p.Subject.Name, err)
			}
			places[same]++
			out = append(out, objects...)
		}
	}
	return out, nil
}

func calicoObjects(p *policy.Policy, order int, names map[string]int) (out []Object, err error) {
	switch {
	case len(p.Subject.Selectors) != 1 || p.Subject.Nodes:
		return nil, fmt.Errorf("a subject that is not one set of pods")
	case p.Family != policy.Dual || p.Open:
		return nil, fmt.Errorf("a policy of one family or without an end")
	}
	var rules []calicoRule
	for i := range p.Rules {
		more, err := calicoRules(&p.Rules[i], p.Direction)
		if err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i, p.Rules[i].Text, err)
		}
		rules = append(rules, more...)
	}
	subject := p.Subject.Selectors[0]
	namespaces, rest, global := []string{""}, subject, true
	if in, _, err := subjectOf(p); err == nil && !onNamespaceLabels(subject) {
		namespaces, rest, global = in, withoutNamespace(subject), false
	}
	for _, ns := range namespaces {
		o := Object{Kind: "NetworkPolicy", Namespace: ns, Name: objectName(p, ns, names), Lists: listsOf(p)}
		if global {
			o.Kind = "GlobalNetworkPolicy"
		}
		body := &calicoObject{
			TypeMeta: metav1.TypeMeta{APIVersion: "projectcalico.org/v3", Kind: o.Kind}, Metadata: metadata(&o, p),
			Spec: calicoSpec{Order: float64(order)},
		}
		if body.Spec.Selector, body.Spec.NamespaceSelector, err = calicoSelector(rest); err != nil {
			return nil, err
		}
		body.Spec.rules(p.Direction, rules)
		o.Body = body
		out = append(out, o)
	}
	return out, nil
}

func (s *calicoSpec) rules(d policy.Direction, rules []calicoRule) {
	if d == policy.Ingress {
		s.Types, s.Ingress = []string{"Ingress"}, rules
	} else {
		s.Types, s.Egress = []string{"Egress"}, rules
	}
}

func onNamespaceLabels(s policy.Selector) bool {
	for _, t := range s {
		if strings.HasPrefix(t.Key, namespaceLabels) {
			return true
		}
	}
	return false
}

func withoutNamespace(s policy.Selector) (out policy.Selector) {
	for _, t := range s {
		if t.Key != policy.NamespaceKey {
			out = append(out, t)
		}
	}
	return out
}

// calicoRules gives one rule for each kind of peer and of service. They do the
// same and stand one behind the other, so that together they are the rule.
func calicoRules(r *policy.Rule, d policy.Direction) (out []calicoRule, err error) {
	if r.Match.Fragments || r.Match.HTTP != nil {
		return nil, fmt.Errorf("fragments or requests, which Calico cannot name")
	}
	action := map[policy.Action]string{policy.Permit: "Allow", policy.Deny: "Deny", policy.Next: "Pass"}[r.Action]
	own := r.Match.Destination
	if d == policy.Egress {
		own = r.Match.Source
	}
	version, err := calicoVersion(&own)
	if err != nil {
		return nil, err
	}
	peers, err := calicoPeers(peersOf(r, d), version)
	if err != nil {
		return nil, err
	}
	services, err := calicoServices(r.Match.Services)
	if err != nil {
		return nil, err
	}
	for _, peer := range peers {
		for _, rule := range services {
			rule.Action, rule.IPVersion = action, version
			if d == policy.Ingress {
				rule.Source = peer.with(rule.Source.Ports)
			} else {
				rule.Destination = peer.with(rule.Destination.Ports)
			}
			if r.Log {
				// The walk goes on behind a Log: the verdict stays the same.
				rule.Action = "Log"
				out = append(out, rule)
				rule.Action = action
			}
			out = append(out, rule)
		}
	}
	return out, nil
}

func (e calicoEntity) with(ports []any) calicoEntity {
	e.Ports = ports
	return e
}

// calicoVersion gives the family that the subject's end is held to: 4, 6, or 0
// for both.
func calicoVersion(own *policy.Peers) (int, error) {
	if own.Any {
		return 0, nil
	}
	if len(own.Addresses) == 1 && len(own.Selectors)+len(own.Entities)+len(own.FQDNs)+len(own.Masked)+len(own.Outside) == 0 {
		all := blocks(own.Addresses)
		if len(all) == 1 && all[0].cidr.Bits() == 0 {
			return map[int]int{32: 4, 128: 6}[all[0].cidr.Addr().BitLen()], nil
		}
	}
	return 0, fmt.Errorf("conditions on the subject's own end")
}

// calicoPeers gives the peers, one entity for each kind; none for nobody.
func calicoPeers(p *policy.Peers, version int) (out []calicoEntity, err error) {
	if len(p.Masked)+len(p.Entities)+len(p.FQDNs)+len(p.Outside) > 0 {
		return nil, fmt.Errorf("peers that Calico cannot name")
	}
	if p.Any {
		return []calicoEntity{{}}, nil
	}
	// Peers that say the same of namespaces share a rule.
	at := map[string]int{}
	for _, s := range p.Selectors {
		pods, namespaces, err := calicoSelector(s)
		if err != nil {
			return nil, err
		}
		if namespaces == "" {
			// Without it, selectors mean the policy's own namespace, and in a
			// GlobalNetworkPolicy network sets and hosts too.
			namespaces = "all()"
		}
		i, ok := at[namespaces]
		if !ok {
			at[namespaces] = len(out)
			out = append(out, calicoEntity{Selector: pods, NamespaceSelector: namespaces})
			continue
		}
		if !strings.HasPrefix(out[i].Selector, "(") {
			out[i].Selector = "(" + out[i].Selector + ")"
		}
		out[i].Selector += " || (" + pods + ")"
	}
	for _, bits := range []int{32, 128} {
		var nets []string
		for _, r := range p.Addresses {
			if r.First.BitLen() == bits {
				nets = append(nets, prefixes(r)...)
			}
		}
		if len(nets) > 0 && (version == 0 || map[int]int{4: 32, 6: 128}[version] == bits) {
			out = append(out, calicoEntity{Nets: nets})
		}
	}
	return out, nil
}

// Labels that Calico gives to every endpoint of a pod.
const (
	calicoNamespace = "projectcalico.org/namespace"
	// calicoPod keeps network sets and hosts out, which selectors mean too.
	calicoPod = `projectcalico.org/orchestrator == "k8s"`
	// calicoNamespaceName is the label of a namespace that holds its name.
	calicoNamespaceName = "projectcalico.org/name"
)

var (
	calicoKey   = regexp.MustCompile(`^[a-zA-Z0-9_./-]{1,512}$`)
	calicoValue = regexp.MustCompile(`^[a-zA-Z0-9_.-]*$`)
)

// calicoSelector gives the expressions for pods and for their namespaces, which
// is empty when any will do.
func calicoSelector(s policy.Selector) (pods, namespaces string, err error) {
	all, of := []string{calicoPod}, []string(nil)
	for _, t := range s {
		key, isNamespace := strings.CutPrefix(t.Key, namespaceLabels)
		switch t.Key {
		case policy.NamespaceKey:
			t.Key = calicoNamespace
		case serviceAccountKey:
			t.Key = calicoServiceAccount
		case clusterKey:
			return "", "", fmt.Errorf("pods of another cluster, which Calico cannot name")
		}
		if isNamespace {
			t.Key = key
		}
		if t.Key == "kubernetes.io/metadata.name" && isNamespace {
			t.Key = calicoNamespaceName
		}
		text, err := calicoTerm(t)
		if err != nil {
			return "", "", err
		}
		if isNamespace {
			of = append(of, text)
		} else {
			all = append(all, text)
		}
	}
	return strings.Join(all, " && "), strings.Join(of, " && "), nil
}

func calicoTerm(t policy.Term) (string, error) {
	if !calicoKey.MatchString(t.Key) {
		return "", fmt.Errorf("the label %q, which no selector of Calico can name", t.Key)
	}
	values := make([]string, len(t.Values))
	for i, v := range t.Values {
		if !calicoValue.MatchString(v) {
			return "", fmt.Errorf("the value %q, which no selector of Calico can name", v)
		}
		values[i] = `"` + v + `"`
	}
	set := "{" + strings.Join(values, ", ") + "}"
	switch {
	case t.Op == policy.Exists:
		return "has(" + t.Key + ")", nil
	case t.Op == policy.DoesNotExist:
		return "!has(" + t.Key + ")", nil
	case t.Op == policy.In && len(values) == 1:
		return t.Key + " == " + values[0], nil
	case t.Op == policy.NotIn && len(values) == 1:
		return t.Key + " != " + values[0], nil
	case t.Op == policy.In && len(values) > 0:
		return t.Key + " in " + set, nil
	case t.Op == policy.NotIn && len(values) > 0:
		return t.Key + " not in " + set, nil
	}
	return "", fmt.Errorf("operator %s with %d values", t.Op, len(values))
}

var calicoProtocols = map[uint8]string{
	policy.TCP: "TCP", policy.UDP: "UDP", policy.SCTP: "SCTP", policy.ICMP: "ICMP", policy.ICMPv6: "ICMPv6",
}

// calicoServices gives the services as rules that lack everything else.
func calicoServices(services []policy.Service) (out []calicoRule, err error) {
	for i := range services {
		s := &services[i]
		if s.Protocols.All() && !s.LooksAtL4() {
			return []calicoRule{{}}, nil
		}
		if s.PortNames != nil || !s.Flags.All() || s.Protocols.Has(0) {
			return nil, fmt.Errorf("a service that Calico cannot name")
		}
		for v := 1; v < 256; v++ {
			if !s.Protocols.Has(uint8(v)) {
				continue
			}
			rules, err := calicoProtocol(s, uint8(v))
			if err != nil {
				return nil, err
			}
			out = append(out, rules...)
		}
	}
	return out, nil
}

func calicoProtocol(s *policy.Service, protocol uint8) ([]calicoRule, error) {
	r := calicoRule{Protocol: int(protocol)}
	if name := calicoProtocols[protocol]; name != "" {
		r.Protocol = name
	}
	if policy.HasPorts(protocol) {
		if !s.ICMP.All() {
			return nil, nil
		}
		var err, err2 error
		r.Source.Ports, err = calicoPorts(s.SourcePorts)
		if r.Destination.Ports, err2 = calicoPorts(s.DestinationPorts); err == nil {
			err = err2
		}
		return []calicoRule{r}, err
	}
	if !s.SourcePorts.All() || !s.DestinationPorts.All() {
		return nil, nil
	}
	if s.ICMP.All() {
		return []calicoRule{r}, nil
	}
	if protocol != policy.ICMP && protocol != policy.ICMPv6 {
		return nil, nil
	}
	return calicoTypes(r, s.ICMP)
}

// calicoPorts gives the ports, nil for all of them.
func calicoPorts(ports policy.Ranges) (out []any, err error) {
	if ports.All() {
		return nil, nil
	}
	for _, r := range ports {
		switch {
		case r.First == 0:
			return nil, fmt.Errorf("port 0, which Calico cannot name")
		case r.First == r.Last:
			out = append(out, int(r.First))
		default:
			out = append(out, strconv.Itoa(int(r.First))+":"+strconv.Itoa(int(r.Last)))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no port at all, which would mean every port")
	}
	return out, nil
}

// calicoTypes gives one rule for each type whose codes are all there, and one
// for each code of the others.
func calicoTypes(r calicoRule, icmp policy.Ranges) (out []calicoRule, err error) {
	for _, x := range icmp {
		for v := int(x.First); v <= int(x.Last); {
			if v>>8 > 254 {
				return nil, fmt.Errorf("ICMP type 255, which Calico cannot name")
			}
			one := r
			one.ICMP = &calicoICMP{Type: v >> 8}
			if v&255 == 0 && v+255 <= int(x.Last) {
				v += 256
			} else {
				code := v & 255
				one.ICMP.Code = &code
				v++
			}
			out = append(out, one)
		}
	}
	return out, nil
}
