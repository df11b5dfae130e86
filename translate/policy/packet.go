package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An Endpoint is one end of a packet as the judges see it.
type Endpoint struct {
	Addr netip.Addr `json:"addr"`
	// Labels are a pod's labels with its namespace under NamespaceKey; nil
	// when the address belongs to no pod.
	Labels map[string]string `json:"labels,omitempty"`
	// Entity is Host, RemoteNode or KubeAPIServer where the address is known
	// to be one; zero otherwise.
	Entity Entity `json:"entity,omitzero"`
	// Node holds a node's labels where the address is a node's own; nil
	// otherwise.
	Node map[string]string `json:"node,omitempty"`
	// Names are the DNS names that are known to stand for the address: lower
	// case, without the last dot.
	Names []string `json:"names,omitempty"`
}

// named reports whether one of the endpoint's names fits the pattern.
func (e *Endpoint) named(pattern string) bool {
	return slices.ContainsFunc(e.Names, func(name string) bool { return MatchName(pattern, name) })
}

// CanonicalPattern gives the form in which two patterns of Peers.FQDNs that fit
// the same names letter by letter are equal.
func CanonicalPattern(pattern string) string { return strings.ToLower(pattern) }

// MatchName reports whether a DNS name fits a pattern of Peers.FQDNs.
func MatchName(pattern, name string) bool {
	if pattern == "*" {
		return true
	}
	want, got := strings.Split(strings.ToLower(pattern), "."), strings.Split(strings.ToLower(name), ".")
	return slices.EqualFunc(want, got, matchLabel)
}

// matchLabel compares one DNS label with a pattern of letters and asterisks.
func matchLabel(pattern, label string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == label
	}
	rest, ok := strings.CutPrefix(label, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// is reports whether the endpoint belongs to the entity.
func (e *Endpoint) is(entity Entity) bool {
	inside := e.Labels != nil || e.Entity == Host || e.Entity == RemoteNode
	switch entity {
	case World:
		return !inside
	case Cluster:
		return inside
	}
	return e.Entity == entity
}

// A Fragment says which part of a datagram a packet is.
type Fragment uint8

// The parts. First is the initial fragment of several, Later any other one;
// only Later lacks the transport header.
const (
	Whole Fragment = iota
	First
	Later
)

// A Packet is what the judges look at. Fields that the protocol does not
// carry are zero.
type Packet struct {
	Source      Endpoint `json:"source"`
	Destination Endpoint `json:"destination"`
	Protocol    uint8    `json:"protocol"`
	// TrafficClass is the whole IPv4 TOS or IPv6 traffic class byte, HopLimit
	// the IPv4 TTL or IPv6 hop limit.
	TrafficClass    uint8  `json:"trafficClass,omitempty"`
	HopLimit        uint8  `json:"hopLimit,omitempty"`
	SourcePort      uint16 `json:"sourcePort"`
	DestinationPort uint16 `json:"destinationPort"`
	// ICMPType and ICMPCode are the first two bytes of an ICMP, ICMPv6 or IGMP
	// header.
	ICMPType uint8 `json:"icmpType"`
	ICMPCode uint8 `json:"icmpCode"`
	// ICMPID is the identifier of an ICMP query, which pairs it with its reply.
	ICMPID   uint16   `json:"icmpId"`
	Flags    uint8    `json:"flags"`
	Fragment Fragment `json:"fragment"`
	// FragmentID is the identification that the fragments of one datagram share.
	FragmentID uint32 `json:"fragmentId"`
	// FragmentProtocol is the protocol by which all fragments of one datagram
	// go, where that is not Protocol: in IPv6 an extension header may stand at
	// the beginning of what was fragmented. 0 is Protocol.
	FragmentProtocol uint8 `json:"fragmentProtocol,omitzero"`
	// Length is the length of the whole IP packet in bytes, which only Police
	// looks at.
	Length uint32 `json:"length,omitempty"`
	// PortName is the name that the destination, a pod, gives to its
	// destination port; empty when it gives none.
	PortName string `json:"portName,omitempty"`
	// HTTP is the request that the connection carries; nil for the packets of
	// a connection that has carried none yet.
	HTTP *HTTPRequest `json:"http,omitempty"`
	// Local marks a packet that the pod's own node sent by itself.
	Local bool `json:"local"`
	// Inner is, for an ICMP error, the packet that it complains about.
	Inner *Packet `json:"inner,omitempty"`
	// Reflected names the reflexive lists that have an entry for the packet,
	// where that is known without a Node.
	Reflected []string `json:"reflected,omitempty"`
	// At is the moment of the packet; zero when it is not known, for which the
	// permits of a schedule are absent and its denies present.
	At time.Time `json:"at,omitzero"`
}

// reflected reports whether the packet says that the list has an entry for it.
func (p *Packet) reflected(list string) bool { return slices.Contains(p.Reflected, list) }

// Family gives the packet's family.
func (p *Packet) Family() Family {
	if p.Source.Addr.Is4() {
		return IPv4
	}
	return IPv6
}

// neighbourDiscovery reports whether the packet is a neighbour solicitation
// or advertisement that a receiver accepts (RFC 4861, 7.1: types 135 and 136,
// from a neighbour, whose hop limit no router has touched). These exist in IPv6
// alone.
func (p *Packet) neighbourDiscovery() bool {
	return p.Family() == IPv6 && p.Protocol == ICMPv6 && p.Fragment == Whole && p.HopLimit == 255 && (p.ICMPType == 135 || p.ICMPType == 136)
}
