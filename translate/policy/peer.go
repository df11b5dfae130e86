package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// NamespaceKey is the label under which an endpoint's namespace stands beside
// its other labels; the key is Cilium's own.
const NamespaceKey = "io.kubernetes.pod.namespace"

// Peers is a set of packet ends: the union of its parts. The zero value is
// the empty set and matches nobody.
type Peers struct {
	// Any is everybody.
	Any       bool        `json:"any,omitempty"`
	Addresses []AddrRange `json:"addresses,omitempty"`
	// Masked holds the addresses under discontiguous wildcard masks.
	Masked    []Masked   `json:"masked,omitempty"`
	Selectors []Selector `json:"selectors,omitempty"`
	Entities  []Entity   `json:"entities,omitempty"`
	// Outside holds addresses of the world alone: a pod or a node is not in
	// them, whatever its address. Cilium reads its CIDRs so.
	Outside []AddrRange `json:"outside,omitempty"`
	// FQDNs are patterns such as "*.example.com": an asterisk stands for any
	// letters of one DNS label, and alone for every name (Cilium's
	// matchPattern). They match the names that an end carries; what enforces
	// policies and knows no names refuses them.
	FQDNs []string `json:"fqdns,omitempty"`
}

// Everybody gives the set of all ends.
func Everybody() Peers { return Peers{Any: true} }

// Empty reports whether the set matches nobody.
func (s *Peers) Empty() bool {
	return !s.Any && len(s.Addresses)+len(s.Masked)+len(s.Selectors)+len(s.Entities)+len(s.Outside)+len(s.FQDNs) == 0
}

// Has reports whether the endpoint is in the set.
func (s *Peers) Has(e *Endpoint) bool {
	if s.Any {
		return true
	}
	return slices.ContainsFunc(s.Addresses, func(r AddrRange) bool { return r.Has(e.Addr) }) ||
		slices.ContainsFunc(s.Masked, func(m Masked) bool { return m.Has(e.Addr) }) ||
		e.Labels != nil && matchesAny(s.Selectors, e.Labels) ||
		slices.ContainsFunc(s.Entities, e.is) ||
		e.is(World) && slices.ContainsFunc(s.Outside, func(r AddrRange) bool { return r.Has(e.Addr) }) ||
		e.is(World) && slices.ContainsFunc(s.FQDNs, e.named)
}

// An AddrRange is an inclusive interval of addresses of one family.
type AddrRange struct {
	First netip.Addr `json:"first"`
	Last  netip.Addr `json:"last"`
}

// PrefixRange gives the addresses of a prefix.
func PrefixRange(p netip.Prefix) AddrRange {
	p = p.Masked()
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return AddrRange{p.Addr(), addr}
}

// Has reports whether the address lies in the interval.
func (r AddrRange) Has(a netip.Addr) bool {
	return a.BitLen() == r.First.BitLen() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// A Masked is an address under a wildcard mask whose one bits are don't-care.
// Don't-care bits of Addr are zero.
type Masked struct {
	Addr     netip.Addr `json:"addr"`
	Wildcard netip.Addr `json:"wildcard"`
}

// Has reports whether the address equals Addr outside the don't-care bits.
func (m Masked) Has(a netip.Addr) bool {
	if a.BitLen() != m.Addr.BitLen() {
		return false
	}
	x, y, w := a.As16(), m.Addr.As16(), m.Wildcard.As16()
	for i := 16 - a.BitLen()/8; i < 16; i++ {
		if (x[i]^y[i])&^w[i] != 0 {
			return false
		}
	}
	return true
}

// An Entity is a class of ends that is known by its role. The zero value is
// invalid.
type Entity uint8

// The entities, in Cilium's meaning: World is everything outside the cluster,
// Cluster every pod and node, Host the packet's own node.
const (
	World Entity = iota + 1
	Cluster
	Host
	RemoteNode
	KubeAPIServer
)

var entityNames = []string{"", "world", "cluster", "host", "remote-node", "kube-apiserver"}

// String gives the entity's word.
func (e Entity) String() string { return nameOf(entityNames, uint8(e)) }

// MarshalText writes the entity's word.
func (e Entity) MarshalText() ([]byte, error) { return marshalName(entityNames, uint8(e), "entity") }

// UnmarshalText reads an entity's word.
func (e *Entity) UnmarshalText(b []byte) error {
	return unmarshalName(entityNames, b, (*uint8)(e), "entity")
}

// A Selector selects pods: every term must hold. A selector without terms
// selects every pod.
type Selector []Term

// A Term is one requirement on one label.
type Term struct {
	Key string `json:"key"`
	Op  Op     `json:"op"`
	// Values is sorted and not empty for In and NotIn, empty otherwise.
	Values []string `json:"values,omitempty"`
}

// Op is the way a term compares, as in Kubernetes label selectors. NotIn is
// also satisfied by a pod that lacks the label. The zero value is invalid.
type Op uint8

// The operators.
const (
	In Op = iota + 1
	NotIn
	Exists
	DoesNotExist
)

var opNames = []string{"", "In", "NotIn", "Exists", "DoesNotExist"}

// String gives Kubernetes' name of the operator.
func (o Op) String() string { return nameOf(opNames, uint8(o)) }

// MarshalText writes Kubernetes' name of the operator.
func (o Op) MarshalText() ([]byte, error) { return marshalName(opNames, uint8(o), "operator") }

// UnmarshalText reads Kubernetes' name of the operator.
func (o *Op) UnmarshalText(b []byte) error { return unmarshalName(opNames, b, (*uint8)(o), "operator") }

// Matches reports whether the labels satisfy every term.
func (s Selector) Matches(labels map[string]string) bool {
	return !slices.ContainsFunc(s, func(t Term) bool { return !t.Matches(labels) })
}

// String gives the selector as a person would type it.
func (s Selector) String() string {
	parts := make([]string, len(s))
	for i, t := range s {
		parts[i] = t.String()
	}
	return strings.Join(parts, ",")
}

// Matches reports whether the labels satisfy the term.
func (t Term) Matches(labels map[string]string) bool {
	v, ok := labels[t.Key]
	switch t.Op {
	case In:
		return ok && slices.Contains(t.Values, v)
	case NotIn:
		return !ok || !slices.Contains(t.Values, v)
	case Exists:
		return ok
	case DoesNotExist:
		return !ok
	}
	return false
}

// Negate gives the term that holds exactly where t does not.
func (t Term) Negate() Term {
	t.Op = map[Op]Op{In: NotIn, NotIn: In, Exists: DoesNotExist, DoesNotExist: Exists}[t.Op]
	return t
}

// String gives the term as a person would type it.
func (t Term) String() string {
	switch {
	case t.Op == Exists:
		return t.Key
	case t.Op == DoesNotExist:
		return "!" + t.Key
	case len(t.Values) == 1 && t.Op == In:
		return t.Key + "=" + t.Values[0]
	case len(t.Values) == 1 && t.Op == NotIn:
		return t.Key + "!=" + t.Values[0]
	}
	return fmt.Sprintf("%s %s (%s)", t.Key, strings.ToLower(t.Op.String()), strings.Join(t.Values, ","))
}

func matchesAny(selectors []Selector, labels map[string]string) bool {
	return slices.ContainsFunc(selectors, func(s Selector) bool { return s.Matches(labels) })
}
