package grammar

import "net/netip"

// A Name is a reference to something that the configuration defines elsewhere,
// or a free word. Text is empty when the line has no such word.
type Name struct {
	Text string
	Pos  Position
}

// ACLKind is the syntax family of an access-list. The zero value is unset.
type ACLKind uint8

// The families. Standard, Extended, RoleBased and DomainList govern IPv4.
// RoleBased and RoleBased6 filter between security groups, and their lines have
// no addresses; those of DomainList and DomainList6 may name hosts by DNS names.
const (
	Standard ACLKind = iota + 1
	Extended
	IPv6
	RoleBased
	RoleBased6
	DomainList
	DomainList6
)

// String gives the word that IOS uses in "show access-lists".
func (k ACLKind) String() string {
	return [...]string{"unset", "Standard", "Extended", "IPv6", "Role-based", "IPv6 Role-based", "FQDN", "IPv6 FQDN"}[k]
}

// IsIPv6 reports whether lists of the kind govern IPv6.
func (k ACLKind) IsIPv6() bool { return k == IPv6 || k == RoleBased6 || k == DomainList6 }

// FiltersPackets reports whether lists of the kind can be applied to an
// interface and looked at by a class-map, with the addresses that they write.
func (k ACLKind) FiltersPackets() bool { return Standard <= k && k <= IPv6 }

// Header gives the line with which "show access-lists" starts a list.
func (k ACLKind) Header(name string) string {
	if k.IsIPv6() {
		return k.String() + " access list " + name
	}
	return k.String() + " IP access list " + name
}

// An ACL is one access-list, numbered or named.
type ACL struct {
	Kind ACLKind
	// Dialect is the language that the list is written in and printed in.
	Dialect Dialect
	// Name is the number in decimal for a numbered list. One name space
	// serves all kinds.
	Name string
	Pos  Position
	// Numbered says that the list was typed as "access-list N ...", which is
	// also how it prints as long as that form can say it exactly.
	Numbered bool
	// Entries are sorted by Seq; a remark stands before the line it is about.
	// An entry is never modified once it is here, only replaced.
	//
	// In an ASA list Seq is the line number: every entry has its own, remarks
	// too, without gaps.
	Entries []*Entry
	// Other holds settings of the list, which are kept.
	Other []*Statement

	keys *entryKeys
	asa  *asaLines
}

// An Entry is one line of an access-list: a remark or an ACE.
type Entry struct {
	// Seq is 1 to 2147483647, in NX-OS to 4294967295. A remark carries the
	// number of the ACE that follows it, and 0 as long as none does; in NX-OS
	// and IOS-XR it has a number of its own.
	Seq uint32
	Pos Position
	// Text is the line as it was typed, without surrounding blanks.
	Text string
	// Remark is the text of a remark; ACE is nil then and only then.
	Remark string
	ACE    *ACE
}

// Action is what an ACE does. The zero value is invalid.
type Action uint8

// The actions. Evaluate consults the reflexive list named by ACE.Reflect and
// goes on when that has no entry for the packet; such an ACE has no other
// fields.
const (
	Permit Action = iota + 1
	Deny
	Evaluate
)

// String gives the IOS word.
func (a Action) String() string {
	return [...]string{"unset", "permit", "deny", "evaluate"}[a]
}

// An ACE is one permit or deny line with everything that was written on it.
type ACE struct {
	Kind ACLKind
	// Dialect is the language that the line is written in and printed in.
	Dialect Dialect
	Pos     Position
	Action  Action
	// Protocol is set unless ServiceGroup is. A standard ACE has "ip".
	Protocol     Protocol
	ServiceGroup Name
	// ServiceObject says that ServiceGroup is written as an object (ASA). An
	// ASA service group may be one of protocols alone, to which the ports of
	// the line apply.
	ServiceObject bool
	// User, SourceTag and DestinationTag are conditions on the user and on the
	// security groups of the ends in the words that are printed (ASA).
	User, SourceTag, DestinationTag Name
	Source                          Address
	SourcePorts                     Compare
	// Destination is "any" in a standard ACE.
	Destination      Address
	DestinationPorts Compare
	// ICMP and IGMP are nil when every type matches; so is Flags when no
	// flag is looked at.
	ICMP  *ICMP
	IGMP  *Value
	Flags *TCPFlags
	// ICMPGroup names a group of ICMP types (ASA).
	ICMPGroup Name
	// DSCP (0-63), Precedence (0-7), TOS (0-15), Option (0-255; AnyOption for
	// any) and FlowLabel (0-1048575, IPv6) are nil when not looked at.
	DSCP, Precedence, TOS, Option, FlowLabel *Value
	// TTL compares 0-255.
	TTL Compare
	// Fragments restricts the line to non-initial fragments.
	Fragments bool
	// Inactive says that the line is kept and matches nothing (ASA).
	Inactive bool
	// Extra are conditions and actions without a field of their own in the
	// words that are printed, such as "routing" or "packet-length eq 100".
	Extra     []Name
	TimeRange Name
	Log       Log
	// Reflect names a reflexive list; ReflectTimeout is in seconds, 0 unset.
	Reflect        Name
	ReflectTimeout uint32
	// Dynamic is the name of a lock-and-key entry; DynamicTimeout is in
	// minutes, 0 unset.
	Dynamic        Name
	DynamicTimeout uint32
}

