package lab

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What names may be: DNS labels (RFC 1123) and Kubernetes labels.
var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	labelKey   = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
)

const (
	// maxName bounds a lab's name, which is part of its socket's path.
	maxName = 32
	// maxHosts keeps the index in a device's name short.
	maxHosts = 1000
	// maxText bounds a lab file in bytes.
	maxText = 4 << 20
)

// Parse reads a lab file and checks it as a whole. The error joins one line
// per mistake, each with file:line:column.
func Parse(file string, text []byte) (*Spec, error) {
	r := &reader{file: file, seen: map[netip.Addr]string{}, names: map[string]bool{}}
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: the lab file has %d bytes, want %d at most", file, len(text), maxText)
	}
	root, err := r.document(text)
	if err != nil {
		return nil, err
	}
	spec := r.spec(root)
	if len(r.errs) > 0 {
		return nil, r.complaints()
	}
	return spec, nil
}

// A reader walks the nodes of one file and remembers what it has seen.
type reader struct {
	file  string
	errs  []mistake
	seen  map[netip.Addr]string
	names map[string]bool
}

// A mistake is a complaint at a place.
type mistake struct {
	line, column int
	text         string
}

func (r *reader) complain(n *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, mistake{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// complaints joins the mistakes in the order of the file.
func (r *reader) complaints() error {
	slices.SortStableFunc(r.errs, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, m := range r.errs {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", r.file, m.line, m.column, m.text))
	}
	return errors.Join(errs...)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document gives the root of the only document.
func (r *reader) document(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s:1:1: the file is empty, want a lab", r.file)
	}
	if err == nil {
		if err = d.Decode(&more); err == nil {
			return nil, fmt.Errorf("%s:%d:1: a second document, want one lab", r.file, more.Line)
		}
	}
	if !errors.Is(err, io.EOF) {
		m := yamlLine.FindStringSubmatch(err.Error())
		if m == nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
		line := "1"
		if m[1] != "" {
			line = m[1]
		}
		return nil, fmt.Errorf("%s:%s:1: %s", r.file, line, strings.TrimPrefix(err.Error(), m[0]))
	}
	return doc.Content[0], nil
}

func (r *reader) spec(n *yaml.Node) *Spec {
	var s Spec
	var pods, services *yaml.Node
	ok := r.fields(n, "a lab", map[string]func(*yaml.Node){
		"name":    func(n *yaml.Node) { s.Name = r.labName(n) },
		"node":    func(n *yaml.Node) { s.Node = r.node(n) },
		"pods":    func(n *yaml.Node) { pods = n; s.Pods = r.hosts(n, true) },
		"outside": func(n *yaml.Node) { s.Outside = r.hosts(n, false) },

		"services": func(n *yaml.Node) { services = n },
	}, "name", "pods")
	if services != nil {
		s.Services = r.services(services)
	}
	if ok && len(s.Pods) == 0 && len(r.errs) == 0 {
		r.complain(pods, "a lab needs at least one pod")
	}
	if total := len(s.Pods) + len(s.Outside); total > maxHosts {
		r.complain(n, "the lab has %d pods and hosts, want %d at most", total, maxHosts)
	}
	return &s
}

func (r *reader) labName(n *yaml.Node) string {
	name := r.text(n, "a name", dnsLabel, "want lower-case letters, digits and dashes")
	if len(name) > maxName {
		r.complain(n, "the lab's name has %d characters, want %d at most", len(name), maxName)
	}
	return name
}

func (r *reader) node(n *yaml.Node) (addresses []netip.Addr) {
	r.fields(n, "a node", map[string]func(*yaml.Node){
		"addresses": func(n *yaml.Node) { addresses = r.addresses(n, nodeName) },
	}, "addresses")
	return addresses
}

func (r *reader) hosts(n *yaml.Node, pods bool) []Host {
	var hosts []Host
	for _, item := range r.items(n, "a list of pods") {
		h := r.host(item, pods)
		if h.Name == nodeName {
			r.complain(item, "a pod cannot be called %s: that is the node itself", nodeName)
		} else if r.names[h.String()] {
			r.complain(item, "%s stands twice", h.String())
		}
		r.names[h.String()] = true
		hosts = append(hosts, h)
	}
	return hosts
}

func (r *reader) host(n *yaml.Node, pod bool) Host {
	var h Host
	var addresses *yaml.Node
	take := map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			h.Name = r.text(n, "a name", dnsLabel, "want a DNS label of at most 63 characters")
		},
		"addresses": func(n *yaml.Node) { addresses = n },
		"listen":    func(n *yaml.Node) { h.Listen = r.ports(n) },
	}
	what := "a host of the outside"
	if pod {
		what, h.Namespace = "a pod", "default"
		take["namespace"] = func(n *yaml.Node) {
			h.Namespace = r.text(n, "a namespace", dnsLabel, "want a DNS label of at most 63 characters")
		}
		take["labels"] = func(n *yaml.Node) { h.Labels = r.labels(n) }
	}
	if r.fields(n, what, take, "name", "addresses") {
		h.Addresses = r.addresses(addresses, h.String())
	}
	return h
}

func (r *reader) addresses(n *yaml.Node, owner string) []netip.Addr {
	var addresses []netip.Addr
	items := r.items(n, "a list of addresses")
	for _, item := range items {
		a, err := netip.ParseAddr(item.Value)
		switch {
		case err != nil || item.Kind != yaml.ScalarNode:
			r.complain(item, "%q is no address, want one of IPv4 or IPv6 without a prefix length", item.Value)
			continue
		case a.Is4In6() || a.Zone() != "" || !a.IsGlobalUnicast():
			r.complain(item, "%s cannot be the address of a host", a)
		case r.seen[a] != "":
			r.complain(item, "%s has the address %s already", r.seen[a], a)
		}
		r.seen[a] = owner
		addresses = append(addresses, a)
	}
	if len(items) == 0 {
		r.complain(n, "%s has no address", owner)
	}
	return addresses
}

func (r *reader) ports(n *yaml.Node) []Port {
	var ports []Port
	seen := map[Port]bool{}
	for _, item := range r.items(n, "a list of ports") {
		var p Port
		if err := p.UnmarshalText([]byte(item.Value)); err != nil {
			r.complain(item, "%v", err)
		} else if seen[p] {
			r.complain(item, "%s stands twice", p)
		}
		seen[p] = true
		ports = append(ports, p)
	}
	return ports
}

func (r *reader) labels(n *yaml.Node) map[string]string {
	labels := map[string]string{}
	if n.Kind != yaml.MappingNode {
		r.complain(n, "want labels as KEY: VALUE")
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if _, twice := labels[key.Value]; twice {
			r.complain(key, "the label %s stands twice", key.Value)
		}
		if !labelKey.MatchString(key.Value) {
			r.complain(key, "%q is no key of a label", key.Value)
		}
		labels[key.Value] = r.text(value, "a label's value", labelValue, "want at most 63 letters, digits, dashes, dots and underscores")
	}
	return labels
}

// fields hands each value of a mapping to the function of its key. It gives
// false, with a complaint, where the mapping is none or lacks a required key.
func (r *reader) fields(n *yaml.Node, what string, take map[string]func(*yaml.Node), required ...string) bool {
	if n.Kind != yaml.MappingNode {
		r.complain(n, "want %s with the fields %s", what, strings.Join(required, ", "))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, known := take[key.Value]
		switch {
		case !known:
			r.complain(key, "%s has no field %q", what, key.Value)
		case seen[key.Value]:
			r.complain(key, "the field %s stands twice", key.Value)
		default:
			f(value)
		}
		seen[key.Value] = true
	}
	complete := true
	for _, key := range required {
		if !seen[key] {
			r.complain(n, "%s needs the field %s", what, key)
			complete = false
		}
	}
	return complete
}

func (r *reader) items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		r.complain(n, "want %s", what)
		return nil
	}
	return n.Content
}

func (r *reader) text(n *yaml.Node, what string, form *regexp.Regexp, want string) string {
	if n.Kind != yaml.ScalarNode || !form.MatchString(n.Value) {
		r.complain(n, "%q is not %s: %s", n.Value, what, want)
	}
	return n.Value
}
