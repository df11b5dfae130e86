package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A LogForm says how the messages of a line with "log" are worded. The zero
// value, LogFlow, names the protocol and both ends.
type LogForm uint8

// The forms. LogInput ("log-input") names the interface as well, LogSource (a
// standard list) the source alone.
const (
	LogFlow LogForm = iota
	LogInput
	LogSource
)

// Logging holds the device's settings for lines with "log". The zero value
// is IOS's default.
type Logging struct {
	// Threshold is the number of packets of a flow after which its message
	// does not wait for the end of the interval; 0 is none.
	Threshold uint32 `json:"threshold,omitempty"`
	// Spacing is the least time in milliseconds between two messages that
	// packets write at once; what they hold back is told later. 0 is a limit
	// of 1,000 a second on each processor.
	Spacing uint32 `json:"spacing,omitempty"`
	// Rate is how many messages a node tells in a second, 1 to 10,000; what is
	// over is dropped and counted. 0 is no limit.
	Rate uint32 `json:"rate,omitempty"`
}

// MaxLogRate is the largest Rate; IOS takes none above it either.
const MaxLogRate = 10_000

// Validate reports a limit that is none.
func (l *Logging) Validate() error {
	if l.Rate > MaxLogRate {
		return fmt.Errorf("logging: a rate of %d messages a second, want %d at most, or 0 for no limit", l.Rate, MaxLogRate)
	}
	return nil
}

// An Event is one message about packets that a line with "log" decided: the
// first of a flow, or all that followed since the last message about it.
type Event struct {
	RuleID
	// Time is that of the last of the packets.
	Time        time.Time      `json:"time"`
	Node        string         `json:"node"`
	Subject     string         `json:"subject"`
	Direction   Direction      `json:"direction"`
	Action      Action         `json:"action"`
	Protocol    uint8          `json:"protocol"`
	Source      netip.AddrPort `json:"source"`
	Destination netip.AddrPort `json:"destination"`
	// ICMPType and ICMPCode are the first two bytes of ICMP, ICMPv6 and IGMP.
	ICMPType uint8  `json:"icmpType"`
	ICMPCode uint8  `json:"icmpCode"`
	Packets  uint64 `json:"packets"`
	// Sequence counts the agent's events from 1.
	Sequence uint64 `json:"sequence,omitempty"`
	// Interface is the device that the packets passed.
	Interface string `json:"interface,omitempty"`
	// Total says that the flow had a message before.
	Total bool `json:"total,omitempty"`
	// Missed says that no message ever tells these packets: Packets and Time
	// are all that is known.
	Missed bool `json:"missed,omitempty"`
	// Audit says that what was denied passed all the same: nothing is dropped.
	Audit bool `json:"audit,omitempty"`
	// Form and Cookie word the message.
	Form   LogForm `json:"form,omitzero"`
	Cookie string  `json:"cookie,omitempty"`
}

// Syslog gives the message with IOS's time stamp, in UTC. The star says that
// nobody vouches for the clock.
func (e *Event) Syslog() string {
	return e.Time.UTC().Format("*Jan _2 15:04:05.000: ") + e.Message()
}

// Message gives the event in IOS's words.
func (e *Event) Message() string {
	if e.Missed {
		return "%SEC-6-IPACCESSLOGRL: access-list logging rate-limited or missed " + packetCount(e.Packets)
	}
	verb := "denied"
	if e.Action == Permit {
		verb = "permitted"
	}
	return e.facility() + " " + verb + " " + e.what() + e.cookie()
}

// facility gives the message's name and its list.
func (e *Event) facility() string {
	kind := e.kind()
	if e.Source.Addr().Unmap().Is6() {
		return fmt.Sprintf("%%IPV6_ACL-6-ACCESSLOG%s: list %s", kind, e.RuleID)
	}
	return fmt.Sprintf("%%SEC-6-IPACCESSLOG%s: list %s", kind, e.ACL)
}

// what gives the flow and its number of packets.
func (e *Event) what() string {
	if e.kind() == "S" {
		return logAddress(e.Source) + " " + packetCount(e.Packets)
	}
	word, ports := e.protocol()
	from, to := logAddress(e.Source), logAddress(e.Destination)
	if ports {
		from, to = fmt.Sprintf("%s(%d)", from, e.Source.Port()), fmt.Sprintf("%s(%d)", to, e.Destination.Port())
	}
	if e.Form == LogInput && e.Interface != "" {
		from += " (" + e.Interface + ")"
	}
	return fmt.Sprintf("%s %s -> %s%s, %s", word, from, to, e.detail(), packetCount(e.Packets))
}

// kind gives the last letters of the message's name.
func (e *Event) kind() string {
	switch {
	case e.Form == LogSource:
		return "S"
	case e.Protocol == TCP, e.Protocol == UDP, e.Protocol == SCTP:
		return "P"
	case e.Protocol == ICMP, e.Protocol == ICMPv6:
		return "DP"
	case e.Protocol == IGMP && e.ICMPType != 0:
		return "SP"
	case e.Protocol == IGMP, e.Protocol == pim:
		return "RP"
	}
	return "NP"
}

// pim is Protocol Independent Multicast, which IOS names.
const pim = 103

// protocol gives the protocol's word and whether ports are shown.
func (e *Event) protocol() (word string, ports bool) {
	switch e.Protocol {
	case TCP:
		return "tcp", true
	case UDP:
		return "udp", true
	case SCTP:
		return "sctp", true
	case ICMP:
		return "icmp", false
	case ICMPv6:
		return "icmpv6", false
	case IGMP:
		return "igmp", false
	case pim:
		return "pim", false
	}
	return fmt.Sprint(e.Protocol), false
}

// detail gives the type behind the destination.
func (e *Event) detail() string {
	switch e.kind() {
	case "DP":
		return fmt.Sprintf(" (%d/%d)", e.ICMPType, e.ICMPCode)
	case "SP":
		return fmt.Sprintf(" (%d)", e.ICMPType)
	}
	return ""
}

// cookie gives what stands in brackets at the end.
func (e *Event) cookie() (text string) {
	if e.Cookie != "" {
		text = "  [" + e.Cookie + "]"
	}
	if e.Audit && e.Action == Deny {
		text += "  [audit: passed]"
	}
	return text
}

// logAddress writes IPv6 addresses in capitals, as IOS does.
func logAddress(end netip.AddrPort) string { return strings.ToUpper(end.Addr().Unmap().String()) }

func packetCount(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}