// AnyOption is the value of ACE.Option for "option any-options".
const AnyOption = 256

// Protocol is an IP protocol. Any is the IOS word "ip" ("ipv6" in an IPv6
// list): every protocol. It is not the number 0.
type Protocol struct {
	Any    bool
	Number uint8
	Pos    Position
}

// AddressKind says how an address is written. The zero value is unset.
type AddressKind uint8

// The kinds of addresses. FQDNGroup and GeoGroup name other object-groups.
const (
	AnyAddress AddressKind = iota + 1
	HostAddress
	MaskedAddress
	AddressGroup
	FQDNGroup
	GeoGroup
	// AddressObject is ASA's "object NAME", InterfaceAddress the address of
	// the interface in Group, HostName the DNS name in Group.
	AddressObject
	InterfaceAddress
	HostName
	// DynamicHost is the name in Group, whose addresses the device learns from
	// DNS; parts of it may be "*". PolicyGroup is the group of addresses of a
	// Catalyst in Group.
	DynamicHost
	PolicyGroup
	// NetworkServices is ASA's "object-group-network-service NAME".
	NetworkServices
)

// An Address is one end of an ACE.
type Address struct {
	Kind AddressKind
	Pos  Position
	// Addr and Wildcard are valid for AnyAddress, HostAddress and
	// MaskedAddress. A one bit in Wildcard means "don't care"; Addr is zero
	// there. Both have the family of the list. They are invalid for ASA's
	// "any", which is both families.
	Addr, Wildcard netip.Addr
	// Alias is the name that was typed for Addr, as "name" defines it (ASA).
	Alias Name
	// Prefix says that a MaskedAddress of IPv4 is written A/LEN (NX-OS and
	// IOS-XR); Wildcard has no hole then.
	Prefix bool
	// Group is the object-group for the other kinds.
	Group Name
}

// Op is a comparison. The zero value means that nothing is compared.
type Op uint8

// The comparisons.
const (
	Eq Op = iota + 1
	Neq
	Lt
	Gt
	Range
	// InGroup compares with a group of ports, which Compare.Group names.
	InGroup
)

// String gives the IOS word.
func (o Op) String() string {
	return [...]string{"", "eq", "neq", "lt", "gt", "range", "group"}[o]
}

// A Value is a number that was written by name or in decimal.
type Value struct {
	Number uint32
	Pos    Position
}

// Compare is a condition on a number: one value for Lt and Gt, two in
// ascending order for Range, one to ten for Eq (any of them) and Neq (none of
// them). The zero Compare accepts every number.
type Compare struct {
	Op     Op
	Values []Value
	Pos    Position
	// Group is the group of ports for InGroup.
	Group Name
}

// Ranges gives the accepted numbers of 0 to limit as ascending, disjoint,
// inclusive intervals; nil when none is accepted.
func (c Compare) Ranges(limit uint32) [][2]uint32 { return c.ranges(limit) }

// ICMP is the condition on an ICMP or ICMPv6 message.
type ICMP struct {
	Type uint8
	// Code is -1 for any code, else 0-255.
	Code int16
	Pos  Position
}

// FlagMatch says how TCP flags are looked at. The zero value is unset.
type FlagMatch uint8

// The ways to look at flags: ACK or RST set; one of the wanted states holds;
// all of them hold; and the old form without signs, in which one of the flags
// must be set.
const (
	Established FlagMatch = iota + 1
	MatchAny
	MatchAll
	AnySet
)

// TCPFlags is the condition on TCP flags. Set and Clear are bits of byte 13 of
// the TCP header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32) that are wanted
// set or clear.
type TCPFlags struct {
	Match      FlagMatch
	Set, Clear uint8
	Pos        Position
}

// Log is what an ACE logs.
type Log struct {
	// On is "log"; Input is "log-input", which says the interface too and
	// implies On.
	On, Input bool
	Cookie    string
	// Level is the word of a syslog level, "disable" or "default" (ASA); both
	// of the last are without On. Interval is in seconds, 1-600; 0 unset.
	Level    string
	Interval uint32
	Pos      Position
}

