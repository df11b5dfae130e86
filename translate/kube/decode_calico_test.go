package kube_test

import (
	"strings"
	"testing"

	"aclium/translate/kube"
)

// calicoObject gives a policy of namespace dev.
func calicoObject(name, spec string) string {
	return "---\n{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: " + name + ", namespace: dev}, spec: {" + spec + "}}\n"
}

// globalObject gives a policy of no namespace.
func globalObject(name, spec string) string {
	return "---\n{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: " + name + "}, spec: {" + spec + "}}\n"
}

func tierObject(name, spec string) string {
	return "---\n{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: " + name + "}, spec: {" + spec + "}}\n"
}

// What Calico's reference of its policies and tiers says.
func TestDecodeCalico(t *testing.T) {
	const db, web, peer, world = "10.1.0.1 dev app=db", "10.1.0.2 dev app=web", "10.1.0.3 prod app=web ns:team=a", "192.0.2.1"
	for _, s := range []sentence{
		{
			"a policy without rules is for ingress, and denies what no rule of its tier matches",
			calicoObject("p", ""),
			[]string{db + " > " + world + " : tcp 80", web + " > " + peer + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 80", world + " > " + db + " : icmp 8"},
		}, {
			"types follow the rules that there are",
			calicoObject("p", "egress: [{action: Allow, protocol: TCP}]"),
			[]string{peer + " > " + db + " : tcp 80", db + " > " + world + " : tcp 80"},
			[]string{db + " > " + world + " : udp 80"},
		}, {
			"types that are given decide, whatever the rules",
			calicoObject("p", "types: [Egress], ingress: [{action: Deny}]"),
			[]string{peer + " > " + db + " : tcp 80"},
			[]string{db + " > " + world + " : udp 80"},
		}, {
			"the first rule that matches decides; Log decides nothing",
			calicoObject("p", "selector: app == 'db', ingress: [{action: Log}, {action: Deny, protocol: TCP, destination: {ports: [22]}}, {action: Allow, protocol: TCP, destination: {ports: [20:30, 80]}}]"),
			[]string{web + " > " + db + " : tcp 23", web + " > " + db + " : tcp 80", peer + " > " + web + " : tcp 22"},
			[]string{web + " > " + db + " : tcp 22", web + " > " + db + " : tcp 31", web + " > " + db + " : udp 80"},
		}, {
			"a selector in a namespaced policy means the policy's own namespace",
			calicoObject("p", "ingress: [{action: Allow, source: {selector: app == 'web'}}]"),
			[]string{web + " > " + db + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
		}, {
			"a namespaceSelector means all pods of the namespaces, or those that the selector selects",
			calicoObject("p", `ingress: [{action: Allow, source: {namespaceSelector: team == "a"}}, {action: Allow, protocol: UDP, source: {namespaceSelector: 'projectcalico.org/name in {"test"}', selector: has(app)}}]`),
			[]string{peer + " > " + db + " : tcp 80", "10.1.0.9 test app=x > " + db + " : udp 1"},
			[]string{web + " > " + db + " : tcp 80", "10.1.0.9 test > " + db + " : udp 1", "10.1.0.9 test app=x > " + db + " : tcp 1"},
		}, {
			"nets match pods too; notNets take some out; one address is a net",
			calicoObject("p", "ingress: [{action: Allow, source: {nets: [10.1.0.0/24, 192.0.2.1], notNets: [10.1.0.2/31]}}]"),
			[]string{"10.1.0.4 prod > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 80", "192.0.2.2 > " + db + " : tcp 80"},
		}, {
			"notNets alone are everybody else, in both families",
			calicoObject("p", "ingress: [{action: Allow, source: {notNets: [192.0.2.0/24]}}]"),
			[]string{web + " > " + db + " : tcp 80", "2001:db8::1 > 2001:db8::2 dev : tcp 1"},
			[]string{world + " > " + db + " : tcp 80"},
		}, {
			"notSelector in a namespaced policy is the rest of the namespace",
			calicoObject("p", "ingress: [{action: Allow, source: {notSelector: app == 'web'}}]"),
			[]string{"10.1.0.9 dev > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", peer + " > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
		}, {
			"notSelector in a global policy is everybody else, pod or not",
			globalObject("p", "ingress: [{action: Allow, source: {notSelector: app == 'web'}}], selector: app == 'db'"),
			[]string{"10.1.0.9 dev > " + db + " : tcp 80", world + " > " + db + " : tcp 80", "10.9.0.1 @remote-node > " + db + " : tcp 80", "10.9.0.1 @kube-apiserver > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", peer + " > " + db + " : tcp 80"},
		}, {
			"a global policy stands on the pods of all namespaces, or of those that it selects",
			globalObject("p", "namespaceSelector: team == 'a', selector: 'app in {''web'', \"api\"}'"),
			[]string{peer + " > " + web + " : tcp 80", web + " > 10.1.0.9 prod ns:team=a : tcp 80"},
			[]string{web + " > " + peer + " : tcp 80"},
		}, {
			"the namespace and the service account are labels of a pod",
			globalObject("p", "selector: projectcalico.org/namespace == 'dev', ingress: [{action: Allow, source: {serviceAccounts: {names: [robot]}}}, {action: Allow, protocol: UDP, source: {selector: projectcalico.org/serviceaccount == 'man'}}]"),
			[]string{"10.1.0.9 prod io.cilium.k8s.policy.serviceaccount=robot > " + db + " : tcp 1", "10.1.0.9 dev io.cilium.k8s.policy.serviceaccount=man > " + db + " : udp 1"},
			[]string{"10.1.0.9 dev io.cilium.k8s.policy.serviceaccount=man > " + db + " : tcp 1", web + " > " + db + " : udp 1"},
		}, {
			"source ports, and all ports but some",
			calicoObject("p", "ingress: [{action: Allow, protocol: TCP, source: {notPorts: ['40000']}}, {action: Allow, protocol: UDP, source: {ports: ['30000:50000']}, destination: {notPorts: [1, '3:65535']}}]"),
			[]string{web + " > " + db + " : udp 2"},
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : udp 1", web + " > " + db + " : udp 3"},
		}, {
			"the name of a port beside numbers",
			calicoObject("p", "ingress: [{action: Allow, protocol: TCP, destination: {ports: [http, 81]}}]"),
			[]string{web + " > " + db + " : tcp 8080 http", web + " > " + db + " : tcp 81"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"protocols by number, or all but one; ICMP by type and code",
			calicoObject("p", "ingress: [{action: Allow, protocol: 47}, {action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}}, {action: Allow, protocol: ICMPv6, notICMP: {type: 128}}], egress: [{action: Allow, notProtocol: UDP}]"),
			[]string{peer + " > " + db + " : gre", peer + " > " + db + " : icmp 8", db + " > " + world + " : tcp 1", db + " > " + world + " : vrrp", "2001:db8::1 > 2001:db8::2 dev : icmp6 129"},
			[]string{peer + " > " + db + " : vrrp", peer + " > " + db + " : icmp 0", db + " > " + world + " : udp 1", "2001:db8::1 > 2001:db8::2 dev : icmp6 128"},
		}, {
			"ipVersion keeps a rule to one family",
			calicoObject("p", "ingress: [{action: Deny, ipVersion: 6, protocol: TCP}, {action: Allow}]"),
			[]string{world + " > " + db + " : tcp 1", "2001:db8::1 > 2001:db8::2 dev : udp 1"},
			[]string{"2001:db8::1 > 2001:db8::2 dev : tcp 1"},
		}, {
			"policies are asked by their order, the one without comes last",
			calicoObject("a", "ingress: [{action: Deny}]") + calicoObject("c", "order: 10, ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}]") + calicoObject("b", "order: 20.5, ingress: [{action: Allow, protocol: TCP}]"),
			[]string{peer + " > " + db + " : tcp 1"},
			[]string{world + " > " + db + " : tcp 1", peer + " > " + db + " : udp 1"},
		}, {
			"policies of one order are asked by their names",
			calicoObject("b", "order: 1, ingress: [{action: Deny}]") + calicoObject("a", "order: 1, ingress: [{action: Allow, protocol: TCP}]"),
			[]string{peer + " > " + db + " : tcp 1"},
			[]string{peer + " > " + db + " : udp 1"},
		}, {
			"tiers are asked by their order; Pass leaves for the next, where no policy means no decision",
			calicoObject("mine", "selector: app == 'db', ingress: [{action: Allow, protocol: UDP}]") +
				tierObject("first", "order: 5") + globalObject("first.p", "tier: first, ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}, {action: Pass, source: {selector: has(app)}}]"),
			[]string{peer + " > " + db + " : udp 1", peer + " > " + web + " : tcp 1"},
			[]string{world + " > " + db + " : udp 1", peer + " > " + db + " : tcp 1", "10.1.0.9 dev > " + db + " : udp 1"},
		}, {
			"a tier may pass on what none of its rules decides",
			tierObject("first", "order: 5, defaultAction: Pass") + globalObject("p", "tier: first, ingress: [{action: Deny, protocol: TCP}]"),
			[]string{peer + " > " + db + " : udp 1"},
			[]string{peer + " > " + db + " : tcp 1"},
		}, {
			"NetworkPolicies stand in the default tier, at order 1000",
			"---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: k, namespace: dev}, spec: {ingress: [{ports: [{port: 80}, {port: 81}]}]}}\n" +
				calicoObject("early", "order: 999, ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}]") + calicoObject("late", "order: 1001, ingress: [{action: Deny, protocol: TCP, destination: {ports: [81]}}, {action: Allow, protocol: UDP}]"),
			[]string{peer + " > " + db + " : tcp 81", peer + " > " + db + " : udp 1"},
			[]string{peer + " > " + db + " : tcp 80", peer + " > " + db + " : tcp 82"},
		},
	} {
		s.check(t, "")
	}
}

// Expressions, by their values on a few pods. The pods are, by their letters:
// a has x=1, b has x=2 and y=1, c has y=2, d has nothing.
func TestCalicoExpressions(t *testing.T) {
	pods := map[string]string{"a": "x=1", "b": "x=2 y=1", "c": "y=2", "d": ""}
	for text, want := range map[string]string{
		"":                                    "abcd",
		"all()":                               "abcd",
		"x == '1'":                            "a",
		`x == "2"`:                            "b",
		"x != '1'":                            "bcd",
		"has(x)":                              "ab",
		"!has(x)":                             "cd",
		"! has( x )":                          "cd",
		"!!has(x)":                            "ab",
		"x in {'1', \"2\"}":                   "ab",
		"x in{'1'}":                           "a",
		"x in {'1',}":                         "a",
		"x not in {'1'}":                      "bcd",
		"x  not  in {'1', '3'}":               "bcd",
		"x in {}":                             "",
		"x not in {}":                         "abcd",
		"has(x) && y == '1'":                  "b",
		"has(x)||y=='2'":                      "abc",
		"x=='1' || has(x) && has(y)":          "ab",
		"(x == '1' || has(x)) && has(y)":      "b",
		"!(x == '1' || y == '2')":             "bd",
		"!(has(x) && has(y))":                 "acd",
		"!(!has(x) || y != '1')":              "b",
		"all() && !all()":                     "",
		"x == ''":                             "",
		"!(x in {'1','2'} && !(y == '1'))":    "bcd",
		"has(x) && !has(x) || y not in {'1'}": "acd",
	} {
		object := globalObject("p", "selector: app == 's', ingress: [{action: Allow, source: {selector: "+quote(text)+"}}]")
		stack, err := kube.Decode("x", strings.NewReader(object))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		for _, pod := range []string{"a", "b", "c", "d"} {
			p := flow(t, "10.1.0.9 dev "+pods[pod]+" > 10.1.0.1 dev app=s : tcp 1")
			if stack.Allows(&p) {
				got += pod
			}
		}
		if text == "" {
			want = "abcd"
		}
		if got != want {
			t.Errorf("%s selects %q, want %q", text, got, want)
		}
	}
}

// quote writes a text as YAML has it.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func TestDecodeCalicoRefuses(t *testing.T) {
	for text, want := range map[string]string{
		calicoObject("p", "selector: x"):                                                                              `want ==, !=, in or not in after "x"`,
		calicoObject("p", "selector: x == 1"):                                                                         "want a text in quotes",
		calicoObject("p", "selector: (x == '1'"):                                                                      "want a closing parenthesis",
		calicoObject("p", "selector: x == '1' y"):                                                                     `"y" is not expected`,
		calicoObject("p", "selector: x == '1"):                                                                        "cannot read",
		calicoObject("p", "selector: x contains '1'"):                                                                 "other comparisons are no selectors",
		calicoObject("p", "selector: '&& x'"):                                                                         `want a condition, and not "&&"`,
		calicoObject("p", "selector: "+quote("x in {'a' 'b'}")):                                                       "want a comma or a closing brace",
		calicoObject("p", "selector: global()"):                                                                       "global() selects",
		calicoObject("p", "selector: '!all()'"):                                                                       "selects no pod",
		calicoObject("p", "selector: projectcalico.org/sort == 'k8s'"):                                                "is not in the model",
		calicoObject("p", "selector: pcsa.x == 'k8s'"):                                                                "labels of service accounts",
		calicoObject("p", "selector: "+quote(strings.Repeat("!(", 100)+"x=='1'"+strings.Repeat(")", 100))):            "parentheses within each other",
		calicoObject("p", "selector: "+quote("has(x)"+strings.Repeat(" && (has(a) || has(b))", 9))):                   "a union of more than 128",
		calicoObject("p", "serviceAccountSelector: has(x)"):                                                           "labels of service accounts",
		calicoObject("p", "doNotTrack: true"):                                                                         `unknown field "doNotTrack"`,
		globalObject("p", "doNotTrack: true"):                                                                         "is about host endpoints",
		calicoObject("p", "order: first"):                                                                             "spec.order: want a number",
		calicoObject("p", "order: .nan"):                                                                              "want a number",
		calicoObject("p", "ingress: [{action: allow}]"):                                                               `"allow" is not known here`,
		calicoObject("p", "ingress: [{action: Allow, http: {methods: [GET]}}]"):                                       "requests are not read",
		calicoObject("p", "ingress: [{action: Allow, source: {services: {name: x}}}]"):                                "services are not in the model",
		calicoObject("p", "ingress: [{action: Allow, source: {nets: []}}]"):                                           "an empty list",
		calicoObject("p", "ingress: [{action: Allow, source: {nets: [10.0.0.0/8], selector: has(x)}}]"):               "selectors stand beside addresses",
		calicoObject("p", "ingress: [{action: Allow, protocol: ICMP, destination: {ports: [80]}}]"):                   "protocols that have none",
		calicoObject("p", "ingress: [{action: Allow, destination: {ports: [80]}}]"):                                   "protocols that have none",
		calicoObject("p", "ingress: [{action: Allow, protocol: TCP, source: {ports: [http]}}]"):                       "names of source ports",
		calicoObject("p", "ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [http]}}]"):               "names of ports cannot be taken out",
		calicoObject("p", "ingress: [{action: Allow, protocol: TCP, destination: {ports: ['90:80']}}]"):               "want a number from 90",
		calicoObject("p", "ingress: [{action: Allow, protocol: TCP, destination: {ports: [65536]}}]"):                 "want a number from 0 to 65535",
		calicoObject("p", "ingress: [{action: Allow, protocol: OSPF}]"):                                               `"OSPF" is no protocol`,
		calicoObject("p", "ingress: [{action: Allow, protocol: 0}]"):                                                  "want a number from 1 to 255",
		calicoObject("p", "ingress: [{action: Allow, protocol: TCP, icmp: {type: 8}}]"):                               "neither ICMP nor ICMPv6",
		calicoObject("p", "ingress: [{action: Allow, protocol: ICMP, icmp: {code: 8}}]"):                              "stands without a type",
		calicoObject("p", "ingress: [{action: Allow, ipVersion: 5}]"):                                                 "want 4 or 6",
		calicoObject("p", "tier: mine"):                                                                               `the object of tier "mine" is not there`,
		calicoObject("p", "ingress: [{action: Deny}]") + globalObject("q", "ingress: [{action: Allow}]"):              "has the same order",
		calicoObject("p", "") + clusterObject("c", "Admin", 1, "ingress: [{action: Deny, from: [{namespaces: {}}]}]"): "stands beside policies of other kinds",
		calicoObject("p", "") + "---" + ciliumHead + "  endpointSelector: {}\n  ingress: [{}]\n":                      "stands beside policies of other kinds",
		"{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: x}, spec: {nets: [10.0.0.0/8]}}": "is no policy object",
		"{apiVersion: projectcalico.org/v3, kind: StagedNetworkPolicy, metadata: {name: x}, spec: {}}":                "is no policy object",
	} {
		_, err := kube.Decode("bad.yaml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
