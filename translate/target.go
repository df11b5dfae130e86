package translate

// Target is what a kind of policy object can say.
type Target struct {
	// Name is the word behind -t; package kube knows the objects by it.
	Name string
	// Ordered says that the first rule that matches decides, as in a list.
	Ordered bool
	// Deny says that there are deny rules, which beat every permit where the
	// target is not ordered.
	Deny bool
	// ICMP says that ICMP types can be named, ICMPCodes that codes can.
	ICMP, ICMPCodes bool
	// ICMPZero says that ICMP type 0 can be named, and is not read as any type.
	ICMPZero bool
	// Protocols says that every protocol can be named by its number.
	Protocols bool
	// SourcePorts says that source ports can be named.
	SourcePorts bool
	// AddressesAreNoPods says that a CIDR matches no pod and no node.
	AddressesAreNoPods bool
	// Clusterwide says that a subject need not name a namespace.
	Clusterwide bool
	// Nodes says that a subject may be nodes.
	Nodes bool
	// Verbatim says that the lists are written as they are: every word but
	// what Match.BeyondNode names, several lists on one pod, and interfaces.
	Verbatim bool
	// Families says that a rule can be held to one family.
	Families bool
	// Pass says that permits leave the packet to the NetworkPolicies behind.
	Pass bool
	// PodsAlone says that ingress rules can name pods and nobody else.
	PodsAlone bool
	// NamespaceLabels says that a subject may be told apart by the labels of its
	// namespace, as peers may everywhere.
	NamespaceLabels bool
	// Accounts and Clusters say that pods can be told apart by their service
	// account and by their cluster.
	Accounts, Clusters bool
	// Entities, FQDNs and HTTP say that peers may be named by their role or by
	// DNS names, and that requests can be looked at.
	Entities, FQDNs, HTTP bool
}

// The targets.
var (
	NetworkPolicy     = Target{Name: "networkpolicy"}
	Cilium            = Target{Name: "cilium", ICMP: true, Deny: true, AddressesAreNoPods: true, NamespaceLabels: true, Accounts: true, Clusters: true, Entities: true, FQDNs: true, HTTP: true}
	CiliumClusterwide = Target{
		Name: "cilium-clusterwide", ICMP: true, Deny: true, AddressesAreNoPods: true, NamespaceLabels: true, Accounts: true, Clusters: true,
		Clusterwide: true, Nodes: true, Entities: true, FQDNs: true, HTTP: true,
	}
	ClusterNetworkPolicy = Target{Name: "cluster-network-policy", Ordered: true, Deny: true, Clusterwide: true, Pass: true, PodsAlone: true, NamespaceLabels: true}
	Calico               = Target{
		Name: "calico", Ordered: true, Deny: true, Clusterwide: true, Families: true,
		ICMP: true, ICMPCodes: true, ICMPZero: true, Protocols: true, SourcePorts: true, NamespaceLabels: true, Accounts: true,
	}
	Enforcer = Target{
		Name: "enforcer", Ordered: true, Deny: true, Clusterwide: true, Families: true, Verbatim: true, Nodes: true,
		ICMP: true, ICMPCodes: true, ICMPZero: true, Protocols: true, SourcePorts: true, NamespaceLabels: true, Accounts: true, Clusters: true, Entities: true, FQDNs: true,
	}
)

// Targets gives all targets, the default one first.
func Targets() []Target {
	return []Target{NetworkPolicy, Cilium, CiliumClusterwide, ClusterNetworkPolicy, Calico, Enforcer}
}

// TargetNamed gives the target of a name; false when there is none.
func TargetNamed(name string) (Target, bool) {
	for _, t := range Targets() {
		if t.Name == name {
			return t, true
		}
	}
	return Target{}, false
}