// GroupKind is the type of an object-group. The zero value is unset.
type GroupKind uint8

// The types of object-groups.
const (
	NetworkGroup GroupKind = iota + 1
	NetworkGroup6
	ServiceGroup
	ServiceGroup6
	// PatternGroup holds patterns of DNS names, RegionGroup countries and
	// continents, TagGroup security groups.
	PatternGroup
	RegionGroup
	TagGroup
	// PolicyAddresses and PolicyPorts are the groups of a Catalyst.
	PolicyAddresses
	PolicyPorts
	// NetworkObject and ServiceObject are ASA's objects, which share the name
	// space of the groups and have one member at most.
	NetworkObject
	ServiceObject
	// PortGroup is "object-group service NAME tcp", ProtocolGroup and
	// ICMPGroup hold protocols and ICMP types (ASA).
	PortGroup
	ProtocolGroup
	ICMPGroup
)

// String gives the keyword after "object-group".
func (k GroupKind) String() string {
	return [...]string{"unset", "network", "v6-network", "service", "v6-service", "fqdn", "geo", "security", "ip address", "ip port", "network", "service", "service", "protocol", "icmp-type"}[k]
}

// HoldsAddresses reports whether groups of the kind hold addresses, workloads
// and other ends of a connection.
func (k GroupKind) HoldsAddresses() bool {
	return k == NetworkGroup || k == NetworkGroup6 || k == NetworkObject || k == PolicyAddresses
}

// HoldsServices reports whether groups of the kind hold services, and may stand
// in place of the protocol.
func (k GroupKind) HoldsServices() bool {
	return k == ServiceGroup || k == ServiceGroup6 || k == ServiceObject || k == ProtocolGroup || k == PortGroup
}

// An ObjectGroup is a named set of addresses, workloads or services.
type ObjectGroup struct {
	Kind GroupKind
	// Dialect is the language that the group is written in and printed in.
	Dialect     Dialect
	Name        string
	Pos         Position
	Description string
	// Protocols are TCP, UDP or both for a PortGroup.
	Protocols []Protocol
	// Members are in the order in which they were typed, without duplicates.
	// A member is never modified once it is here.
	Members []*Member
	// Other holds lines that are kept.
	Other []*Statement

	keys map[string]*Member
}

// MemberKind says which fields of a Member are valid. The zero value is unset.
type MemberKind uint8

// The kinds of members.
const (
	AnyMember           MemberKind = iota + 1 // no field
	HostMember                                // First
	SubnetMember                              // First, Wildcard
	RangeMember                               // First, Last
	GroupMember                               // Group
	WorkloadMember                            // Namespace, Labels
	EntityMember                              // Word
	FQDNMember                                // Word, Family
	ServiceMember                             // Service
	NameMember                                // Word
	PatternMember                             // Word
	CountryMember                             // Word
	ContinentMember                           // Word
	TagMember                                 // Tag
	TagNameMember                             // Word
	PortMember                                // Ports; in an ASA group also the protocols of Service
	ObjectMember                              // Group: a network object (ASA)
	ServiceObjectMember                       // Group: a service object (ASA)
	ProtocolMember                            // Service: one protocol (ASA)
	ICMPMember                                // Service: ICMP (ASA)
)

// A Member is one line of an object-group.
type Member struct {
	Kind MemberKind
	// Dialect is the language that the line is written in and printed in.
	Dialect Dialect
	Pos     Position
	// Seq is the number of the line where members have one (NX-OS), 1 to
	// 4294967295; 0 in other dialects.
	Seq uint32
	// Text is the line as it was typed, without surrounding blanks.
	Text string
	// First and Last are inclusive, First not above Last. Wildcard is the
	// inverse of the netmask that was written: a one bit means "don't care",
	// and First is zero there.
	First, Last, Wildcard netip.Addr
	// Alias is the name that was typed for First (ASA).
	Alias Name
	// Family is 4 or 6 where a DNS name stands for addresses of one family.
	Family uint8
	// Prefix says that a SubnetMember of IPv4 is written A/LEN (NX-OS and
	// IOS-XR).
	Prefix bool
	Group  Name
	// Namespace is empty for every namespace. Labels are ANDed.
	Namespace Name
	Labels    []Label
	// Word is the entity (world, cluster, host, remote-node, kube-apiserver),
	// the name pattern of fqdn, the DNS name of a host, the regular expression
	// of pattern, the three letters of a country, the two of a continent, or
	// the name of a security group.
	Word    Name
	Service *Service
	// Tag is a security group tag, 2-65519.
	Tag uint16
	// Ports are ports of TCP and UDP (Catalyst).
	Ports Compare
}

// LabelOp is a condition on a label. The zero value is unset.
type LabelOp uint8

