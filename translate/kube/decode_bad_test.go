package kube_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"aclium/translate/kube"
)

// Every mistake names its place, its object and its field.
func TestDecodeRefuses(t *testing.T) {
	const head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: dev}\n"
	for _, c := range []struct{ text, want string }{
		{"[1, 2]", "1:1: want a mapping"},
		{"a: b", "1:1: is no object of a cluster"},
		{"{apiVersion: v1, kind: Pod, metadata: {name: p}}", "1:1: Pod: v1 Pod is no policy object that can be read"},
		{"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy}", "NetworkPolicy: metadata: want a name"},
		{head, "NetworkPolicy/dev/p: spec: want a spec"},
		{head + "spec: {podselector: {}}", `4:8: NetworkPolicy/dev/p: spec: unknown field "podselector", want one of podSelector, policyTypes`},
		{head + "spec: {podSelector: {}, podSelector: {}}", `4:25: NetworkPolicy/dev/p: spec: field "podSelector" is written twice`},
		{head + "spec: {podSelector: {matchLabels: {app: on}}}", "4:41: NetworkPolicy/dev/p: spec.podSelector.matchLabels.app: want a text, and on is none"},
		{head + "spec: {podSelector: {matchLabels: {app: 5}}}", "want a text, and 5 is none"},
		{head + "spec: {podSelector: {matchLabels: {app: 12:30}}}", `"12:30" is no value`},
		{head + "spec: {podSelector: {matchLabels: {a/b/c: x}}}", `"a/b/c" is no key`},
		{head + "spec: {podSelector: {matchLabels: {io.kubernetes.pod.namespace: x}}}", "is no key of a pod's label"},
		{head + "spec: {podSelector: {matchLabels: {a: 'b c'}}}", "is no value of a label"},
		{head + "spec: {podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}", `operator: "in" is not known here, want one of In, NotIn`},
		{head + "spec: {podSelector: {matchExpressions: [{key: a, operator: In, values: []}]}}", "operator In with 0 values"},
		{head + "spec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}", "operator Exists with 1 values"},
		{head + "spec: {policyTypes: [ingress]}", `policyTypes[0]: "ingress" is not known here`},
		{head + "spec: {ingress: [{from: [{}]}]}", "spec.ingress[0].from[0]: want a podSelector, a namespaceSelector or an ipBlock"},
		{head + "spec: {ingress: [null]}", "spec.ingress[0]: want no null in a list"},
		{head + "spec: {ingress: {}}", "spec.ingress: want a list"},
		{head + "spec: {ingress: [{to: []}]}", `unknown field "to"`},
		{head + "spec: {ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", "an ipBlock stands beside selectors"},
		{head + "spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", `ipBlock.cidr: "10.0.0.0" is no address range`},
		{head + "spec: {ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}]}", "is no address range"},
		{head + "spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", "10.0.0.0/8 does not lie inside 10.0.0.0/8"},
		{head + "spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/9]}}]}]}", "does not lie inside"},
		{head + "spec: {ingress: [{from: [{ipBlock: {except: [11.0.0.0/9]}}]}]}", `"" is no address range`},
		{head + "spec: {ingress: [{ports: [{port: 0}]}]}", "ports[0].port: want a number from 1 to 65535, and not 0"},
		{head + "spec: {ingress: [{ports: [{port: 65536}]}]}", "and not 65536"},
		{head + "spec: {ingress: [{ports: [{port: 0x50}]}]}", "want a number"},
		{head + "spec: {ingress: [{ports: [{port: '80'}]}]}", `"80" is no name of a port`},
		{head + "spec: {ingress: [{ports: [{port: 80, endPort: 79}]}]}", "endPort: want a number from 80 to 65535, and not 79"},
		{head + "spec: {ingress: [{ports: [{endPort: 79}]}]}", "endPort: stands without a port"},
		{head + "spec: {ingress: [{ports: [{port: http, endPort: 79}]}]}", "stands beside the name of a port"},
		{head + "spec: {ingress: [{ports: [{protocol: ICMP}]}]}", `protocol: "ICMP" is not known here, want one of TCP, UDP, SCTP`},
		{head + "spec: {}\n---\n" + head + "spec: {}", "6:1: NetworkPolicy/dev/p: the object is written twice, first at bad.yaml:1:1"},
		{head + "spec: {}\n---\na: [", "not YAML"},
		{head + "spec: &a {podSelector: *a}", "want"},
		{"\x00\x01\x02", "not YAML"},
		{"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service}]}", "Service: v1 Service is no policy object"},
		{"{apiVersion: v1, kind: List, metadata: {}, things: []}", `unknown field "things"`},
	} {
		_, err := kube.Decode("bad.yaml", strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
		var mistake *kube.Error
		if err != nil && (!errors.As(err, &mistake) || mistake.Source.File != "bad.yaml") {
			t.Errorf("%s: the error has no place: %v", c.text, err)
		}
	}
}

