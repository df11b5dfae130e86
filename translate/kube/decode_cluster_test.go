package kube_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"aclium/translate/kube"
	"aclium/translate/policy"
)

// clusterObject gives a ClusterNetworkPolicy on the pods of dev with app=db.
func clusterObject(name, tier string, priority int, rules string) string {
	return fmt.Sprintf("---\n{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: %s}, spec: {tier: %s, priority: %d, "+
		"subject: {pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: dev}}, podSelector: {matchLabels: {app: db}}}}, %s}}\n", name, tier, priority, rules)
}

// What the comments of policy.networking.k8s.io/v1alpha2 say.
func TestDecodeClusterNetworkPolicy(t *testing.T) {
	const db, web, peer, world = "10.1.0.1 dev app=db", "10.1.0.2 dev app=web", "10.1.0.3 prod app=web ns:team=a", "192.0.2.1"
	const everyPod = "[{namespaces: {}}]"
	isolated := "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: base, namespace: dev}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 80}]}]}}\n"
	for _, s := range []sentence{
		{
			"rules are asked in order, and the first that matches decides; what none matches is left alone",
			clusterObject("a", "Admin", 5, "ingress: [{action: Accept, from: [{pods: {podSelector: {matchLabels: {app: web}}}}], protocols: [{tcp: {destinationPort: {number: 22}}}]}, {action: Deny, from: "+everyPod+", protocols: [{tcp: {destinationPort: {range: {start: 20, end: 30}}}}]}]"),
			[]string{web + " > " + db + " : tcp 22", peer + " > " + db + " : tcp 31", world + " > " + db + " : tcp 22", web + " > " + db + " : udp 25"},
			[]string{web + " > " + db + " : tcp 23", "10.1.0.9 dev > " + db + " : tcp 22", web + " > " + db + " : tcp 30"},
		}, {
			"a lower priority value is asked first, whatever the order of the text",
			clusterObject("b", "Admin", 7, "ingress: [{action: Deny, from: "+everyPod+"}]") + clusterObject("a", "Admin", 6, "ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: a}}}]}]"),
			[]string{peer + " > " + db + " : tcp 1"},
			[]string{web + " > " + db + " : tcp 1"},
		}, {
			"the admin tier decides before NetworkPolicies: a Deny cannot be permitted, an Accept not denied",
			isolated + clusterObject("a", "Admin", 1, "ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: a}}}]}, {action: Accept, from: "+everyPod+", protocols: [{udp: {destinationPort: {number: 53}}}]}]"),
			[]string{web + " > " + db + " : udp 53", web + " > " + db + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 80", web + " > " + db + " : tcp 81"},
		}, {
			"Pass goes on to NetworkPolicies, past the rest of the tier",
			isolated + clusterObject("a", "Admin", 1, "ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: a}}}]}]") + clusterObject("b", "Admin", 2, "ingress: [{action: Deny, from: "+everyPod+"}]"),
			[]string{peer + " > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 81", web + " > " + db + " : tcp 80"},
		}, {
			"the baseline decides only where no NetworkPolicy selects the pod",
			isolated + clusterObject("a", "Baseline", 1, "ingress: [{action: Deny, from: "+everyPod+"}], egress: [{action: Deny, to: [{networks: ['0.0.0.0/0']}]}]"),
			[]string{web + " > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 81", db + " > " + world + " : tcp 80", db + " > " + web + " : tcp 80"},
		}, {
			"the baseline passes what it does not match",
			clusterObject("a", "Baseline", 1, "ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: a}}}]}, {action: Deny, from: "+everyPod+"}]"),
			[]string{peer + " > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"networks match pods as well; names those of the world",
			clusterObject("a", "Admin", 1, "egress: [{action: Accept, to: [{networks: [10.1.0.2/32]}, {domainNames: [API.example.com]}]}, {action: Deny, to: [{networks: [0.0.0.0/0, '::/0']}]}]"),
			[]string{db + " > " + web + " : icmp 8", db + " > 192.0.2.9 name:api.example.com : tcp 443"},
			[]string{db + " > " + peer + " : tcp 1", db + " > " + world + " : tcp 443", "2001:db8::1 dev app=db > 2001:db8::2 : tcp 1"},
		}, {
			"a rule with protocols never matches ICMP; the name of a port goes with every protocol",
			clusterObject("a", "Admin", 1, "ingress: [{action: Deny, from: "+everyPod+", protocols: [{destinationNamedPort: web}, {sctp: {destinationPort: {number: 9}}}]}]"),
			[]string{web + " > " + db + " : icmp 8", web + " > " + db + " : tcp 80", web + " > " + db + " : tcp 9"},
			[]string{web + " > " + db + " : tcp 80 web", web + " > " + db + " : udp 80 web", web + " > " + db + " : sctp 9"},
		},
	} {
		s.check(t, "")
	}
}

func TestDecodeClusterRefuses(t *testing.T) {
	const everyPod = "from: [{namespaces: {}}]"
	deny := "ingress: [{action: Deny, " + everyPod + "}]"
	for text, want := range map[string]string{
		clusterObject("a", "Top", 1, deny):      `spec.tier: "Top" is not known here`,
		clusterObject("a", "Admin", 1001, deny): "want a number from 0 to 1000",
		clusterObject("a", "Admin", 1, deny) + clusterObject("b", "Admin", 1, "ingress: [{action: Accept, "+everyPod+"}]"):                            "ClusterNetworkPolicy/b: spec: has the same order as ClusterNetworkPolicy/a",
		clusterObject("a", "Admin", 1, "ingress: [{action: Allow, "+everyPod+"}]"):                                                                    `"Allow" is not known here`,
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, from: []}]"):                                                                         "want at least one peer",
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, from: [{}]}]"):                                                                       "want exactly one of namespaces, pods",
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]"):                                                 `unknown field "networks"`,
		clusterObject("a", "Admin", 1, "egress: [{action: Deny, to: [{nodes: {}}]}]"):                                                                 "no nodes by their labels",
		clusterObject("a", "Admin", 1, "egress: [{action: Deny, to: [{domainNames: [a.example]}]}]"):                                                  "names go with Accept alone",
		clusterObject("a", "Admin", 1, "egress: [{action: Accept, to: [{domainNames: ['*.a.example']}]}]"):                                            "any number of labels",
		clusterObject("a", "Admin", 1, "egress: [{action: Accept, to: [{networks: [10.0.0.0/8], namespaces: {}}]}]"):                                  "exactly one",
		clusterObject("a", "Admin", 1, "egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: x}]}]"):            "only pods name their ports",
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, "+everyPod+", protocols: []}]"):                                                      "at least one protocol",
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, "+everyPod+", protocols: [{tcp: {}}]}]"):                                             "want either a number or a range",
		clusterObject("a", "Admin", 1, "ingress: [{action: Deny, "+everyPod+", protocols: [{tcp: {destinationPort: {range: {start: 5, end: 5}}}}]}]"): "want a number from 6",
		clusterObject("a", "Admin", 1, "ingress: ["+strings.Repeat("{action: Deny, "+everyPod+"}, ", 26)+"]"):                                         "26 rules",
	} {
		_, err := kube.Decode("bad.yaml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// An AccessPolicy carries a list as it is, and stands in series with the rest.
func TestDecodeAccessPolicy(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 100 {
		want := randomList(r, policy.Ingress)
		spec, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		object := fmt.Sprintf(`{"apiVersion": "aclium.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": "x"}, "spec": %s}`, spec)
		stack, err := kube.Decode("a.json", strings.NewReader(object))
		if err != nil || len(stack) != 1 || stack[0].Combine != policy.Series || !reflect.DeepEqual(stack[0].Policies[0], want) {
			t.Fatalf("got %+v, %v\nwant %+v", stack, err, want)
		}
	}
	const head = `{apiVersion: aclium.dev/v1alpha1, kind: AccessPolicy, metadata: {name: x}, spec: `
	for text, want := range map[string]string{
		"null}": "want a spec",
		"{acl: A, subject: {name: w, interface: eth0}, direction: up}}":                                               "direction",
		"{acl: A, direction: ingress, family: ipv4, rules: [], subject: {name: w, interface: eth0}, extra: 1}}":       "unknown field",
		"{acl: A, direction: ingress, family: ipv4, rules: [], subject: {name: w, interface: eth0}, Stateful: true}}": "unknown field",
		"{acl: A, direction: ingress, family: ipv4, rules: [], subject: {name: w}}}":                                  "needs either selectors or an interface",
	} {
		if _, err := kube.Decode("a.yaml", strings.NewReader(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
