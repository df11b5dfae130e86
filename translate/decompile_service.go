package translate

import (
	"slices"
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// A serviceText is a service as the words of a line: the protocol, what stands
// behind the source, and what stands behind the destination.
type serviceText struct{ protocol, source, destination string }

// serviceTexts gives the words for services, of which a packet may have any;
// why says what has no words.
func serviceTexts(services []policy.Service, f policy.Family) (out []serviceText, why string) {
	for i := range services {
		s := &services[i]
		if s.PortNames != nil {
			return nil, "ports by the names that pods give them"
		}
		if s.Protocols.All() && !s.LooksAtL4() {
			return []serviceText{{protocol: anyProtocol(f)}}, ""
		}
		for p := range 256 {
			if !s.Protocols.Has(uint8(p)) || !protocolHas(s, uint8(p)) {
				continue
			}
			texts, why := protocolTexts(s, uint8(p), f)
			if why != "" {
				return nil, why
			}
			out = append(out, texts...)
		}
	}
	return out, ""
}

// protocolHas reports whether packets of the protocol can have the service: a
// field that they lack must not be looked at.
func protocolHas(s *policy.Service, p uint8) bool {
	ports := policy.HasPorts(p) || s.SourcePorts.All() && s.DestinationPorts.All()
	icmp := p == policy.ICMP || p == policy.ICMPv6 || s.ICMP.All()
	return ports && icmp && (p == policy.TCP || s.Flags.All())
}

// protocolWords are the protocols whose lines have more to say.
var protocolWords = map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp", policy.SCTP: "sctp"}

func protocolTexts(s *policy.Service, p uint8, f policy.Family) (out []serviceText, why string) {
	if word, ok := protocolWords[p]; ok {
		flags := ""
		if p == policy.TCP {
			if flags, ok = flagsText(s.Flags); !ok {
				return nil, "a condition on TCP flags"
			}
		}
		for _, from := range portTexts(s.SourcePorts) {
			for _, to := range portTexts(s.DestinationPorts) {
				out = append(out, serviceText{word, from, to + flags})
			}
		}
		return out, ""
	}
	own := map[policy.Family]uint8{policy.IPv4: policy.ICMP, policy.IPv6: policy.ICMPv6}[f]
	switch {
	case p == own:
		for _, kind := range icmpTexts(s.ICMP) {
			out = append(out, serviceText{"icmp", "", kind})
		}
		return out, ""
	case !s.ICMP.All():
		return nil, "" // the other family's ICMP does not travel in this one
	}
	return []serviceText{{protocol: strconv.Itoa(int(p))}}, ""
}

// maxEq is how many ports a line may compare with.
const maxEq = 10

// portTexts gives the words for ports; several are a union.
func portTexts(ports policy.Ranges) (out []string) {
	if ports.All() {
		return []string{""}
	}
	if all := singles(ports.Complement()); len(all) == len(ports.Complement()) && len(all) <= maxEq {
		return []string{" neq " + strings.Join(all, " ")}
	}
	for eq := range slices.Chunk(singles(ports), maxEq) {
		out = append(out, " eq "+strings.Join(eq, " "))
	}
	for _, r := range ports {
		if r.First < r.Last {
			out = append(out, " range "+number(r.First)+" "+number(r.Last))
		}
	}
	return out
}

func number(n uint16) string { return strconv.Itoa(int(n)) }

// singles gives the ports that stand alone.
func singles(ports policy.Ranges) (out []string) {
	for _, r := range ports {
		if r.First == r.Last {
			out = append(out, number(r.First))
		}
	}
	return out
}

// icmpTexts gives the words for types of ICMP with their codes.
func icmpTexts(set policy.Ranges) (out []string) {
	if set.All() {
		return []string{""}
	}
	for kind := range 256 {
		first := uint16(kind) << 8
		codes := set.Intersect(policy.Ranges{{First: first, Last: first | 255}})
		if slices.Equal(codes, policy.Ranges{{First: first, Last: first | 255}}) {
			out = append(out, " "+strconv.Itoa(kind))
			continue
		}
		for _, r := range codes {
			for code := int(r.First & 255); code <= int(r.Last&255); code++ {
				out = append(out, " "+strconv.Itoa(kind)+" "+strconv.Itoa(code))
			}
		}
	}
	return out
}

// flagNames are the flags that a line can name, by their bits.
var flagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg"}

// flagsText gives the words for a condition on TCP flags; false when there are
// none.
func flagsText(set policy.ByteSet) (string, bool) {
	if set.All() {
		return "", true
	}
	if set == policy.BytesWhere(func(v uint8) bool { return v&(policy.ACK|policy.RST) != 0 }) {
		return " established", true
	}
	if on, off, ok := cubeOf(set); ok {
		return " match-all" + signs(on, off), true
	}
	not := policy.BytesWhere(func(v uint8) bool { return !set.Has(v) })
	if on, off, ok := cubeOf(not); ok {
		return " match-any" + signs(off, on), true
	}
	return "", false
}

// cubeOf gives the flags that are set and clear in all of the set; false when
// that does not say the set.
func cubeOf(set policy.ByteSet) (on, off uint8, ok bool) {
	on, off = 0xff, 0xff
	for v := range 256 {
		if set.Has(uint8(v)) {
			on &= uint8(v)
			off &= ^uint8(v)
		}
	}
	same := set == policy.BytesWhere(func(v uint8) bool { return v&on == on && v&off == 0 })
	return on, off, same && (on|off)>>len(flagNames) == 0 && on|off != 0
}

func signs(on, off uint8) (out string) {
	for i, name := range flagNames {
		switch {
		case on>>i&1 == 1:
			out += " +" + name
		case off>>i&1 == 1:
			out += " -" + name
		}
	}
	return out
}
