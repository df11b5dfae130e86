package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// A Service is an address that leads to pods, as a cluster's services do.
type Service struct {
	Name string `json:"name"`
	// Namespace is that of its pods as well.
	Namespace string `json:"namespace"`
	// Addresses are unique in the lab; there is at least one.
	Addresses []netip.Addr `json:"addresses"`
	// Selector gives labels that a pod must have to be a backend; it is never
	// empty. No pod need have them.
	Selector map[string]string `json:"selector"`
	Ports    []ServicePort     `json:"ports"`
}

// A ServicePort is one port of a service.
type ServicePort struct {
	Port Port `json:"port"`
	// Target is the pods' port, 1-65535.
	Target uint16 `json:"target"`
}

// String gives NAMESPACE/NAME.
func (s *Service) String() string { return s.Namespace + "/" + s.Name }

// backends gives where a port of the service leads, on the pods of the
// address's family, in the order of the lab file.
func (s *Spec) backends(v *Service, p ServicePort, ipv4 bool) (out []netip.AddrPort) {
	for i := range s.Pods {
		h := &s.Pods[i]
		if h.Namespace != v.Namespace || !hasLabels(h.Labels, v.Selector) {
			continue
		}
		for _, a := range h.Addresses {
			if a.Is4() == ipv4 {
				out = append(out, netip.AddrPortFrom(a, p.Target))
				break // a pod answers on its first address of a family
			}
		}
	}
	return out
}

func hasLabels(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if got, has := labels[k]; !has || got != v {
			return false
		}
	}
	return true
}

// clientServices gives the services in the agent's words.
func (s *Spec) clientServices() (out []client.Service) {
	for i := range s.Services {
		v := &s.Services[i]
		c := client.Service{Name: v.Name, Namespace: v.Namespace, Addresses: v.Addresses}
		for _, p := range v.Ports {
			backends := append(append([]netip.AddrPort{}, s.backends(v, p, true)...), s.backends(v, p, false)...)
			c.Ports = append(c.Ports, client.ServicePort{Protocol: p.Port.number(), Port: p.Port.Number, Backends: backends})
		}
		out = append(out, c)
	}
	return out
}

// number gives the IP protocol's number.
func (p Port) number() uint8 {
	if p.Protocol == "tcp" {
		return policy.TCP
	}
	return policy.UDP
}

// natRules is the node's part of the services: what pods and hosts of the
// outside begin with a port of a service goes to its backends in turn. What has
// no backend is left as it is, and the node has no route for it.
func (s *Spec) natRules() string {
	var b strings.Builder
	b.WriteString("table inet lab {\n")
	b.WriteString(" chain prerouting {\n  type nat hook prerouting priority -100;\n")
	for i := range s.Services {
		v := &s.Services[i]
		for _, a := range v.Addresses {
			for _, p := range v.Ports {
				if backends := s.backends(v, p, a.Is4()); len(backends) > 0 {
					fmt.Fprintf(&b, "  %s daddr %s %s dport %d dnat %s\n", family(a), a, p.Port.Protocol, p.Port.Number, inTurn(backends))
				}
			}
		}
	}
	b.WriteString(" }\n}\n")
	return b.String()
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "ip"
	}
	return "ip6"
}

// inTurn gives nft's words for one backend after the other.
func inTurn(backends []netip.AddrPort) string {
	turns := make([]string, len(backends))
	for i, b := range backends {
		turns[i] = fmt.Sprintf("%d : %s", i, b.Addr())
	}
	first := backends[0]
	return fmt.Sprintf("%s to numgen inc mod %d map { %s } : %d", family(first.Addr()), len(backends), strings.Join(turns, ", "), first.Port())
}

// startServices translates the services' addresses on the node.
func (l *Lab) startServices(ctx context.Context) error {
	if len(l.spec.Services) == 0 {
		return nil
	}
	path, err := exec.LookPath("nft")
	if err != nil {
		return errors.New("services need the program nft (apt-get install nftables)")
	}
	c := exec.CommandContext(ctx, path, "-f", "-")
	c.Stdin = strings.NewReader(l.spec.natRules())
	var words bytes.Buffer
	c.Stderr = &words
	if err := inNamespace(l.nodeNet(), c.Run); err != nil {
		return fmt.Errorf("translate the addresses of services: %w: %s", err, cmp.Or(strings.TrimSpace(words.String()), "nft gives no reason"))
	}
	return nil
}

// registerServices tells the agent where services lead.
func (l *Lab) registerServices(ctx context.Context, c *client.Client) error {
	if len(l.spec.Services) == 0 {
		return nil
	}
	if err := c.PutServices(ctx, l.spec.clientServices()); err != nil {
		return fmt.Errorf("tell the enforcer of the services: %w", err)
	}
	return nil
}
