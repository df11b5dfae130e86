package trace

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Usage is the forms of a packet.
const Usage = `tcp SRC PORT DST PORT [syn|ack|fin|rst|psh|urg]...
  udp SRC PORT DST PORT, sctp SRC PORT DST PORT
  icmp SRC TYPE [CODE] DST
  igmp SRC TYPE DST
  ip PROTOCOL SRC DST
  each with [dscp N] [ttl N]`

// A Packet is a packet with what is known of its ends.
type Packet struct {
	policy.Packet
	// SourceKnown and DestinationKnown say that it is known whether the end is
	// a pod, a node or outside the cluster, and its labels.
	SourceKnown, DestinationKnown bool
	// ClassKnown, HopsKnown and TypeKnown say that the traffic class, the hop
	// limit and the type of an IGMP message were given.
	ClassKnown, HopsKnown, TypeKnown bool
}

// flagWords are the words of TCP flags; a packet without any is a SYN.
var flagWords = map[string]uint8{
	"fin": policy.FIN, "syn": policy.SYN, "rst": policy.RST, "psh": policy.PSH, "ack": policy.ACK, "urg": policy.URG,
}

// Parse reads a packet. Ports, ICMP types and protocols may be named as in a
// list of the dialect; two words behind an ICMP address are type and code. A
// last word "fragment" makes it a later fragment. The error is a
// *grammar.Error with the text, for a caret.
func Parse(d grammar.Dialect, text string) (Packet, error) {
	p := &parser{dialect: d, text: text}
	p.split()
	var out Packet
	p.packet(&out)
	if p.err != nil {
		return Packet{}, p.err
	}
	return out, nil
}

// A word is a word of the text and the column that it begins at.
type word struct {
	text   string
	column int
}

type parser struct {
	dialect grammar.Dialect
	text    string
	words   []word
	at      int
	err     *grammar.Error
}

func (p *parser) split() {
	begin := -1
	runes := []rune(p.text)
	for i := 0; i <= len(runes); i++ {
		blank := i == len(runes) || runes[i] == ' ' || runes[i] == '\t'
		switch {
		case !blank && begin < 0:
			begin = i
		case blank && begin >= 0:
			p.words = append(p.words, word{string(runes[begin:i]), begin + 1})
			begin = -1
		}
	}
}

// fail records the first mistake.
func (p *parser) fail(w word, format string, args ...any) {
	if p.err == nil {
		p.err = &grammar.Error{Pos: grammar.Position{File: "packet", Line: 1, Column: w.column}, Msg: fmt.Sprintf(format, args...), Text: p.text}
	}
}

// next takes a word; want says what it should be.
func (p *parser) next(want string) word {
	if p.at == len(p.words) {
		end := word{"", len([]rune(p.text)) + 1}
		p.fail(end, "unexpected end of packet, want %s", want)
		return end
	}
	p.at++
	return p.words[p.at-1]
}

func (p *parser) more() bool { return p.at < len(p.words) }

func (p *parser) packet(packet *Packet) {
	out := &packet.Packet
	switch kind := p.next("tcp, udp, sctp, icmp or ip"); kind.text {
	case "tcp", "udp", "sctp":
		out.Protocol = map[string]uint8{"tcp": policy.TCP, "udp": policy.UDP, "sctp": policy.SCTP}[kind.text]
		p.ends(out, func() { out.SourcePort = p.port(kind.text) }, func() { out.DestinationPort = p.port(kind.text) })
	case "icmp", "icmp6", "icmpv6":
		out.Protocol = policy.ICMP
		p.ends(out, func() { p.icmp(out) }, func() {})
	case "igmp":
		out.Protocol = policy.IGMP
		p.ends(out, func() { p.igmp(packet) }, func() {})
	case "ip", "ipv6":
		out.Protocol = p.protocol()
		p.ends(out, func() {}, func() {})
	default:
		p.fail(kind, "unexpected %q, want tcp, udp, sctp, icmp or ip", kind.text)
	}
	p.tail(packet)
}

// ends reads both ends with what stands behind each.
func (p *parser) ends(out *policy.Packet, behindSource, behindDestination func()) {
	source := p.next("a source address")
	out.Source.Addr = p.addr(source)
	behindSource()
	w := p.next("a destination address")
	out.Destination.Addr = p.addr(w)
	if p.err == nil && out.Source.Addr.Is4() != out.Destination.Addr.Is4() {
		p.fail(w, "%s is not of the family of %s", w.text, source.text)
	}
	behindDestination()
}

func (p *parser) addr(w word) netip.Addr {
	a, err := netip.ParseAddr(w.text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		p.fail(w, "unexpected %q, want an address", w.text)
	}
	return a
}