// Mistakes of several objects come at once, and nothing is taken over.
func TestDecodeTakesAllOrNothing(t *testing.T) {
	object := func(name, spec string) string {
		return fmt.Sprintf("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec: %s\n", name, spec)
	}
	var d kube.Decoder
	err := d.Read("a.yaml", strings.NewReader(object("good", "{}")+object("one", "{x: y}")+object("two", "[]")))
	if err == nil || !strings.Contains(err.Error(), "/one: ") || !strings.Contains(err.Error(), "/two: ") {
		t.Fatalf("got %v", err)
	}
	if err := d.Read("b.yaml", strings.NewReader(object("good", "{}"))); err != nil {
		t.Fatalf("the first read has left something: %v", err)
	}
	stack, err := d.Stack()
	if err != nil || len(stack.Policies()) != 1 {
		t.Fatalf("got %v, %v", stack, err)
	}
}

// Lists, of any kind or of one, hold objects; empty documents hold nothing.
func TestDecodeStreams(t *testing.T) {
	const item = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s}, spec: {}}"
	for text, want := range map[string]int{
		"":                      0,
		"---\n---\n# nothing\n": 0,
		"null":                  0,
		fmt.Sprintf("{apiVersion: v1, kind: List, items: ["+item+","+item+"]}", "a", "b"):                                                                               2,
		`{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "a"}, "spec": {}}]}`: 1,
		fmt.Sprintf("---\n"+item+"\n---\n\n---\n"+item+"\n...\n", "a", "b"):                                                                                             2,
		"x: &x {name: a}\n": -1,
		fmt.Sprintf("{apiVersion: v1, kind: Pod}\n---\n"+item, "a"):            1,
		"{apiVersion: networking.k8s.io/v1beta1, kind: NetworkPolicy}":         -1,
		"{apiVersion: crd.example/v1, kind: HerNetworkPolicy, spec: {a: [b]}}": -1,
	} {
		d := kube.Decoder{SkipForeign: true}
		err := d.Read("s.yaml", strings.NewReader(text))
		stack, _ := d.Stack()
		if (want < 0) != (err != nil) || want >= 0 && len(stack.Policies()) != want {
			t.Errorf("%s: got %d policies, want %d; %v", text, len(stack.Policies()), want, err)
		}
	}
}

// A text that grows by its aliases costs no more than its limit.
func TestDecodeSurvivesLaughs(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec:\n  ingress:\n")
	b.WriteString("  - &r {from: &f [" + strings.Repeat("{podSelector: {}}, ", 3000) + "]}\n")
	b.WriteString(strings.Repeat("  - *r\n", 3000))
	_, err := kube.Decode("x", strings.NewReader(b.String()))
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
	deep := strings.Repeat("[", 100000)
	if _, err := kube.Decode("x", strings.NewReader(deep)); err == nil {
		t.Error("a tower of brackets is taken")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(networkHead + "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 80, endPort: 90}]}]\n")
	f.Add("{apiVersion: v1, kind: List, items: [{}]}")
	f.Add(ciliumHead + "  endpointSelector: {}\n  egress: [{toFQDNs: [{matchPattern: '*.a'}], toPorts: [{ports: [{port: '80', endPort: 90}]}]}]\n")
	f.Add(clusterObject("a", "Admin", 1, "egress: [{action: Pass, to: [{networks: ['::/0']}], protocols: [{udp: {destinationPort: {number: 53}}}]}]"))
	f.Add(globalObject("p", "tier: default, selector: '!(a in {''b''} || has(c))', ingress: [{action: Log}, {action: Pass, ipVersion: 4, notProtocol: 6, source: {notNets: [10.0.0.0/8]}}]"))
	f.Add("{apiVersion: aclium.dev/v1alpha1, kind: AccessPolicy, metadata: {name: x}, spec: {acl: A, subject: {name: w, interface: eth0}, direction: ingress, family: ipv4, rules: []}}")
	f.Fuzz(func(t *testing.T, text string) {
		stack, err := kube.Decode("fuzz", strings.NewReader(text))
		if err != nil {
			return
		}
		for _, p := range stack.Policies() {
			if err := p.Validate(); err != nil {
				t.Errorf("%s\n%v", text, err)
			}
		}
	})
}
