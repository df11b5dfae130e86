package kube

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// Labels that Calico puts on pods and namespaces itself.
const (
	calicoNamespaceLabel = "projectcalico.org/namespace"
	calicoName           = "projectcalico.org/name"
	calicoServiceAccount = "projectcalico.org/serviceaccount"
	calicoOwn            = "projectcalico.org/"
	// calicoOrchestrator is "k8s" on every pod of a cluster.
	calicoOrchestrator = "projectcalico.org/orchestrator"
	serviceAccountKey  = "io.cilium.k8s.policy.serviceaccount"
)

// calicoTier is a tier: what is asked in it, and what becomes of packets that
// no rule of it decides.
type calicoTier struct {
	order  float64
	passes bool
}

// calicoOrders are the tiers that are there without an object (libcalico-go).
var calicoOrders = map[string]calicoTier{"default": {order: 1_000_000}}

// kubernetesOrder is the order that Calico gives to NetworkPolicies, in the
// default tier.
const kubernetesOrder = 1000

// readCalicoTier reads a Tier.
func readCalicoTier(o *object, f fields) {
	s := f.at("spec").fields("order", "defaultAction")
	t := calicoTier{order: s.at("order").order()}
	if at := s.at("defaultAction"); at.present() {
		t.passes = at.word("Deny", "Pass") == "Pass"
	}
	o.stream.decoder.tiers[o.name] = t
}

// order reads what policies are sorted by; an absent one is the last.
func (v value) order() float64 {
	if !v.present() {
		return math.Inf(1)
	}
	n, err := strconv.ParseFloat(v.take().node.Value, 64)
	if tag := v.take().node.ShortTag(); err != nil || tag != "!!int" && tag != "!!float" || math.IsNaN(n) || math.IsInf(n, 0) {
		v.fail("want a number")
	}
	return n
}

// readCalico reads a NetworkPolicy or GlobalNetworkPolicy of Calico: rules in
// order, and none of them in a tier denies. Host endpoints and network sets,
// which its selectors reach too, are nothing that the model knows; the stream
// has none of them.
func readCalico(o *object, f fields) {
	known := []string{"tier", "order", "selector", "serviceAccountSelector", "types", "ingress", "egress", "performanceHints"}
	if o.namespace == "" {
		known = append(known, "namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward")
	}
	spec := f.at("spec")
	s := spec.fields(known...)
	for _, n := range []string{"doNotTrack", "preDNAT", "applyOnForward"} {
		if s.at(n).truth() {
			s.at(n).fail("is about host endpoints, which are not in the model")
		}
	}
	s.at("serviceAccountSelector").refuse("labels of service accounts are not in the model")
	pods := s.at("selector").expressionOf(calicoPodKey)
	if n := s.at("namespaceSelector"); n.present() {
		pods = s.value.both(n.expressionOf(calicoNamespaceKey), pods)
	}
	subject := o.subject(nil)
	subject.Selectors = o.athome(pods.yes)
	if len(subject.Selectors) == 0 {
		s.at("selector").fail("selects no pod")
	}
	in, out := calicoTypesOf(s)
	tier := orElse(s.at("tier").text(), "default")
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		list := s.at(map[policy.Direction]string{policy.Ingress: "ingress", policy.Egress: "egress"}[d])
		rules := o.calicoRules(list, d)
		if d == policy.Ingress && !in || d == policy.Egress && !out {
			continue
		}
		for _, p := range families(o.calicoPolicy(subject, d, rules)) {
			o.stream.decoder.calico = append(o.stream.decoder.calico, calicoPolicy{
				orderedPolicy{policy: p, order: s.at("order").order(), name: o.namespace + "/" + o.name, at: spec}, tier, o.namespace,
			})
		}
	}
}

type calicoPolicy struct {
	orderedPolicy
	tier, namespace string
}

// athome keeps selectors within the object's own namespace, if it has one.
func (o *object) athome(all []policy.Selector) (out []policy.Selector) {
	for _, s := range all {
		if o.namespace != "" {
			s = append(slices.Clip(s), o.home())
		}
		out = append(out, s)
	}
	return out
}

// calicoTypesOf gives the directions that a policy is for. Without a list they
// are those that it has rules for, and ingress when it has none.
func calicoTypesOf(s fields) (in, out bool) {
	types := s.at("types")
	if len(types.list()) > 0 {
		return policyTypes(types, false)
	}
	out = len(s.at("egress").list()) > 0
	return !out || len(s.at("ingress").list()) > 0, out
}

// familyRule is a rule and the families that it is for.
type familyRule struct {
	policy.Rule
	family policy.Family
}

// calicoPolicy gives the policy of one direction.
func (o *object) calicoPolicy(s policy.Subject, d policy.Direction, rules []familyRule) (policy.Policy, []policy.Family) {
	p := policy.Policy{ACL: o.acl(), Subject: s, Direction: d, Family: policy.Dual, Stateful: true}
	var of []policy.Family
	for _, r := range rules {
		p.Rules, of = append(p.Rules, r.Rule), append(of, r.family)
	}
	o.identify(p.Rules)
	return p, of
}

