package kube_test

import "testing"

const networkHead = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: dev}
spec:
`

// What the reference of networking.k8s.io/v1 says, field by field.
func TestDecodeNetworkPolicy(t *testing.T) {
	const db, web, peer = "10.1.0.1 dev app=db", "10.1.0.2 dev app=web", "10.1.0.3 prod app=web ns:team=a"
	for _, s := range []sentence{
		{
			"an empty podSelector selects every pod of the namespace, and no rules isolate it",
			"  podSelector: {}\n",
			[]string{db + " > 10.1.0.9 prod : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", "192.0.2.1 > " + db + " : icmp 8", peer + " > " + web + " : udp 53"},
		}, {
			"an absent podSelector is an empty one",
			"  policyTypes: [Ingress]\n",
			[]string{db + " > " + peer + " : tcp 1"},
			[]string{peer + " > " + db + " : tcp 1"},
		}, {
			"a policy with an egress rule and no policyTypes is for both directions",
			"  podSelector: {matchLabels: {app: db}}\n  egress: [{}]\n",
			[]string{db + " > 192.0.2.1 : tcp 80", db + " > " + web + " : gre"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"an empty egress list without policyTypes isolates no egress",
			"  podSelector: {matchLabels: {app: db}}\n  egress: []\n  ingress: [{}]\n",
			[]string{db + " > 192.0.2.1 : tcp 80", "192.0.2.1 > " + db + " : tcp 80"},
			nil,
		}, {
			"policyTypes [Egress] leaves ingress alone, whatever the rules",
			"  policyTypes: [Egress]\n  ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]\n",
			[]string{"192.0.2.1 > " + db + " : tcp 80"},
			[]string{db + " > 192.0.2.1 : tcp 80"},
		}, {
			"an empty or absent from is every source, an empty or absent ports every service",
			"  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [], ports: [{port: 80}]}]\n",
			[]string{"192.0.2.1 > " + db + " : tcp 80", web + " > " + db + " : tcp 80", "2001:db8::1 > 2001:db8:1::1 dev app=db : tcp 80"},
			[]string{"192.0.2.1 > " + db + " : tcp 81", "192.0.2.1 > " + db + " : udp 80"},
		}, {
			"a podSelector alone means pods of the policy's own namespace",
			"  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n",
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : icmp 8"},
			[]string{peer + " > " + db + " : tcp 80", "10.1.0.2 > " + db + " : tcp 80"},
		}, {
			"a namespaceSelector alone means all pods of the namespaces",
			"  ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]\n",
			[]string{peer + " > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"both selectors in one peer must hold",
			"  ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: db}}}]}]\n",
			[]string{"10.1.0.8 prod app=db ns:team=a > " + db + " : tcp 80"},
			[]string{peer + " > " + db + " : tcp 80", "10.1.0.8 dev app=db > " + db + " : tcp 80"},
		}, {
			"the label kubernetes.io/metadata.name is the namespace's name",
			"  ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [dev, test]}]}}]}]\n",
			[]string{peer + " > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", "192.0.2.1 > " + db + " : tcp 80"},
		}, {
			"an empty namespaceSelector selects every namespace, and only pods",
			"  ingress: [{from: [{namespaceSelector: {}}]}]\n",
			[]string{peer + " > " + db + " : tcp 80", web + " > " + db + " : tcp 80"},
			[]string{"192.0.2.1 > " + db + " : tcp 80"},
		}, {
			"peers are a union; NotIn and DoesNotExist hold for pods without the label",
			"  ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}, {key: tier, operator: DoesNotExist}]}}, {ipBlock: {cidr: 192.0.2.0/24}}]}]\n",
			[]string{"10.1.0.7 dev > " + db + " : tcp 80", "192.0.2.255 > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", "10.1.0.7 dev tier=x > " + db + " : tcp 80", "192.0.3.0 > " + db + " : tcp 80"},
		}, {
			"except takes ranges out of a cidr; a cidr matches pods too",
			"  ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16, except: [10.1.0.4/30, 10.1.0.6/31]}}]}]\n",
			[]string{web + " > " + db + " : tcp 80", "10.1.0.8 > " + db + " : tcp 80"},
			[]string{"10.1.0.4 > " + db + " : tcp 80", "10.1.0.7 > " + db + " : tcp 80", "10.2.0.0 > " + db + " : tcp 80"},
		}, {
			"what one ipBlock excepts another may permit; the bits behind the length have no say",
			"  ingress: [{from: [{ipBlock: {cidr: 192.0.2.7/24, except: [192.0.2.0/25]}}, {ipBlock: {cidr: 192.0.2.1/32}}]}]\n",
			[]string{"192.0.2.1 > " + db + " : tcp 80", "192.0.2.128 > " + db + " : tcp 80"},
			[]string{"192.0.2.2 > " + db + " : tcp 80"},
		}, {
			"without a port every port of the protocol; the default protocol is TCP",
			"  egress: [{ports: [{protocol: UDP}, {port: 53}]}]\n  policyTypes: [Egress]\n",
			[]string{db + " > 192.0.2.1 : udp 9", db + " > 192.0.2.1 : tcp 53"},
			[]string{db + " > 192.0.2.1 : tcp 9", db + " > 192.0.2.1 : sctp 53", db + " > 192.0.2.1 : icmp 8"},
		}, {
			"endPort makes a range with both ends in it",
			"  ingress: [{ports: [{port: 80, endPort: 90, protocol: SCTP}]}]\n",
			[]string{web + " > " + db + " : sctp 80", web + " > " + db + " : sctp 90"},
			[]string{web + " > " + db + " : sctp 79", web + " > " + db + " : sctp 91", web + " > " + db + " : tcp 80"},
		}, {
			"the name of a port is what the destination pod calls it",
			"  ingress: [{ports: [{port: http}]}]\n",
			[]string{web + " > " + db + " : tcp 8080 http"},
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : udp 8080 http", web + " > " + db + " : tcp 80 https"},
		}, {
			"both ends must let a packet pass",
			"  policyTypes: [Ingress, Egress]\n  ingress: [{}]\n",
			[]string{peer + " > " + db + " : tcp 80"},
			[]string{db + " > " + peer + " : tcp 80", db + " > " + web + " : tcp 80"},
		}, {
			"policies are a union: each adds to what the others let pass",
			"  ingress: [{ports: [{port: 80}]}]\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q, namespace: dev}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 81}]}]}}\n",
			[]string{peer + " > " + db + " : tcp 80", peer + " > " + db + " : tcp 81", peer + " > " + web + " : tcp 80"},
			[]string{peer + " > " + web + " : tcp 81", peer + " > " + db + " : tcp 82"},
		},
	} {
		s.check(t, networkHead)
	}
}
