package policy

import (
	"fmt"
	"slices"
)

// A RuleID names one line of a list for as long as the line lives: the name
// of its ACL (or "zone-pair NAME") and its sequence number. It rides along
// every hop, from the text to the counter. Seq 0 is the implicit last line.
type RuleID struct {
	ACL string `json:"acl"`
	Seq uint32 `json:"seq"`
}

// String gives "ACL/Seq", as in IOS's IPv6 log messages.
func (id RuleID) String() string { return fmt.Sprintf("%s/%d", id.ACL, id.Seq) }

// A Source is the place in the configuration that a rule was written at.
// Line and Column count from 1; Column counts runes. The zero Source means
// that the rule has no text of its own.
type Source struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String gives "file:line:column".
func (s Source) String() string { return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column) }

// A Policy is one list applied to one subject in one direction. The rules are
// ordered and the first match decides; a packet that no rule matches is
// denied by the implicit last line, whose RuleID is {ACL, 0}.
type Policy struct {
	// ACL is the list's name; for zones it is "zone-pair NAME".
	ACL       string    `json:"acl"`
	Subject   Subject   `json:"subject"`
	Direction Direction `json:"direction"`
	// Family holds the families that the list governs. A packet of another
	// family is not filtered by this policy at all.
	Family Family `json:"family"`
	// Stateful is true on pod ports: replies to a permitted connection pass.
	// It is false on a node's own interfaces.
	Stateful bool   `json:"stateful"`
	Rules    []Rule `json:"rules"`
	// Open says that a packet which no rule decides is not denied by this
	// policy: there is no implicit last line. Lists are never open; objects
	// of a cluster may be. Only Stack looks at it.
	Open bool `json:"open,omitempty"`
}

// A Subject is what a policy protects: the pods that any of the selectors
// selects, or a node's own interface.
type Subject struct {
	// Name is what the user typed after "interface": "workload BACKEND", "eth0".
	Name string `json:"name"`
	// Selectors select pods; empty exactly when Interface is set.
	Selectors []Selector `json:"selectors,omitempty"`
	// Nodes says that the selectors select nodes by their labels instead: the
	// policy filters what is the node's own, as host policies do.
	Nodes bool `json:"nodes,omitempty"`
	// Interface is the name of a node's own interface.
	Interface string `json:"interface,omitempty"`
	// NoHostPermit withdraws the promise that a node always reaches its own
	// pods ("no ip host-permit").
	NoHostPermit bool `json:"noHostPermit,omitempty"`
	// AllowSpoofed lets packets leave a pod with a source address that is not
	// the pod's own ("no ip verify source").
	AllowSpoofed bool `json:"allowSpoofed,omitempty"`
}

// Selects reports whether the subject covers the endpoint, a pod or a node.
func (s *Subject) Selects(e *Endpoint) bool {
	if s.Nodes {
		return e.Node != nil && matchesAny(s.Selectors, e.Node)
	}
	return e.Labels != nil && matchesAny(s.Selectors, e.Labels)
}

// A Rule is one ACE, or one member of an inspect class.
type Rule struct {
	ID RuleID `json:"id"`
	// Text is the canonical text of the line without its sequence number. It
	// identifies the line's counter within its ACL, subject and direction.
	Text   string `json:"text"`
	Source Source `json:"source,omitzero"`
	Action Action `json:"action"`
	// Goto is, for Next alone, the index of the rule to continue at. It is
	// greater than the rule's own index and at most len(Rules).
	Goto int  `json:"goto,omitempty"`
	Log  bool `json:"log,omitempty"`
	// LogForm and LogCookie say how the messages of a line with Log are worded.
	LogForm   LogForm `json:"logForm,omitzero"`
	LogCookie string  `json:"logCookie,omitempty"`
	// Uncounted marks an implicit permit, which IOS does not count.
	Uncounted bool  `json:"uncounted,omitempty"`
	Match     Match `json:"match"`
	// Reflect is, for Permit alone, the reflexive list that what the rule
	// permits joins; nil when it joins none.
	Reflect *Reflect `json:"reflect,omitempty"`
	// Police is, for Permit alone, the limit on what the rule permits; nil when
	// there is none.
	Police *Police `json:"police,omitempty"`
}

// A Match is the set of packets that a rule speaks of: the source is in
// Source, the destination is in Destination, one of the services fits, and
// whatever else is given holds.
type Match struct {
	Source      Peers `json:"source"`
	Destination Peers `json:"destination"`
	// Services is a union; none means that the rule matches no packet.
	Services []Service `json:"services"`
	// Fragments restricts the rule to non-initial fragments.
	Fragments bool `json:"fragments,omitempty"`
	// TrafficClass holds the accepted values of the whole IPv4 TOS or IPv6
	// traffic class byte; nil when it is not looked at. Every fragment has it.
	TrafficClass *ByteSet `json:"trafficClass,omitempty"`
	// HopLimit holds the accepted values of the IPv4 TTL or IPv6 hop limit; nil
	// when it is not looked at. Every fragment has it.
	HopLimit *ByteSet `json:"hopLimit,omitempty"`
	// Time says when the rule exists; nil is always.
	Time *Schedule `json:"time,omitempty"`
	// Evaluate names a reflexive list: the rule, a permit, matches the packets
	// that an entry of it fits; Eval takes Packet.Reflected's word for it. Empty
	// when no list is asked.
	Evaluate string `json:"evaluate,omitempty"`
	// HTTP restricts the rule to requests that fit one of the matches; nil
	// when requests are not looked at. A connection that has carried no
	// request yet is permitted by such a rule and never denied by it.
	HTTP []HTTPMatch `json:"http,omitempty"`
}

