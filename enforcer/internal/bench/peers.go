package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// The lists of the side-by-side part have one service and at most one address
// range at each end of a rule, so every filter here can say them.

var nftVerdicts = map[policy.Action]string{policy.Permit: "accept", policy.Deny: "drop"}

// nftLinear says the list rule by rule, at the hook where IP begins: a chain
// of family ip need not ask each packet for its family in every rule.
func nftLinear(p *policy.Policy) string {
	var b strings.Builder
	b.WriteString("table ip bench {\n chain acl {\n  type filter hook prerouting priority raw; policy accept;\n")
	for i := range p.Rules {
		r := &p.Rules[i]
		fmt.Fprintf(&b, "  %s%s%s counter %s\n",
			nftEnd("saddr", &r.Match.Source), nftEnd("daddr", &r.Match.Destination), nftService(&r.Match.Services[0]), nftVerdicts[r.Action])
	}
	b.WriteString("  counter drop\n }\n}\n")
	return b.String()
}

func nftEnd(word string, s *policy.Peers) string {
	if s.Any {
		return ""
	}
	return fmt.Sprintf("ip %s %s ", word, span4(s.Addresses[0]))
}

// span4 gives an interval as nft reads it.
func span4(r policy.AddrRange) string {
	if r.First == r.Last {
		return r.First.String()
	}
	for bits := range 33 {
		if p, err := r.First.Prefix(bits); err == nil && policy.PrefixRange(p) == r {
			return p.String()
		}
	}
	return r.First.String() + "-" + r.Last.String()
}

func nftService(s *policy.Service) string {
	if s.Protocols.All() {
		return ""
	}
	protocol := firstByte(s.Protocols)
	var words []string
	name := map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp"}[protocol]
	if !s.SourcePorts.All() {
		words = append(words, name, "sport", s.SourcePorts.String())
	}
	if !s.DestinationPorts.All() {
		words = append(words, name, "dport", s.DestinationPorts.String())
	}
	if !s.ICMP.All() {
		words = append(words, fmt.Sprintf("icmp type %d", s.ICMP[0].First>>8))
	}
	if !s.Flags.All() { // established is the only set of flags
		words = append(words, "tcp flags & (ack | rst) != 0")
	}
	if words == nil {
		words = []string{fmt.Sprintf("ip protocol %d", protocol)}
	}
	return strings.Join(words, " ")
}

func firstByte(s policy.ByteSet) uint8 { return uint8(s.Ranges()[0].First) }

// nftDispatch is the best rewriting of a general list: one interval map finds
// the chain of the destination, which holds the rules that this destination
// can meet, in order and without their destination.
func nftDispatch(p *policy.Policy) string {
	chains, elements := map[string]string{}, []string{}
	var b strings.Builder
	b.WriteString("table netdev bench {\n")
	for _, x := range dissect(p) {
		key := fmt.Sprint(x.rules)
		name, known := chains[key]
		if !known {
			name = fmt.Sprintf("c%d", len(chains))
			chains[key] = name
			fmt.Fprintf(&b, " chain %s {\n", name)
			for _, i := range x.rules {
				r := &p.Rules[i]
				fmt.Fprintf(&b, "  %s%s counter %s\n", nftEnd("saddr", &r.Match.Source), nftService(&r.Match.Services[0]), nftVerdicts[r.Action])
			}
			b.WriteString("  counter drop\n }\n")
		}
		elements = append(elements, fmt.Sprintf("%s : goto %s", span4(x.AddrRange), name))
	}
	fmt.Fprintf(&b, " map destinations {\n  type ipv4_addr : verdict\n  flags interval\n  elements = { %s }\n }\n", strings.Join(elements, ",\n   "))
	b.WriteString(netdevChain + "  ip daddr vmap @destinations\n  counter drop\n }\n}\n")
	return b.String()
}

// netdevChain begins a chain at the hook where tc programs stand as well.
const netdevChain = " chain acl {\n  type filter hook ingress device \"DEVICE\" priority 0; policy accept;\n"

// section is an interval of destinations, and the rules that match some source
// with each of them.
type section struct {
	policy.AddrRange
	rules []int
}

