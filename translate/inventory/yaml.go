package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"aclium/translate/policy"
)

// A document reads a YAML file node by node, because only nodes have places.
type document struct {
	*builder
	name string
}

// A field is one key of a mapping: what reads its value.
type field struct {
	key  string
	read func(*yaml.Node)
}

func readYAML(name string, text []byte) (*Inventory, error) {
	d := &document{newBuilder(), name}
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		d.errors.fail(policy.Source{File: name, Line: 1, Column: 1}, "the file is empty, want workloads, interfaces, clusterCIDRs or services")
		return nil, d.errors.Err()
	case err != nil:
		d.unreadable(err)
		return nil, d.errors.Err()
	}
	d.mapping(root.Content[0], "an inventory", nil,
		field{"workloads", d.each("workloads", d.readWorkload)},
		field{"interfaces", d.readInterfaces},
		field{"clusterCIDRs", d.each("prefixes", d.readClusterCIDR)},
		field{"services", d.each("services", d.readService)},
	)
	var more yaml.Node
	if err := decoder.Decode(&more); err == nil {
		d.failAt(&more, "a second document, want one")
	} else if !errors.Is(err, io.EOF) {
		d.unreadable(err)
	}
	return d.finish()
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// unreadable reports what YAML itself says.
func (d *document) unreadable(err error) {
	at, msg := policy.Source{File: d.name, Line: 1, Column: 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		msg = m[2]
	}
	d.errors.fail(at, "no YAML: %s", msg)
}

func (d *document) at(n *yaml.Node) policy.Source {
	return policy.Source{File: d.name, Line: n.Line, Column: n.Column}
}

func (d *document) failAt(n *yaml.Node, format string, args ...any) {
	d.errors.fail(d.at(n), format, args...)
}

// pairs calls visit with every key of a mapping and its value; what is said
// twice is an error. False when the node is no mapping.
func (d *document) pairs(n *yaml.Node, what string, visit func(key, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		d.failAt(n, "%s, want %s as a mapping", kindOf(n), what)
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || seen[key.Value] {
			d.failAt(key, "key %q is no word or there twice", key.Value)
			continue
		}
		seen[key.Value] = true
		visit(key, n.Content[i+1])
	}
	return true
}

// mapping reads a mapping of known keys in the order of the fields, whatever
// their order in the file. The required keys must be there.
func (d *document) mapping(n *yaml.Node, what string, required []string, fields ...field) bool {
	values := map[string]*yaml.Node{}
	words := make([]string, len(fields))
	for i, f := range fields {
		words[i] = f.key
	}
	ok := d.pairs(n, what, func(key, value *yaml.Node) {
		if !slices.Contains(words, key.Value) {
			d.failAt(key, "unknown key %q of %s, want %s", key.Value, what, strings.Join(words, ", "))
			return
		}
		values[key.Value] = value
	})
	for _, f := range fields {
		if v := values[f.key]; v != nil {
			f.read(v)
		} else if ok && slices.Contains(required, f.key) {
			d.failAt(n, "%s has no %s", what, f.key)
			ok = false
		}
	}
	return ok
}

// each gives a reader of a list's items.
func (d *document) each(what string, read func(*yaml.Node)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			d.failAt(n, "%s, want a list of %s", kindOf(n), what)
			return
		}
		for _, item := range n.Content {
			read(item)
		}
	}
}

// word gives a scalar's text; false when there is none.
func (d *document) word(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.failAt(n, "%s, want %s", kindOf(n), what)
		return "", false
	}
	return n.Value, true
}

func (d *document) wordInto(to *string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) { *to, _ = d.word(n, what) }
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// pods are the keys that say which pods something is about.
type pods struct {
	namespace string
	terms     []policy.Term
	bad       bool
}

// podFields gives the readers of namespace, labels and selector.
func (d *document) podFields(p *pods) []field {
	check := func(n *yaml.Node, err error) {
		if err != nil {
			d.failAt(n, "%v", err)
			p.bad = true
		}
	}
	return []field{
		{"namespace", func(n *yaml.Node) {
			if text, ok := d.word(n, "the name of a namespace"); ok {
				p.namespace = text
				check(n, checkNamespace(text))
			}
		}},
		{"labels", func(n *yaml.Node) {
			d.pairs(n, "labels", func(key, value *yaml.Node) {
				check(key, checkKey(key.Value))
				if text, ok := d.word(value, "the value of a label"); ok {
					check(value, checkValue(text))
					p.terms = append(p.terms, equals(key.Value, text))
				}
			})
		}},
		{"selector", func(n *yaml.Node) {
			if text, ok := d.word(n, "terms such as \"app=web,tier in (a,b),!canary\""); ok {
				terms, err := parseTerms(text, ',')
				check(n, err)
				p.terms = append(p.terms, terms...)
			}
		}},
	}
}

func (p *pods) selector() (s policy.Selector) {
	if p.namespace != "" {
		s = append(s, equals(policy.NamespaceKey, p.namespace))
	}
	return canonicalSelector(append(s, p.terms...))
}

