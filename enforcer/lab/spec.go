package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A Spec is a lab file that was read and found sound.
type Spec struct {
	// Name is a DNS label of at most 32 characters.
	Name string `json:"name"`
	// Node holds the node's own addresses; there may be none.
	Node []netip.Addr `json:"node,omitempty"`
	Pods []Host       `json:"pods"`
	// Outside holds hosts that are attached to the node and are no pods.
	Outside []Host `json:"outside,omitempty"`
	// Services lead to pods.
	Services []Service `json:"services,omitempty"`
}

// A Host is a pod, or a host of the outside.
type Host struct {
	Name string `json:"name"`
	// Namespace is empty exactly for hosts of the outside.
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Addresses are unique in the lab; there is at least one.
	Addresses []netip.Addr `json:"addresses"`
	Listen    []Port       `json:"listen,omitempty"`
}

// String gives NAMESPACE/NAME for a pod and NAME for a host of the outside.
func (h *Host) String() string {
	if h.Namespace == "" {
		return h.Name
	}
	return h.Namespace + "/" + h.Name
}

func (h *Host) hasIPv6() bool {
	for _, a := range h.Addresses {
		if a.Is6() {
			return true
		}
	}
	return false
}

// A Port is what a host listens on. In text it is "tcp/80" or "udp/53".
type Port struct {
	Protocol string // tcp or udp
	Number   uint16 // 1-65535
}

// String gives "tcp/80".
func (p Port) String() string { return p.Protocol + "/" + strconv.Itoa(int(p.Number)) }

// MarshalText writes "tcp/80".
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "tcp/80".
func (p *Port) UnmarshalText(b []byte) error {
	protocol, number, ok := strings.Cut(string(b), "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || (protocol != "tcp" && protocol != "udp") || err != nil || n == 0 {
		return fmt.Errorf("%q is no port, want tcp/N or udp/N with N from 1 to 65535", b)
	}
	*p = Port{protocol, uint16(n)}
	return nil
}

// hosts gives the pods and then the hosts of the outside.
func (s *Spec) hosts() []*Host {
	var all []*Host
	for i := range s.Pods {
		all = append(all, &s.Pods[i])
	}
	for i := range s.Outside {
		all = append(all, &s.Outside[i])
	}
	return all
}

// find gives the index in hosts of the one that is called name, which may
// leave out the namespace where that is clear.
func (s *Spec) find(name string) (int, error) {
	found, all := -1, s.hosts()
	for i, h := range all {
		if h.String() == name {
			return i, nil
		}
		if h.Name != name {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("%s is ambiguous in lab %s: %s or %s", name, s.Name, all[found], h)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("lab %s has no pod %s, want %s", s.Name, name, strings.Join(s.names(), ", "))
	}
	return found, nil
}

func (s *Spec) names() []string {
	names := []string{nodeName}
	for _, h := range s.hosts() {
		names = append(names, h.String())
	}
	return names
}

// device gives the name of the node's device that host i hangs on, at most 15
// bytes as the kernel wants. The index keeps shortened names apart.
func (s *Spec) device(i int) string {
	name := fmt.Sprintf("v%d-%s", i, s.hosts()[i].Name)
	return name[:min(len(name), 15)]
}