// BeyondNode says what the match looks at that a node cannot see in a packet;
// empty when it sees everything.
func (m *Match) BeyondNode() string {
	if len(m.Source.Outside)+len(m.Destination.Outside) > 0 {
		return "addresses of the world alone"
	}
	for i := range m.Services {
		if m.Services[i].PortNames != nil {
			return "the name of a port"
		}
	}
	if m.HTTP != nil {
		return "http"
	}
	return ""
}

// LooksAtNames reports whether the match asks for an end's DNS names.
func (m *Match) LooksAtNames() bool {
	return len(m.Source.FQDNs)+len(m.Destination.FQDNs) > 0
}

// BeyondNode says what the rule looks at or does that a node cannot carry out;
// empty when it carries out everything. A node learns names from answers as
// they pass: an address whose name it has not seen yet is not permitted by a
// name, which is safe, and would not be denied by one, which is not.
func (r *Rule) BeyondNode() string {
	if what := r.Match.BeyondNode(); what != "" {
		return what
	}
	if r.Action != Permit && r.Match.LooksAtNames() {
		return "fqdn in a line that does not permit"
	}
	for _, what := range r.beyondObject() {
		if !slices.Contains(carried, what) {
			return what
		}
	}
	return ""
}

// carried are the words of beyondObject that a node's kernel program carries
// out. What is not among them is refused wherever a node is asked to.
var carried = []string{wordTrafficClass, wordHopLimit, wordIGMP, wordTime, wordPolice, wordEvaluate, wordReflect}

// BeyondObject says what the rule looks at or does that no policy object of a
// cluster can say, by the word of the line that asks for it; empty when there
// is nothing of the kind. Only a node that enforces the list itself carries it,
// and only Eval, Gate and Node judge it.
func (r *Rule) BeyondObject() string {
	if all := r.beyondObject(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// The words of what no object of a cluster can say.
const (
	wordEvaluate     = "evaluate"
	wordReflect      = "reflect"
	wordTime         = "time-range"
	wordTrafficClass = "dscp, precedence or tos"
	wordHopLimit     = "ttl"
	wordIGMP         = "types of igmp"
	wordPolice       = "police"
)

func (r *Rule) beyondObject() (out []string) {
	m := &r.Match
	igmp := func(s Service) bool { return s.Protocols.Has(IGMP) && !s.ICMP.All() }
	for _, has := range []struct {
		it   bool
		what string
	}{
		{m.Evaluate != "", wordEvaluate}, {r.Reflect != nil, wordReflect}, {m.Time != nil, wordTime},
		{m.TrafficClass != nil, wordTrafficClass}, {m.HopLimit != nil, wordHopLimit},
		{slices.ContainsFunc(m.Services, igmp), wordIGMP}, {r.Police != nil, wordPolice},
	} {
		if has.it {
			out = append(out, has.what)
		}
	}
	return out
}

// Action is what a rule does with a packet. The zero value is invalid.
type Action uint8

// The actions. Next leaves the rule's class undecided: the walk continues at
// the rule's Goto index, as a deny in an access-group of a class-map does.
const (
	Permit Action = iota + 1
	Deny
	Next
)

var actionNames = []string{"", "permit", "deny", "next"}

// String gives the IOS word.
func (a Action) String() string { return nameOf(actionNames, uint8(a)) }

// MarshalText writes the IOS word.
func (a Action) MarshalText() ([]byte, error) { return marshalName(actionNames, uint8(a), "action") }

// UnmarshalText reads the IOS word.
func (a *Action) UnmarshalText(b []byte) error {
	return unmarshalName(actionNames, b, (*uint8)(a), "action")
}

// Direction is seen from the subject. The zero value is invalid.
type Direction uint8

// The directions. Ingress travels towards a pod (IOS "out" on its switch
// port) or into the node; Egress travels away from it (IOS "in").
const (
	Ingress Direction = iota + 1
	Egress
)

var directionNames = []string{"", "ingress", "egress"}

// String gives "ingress" or "egress".
func (d Direction) String() string { return nameOf(directionNames, uint8(d)) }

// Opposite gives the other direction.
func (d Direction) Opposite() Direction { return Ingress + Egress - d }

// MarshalText writes "ingress" or "egress".
func (d Direction) MarshalText() ([]byte, error) {
	return marshalName(directionNames, uint8(d), "direction")
}

// UnmarshalText reads "ingress" or "egress".
func (d *Direction) UnmarshalText(b []byte) error {
	return unmarshalName(directionNames, b, (*uint8)(d), "direction")
}

// Family is a set of address families. The zero value is the empty set.
type Family uint8

// The families.
const (
	IPv4 Family = 1 << iota
	IPv6
	Dual = IPv4 | IPv6
)

var familyNames = []string{"", "ipv4", "ipv6", "dual"}

// String gives "ipv4", "ipv6" or "dual".
func (f Family) String() string { return nameOf(familyNames, uint8(f)) }

// MarshalText writes the family's name.
func (f Family) MarshalText() ([]byte, error) { return marshalName(familyNames, uint8(f), "family") }

// UnmarshalText reads a family's name.
func (f *Family) UnmarshalText(b []byte) error {
	return unmarshalName(familyNames, b, (*uint8)(f), "family")
}

func nameOf(names []string, v uint8) string {
	if int(v) < len(names) && v != 0 {
		return names[v]
	}
	return fmt.Sprintf("invalid(%d)", v)
}

func marshalName(names []string, v uint8, what string) ([]byte, error) {
	if v == 0 || int(v) >= len(names) {
		return nil, fmt.Errorf("policy: invalid %s %d", what, v)
	}
	return []byte(names[v]), nil
}

func unmarshalName(names []string, b []byte, v *uint8, what string) error {
	for i, n := range names {
		if i > 0 && n == string(b) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("policy: unknown %s %q, want one of %q", what, b, names[1:])
}
