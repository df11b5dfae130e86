package inventory

import (
	"net/netip"

	"aclium/translate/policy"
)

// An Inventory is what is known of a network and a cluster. What it says of
// workloads holds both ways: a pod that a workload selects has one of its
// addresses, of each family in which the workload has some, and an address of
// a workload is that of one of its pods.
type Inventory struct {
	// Workloads have disjoint addresses.
	Workloads []Workload
	// Interfaces gives the workload that a legacy interface faces, by the
	// interface's full name.
	Interfaces map[string]string
	// ClusterCIDRs are the pods' address ranges; no pod has another address.
	ClusterCIDRs []netip.Prefix
	// Services are addresses that stand for ports of workloads.
	Services []Service
}

// A Workload is a set of pods and the addresses that stood for them.
type Workload struct {
	Name string
	// Selector has the namespace under policy.NamespaceKey.
	Selector policy.Selector
	// Addresses are sorted and disjoint.
	Addresses []policy.AddrRange
	// Source is the place where the workload is described.
	Source policy.Source
}

// A Service is a virtual address with the ports behind it.
type Service struct {
	Name, Namespace string
	Addresses       []netip.Addr
	Ports           []ServicePort
	Source          policy.Source
}

// A ServicePort is one port of a service: packets to it arrive at the target
// port of the backends.
type ServicePort struct {
	Protocol     uint8
	Port, Target uint16
	// Backends select the pods behind the port.
	Backends policy.Selector
}

// Workload gives the workload of a name, or nil.
func (i *Inventory) Workload(name string) *Workload {
	for k := range i.Workloads {
		if i.Workloads[k].Name == name {
			return &i.Workloads[k]
		}
	}
	return nil
}
