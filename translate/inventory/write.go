package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"aclium/translate/policy"
)

// Write writes the inventory as YAML, in one canonical form: Read gives the
// same inventory again. The error names what the file has no words for, or says
// that w cannot be written.
func Write(w io.Writer, i *Inventory) error {
	root, err := i.node()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// WriteJSON writes what Write writes as JSON, which Read reads too.
func WriteJSON(w io.Writer, i *Inventory) error {
	root, err := i.node()
	if err != nil {
		return err
	}
	var v map[string]any
	if err := root.Decode(&v); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// node gives the whole file.
func (i *Inventory) node() (*yaml.Node, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	if len(i.Workloads) > 0 {
		put(root, "workloads", listOf(i.Workloads, workloadNode))
	}
	if len(i.Interfaces) > 0 {
		faces := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(mapKeys(i.Interfaces)) {
			put(faces, name, text(i.Interfaces[name]))
		}
		put(root, "interfaces", faces)
	}
	if len(i.ClusterCIDRs) > 0 {
		put(root, "clusterCIDRs", flow(yaml.SequenceNode))
		for _, p := range i.ClusterCIDRs {
			add(root.Content[len(root.Content)-1], text(p.String()))
		}
	}
	if len(i.Services) > 0 {
		services := &yaml.Node{Kind: yaml.SequenceNode}
		for k := range i.Services {
			n, err := i.serviceNode(&i.Services[k])
			if err != nil {
				return nil, err
			}
			add(services, n)
		}
		put(root, "services", services)
	}
	return root, nil
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func flow(kind yaml.Kind) *yaml.Node { return &yaml.Node{Kind: kind, Style: yaml.FlowStyle} }

func add(list *yaml.Node, items ...*yaml.Node) { list.Content = append(list.Content, items...) }

func put(mapping *yaml.Node, key string, value *yaml.Node) { add(mapping, text(key), value) }

func listOf[T any](items []T, node func(*T) *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range items {
		add(list, node(&items[i]))
	}
	return list
}

func workloadNode(w *Workload) *yaml.Node {
	n := flow(yaml.MappingNode)
	put(n, "name", text(w.Name))
	namespace, rest := splitSelector(w.Selector)
	if namespace != "" {
		put(n, "namespace", text(namespace))
	}
	putTerms(n, rest)
	if len(w.Addresses) > 0 {
		addresses := flow(yaml.SequenceNode)
		for _, r := range w.Addresses {
			add(addresses, text(RangeText(r)))
		}
		put(n, "addresses", addresses)
	}
	return n
}

// splitSelector takes the one namespace out of a selector; empty when the
// selector names none or several.
func splitSelector(s policy.Selector) (namespace string, rest policy.Selector) {
	for _, t := range s {
		if namespace == "" && t.Key == policy.NamespaceKey && t.Op == policy.In && len(t.Values) == 1 {
			namespace = t.Values[0]
			continue
		}
		rest = append(rest, t)
	}
	return namespace, rest
}

// putTerms writes equalities as labels and every other term as a selector.
func putTerms(n *yaml.Node, s policy.Selector) {
	labels, others := flow(yaml.MappingNode), policy.Selector{}
	said := map[string]bool{}
	for _, t := range s {
		if t.Op != policy.In || len(t.Values) != 1 || said[t.Key] {
			others = append(others, t)
			continue
		}
		said[t.Key] = true
		put(labels, t.Key, text(t.Values[0]))
	}
	if len(labels.Content) > 0 {
		put(n, "labels", labels)
	}
	if len(others) > 0 {
		put(n, "selector", text(others.String()))
	}
}

func (i *Inventory) serviceNode(s *Service) (*yaml.Node, error) {
	n := flow(yaml.MappingNode)
	put(n, "name", text(s.Name))
	put(n, "namespace", text(s.Namespace))
	addresses := flow(yaml.SequenceNode)
	for _, a := range s.Addresses {
		add(addresses, text(a.String()))
	}
	put(n, "addresses", addresses)
	ports := flow(yaml.SequenceNode)
	for _, p := range s.Ports {
		add(ports, portNode(p))
		if p.Backends.String() != s.Ports[0].Backends.String() {
			return nil, fmt.Errorf("service %s/%s has other pods behind port %d than behind port %d, which a file cannot say", s.Namespace, s.Name, p.Port, s.Ports[0].Port)
		}
	}
	put(n, "ports", ports)
	return n, i.putBackends(n, s)
}

// putBackends names the workload of the same pods, or the pods' labels.
func (i *Inventory) putBackends(n *yaml.Node, s *Service) error {
	backends := s.Ports[0].Backends
	for k := range i.Workloads {
		if w := &i.Workloads[k]; w.Selector.String() == backends.String() {
			put(n, "workload", text(w.Name))
			return nil
		}
	}
	namespace, rest := splitSelector(backends)
	if namespace != s.Namespace || len(rest) == 0 {
		return fmt.Errorf("service %s/%s stands for pods (%s) that no workload selects and that are not of its namespace, which a file cannot say", s.Namespace, s.Name, backends)
	}
	putTerms(n, rest)
	return nil
}

func portNode(p ServicePort) *yaml.Node {
	n := flow(yaml.MappingNode)
	put(n, "protocol", text(protocolNames[p.Protocol]))
	put(n, "port", number(p.Port))
	put(n, "targetPort", number(p.Target))
	return n
}

func number(v uint16) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(int(v))}
}
