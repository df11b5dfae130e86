package lab

import (
	"go.yaml.in/yaml/v3"
)

// services reads what leads to pods; each has a name of its own in its
// namespace, beside the pods'.
func (r *reader) services(n *yaml.Node) (services []Service) {
	names := map[string]bool{}
	for _, item := range r.items(n, "a list of services") {
		s := r.service(item)
		if names[s.String()] {
			r.complain(item, "service %s stands twice", s.String())
		}
		names[s.String()] = true
		services = append(services, s)
	}
	return services
}

func (r *reader) service(n *yaml.Node) Service {
	s := Service{Namespace: "default"}
	var addresses *yaml.Node
	if r.fields(n, "a service", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			s.Name = r.text(n, "a name", dnsLabel, "want a DNS label of at most 63 characters")
		},
		"namespace": func(n *yaml.Node) {
			s.Namespace = r.text(n, "a namespace", dnsLabel, "want a DNS label of at most 63 characters")
		},
		"addresses": func(n *yaml.Node) { addresses = n },
		"selector":  func(n *yaml.Node) { s.Selector = r.selector(n) },
		"ports":     func(n *yaml.Node) { s.Ports = r.servicePorts(n) },
	}, "name", "addresses", "selector", "ports") {
		s.Addresses = r.addresses(addresses, "service "+s.String())
	}
	return s
}

func (r *reader) selector(n *yaml.Node) map[string]string {
	labels := r.labels(n)
	if len(labels) == 0 && n.Kind == yaml.MappingNode {
		r.complain(n, "a selector needs a label")
	}
	return labels
}

func (r *reader) servicePorts(n *yaml.Node) (ports []ServicePort) {
	seen := map[Port]bool{}
	items := r.items(n, "a list of ports")
	for _, item := range items {
		p := r.servicePort(item)
		if seen[p.Port] && p.Port.Number != 0 {
			r.complain(item, "%s stands twice", p.Port)
		}
		seen[p.Port] = true
		ports = append(ports, p)
	}
	if len(items) == 0 && n.Kind == yaml.SequenceNode {
		r.complain(n, "a service needs a port")
	}
	return ports
}

// servicePort reads "tcp/80", which leads to port 80 of the pods, or
// {port: tcp/80, target: 8080}.
func (r *reader) servicePort(n *yaml.Node) (p ServicePort) {
	port := func(n *yaml.Node) {
		if err := p.Port.UnmarshalText([]byte(n.Value)); err != nil {
			r.complain(n, "%v", err)
		}
	}
	if n.Kind == yaml.ScalarNode {
		port(n)
	} else {
		r.fields(n, "a port", map[string]func(*yaml.Node){"port": port, "target": func(n *yaml.Node) { p.Target = r.target(n) }}, "port")
	}
	if p.Target == 0 {
		p.Target = p.Port.Number
	}
	return p
}

// target reads the number of a pod's port.
func (r *reader) target(n *yaml.Node) uint16 {
	var p Port
	if err := p.UnmarshalText([]byte("tcp/" + n.Value)); err != nil {
		r.complain(n, "%q is no port of a pod, want 1 to 65535", n.Value)
	}
	return p.Number
}
