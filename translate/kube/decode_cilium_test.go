package kube_test

import (
	"strings"
	"testing"

	"aclium/translate/kube"
	"aclium/translate/policy"
)

const ciliumHead = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: dev}
spec:
`

const clusterwideHead = `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: p}
spec:
`

// What Cilium's documentation and the comments of pkg/policy/api say.
func TestDecodeCilium(t *testing.T) {
	const db, web, peer, world = "10.1.0.1 dev app=db", "10.1.0.2 dev app=web", "10.1.0.3 prod app=web ns:team=a", "192.0.2.1"
	const all = "  endpointSelector: {}\n"
	for _, s := range []sentence{
		{
			"a rule in a section puts the selected endpoints into default deny there; an empty rule matches nothing",
			all + "  ingress: [{}]\n",
			[]string{db + " > " + world + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", world + " > " + db + " : icmp 8"},
		}, {
			"an empty section isolates nothing",
			all + "  ingress: []\n  egress: [{}]\n",
			[]string{world + " > " + db + " : tcp 80"},
			[]string{db + " > " + world + " : tcp 80"},
		}, {
			"an empty selector of peers means the policy's own namespace",
			all + "  ingress: [{fromEndpoints: [{}]}]\n",
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : gre"},
			[]string{peer + " > " + db + " : tcp 80", world + " > " + db + " : tcp 80"},
		}, {
			"an empty list of peers is nobody, an absent one with ports everybody",
			all + "  ingress: [{fromEndpoints: []}, {toPorts: [{ports: [{port: '81'}]}]}]\n",
			[]string{world + " > " + db + " : tcp 81"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"an empty list of peers beside ports is nobody too",
			all + "  ingress: [{fromEntities: [], toPorts: [{ports: [{port: '81'}]}]}]\n",
			nil,
			[]string{world + " > " + db + " : tcp 81", web + " > " + db + " : tcp 81"},
		}, {
			"a namespace in the selector replaces the policy's own",
			all + "  ingress: [{fromEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': prod, any:app: web}}]}]\n",
			[]string{peer + " > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", "10.1.0.4 prod > " + db + " : tcp 80"},
		}, {
			"a label of the namespace does so as well",
			all + "  ingress: [{fromEndpoints: [{matchLabels: {'k8s:io.cilium.k8s.namespace.labels.team': a}}]}]\n",
			[]string{peer + " > " + db + " : tcp 80", "10.1.0.4 dev ns:team=a > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"labels in expressions work as in Kubernetes",
			all + "  ingress: [{fromEndpoints: [{matchExpressions: [{key: 'k8s:app', operator: NotIn, values: [web]}, {key: 'k8s:io.kubernetes.pod.namespace', operator: Exists}]}]}]\n",
			[]string{"10.1.0.4 test > " + db + " : tcp 80"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"entities",
			all + "  ingress: [{fromEntities: [world, host]}]\n  egress: [{toEntities: [cluster]}]\n",
			[]string{world + " > " + db + " : tcp 80", "10.9.0.1 @host > " + db + " : tcp 80", db + " > " + peer + " : tcp 80", db + " > 10.9.0.1 @remote-node : tcp 80"},
			[]string{web + " > " + db + " : tcp 80", "10.9.0.1 @remote-node > " + db + " : tcp 80", db + " > " + world + " : tcp 80"},
		}, {
			"the entity all is everybody, none nobody; world-ipv6 the world in IPv6",
			all + "  ingress: [{fromEntities: [world-ipv6]}, {fromEntities: [none]}]\n  egress: [{toEntities: [all]}]\n",
			[]string{"2001:db8::1 > 2001:db8:1::1 dev : tcp 1", db + " > " + world + " : gre"},
			[]string{world + " > " + db + " : tcp 80", "2001:db8:1::2 prod > 2001:db8:1::1 dev : tcp 1"},
		}, {
			"a CIDR matches what is outside of the cluster alone",
			all + "  egress: [{toCIDR: [10.0.0.0/8, 192.0.2.1]}]\n",
			[]string{db + " > 10.1.0.2 : tcp 80", db + " > " + world + " : tcp 80"},
			[]string{db + " > " + web + " : tcp 80", db + " > 10.1.0.2 @remote-node : tcp 80", db + " > 192.0.2.2 : tcp 80"},
		}, {
			"except takes ranges out of a CIDR",
			all + "  egress: [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.96.0.0/12]}]}]\n",
			[]string{db + " > 10.112.0.0 : tcp 80"},
			[]string{db + " > 10.96.0.0 : tcp 80", db + " > 10.111.255.255 : tcp 80", db + " > 11.0.0.0 : tcp 80"},
		}, {
			"ports: a protocol, ANY or none for TCP, UDP and SCTP, a range, 0 for every port",
			all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: TCP}, {port: '53'}, {port: '100', endPort: 200, protocol: UDP}, {port: '0', protocol: SCTP}]}]}]\n",
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : sctp 53", web + " > " + db + " : udp 53", web + " > " + db + " : udp 200", web + " > " + db + " : sctp 9"},
			[]string{web + " > " + db + " : udp 80", web + " > " + db + " : udp 99", web + " > " + db + " : udp 201", web + " > " + db + " : icmp 8"},
		}, {
			"the name of a port, in whatever case",
			all + "  ingress: [{toPorts: [{ports: [{port: HTTP, protocol: TCP}]}]}]\n",
			[]string{web + " > " + db + " : tcp 8080 http"},
			[]string{web + " > " + db + " : tcp 80"},
		}, {
			"a protocol without ports",
			all + "  ingress: [{toPorts: [{ports: [{port: '0', protocol: GRE}]}]}]\n",
			[]string{web + " > " + db + " : gre"},
			[]string{web + " > " + db + " : tcp 80", web + " > " + db + " : vrrp"},
		}, {
			"ICMP by type, IPv4 unless said, with every code",
			all + "  ingress: [{icmps: [{fields: [{type: 8}, {family: IPv6, type: EchoRequest}, {type: TimeExceeded}]}]}]\n",
			[]string{web + " > " + db + " : icmp 8", web + " > " + db + " : icmp 11", "2001:db8::1 > 2001:db8:1::1 dev : icmp6 128"},
			[]string{web + " > " + db + " : icmp 0", "2001:db8::1 > 2001:db8:1::1 dev : icmp6 8", web + " > " + db + " : tcp 80"},
		}, {
			"ICMP type 0 is every type of its family",
			all + "  ingress: [{icmps: [{fields: [{type: EchoReply}]}]}]\n",
			[]string{web + " > " + db + " : icmp 0", web + " > " + db + " : icmp 8"},
			[]string{"2001:db8::1 > 2001:db8:1::1 dev : icmp6 128", web + " > " + db + " : tcp 80"},
		}, {
			"a deny beats every allow, of other policies as well",
			all + "  ingress: [{fromEntities: [all]}]\n  ingressDeny: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '22', protocol: TCP}]}]}]\n",
			[]string{web + " > " + db + " : tcp 23", "10.1.0.9 dev app=x > " + db + " : tcp 22", peer + " > " + db + " : tcp 22"},
			[]string{web + " > " + db + " : tcp 22"},
		}, {
			"a deny alone puts into default deny",
			all + "  egressDeny: [{toCIDR: [192.0.2.1/32]}]\n",
			nil,
			[]string{db + " > " + world + " : tcp 80", db + " > 192.0.2.2 : tcp 80"},
		}, {
			"enableDefaultDeny false leaves alone what no rule matches",
			all + "  egressDeny: [{toCIDR: [192.0.2.1/32]}]\n  enableDefaultDeny: {egress: false}\n",
			[]string{db + " > 192.0.2.2 : tcp 80", db + " > " + web + " : tcp 80"},
			[]string{db + " > " + world + " : tcp 80"},
		}, {
			"names are those of the world; an asterisk stays within its label",
			all + "  egress: [{toFQDNs: [{matchName: API.example.com.}, {matchPattern: '*.example.org'}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}]\n",
			[]string{db + " > 192.0.2.7 name:api.example.com : tcp 443", db + " > 192.0.2.8 name:a.example.org : tcp 443"},
			[]string{db + " > 192.0.2.8 name:a.b.example.org : tcp 443", db + " > 192.0.2.8 name:example.org : tcp 443", db + " > 10.1.0.2 dev name:api.example.com : tcp 443", db + " > 192.0.2.7 name:api.example.com : tcp 80"},
		}, {
			"the DNS rule that lets every name be asked for is the port alone",
			all + "  egress: [{toEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': kube-system, k8s-app: kube-dns}}], toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchPattern: '*'}]}}]}]\n",
			[]string{db + " > 10.1.0.10 kube-system k8s-app=kube-dns : udp 53", db + " > 10.1.0.10 kube-system k8s-app=kube-dns : tcp 53"},
			[]string{db + " > 10.1.0.10 kube-system k8s-app=kube-dns : udp 54", db + " > 192.0.2.53 : udp 53"},
		},
	} {
		s.check(t, ciliumHead)
	}
	for _, s := range []sentence{
		{
			"a clusterwide policy selects the pods of every namespace, and so do its peers",
			"  endpointSelector: {matchLabels: {app: db}}\n  ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}]\n",
			[]string{web + " > " + db + " : tcp 80", peer + " > " + db + " : tcp 80", web + " > 10.1.0.8 dev app=web : tcp 80", peer + " > 10.1.0.8 test app=db : tcp 1"},
			[]string{db + " > 10.1.0.8 test app=db : tcp 1", world + " > " + db + " : tcp 80"},
		}, {
			"a nodeSelector makes a host policy: it stands on nodes by their labels, and on no pod",
			"  nodeSelector: {matchLabels: {role: edge}}\n  ingress: [{fromEntities: [cluster]}]\n",
			[]string{web + " > 10.9.0.1 @host node:role=edge : tcp 22", world + " > 10.9.0.2 @host node:role=core : tcp 22", world + " > " + db + " : tcp 22"},
			[]string{world + " > 10.9.0.1 @host node:role=edge : tcp 22"},
		},
	} {
		s.check(t, clusterwideHead)
	}
}

// Several specs of one object are policies of their own, numbered on.
func TestDecodeCiliumSpecs(t *testing.T) {
	stack, err := kube.Decode("x", strings.NewReader(`{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: dev}, specs: [
		{endpointSelector: {matchLabels: {app: a}}, ingress: [{fromEntities: [world]}, {}]},
		{endpointSelector: {matchLabels: {app: b}}, ingress: [{fromEntities: [host]}]}]}`))
	if err != nil || len(stack.Policies()) != 2 {
		t.Fatalf("got %v, %v", stack, err)
	}
	if id := stack.Policies()[1].Rules[0].ID; id != (policy.RuleID{ACL: "dev/p", Seq: 3}) {
		t.Errorf("the first rule of the second spec is %v", id)
	}
}

// Requests are looked at by every condition of a rule together.
func TestDecodeCiliumHTTP(t *testing.T) {
	stack, err := kube.Decode("x", strings.NewReader(ciliumHead+`
  endpointSelector: {}
  ingress:
  - toPorts:
    - ports: [{port: "80", protocol: TCP}]
      rules: {http: [{method: GET, path: "/public/.*", host: 'a[.]example', headers: ["X-Key: a b", "X-Seen"], headerMatches: [{name: X-Other, value: v}]}, {method: "PUT|POST"}]}
    - ports: [{port: "81", protocol: TCP}]