func (d *document) readWorkload(n *yaml.Node) {
	var name string
	var p pods
	var ranges []claim
	before := len(d.errors)
	d.mapping(n, "a workload", []string{"name"}, append(d.podFields(&p),
		field{"name", d.wordInto(&name, "a name")},
		field{"addresses", d.each("addresses", func(item *yaml.Node) {
			if text, ok := d.word(item, "an address"); ok {
				r, err := parseRange(text)
				if err != nil {
					d.failAt(item, "%v", err)
				}
				ranges = append(ranges, claim{AddrRange: r, source: d.at(item)})
			}
		})})...)
	if len(d.errors) > before {
		d.broken[name] = true
		return
	}
	if i, ok := d.workload(name, p.selector(), d.at(n)); ok {
		for _, c := range ranges {
			d.claim(i, c.AddrRange, c.source)
		}
	}
}

func (d *document) readInterfaces(n *yaml.Node) {
	d.pairs(n, "interfaces and the workloads that they face", func(key, value *yaml.Node) {
		if text, ok := d.word(value, "the name of a workload"); ok {
			d.faces(key.Value, text, d.at(value))
		}
	})
}

func (d *document) readClusterCIDR(n *yaml.Node) {
	text, ok := d.word(n, "a prefix such as 10.1.0.0/16")
	if !ok {
		return
	}
	p, err := parsePrefix(text)
	if err != nil {
		d.failAt(n, "%v", err)
		return
	}
	if i := slices.IndexFunc(d.out.ClusterCIDRs, p.Overlaps); i >= 0 {
		d.failAt(n, "%s overlaps %s of clusterCIDRs", p, d.out.ClusterCIDRs[i])
		return
	}
	d.out.ClusterCIDRs = append(d.out.ClusterCIDRs, p)
}

func (d *document) readService(n *yaml.Node) {
	var p pods
	var workload *yaml.Node
	s := Service{Source: d.at(n)}
	before := len(d.errors)
	d.mapping(n, "a service", []string{"name", "namespace", "addresses", "ports"}, append(d.podFields(&p),
		field{"name", d.wordInto(&s.Name, "a name")},
		field{"addresses", d.each("addresses", func(item *yaml.Node) { s.Addresses = append(s.Addresses, d.addr(item)) })},
		field{"ports", d.each("ports", func(item *yaml.Node) { s.Ports = append(s.Ports, d.port(item)) })},
		field{"workload", func(v *yaml.Node) { workload = v }},
	)...)
	s.Namespace = p.namespace
	backends := d.backends(n, workload, &p)
	switch {
	case len(d.errors) > before:
		return
	case len(s.Addresses) == 0 || len(s.Ports) == 0:
		d.failAt(n, "service %s has no addresses or no ports", s.Name)
		return
	}
	for i := range s.Ports {
		s.Ports[i].Backends = backends
		twin := func(q ServicePort) bool { return q.Protocol == s.Ports[i].Protocol && q.Port == s.Ports[i].Port }
		if slices.ContainsFunc(s.Ports[:i], twin) {
			d.failAt(n, "service %s has port %d of %s twice", s.Name, s.Ports[i].Port, protocolNames[s.Ports[i].Protocol])
		}
	}
	d.service(s)
}

// backends gives the pods behind a service: those of a workload, or those of
// the service's own namespace that labels or terms select.
func (d *document) backends(n, workload *yaml.Node, p *pods) policy.Selector {
	switch {
	case workload != nil && len(p.terms) > 0:
		d.failAt(workload, "a workload beside labels, want one of them")
	case workload != nil:
		name, ok := d.word(workload, "the name of a workload")
		if !ok {
			return nil
		}
		if i, ok := d.known(name, d.at(workload)); ok {
			return d.out.Workloads[i].Selector
		}
	case len(p.terms) == 0 && !p.bad:
		d.failAt(n, "a service without a workload, want a workload or labels of its pods")
	}
	return p.selector()
}

func (d *document) addr(n *yaml.Node) netip.Addr {
	text, ok := d.word(n, "an address")
	if !ok {
		return netip.Addr{}
	}
	a, err := parseAddr(text)
	if err != nil {
		d.failAt(n, "bad address %q of a service, want one such as 10.96.0.10", text)
	}
	return a
}

var protocolNames = map[uint8]string{policy.TCP: "TCP", policy.UDP: "UDP", policy.SCTP: "SCTP"}

// port reads a port of a service. TCP and the same port behind it are what
// Kubernetes takes where nothing is said.
func (d *document) port(n *yaml.Node) ServicePort {
	p := ServicePort{Protocol: policy.TCP}
	d.mapping(n, "a port", []string{"port"},
		field{"protocol", func(v *yaml.Node) {
			text, _ := d.word(v, "a protocol")
			for number, name := range protocolNames {
				if strings.EqualFold(text, name) {
					p.Protocol = number
					return
				}
			}
			d.failAt(v, "unknown protocol %q, want TCP, UDP or SCTP", text)
		}},
		field{"port", func(v *yaml.Node) { p.Port = d.number(v); p.Target = p.Port }},
		field{"targetPort", func(v *yaml.Node) { p.Target = d.number(v) }},
	)
	return p
}

func (d *document) number(n *yaml.Node) uint16 {
	v, err := strconv.ParseUint(n.Value, 10, 16)
	if n.Kind != yaml.ScalarNode || err != nil || v == 0 {
		d.failAt(n, "%s is no port, want a number from 1 to 65535", kindOf(n))
		return 0
	}
	return uint16(v)
}
