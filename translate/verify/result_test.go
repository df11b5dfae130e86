package verify

import (
	"errors"
	"net/netip"
	"testing"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// Lists wherever they stand: every packet that is shown is judged otherwise by
// Eval, and lists that are called equal agree on random packets, fragments and
// all.
func TestCompareListsAgreesWithEval(t *testing.T) {
	m := newMaker(4)
	equal, different := 0, 0
	for range 300 {
		a := m.policy("L")
		b := a
		b.Rules = m.mutated(policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{a}}})[0].Policies[0].Rules
		r, err := CompareLists(&a, &b, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range append(r.Wider, r.Narrower...) {
			x, _ := a.Eval(&d.Packet)
			if y, _ := b.Eval(&d.Packet); x == y {
				t.Fatalf("shown, and both say %v: %+v", x, d)
			}
		}
		if !r.Equal {
			different++
			continue
		}
		equal++
		for range 200 {
			p := m.packet(policy.Ingress)
			if a.Family&p.Family() == 0 || !sameNamespaceAgrees(&p) {
				continue
			}
			x, _ := a.Eval(&p)
			if y, _ := b.Eval(&p); x != y {
				t.Fatalf("called equal, and they say %v and %v to %+v", x, y, p)
			}
		}
	}
	if equal < 30 || different < 60 {
		t.Errorf("%d equal and %d different: the test is lopsided", equal, different)
	}
}

// oneRule is a stack of one list of one line on every pod.
func oneRule(r policy.Rule) policy.Stack {
	r.ID = policy.RuleID{ACL: "R", Seq: 10}
	return policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{{
		ACL: "R", Direction: policy.Ingress, Family: policy.Dual, Subject: policy.Subject{Selectors: []policy.Selector{{}}}, Rules: []policy.Rule{r},
	}}}}
}

func permit(source policy.Peers, s policy.Service, http ...policy.HTTPMatch) policy.Stack {
	return oneRule(policy.Rule{Action: policy.Permit, Match: policy.Match{Source: source, Destination: policy.Everybody(), Services: []policy.Service{s}, HTTP: http}})
}

func from(text string) policy.Peers {
	return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix(text))}}
}

func compare(t *testing.T, want, got policy.Stack, inv *inventory.Inventory, o Options) Result {
	t.Helper()
	r, err := Compare(want, got, inv, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Expressions that are written alike are equal; a request shows that others
// differ; what no request shows is undecided, and never equal.
func TestRequests(t *testing.T) {
	path := func(expression string) policy.Stack {
		return permit(policy.Everybody(), policy.ServiceOf(policy.Bytes(policy.TCP)), policy.HTTPMatch{Path: expression})
	}
	if r := compare(t, path("/a.*"), path("/a.*"), nil, Options{}); !r.Equal {
		t.Errorf("the same expression: %+v", r)
	}
	if r := compare(t, path("/a"), path("/b"), nil, Options{}); len(r.Wider) != 1 || len(r.Narrower) != 1 || r.Wider[0].Packet.HTTP.Path != "/b" {
		t.Errorf("other paths: %+v", r)
	}
	if r := compare(t, path("/aa*"), path("/a+"), nil, Options{}); r.Equal || len(r.Undecided) == 0 || len(r.Wider)+len(r.Narrower) > 0 {
		t.Errorf("the same in other words: %+v", r)
	}
}

// A pod of a workload has its addresses, and nobody else has them.
func TestAddressesOfWorkloads(t *testing.T) {
	web := policy.Selector{{Key: "app", Op: policy.In, Values: []string{"web"}}}
	inv := &inventory.Inventory{
		Workloads:    []inventory.Workload{{Name: "WEB", Selector: web, Addresses: from("10.1.20.0/24").Addresses}},
		ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
	}
	any := policy.AnyService()
	byLabel := permit(policy.Peers{Selectors: []policy.Selector{web}}, any)
	for name, c := range map[string]struct {
		want, got       policy.Stack
		inv             *inventory.Inventory
		moved           bool
		wider, narrower bool
	}{
		"the whole range is the label":    {permit(from("10.1.20.0/24"), any), byLabel, inv, true, false, false},
		"without the inventory it is not": {permit(from("10.1.20.0/24"), any), byLabel, nil, false, true, true},
		"half of it is not":               {permit(from("10.1.20.0/25"), any), byLabel, inv, true, true, false},
		"a moved pod has another address": {permit(from("10.1.20.0/24"), any), permit(from("10.1.20.0/24"), any), inv, true, true, true},
		"one that stays does not":         {permit(from("10.1.20.0/24"), any), permit(from("10.1.20.0/24"), any), inv, false, false, false},
		"the outside is the outside":      {permit(from("192.0.2.0/24"), any), permit(from("192.0.2.0/24"), any), inv, true, false, false},
		"the cluster is every pod":        {permit(from("10.1.0.0/16"), any), permit(policy.Peers{Selectors: []policy.Selector{{}}}, any), inv, true, false, false},
	} {
		r := compare(t, c.want, c.got, c.inv, Options{Blind: true, Moved: c.moved, Families: policy.IPv4})
		if len(r.Wider) > 0 != c.wider || len(r.Narrower) > 0 != c.narrower {
			t.Errorf("%s: wider %+v, narrower %+v", name, r.Wider, r.Narrower)
		}
	}
}

// What objects cannot see is left out only where it is asked for.
func TestBlindness(t *testing.T) {
	tcp := policy.ServiceOf(policy.Bytes(policy.TCP))
	named := tcp
	named.DestinationPorts = policy.NewRanges(policy.Range{First: 1, Last: 65535})
	opening := tcp
	opening.Flags = policy.Bytes(policy.SYN)
	for name, s := range map[string]policy.Service{"port 0": named, "flags": opening} {
		a, b := permit(policy.Everybody(), tcp), permit(policy.Everybody(), s)
		if r := compare(t, a, b, nil, Options{Blind: true}); !r.Equal {
			t.Errorf("%s: objects can see it: %+v", name, r)
		}
		if r := compare(t, a, b, nil, Options{}); len(r.Narrower) == 0 || len(r.Wider) > 0 {
			t.Errorf("%s: nobody sees it: %+v", name, r)
		}
	}
}

func TestBudget(t *testing.T) {
	var budget *BudgetError
	_, err := Compare(permit(from("10.0.0.0/8"), policy.AnyService()), permit(from("10.0.0.0/9"), policy.AnyService()), nil, Options{Nodes: 30})
	if !errors.As(err, &budget) || budget.Nodes != 30 {
		t.Errorf("error %v, want the budget of 30 nodes", err)
	}
}
