package enforcer

import (
	"fmt"
	"net/netip"
	"strings"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// maxDevice is the longest device name in bytes (IFNAMSIZ less its NUL).
const maxDevice = 15

// validatePolicies reports the first policy that the datapath could not run,
// or that would count where another one does.
func validatePolicies(policies []policy.Policy) error {
	seen := map[place]policy.Family{}
	for i := range policies {
		p := &policies[i]
		if err := p.Validate(); err != nil {
			return err
		}
		if err := validateTarget(p); err != nil {
			return fmt.Errorf("policy %q on %q: %w", p.ACL, p.Subject.Name, err)
		}
		at := placeOf(p)
		if seen[at]&p.Family != 0 {
			return fmt.Errorf("policy %q stands twice on %q, %s", p.ACL, p.Subject.Name, p.Direction)
		}
		seen[at] |= p.Family
	}
	return nil
}

func validateTarget(p *policy.Policy) error {
	switch {
	case p.Subject.Interface == "" && !p.Stateful:
		return fmt.Errorf("a pod's port tracks connections, a stateless list cannot stand on it")
	case p.Subject.Interface != "" && p.Stateful:
		return fmt.Errorf("a node's own interface tracks no connections, a stateful list cannot stand on it")
	}
	if p.Subject.Nodes {
		return fmt.Errorf("the policy of a node itself cannot be enforced, name its interface")
	}
	if p.Subject.Interface != "" {
		if err := validateDevice(p.Subject.Interface); err != nil {
			return err
		}
	}
	for i := range p.Rules {
		if what := p.Rules[i].BeyondNode(); what != "" {
			return fmt.Errorf("sequence %d: %s cannot be enforced on the node", p.Rules[i].ID.Seq, what)
		}
		if p.Subject.Interface != "" && p.Rules[i].Match.LooksAtNames() {
			return fmt.Errorf("sequence %d: names are learned on the ports of pods, fqdn cannot stand on a node's own interface", p.Rules[i].ID.Seq)
		}
	}
	return nil
}

func validateDevice(name string) error {
	if name == "" || len(name) > maxDevice || strings.ContainsAny(name, "/ \t\n") {
		return fmt.Errorf("%q is no name of a device", name)
	}
	return nil
}

// validateEndpoints reports the first endpoint that is not one: every pod has
// a name, every address and every device belongs to one pod alone.
func validateEndpoints(endpoints []client.Endpoint) error {
	names, devices, addresses := map[string]bool{}, map[string]string{}, map[netip.Addr]string{}
	for i := range endpoints {
		e := &endpoints[i]
		name := podName(e)
		if err := validateEndpoint(e); err != nil {
			return fmt.Errorf("endpoint %s: %w", name, err)
		}
		if names[name] {
			return fmt.Errorf("endpoint %s stands twice", name)
		}
		names[name] = true
		if other, taken := devices[e.Interface]; taken && e.Interface != "" {
			return fmt.Errorf("endpoints %s and %s share the device %s", other, name, e.Interface)
		}
		devices[e.Interface] = name
		for _, a := range e.Addresses {
			if other, taken := addresses[a]; taken {
				return fmt.Errorf("endpoints %s and %s share the address %s", other, name, a)
			}
			addresses[a] = name
		}
	}
	return nil
}

func validateEndpoint(e *client.Endpoint) error {
	switch {
	case e.Name == "":
		return fmt.Errorf("has no name")
	case e.Namespace == "":
		return fmt.Errorf("has no namespace")
	case e.Interface == "" && len(e.Addresses) == 0:
		return fmt.Errorf("has neither a device nor an address")
	}
	for _, a := range e.Addresses {
		if !isUnicast(a) {
			return fmt.Errorf("%s is no address of a pod", a)
		}
	}
	if e.Interface == "" {
		return nil
	}
	return validateDevice(e.Interface)
}

// validatePorts refuses a device that is both a pod's and the node's own.
func (r *record) validatePorts() error {
	pods := map[string]string{}
	for i := range r.Endpoints {
		pods[r.Endpoints[i].Interface] = podName(&r.Endpoints[i])
	}
	for i := range r.Policies {
		s := &r.Policies[i].Subject
		if pod, taken := pods[s.Interface]; taken && s.Interface != "" {
			return fmt.Errorf("interface %s is the port of pod %s: name the pod by its labels, with 'interface workload'", s.Interface, pod)
		}
	}
	return nil
}

func podName(e *client.Endpoint) string { return e.Namespace + "/" + e.Name }
