package kube

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aclium/translate/policy"
)

// accessObject is an AccessPolicy: the policy as it is, ordered, which is what
// the enforcer runs. It lives in no namespace.
type accessObject struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            policy.Policy     `json:"spec"`
}

// accessPolicies encodes one AccessPolicy for each policy. Those on one pod
// stand in series.
func accessPolicies(s policy.Stack) (out []Object, err error) {
	names := map[string]int{}
	policies := s.Policies()
	for i := range policies {
		p := &policies[i]
		if err := p.Validate(); err != nil {
			return nil, err
		}
		for k := range p.Rules {
			if why := p.Rules[k].BeyondNode(); why != "" {
				return nil, fmt.Errorf("policy %s, line %d: the enforcer sees no %s", p.ACL, p.Rules[k].ID.Seq, why)
			}
		}
		o := Object{Kind: "AccessPolicy", Name: objectName(p, "", names), Lists: listsOf(p)}
		meta := metadata(&o, p)
		delete(meta.Annotations, linesAnnotation) // the rules say it themselves
		o.Body = &accessObject{TypeMeta: metav1.TypeMeta{APIVersion: "aclium.dev/v1alpha1", Kind: o.Kind}, Metadata: meta, Spec: *p}
		out = append(out, o)
	}
	return out, nil
}