`))
	if err != nil {
		t.Fatal(err)
	}
	good := policy.HTTPRequest{Method: "GET", Path: "/public/x", Host: "a.example", Headers: map[string]string{"x-key": "a b", "x-seen": "", "x-other": "v"}}
	ask := func(port string, change func(*policy.HTTPRequest)) bool {
		p := flow(t, "192.0.2.1 > 10.1.0.1 dev : tcp "+port)
		r := good
		r.Headers = map[string]string{}
		for k, v := range good.Headers {
			r.Headers[k] = v
		}
		change(&r)
		p.HTTP = &r
		return stack.Allows(&p)
	}
	for name, c := range map[string]struct {
		port   string
		change func(*policy.HTTPRequest)
		want   bool
	}{
		"all conditions": {"80", func(*policy.HTTPRequest) {}, true},
		"method":         {"80", func(r *policy.HTTPRequest) { r.Method = "GETS" }, false},
		"path":           {"80", func(r *policy.HTTPRequest) { r.Path = "/private" }, false},
		"host":           {"80", func(r *policy.HTTPRequest) { r.Host = "ab.example" }, false},
		"value":          {"80", func(r *policy.HTTPRequest) { r.Headers["x-key"] = "a" }, false},
		"presence":       {"80", func(r *policy.HTTPRequest) { delete(r.Headers, "x-seen") }, false},
		"match":          {"80", func(r *policy.HTTPRequest) { r.Headers["x-other"] = "w" }, false},
		"second rule":    {"80", func(r *policy.HTTPRequest) { *r = policy.HTTPRequest{Method: "POST"} }, true},
		"no rules":       {"81", func(r *policy.HTTPRequest) { r.Method = "X" }, true},
		"other port":     {"82", func(*policy.HTTPRequest) {}, false},
	} {
		if got := ask(c.port, c.change); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// What has no exact meaning in the model is an error, and never left out.
func TestDecodeCiliumRefuses(t *testing.T) {
	const all = "  endpointSelector: {}\n"
	for text, want := range map[string]string{
		"  ingress: [{}]\n": "want either an endpointSelector or a nodeSelector",
		"  endpointSelector: {}\n  nodeSelector: {}\n  ingress: [{}]\n": "want either an endpointSelector or a nodeSelector",
		"  nodeSelector: {}\n  ingress: [{}]\n":                         "spec.nodeSelector: stands in a CiliumClusterwideNetworkPolicy alone",
		all:                                                             "has no rule in ingress",
		all + "  enableDefaultDeny: {ingress: true}\n  egress: [{}]\n":                                                                          "versions of Cilium differ",
		"  endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: prod}}\n  ingress: [{}]\n":                                             "names a namespace",
		all + "  ingress: [{fromEndpoints: [{matchLabels: {'reserved:host': ''}}]}]\n":                                                          "labels of reserved are not known",
		all + "  ingress: [{fromEndpoints: [{}], fromEntities: [world]}]\n":                                                                     "stands beside peers of another kind",
		all + "  ingress: [{fromEntities: [health]}]\n":                                                                                         `"health" is not known here`,
		all + "  ingress: [{fromNodes: [{}]}]\n":                                                                                                "fromNodes: the model has no such peers",
		all + "  ingress: [{fromGroups: []}]\n":                                                                                                 "fromGroups: the model has no such peers",
		all + "  ingress: [{fromRequires: [{}]}]\n":                                                                                             "the model has no such peers",
		all + "  egress: [{toServices: [{k8sService: {serviceName: x}}]}]\n":                                                                    "the model has no such peers",
		all + "  egress: [{fromEndpoints: [{}]}]\n":                                                                                             `unknown field "fromEndpoints"`,
		all + "  ingress: [{toFQDNs: []}]\n":                                                                                                    `unknown field "toFQDNs"`,
		all + "  ingress: [{authentication: {mode: required}}]\n":                                                                               "mutual authentication",
		all + "  ingress: [{fromCIDRSet: [{cidrGroupRef: g}]}]\n":                                                                               "groups of address ranges",
		all + "  ingress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}]}]\n":                                                        "does not lie inside",
		all + "  ingress: [{fromCIDR: [10.0.0]}]\n":                                                                                             "is no address range",
		all + "  ingress: [{icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: '1'}]}]}]\n":                                              "icmps stand beside toPorts",
		all + "  ingress: [{icmps: [{fields: [{type: 256}]}]}]\n":                                                                               "want a number from 0 to 255",
		all + "  ingress: [{icmps: [{fields: [{type: Eco}]}]}]\n":                                                                               "want a number from 0 to 255, and not Eco",
		all + "  ingress: [{icmps: [{fields: []}]}]\n":                                                                                          "an empty list",
		all + "  ingress: [{toPorts: [{ports: []}]}]\n":                                                                                         "want ports",
		all + "  ingress: [{toPorts: [{ports: [{port: 80}]}]}]\n":                                                                               "want a text, and 80 is none without quotes",
		all + "  ingress: [{toPorts: [{ports: [{port: '080'}]}]}]\n":                                                                            "is no name of a port",
		all + "  ingress: [{toPorts: [{ports: [{port: '80', endPort: 70}]}]}]\n":                                                                "want a number from 80",
		all + "  ingress: [{toPorts: [{ports: [{port: '0', endPort: 70}]}]}]\n":                                                                 "beside port 0",
		all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: ICMP}]}]}]\n":                                                             `"ICMP" is not known here`,
		all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: GRE}]}]}]\n":                                                              "GRE has no ports",
		all + "  ingress: [{toPorts: [{ports: [{port: '80'}], listener: {name: x}}]}]\n":                                                        "not in the model",
		all + "  ingress: [{toPorts: [{ports: [{port: '80'}], serverNames: [x]}]}]\n":                                                           "not in the model",
		all + "  ingress: [{toPorts: [{ports: [{port: '80'}], rules: {http: [{}]}}]}]\n":                                                        "HTTP goes with TCP alone",
		all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: []}}]}]\n":                                           "an empty list",
		all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {}}]}]\n":                                                   "want either http or dns",
		all + "  ingress: [{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {l7proto: x}}]}]\n":                                         "such requests",
		all + "  ingress: [{toPorts: [{ports: [{port: '0', protocol: TCP}], rules: {http: [{}]}}]}]\n":                                          "not looked at on every port",
		all + "  ingressDeny: [{toPorts: [{ports: [{port: '8', protocol: TCP}], rules: {http: [{}]}}]}]\n":                                      "by rules that deny",
		all + "  ingress: [{toPorts: [{ports: [{port: '8', protocol: TCP}], rules: {http: [{path: '('}]}}]}]\n":                                 "missing closing",
		all + "  ingress: [{toPorts: [{ports: [{port: '8', protocol: TCP}], rules: {http: [{headers: ['X-Key:true']}]}}]}]\n":                   "is no name of a header",
		all + "  ingress: [{toPorts: [{ports: [{port: '8', protocol: TCP}], rules: {http: [{headerMatches: [{name: a, mismatch: LOG}]}]}}]}]\n": "what is changed in requests",
		all + "  egress: [{toPorts: [{ports: [{port: '53', protocol: UDP}], rules: {dns: [{matchName: a.example}]}}]}]\n":                       "names that may be asked for",
		all + "  ingress: [{toPorts: [{ports: [{port: '53', protocol: UDP}], rules: {dns: [{matchPattern: '*'}]}}]}]\n":                         "stands in egress alone",
		all + "  egress: [{toFQDNs: [{matchPattern: '**.example'}]}]\n":                                                                         "any number of labels",
		all + "  egress: [{toFQDNs: [{matchName: '*.example'}]}]\n":                                                                             "is no name in DNS",
		all + "  egress: [{toFQDNs: [{}]}]\n":                                                                                                   "want either a matchName",
		all + "  egressDeny: [{toFQDNs: [{matchName: a.example}]}]\n":                                                                           "names cannot be denied",
		all + "  ingress: [{}]\n  priority: 5\n":                                                                                                `unknown field "priority"`,
	} {
		_, err := kube.Decode("bad.yaml", strings.NewReader(ciliumHead+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
