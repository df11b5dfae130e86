package kube

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aclium/translate/policy"
)

// An Object is one policy object.
type Object struct {
	// Kind is the object's kind, such as "NetworkPolicy".
	Kind            string
	Namespace, Name string
	// Lists are the names of the lists that it comes from.
	Lists []string
	// Body marshals to the object's YAML.
	Body any
}

// ID gives "Kind/namespace/name", "Kind/name" for what lives in no namespace.
func (o *Object) ID() string {
	if o.Namespace == "" {
		return o.Kind + "/" + o.Name
	}
	return fmt.Sprintf("%s/%s/%s", o.Kind, o.Namespace, o.Name)
}

// An encoder makes the objects of what policies mean together.
type encoder func(policy.Stack) ([]Object, error)

// encoders are the formats, by the name of the target that they are written
// for.
var encoders = map[string]encoder{
	"networkpolicy":          union("NetworkPolicy", networkBody),
	"cilium":                 union("CiliumNetworkPolicy", ciliumBody),
	"cilium-clusterwide":     clusterwide,
	"cluster-network-policy": clusterPolicies,
	"calico":                 calico,
	"enforcer":               accessPolicies,
}

// Encode gives the objects of a target's format, in the order of the policies.
// The error names the policy that has no object, which is a fault or a subject
// without a namespace.
func Encode(format string, s policy.Stack) ([]Object, error) {
	encode, ok := encoders[format]
	if !ok {
		return nil, fmt.Errorf("no objects are known for %q", format)
	}
	if format != "enforcer" {
		for _, p := range s.Policies() {
			for i := range p.Rules {
				if what := p.Rules[i].BeyondObject(); what != "" {
					return nil, fmt.Errorf("policy %s, line %d: no object says %s", p.ACL, p.Rules[i].ID.Seq, what)
				}
			}
		}
	}
	return encode(s)
}

// union encodes objects that are a union: one for each policy and namespace.
func union(kind string, body func(*Object, *policy.Policy, []policy.Term) (any, error)) encoder {
	return func(s policy.Stack) (out []Object, err error) {
		names := map[string]int{}
		policies := s.Policies()
		for i := range policies {
			p := lean(&policies[i])
			namespaces, selector, err := subjectOf(p)
			if err != nil {
				return nil, err
			}
			parts, err := split(p, maxObject, func(p *policy.Policy) (any, error) { return body(&Object{Kind: kind}, p, selector) })
			if err != nil {
				return nil, fmt.Errorf("policy %s on %s: %w", p.ACL, p.Subject.Name, err)
			}
			for _, ns := range namespaces {
				for _, p := range parts {
					o := Object{Kind: kind, Namespace: ns, Name: objectName(p, ns, names), Lists: listsOf(p)}
					if o.Body, err = body(&o, p, selector); err != nil {
						return nil, fmt.Errorf("policy %s on %s: %w", p.ACL, p.Subject.Name, err)
					}
					out = append(out, o)
				}
			}
		}
		return out, nil
	}
}

// listsOf gives the names of the lists that a policy comes from.
func listsOf(p *policy.Policy) []string { return strings.Split(p.ACL, ", ") }

// YAML writes the objects as one stream of documents.
func YAML(objects []Object) ([]byte, error) {
	var b bytes.Buffer
	for i := range objects {
		text, err := marshal(objects[i].Body)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", objects[i].ID(), err)
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(text)
	}
	return b.Bytes(), nil
}

// subjectOf gives the namespaces that the subject's pods are in and the rest
// of its selector.
func subjectOf(p *policy.Policy) (namespaces []string, rest []policy.Term, err error) {
	if len(p.Subject.Selectors) != 1 {
		return nil, nil, fmt.Errorf("policy %s: %d selectors, want one", p.ACL, len(p.Subject.Selectors))
	}
	for _, t := range p.Subject.Selectors[0] {
		switch {
		case t.Key != policy.NamespaceKey:
			rest = append(rest, t)
		case t.Op == policy.In:
			namespaces = t.Values
		default:
			return nil, nil, fmt.Errorf("policy %s on %s: the subject excludes namespaces, but an object lives in one: name it (workload namespace NAME)", p.ACL, p.Subject.Name)
		}
	}
	if len(namespaces) == 0 {
		return nil, nil, fmt.Errorf("policy %s on %s: the subject names no namespace, but an object lives in one: name it (workload namespace NAME)", p.ACL, p.Subject.Name)
	}
	return namespaces, rest, nil
}

// Metadata that every object carries.
const (
	managedByLabel  = "app.kubernetes.io/managed-by"
	managedBy       = "aclium"
	aclAnnotation   = "aclium.dev/access-list"
	forAnnotation   = "aclium.dev/interface"
	linesAnnotation = "aclium.dev/lines"
)

func metadata(o *Object, p *policy.Policy) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: o.Name, Namespace: o.Namespace,
		Labels: map[string]string{managedByLabel: managedBy},
		Annotations: map[string]string{
			aclAnnotation: p.ACL, forAnnotation: p.Subject.Name,
			linesAnnotation: noted(p.Rules),
		},
	}
}

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// objectName gives a name that depends on the policy's own lists, subject and
// direction alone: other lists do not change it.
func objectName(p *policy.Policy, namespace string, taken map[string]int) string {
	text := strings.ToLower(fmt.Sprintf("%s-%s-%s", strings.TrimPrefix(p.Subject.Name, "workload "), p.ACL, p.Direction))
	name := strings.Trim(notDNS.ReplaceAllString(text, "-"), "-")
	selectors := p.Subject.Interface
	for _, s := range p.Subject.Selectors {
		selectors += policy.Selector(s).String()
	}
	sum := sha256.Sum256([]byte(p.Subject.Name + "\x00" + p.ACL + "\x00" + selectors + "\x00" + p.Direction.String()))
	// The sum tells names apart that differ in capitals or signs only.
	name = fmt.Sprintf("%.50s", name)
	name = strings.TrimRight(name, "-") + "-" + hex.EncodeToString(sum[:4])
	key := namespace + "/" + name
	if taken[key]++; taken[key] > 1 {
		name = fmt.Sprintf("%s-%d", name, taken[key])
	}
	return name
}