// line reads a line of a list with the word in it, so that names are those of
// the language.
func (p *parser) line(v6 bool, format string, w word) *grammar.ACE {
	if strings.ContainsAny(w.text, "\n\r!") {
		return nil
	}
	header := "ip access-list extended NAMES\n permit "
	if v6 {
		header = "ipv6 access-list NAMES\n permit "
	}
	c, _, err := grammar.ParseDialect("packet", strings.NewReader(header+fmt.Sprintf(format, w.text)+"\n"), grammar.IOS)
	if err != nil || c.ACL("NAMES") == nil || len(c.ACL("NAMES").Entries) != 1 {
		return nil
	}
	return c.ACL("NAMES").Entries[0].ACE
}

func (p *parser) port(protocol string) uint16 {
	w := p.next("a port")
	if v, err := strconv.ParseUint(w.text, 10, 16); err == nil {
		return uint16(v)
	}
	if ace := p.line(false, protocol+" any any eq %s", w); ace != nil && len(ace.DestinationPorts.Values) == 1 {
		return uint16(ace.DestinationPorts.Values[0].Number)
	}
	p.fail(w, "unexpected %q, want a port of %s: 0 to 65535 or its name", w.text, protocol)
	return 0
}

func (p *parser) protocol() uint8 {
	w := p.next("a protocol")
	if v, err := strconv.ParseUint(w.text, 10, 8); err == nil {
		return uint8(v)
	}
	for _, v6 := range []bool{false, true} {
		if ace := p.line(v6, "%s any any", w); ace != nil && !ace.Protocol.Any {
			return ace.Protocol.Number
		}
	}
	p.fail(w, "unexpected %q, want a protocol: 0 to 255 or its name", w.text)
	return 0
}

// icmp reads a type with or without its code, or the name of a message.
func (p *parser) icmp(out *policy.Packet) {
	if out.Source.Addr.Is6() {
		out.Protocol = policy.ICMPv6
	}
	w := p.next("an ICMP type")
	typ, err := strconv.ParseUint(w.text, 10, 8)
	if err == nil {
		out.ICMPType = uint8(typ)
	} else if ace := p.line(out.Protocol == policy.ICMPv6, "icmp any any %s", w); ace != nil && ace.ICMP != nil {
		out.ICMPType, out.ICMPCode = ace.ICMP.Type, uint8(max(ace.ICMP.Code, 0))
	} else {
		p.fail(w, "unexpected %q, want an ICMP type: 0 to 255 or its name", w.text)
	}
	if p.at+1 < len(p.words) && p.words[p.at+1].text != "fragment" {
		code := p.next("an ICMP code")
		v, err := strconv.ParseUint(code.text, 10, 8)
		if err != nil {
			p.fail(code, "unexpected %q, want an ICMP code: 0 to 255", code.text)
		}
		out.ICMPCode = uint8(v)
	}
}

// tail reads flags and the like.
func (p *parser) tail(out *Packet) {
	for p.err == nil && p.more() {
		w := p.next("a flag")
		flag, ok := flagWords[w.text]
		switch {
		case w.text == "fragment":
			out.Fragment, out.FragmentID = policy.Later, 1
		case ok && out.Protocol == policy.TCP:
			out.Flags |= flag
		case p.marks(w, out):
		default:
			p.fail(w, "unexpected %q, want end of packet", w.text)
		}
	}
	if out.Protocol == policy.TCP && out.Flags == 0 {
		out.Flags = policy.SYN
	}
	if out.Fragment == policy.Later {
		out.SourcePort, out.DestinationPort, out.ICMPType, out.ICMPCode, out.Flags = 0, 0, 0, 0, 0
	}
}

// String gives the packet in the form that Parse reads.
func String(p *policy.Packet) string {
	var words []any
	name := map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp", policy.SCTP: "sctp"}[p.Protocol]
	switch {
	case p.Fragment == policy.Later:
		words = []any{"ip", p.Protocol, p.Source.Addr, p.Destination.Addr, "fragment"}
	case name != "":
		words = []any{name, p.Source.Addr, p.SourcePort, p.Destination.Addr, p.DestinationPort}
	case p.Protocol == policy.ICMP && p.Source.Addr.Is4() || p.Protocol == policy.ICMPv6 && p.Source.Addr.Is6():
		words = []any{"icmp", p.Source.Addr, p.ICMPType, p.ICMPCode, p.Destination.Addr}
	case p.Protocol == policy.IGMP && p.ICMPType != 0:
		words = []any{"igmp", p.Source.Addr, p.ICMPType, p.Destination.Addr}
	default:
		words = []any{"ip", p.Protocol, p.Source.Addr, p.Destination.Addr}
	}
	for _, f := range []string{"syn", "ack", "fin", "rst", "psh", "urg"} {
		if p.Protocol == policy.TCP && p.Flags&flagWords[f] != 0 {
			words = append(words, f)
		}
	}
	if p.TrafficClass != 0 {
		words = append(words, "traffic-class", p.TrafficClass)
	}
	if p.HopLimit != 0 {
		words = append(words, "ttl", p.HopLimit)
	}
	return strings.TrimSuffix(fmt.Sprintln(words...), "\n")
}
