package translate_test

import (
	"slices"
	"testing"

	"aclium/translate"
	"aclium/translate/policy"
)

// fromPort53 is "deny udp any eq 53 any" before "permit ip any any".
func fromPort53() policy.Policy {
	s := policy.ServiceOf(policy.Bytes(policy.UDP))
	s.SourcePorts = policy.NewRanges(policy.Range{First: 53, Last: 53})
	return towards(policy.Ingress, line(policy.Deny, policy.Everybody(), s), line(policy.Permit, policy.Everybody(), policy.AnyService()))
}

// TestBest: the target that loses least of a list, the one in use where none
// loses less.
func TestBest(t *testing.T) {
	icmp := policy.ServiceOf(policy.Bytes(policy.ICMP))
	icmp.ICMP = policy.NewRanges(policy.Range{First: 8 << 8, Last: 8<<8 | 255})
	for _, c := range []struct {
		name   string
		target translate.Target
		list   policy.Policy
		want   translate.Target
		loss   translate.Loss
	}{
		{"source port", translate.NetworkPolicy, fromPort53(), translate.Calico, translate.Loss{}},
		{"source port, where it is said", translate.Enforcer, fromPort53(), translate.Enforcer, translate.Loss{}},
		{"echo", translate.NetworkPolicy, towards(policy.Ingress, line(policy.Permit, policy.Everybody(), icmp)), translate.Cilium, translate.Loss{}},
	} {
		lists := []policy.Policy{c.list}
		lists[0].Family = policy.Dual
		o := translate.OrderOptions{Target: c.target}
		_, found := translate.Order(lists, o)
		if got, loss := translate.Advise(lists, o, found).Best(lists[0].ACL); got.Name != c.want.Name || loss != c.loss {
			t.Errorf("%s: %s loses %+v, want %s and %+v\n%+v", c.name, got.Name, loss, c.want.Name, c.loss, found)
		}
	}
}

// TestBestOfALongList asks no target whose cost grows faster than the lines.
func TestBestOfALongList(t *testing.T) {
	list := fromPort53()
	for range 2000 {
		list.Rules = append(list.Rules, list.Rules[1])
	}
	found := []policy.Finding{{ID: policy.RuleID{ACL: list.ACL}, State: policy.Refused, Reason: "source ports"}}
	advice := translate.Advise([]policy.Policy{list}, translate.OrderOptions{Target: translate.NetworkPolicy}, found)
	if got, _ := advice.Best(list.ACL); !got.Ordered {
		t.Errorf("%s, want a target with an order", got.Name)
	}
	if got := advice.Alternative(list.ACL); got != nil {
		t.Errorf("%q, want nothing tried", got)
	}
}

// TestAlternative: a deny that cannot be said is made larger. The list
// converts then, and permits nothing that it did not.
func TestAlternative(t *testing.T) {
	lists := []policy.Policy{fromPort53()}
	o := translate.OrderOptions{Target: translate.NetworkPolicy}
	_, found := translate.Order(lists, o)
	got := translate.Advise(lists, o, found).Alternative(lists[0].ACL)
	if want := []string{"line 10 denying from every source port"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if first := lists[0].Rules[0].Match.Services[0].SourcePorts; first.All() {
		t.Error("the list itself has changed")
	}
	// What converts needs no alternative.
	o.Target = translate.Calico
	_, found = translate.Order(lists, o)
	if got := translate.Advise(lists, o, found).Alternative(lists[0].ACL); got != nil {
		t.Errorf("%q for a list that converts", got)
	}
}