// families cuts a policy in two where it has rules for one family alone.
func families(p policy.Policy, of []policy.Family) (out []policy.Policy) {
	cut := []policy.Family{policy.Dual}
	if slices.ContainsFunc(of, func(f policy.Family) bool { return f != policy.Dual }) {
		cut = []policy.Family{policy.IPv4, policy.IPv6}
	}
	for _, f := range cut {
		q := p
		q.Family, q.Rules = f, nil
		for i, r := range p.Rules {
			if of[i]&f != 0 {
				q.Rules = append(q.Rules, r)
			}
		}
		passOn(q.Rules)
		out = append(out, q)
	}
	return out
}

var calicoActions = map[string]policy.Action{"Allow": policy.Permit, "Deny": policy.Deny, "Pass": policy.Next}

// calicoRules reads the rules of one direction, which keep their numbers when
// those that only log, and decide nothing, are left out.
func (o *object) calicoRules(v value, d policy.Direction) (out []familyRule) {
	for _, item := range v.list() {
		f := item.fields("action", "ipVersion", "protocol", "notProtocol", "icmp", "notICMP", "source", "destination", "http", "metadata")
		f.at("http").refuse("requests are not read from Calico's policies")
		f.at("metadata").fields("annotations").at("annotations").texts()
		action := f.at("action").word("Allow", "Deny", "Log", "Pass")
		r := familyRule{Rule: permit(item, policy.Match{
			Source: o.calicoPeers(f.at("source")), Destination: o.calicoPeers(f.at("destination")), Services: readCalicoServices(f),
		}), family: policy.Dual}
		if version := f.at("ipVersion"); version.present() {
			r.family = map[int]policy.Family{4: policy.IPv4, 6: policy.IPv6}[version.number(4, 6)]
			if r.family == 0 {
				version.fail("want 4 or 6")
			}
		}
		if action != "Log" {
			r.Action = calicoActions[action]
			out = append(out, r)
		}
	}
	return out
}

// calicoTiersOf gives the tiers in order.
func (d *Decoder) calicoTiersOf() (out policy.Stack) {
	if len(d.calico) == 0 {
		return nil
	}
	all := slices.Clone(d.calico)
	first := all[0].at
	if len(d.admin)+len(d.baseline) > 0 || d.cilium {
		first.fail("stands beside policies of other kinds, and their order is not known")
	}
	for _, p := range d.union {
		all = append(all, calicoPolicy{orderedPolicy{policy: p, order: kubernetesOrder, name: "knp." + p.ACL, at: first}, "default", p.ACL})
	}
	tiers := map[string][]calicoPolicy{}
	for _, p := range all {
		tiers[p.tier] = append(tiers[p.tier], p)
	}
	var names []string
	for name, members := range tiers {
		if _, ok := d.tierOf(name); !ok {
			members[0].at.fail("the object of tier %q is not there: its place among the tiers is not known", name)
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, _ := d.tierOf(a)
		y, _ := d.tierOf(b)
		return cmp.Or(cmp.Compare(x.order, y.order), strings.Compare(a, b))
	})
	for _, name := range names {
		t, _ := d.tierOf(name)
		out = append(out, policy.Tier{Name: name, Combine: policy.Ordered, Policies: t.sorted(tiers[name])})
	}
	return out
}

func (d *Decoder) tierOf(name string) (calicoTier, bool) {
	t, ok := d.tiers[name]
	if !ok {
		t, ok = calicoOrders[name]
	}
	return t, ok
}

// sorted gives the policies of a tier in order. Names decide among policies of
// one kind; those of two namespaces never stand on one pod.
func (t calicoTier) sorted(members []calicoPolicy) []policy.Policy {
	namespaces := map[*object]string{}
	var ordered []orderedPolicy
	for _, m := range members {
		namespaces[m.at.object] = m.namespace
		ordered = append(ordered, m.orderedPolicy)
	}
	out := sorted(ordered, func(a, b *orderedPolicy) bool {
		x, y := namespaces[a.at.object], namespaces[b.at.object]
		return (x == "") == (y == "")
	})
	for i := range out {
		out[i].Open = t.passes
	}
	return out
}

// expressionOf reads a selector; an absent one is everything.
func (v value) expressionOf(key func(string) (string, error)) expression {
	e, err := parseExpression(v.text(), key)
	if err != nil {
		v.fail("%v", err)
	}
	return e
}

// both is the intersection.
func (v value) both(e, f expression) expression {
	out, err := e.and(f)
	if err != nil {
		v.fail("%v", err)
	}
	return out
}

func calicoPodKey(label string) (string, error) {
	switch {
	case label == calicoNamespaceLabel:
		return policy.NamespaceKey, nil
	case label == calicoServiceAccount:
		return serviceAccountKey, nil
	case strings.HasPrefix(label, calicoOwn):
		return "", fmt.Errorf("label %q of Calico is not in the model", label)
	}
	if rest, ok := strings.CutPrefix(label, "pcns."); ok {
		return calicoNamespaceKey(rest)
	}
	if strings.HasPrefix(label, "pcsa.") {
		return "", fmt.Errorf("labels of service accounts are not in the model")
	}
	return label, nil
}

func calicoNamespaceKey(label string) (string, error) {
	switch {
	case label == calicoName || label == "kubernetes.io/metadata.name":
		return policy.NamespaceKey, nil
	case strings.HasPrefix(label, calicoOwn):
		return "", fmt.Errorf("label %q of Calico is not in the model", label)
	}
	return namespaceLabelPrefix + label, nil
}