// The conditions.
const (
	Exists LabelOp = iota + 1
	NotExists
	In
	NotIn
)

// A Label is one label condition of a workload: K, !K, K=V (In with one
// value), K!=V (NotIn with one value), K in (A,B), K notin (A,B). As in
// Kubernetes, NotIn holds for a pod without the label.
type Label struct {
	Key    string
	Op     LabelOp
	Values []string
	Pos    Position
}

// A Service is one member of a service group.
type Service struct {
	// IPv6 says that Protocols and ICMP are those of IPv6.
	IPv6 bool
	// Protocols holds one protocol, or TCP and UDP for "tcp-udp".
	Protocols   []Protocol
	Source      Compare
	Destination Compare
	ICMP        *ICMP
}

// Direction is seen from the interface. The zero value is unset.
type Direction uint8

// The directions: In comes from what is attached, Out goes to it.
const (
	Inbound Direction = iota + 1
	Outbound
)

// String gives the IOS word.
func (d Direction) String() string { return [...]string{"unset", "in", "out"}[d] }

// A Binding applies an access-list to an interface.
type Binding struct {
	ACL       Name
	IPv6      bool
	Direction Direction
	// Interface is the nameif that an ASA list is bound to; Global says that
	// it is bound to all of them instead, inbound.
	Interface Name
	Global    bool
	// Options are further words behind the direction (IOS-XR) or the
	// interface (ASA).
	Options string
	Pos     Position
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

// An Alias is a name for an address: "name A.B.C.D NAME" (ASA).
type Alias struct {
	Name        string
	Addr        netip.Addr
	Pos         Position
	Description string
}

// An Interface is a node's own interface, or the switch ports of a workload.
type Interface struct {
	// Name is the interface, or the object-group whose pods it stands for.
	Name        string
	Workload    bool
	Pos         Position
	Description string
	// Bindings hold at most one list for each family and direction, in the
	// order IPv4 in, IPv4 out, IPv6 in, IPv6 out.
	Bindings []Binding
	Zone     Name
	// NameIf and SecurityLevel (0-100) are those of an ASA.
	NameIf        Name
	SecurityLevel *Value
	// NoHostPermit and NoVerifySource turn off what is on by default.
	NoHostPermit, NoVerifySource bool
	// Other holds lines that are kept.
	Other []*Statement
}

// A Zone is a security zone.
type Zone struct {
	Name        string
	Pos         Position
	Description string
	// Other holds lines that are kept.
	Other []*Statement
}

// A ZonePair joins two zones in one direction.
type ZonePair struct {
	Name        string
	Pos         Position
	Description string
	// Source and Destination are zones, "self" or "default".
	Source, Destination Name
	// Policy is the inspect policy-map; empty when there is none.
	Policy Name
	// Other holds lines that are kept.
	Other []*Statement
}

// A ClassMap is a "class-map type inspect".
type ClassMap struct {
	Name        string
	Pos         Position
	MatchAny    bool
	Description string
	Matches     []ClassMatch
	// Other holds further matches, which are kept.
	Other []*Statement
}

// MatchKind is what a line of a class-map looks at. The zero value is unset.
type MatchKind uint8

// The kinds of matches.
const (
	MatchACL MatchKind = iota + 1
	MatchProtocol
	MatchClassMap
)

// A ClassMatch is one match line of a class-map.
type ClassMatch struct {
	Kind MatchKind
	// Name is the access-list, the protocol's word or the class-map.
	Name Name
	Pos  Position
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

// A PolicyMap is a "policy-map type inspect".
type PolicyMap struct {
	Name        string
	Pos         Position
	Description string
	// Classes are in order; class-default, when it was written, is last.
	Classes []*PolicyClass
	// Other holds lines that are kept.
	Other []*Statement
}

// PolicyAction is what a class of a policy-map does. The zero value is unset:
// IOS drops such a class.
type PolicyAction uint8

// The actions of a class.
const (
	Inspect PolicyAction = iota + 1
	Pass
	Drop
)

// String gives the IOS word.
func (a PolicyAction) String() string { return [...]string{"", "inspect", "pass", "drop"}[a] }

// A PolicyClass is one class of a policy-map.
type PolicyClass struct {
	// Class is the class-map; Default says class-default instead.
	Class   Name
	Default bool
	Pos     Position
	Action  PolicyAction
	Log     bool
	// Parameter is the parameter-map of inspect; empty when there is none.
	Parameter Name
	ActionPos Position
	// Text is the action's line as it was typed, without surrounding blanks.
	Text string
	// HTTPPolicy is the HTTP policy-map that the packets of the class must
	// pass too; empty when there is none.
	HTTPPolicy Name
	// Other holds further actions, which are kept.
	Other []*Statement
}