// dissect cuts the destinations where a rule begins or ends, and leaves out
// what no rule matches.
func dissect(p *policy.Policy) (out []section) {
	everything := policy.PrefixRange(netip.MustParsePrefix("0.0.0.0/0"))
	of := func(r *policy.Rule) policy.AddrRange {
		if r.Match.Destination.Any {
			return everything
		}
		return r.Match.Destination.Addresses[0]
	}
	begins, ends := map[netip.Addr][]int{}, map[netip.Addr][]int{}
	var cuts []netip.Addr
	for i := range p.Rules {
		r := of(&p.Rules[i])
		begins[r.First] = append(begins[r.First], i)
		cuts = append(cuts, r.First)
		if after := r.Last.Next(); after.IsValid() {
			ends[after] = append(ends[after], i)
			cuts = append(cuts, after)
		}
	}
	slices.SortFunc(cuts, netip.Addr.Compare)
	cuts = slices.Compact(cuts)
	var open []int
	for i, first := range cuts {
		open = slices.DeleteFunc(open, func(rule int) bool { return slices.Contains(ends[first], rule) })
		open = append(open, begins[first]...)
		slices.Sort(open)
		last := everything.Last
		if i+1 < len(cuts) {
			last = cuts[i+1].Prev()
		}
		if len(open) > 0 {
			out = append(out, section{policy.AddrRange{First: first, Last: last}, slices.Clone(open)})
		}
	}
	return out
}

// nftExact is the best rewriting of exact matches: one hash, with a counter
// for each of its elements or without.
func nftExact(counters bool) func(p *policy.Policy) string {
	return func(p *policy.Policy) string {
		statement, element := "", ""
		if counters {
			statement, element = "  counter\n", "counter "
		}
		var b strings.Builder
		b.WriteString("table netdev bench {\n map rules {\n  type ipv4_addr . ipv4_addr . inet_proto . inet_service : verdict\n" + statement + "  elements = {\n")
		for i := range p.Rules {
			m := &p.Rules[i].Match
			s := &m.Services[0]
			fmt.Fprintf(&b, "   %s . %s . %d . %d %s: %s,\n", m.Source.Addresses[0].First, m.Destination.Addresses[0].First,
				firstByte(s.Protocols), s.DestinationPorts[0].First, element, nftVerdicts[p.Rules[i].Action])
		}
		b.WriteString("  }\n }\n" + netdevChain + "  ip saddr . ip daddr . ip protocol . th dport vmap @rules\n  counter drop\n }\n}\n")
		return b.String()
	}
}

// nftIntervals is the best rewriting of disjoint destinations: one interval
// map, with a counter for each of its elements.
func nftIntervals(p *policy.Policy) string {
	var b strings.Builder
	b.WriteString("table netdev bench {\n map rules {\n  type ipv4_addr : verdict\n  flags interval\n  counter\n  elements = {\n")
	for i := range p.Rules {
		r := &p.Rules[i]
		fmt.Fprintf(&b, "   %s counter : %s,\n", span4(r.Match.Destination.Addresses[0]), nftVerdicts[r.Action])
	}
	b.WriteString("  }\n }\n" + netdevChain + "  ip daddr vmap @rules\n  counter drop\n }\n}\n")
	return b.String()
}

// iptablesRules says the list rule by rule in a chain of its own, which a
// permitted packet leaves for the sink behind it.
func iptablesRules(p *policy.Policy) string {
	var b strings.Builder
	b.WriteString("*mangle\n:PREROUTING ACCEPT [0:0]\n:ACL - [0:0]\n-A PREROUTING -j ACL\n")
	verdicts := map[policy.Action]string{policy.Permit: "RETURN", policy.Deny: "DROP"}
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, service := range iptablesService(&r.Match.Services[0]) {
			fmt.Fprintf(&b, "-A ACL%s%s%s -j %s\n",
				iptablesEnd("s", "src", &r.Match.Source), iptablesEnd("d", "dst", &r.Match.Destination), service, verdicts[r.Action])
		}
	}
	b.WriteString("-A ACL -j DROP\n-A PREROUTING -j DROP\nCOMMIT\n")
	return b.String()
}

func iptablesEnd(letter, word string, s *policy.Peers) string {
	if s.Any {
		return ""
	}
	text := span4(s.Addresses[0])
	if strings.Contains(text, "-") {
		return fmt.Sprintf(" -m iprange --%s-range %s", word, text)
	}
	return fmt.Sprintf(" -%s %s", letter, text)
}

// iptablesService gives one text, or two where one rule cannot say it.
func iptablesService(s *policy.Service) []string {
	if s.Protocols.All() {
		return []string{""}
	}
	text := fmt.Sprintf(" -p %d", firstByte(s.Protocols))
	if !s.SourcePorts.All() {
		text += " --sport " + strings.ReplaceAll(s.SourcePorts.String(), "-", ":")
	}
	if !s.DestinationPorts.All() {
		text += " --dport " + strings.ReplaceAll(s.DestinationPorts.String(), "-", ":")
	}
	if !s.ICMP.All() {
		text += fmt.Sprintf(" --icmp-type %d", s.ICMP[0].First>>8)
	}
	if !s.Flags.All() {
		return []string{text + " --tcp-flags ACK ACK", text + " --tcp-flags RST RST"}
	}
	return []string{text}
}
