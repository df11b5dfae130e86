package kube

import (
	"regexp"
	"strings"

	"aclium/translate/policy"
)

// ciliumProtocols are the words of a port's protocol (pkg/policy/api/l4.go,
// 1.20). Those without ports go with port "0" alone.
var ciliumProtocols = map[string][]uint8{
	"":    {policy.TCP, policy.UDP, policy.SCTP},
	"ANY": {policy.TCP, policy.UDP, policy.SCTP},
	"TCP": {policy.TCP}, "UDP": {policy.UDP}, "SCTP": {policy.SCTP},
	"VRRP": {112}, "IGMP": {2}, "GRE": {47}, "IPIP": {4}, "IPV6": {41}, "ESP": {50}, "AH": {51},
}

// ciliumPortRule reads one of the toPorts: services, and requests to look at.
func ciliumPortRule(v value, side string, a policy.Action, host bool) ([]policy.Service, []policy.HTTPMatch) {
	f := v.fields("ports", "rules", "terminatingTLS", "originatingTLS", "serverNames", "listener")
	for _, n := range []string{"terminatingTLS", "originatingTLS", "serverNames", "listener"} {
		f.at(n).refuse("what it does to a connection is not in the model")
	}
	var out services
	ports := f.at("ports").list()
	if len(ports) == 0 {
		v.fail("want ports")
	}
	for _, p := range ports {
		out.cilium(p)
	}
	rules := f.at("rules")
	if !rules.present() {
		return out, nil
	}
	if a == policy.Deny || host {
		rules.fail("requests are looked at neither by rules that deny nor by host policies")
	}
	return out, ciliumRequests(rules, out, side)
}

// cilium puts one of Cilium's ports in.
func (s *services) cilium(v value) {
	f := v.fields("port", "endPort", "protocol")
	word := strings.ToUpper(f.at("protocol").text())
	protocols, ok := ciliumProtocols[word]
	if !ok {
		f.at("protocol").fail("%q is not known here, want TCP, UDP, SCTP, ANY or a protocol without ports", word)
	}
	port, end := f.at("port"), f.at("endPort")
	ranges, name := ciliumPortRange(port, end)
	for _, p := range protocols {
		switch {
		case !policy.HasPorts(p) && (name != "" || !ranges.All()):
			port.fail("%s has no ports, want port \"0\"", word)
		case name != "":
			s.name(p, name)
		default:
			s.add(p, ranges)
		}
	}
}

// ciliumPortRange reads a port: a number with the port to go on to, "0" for
// all, or a name.
func ciliumPortRange(port, end value) (policy.Ranges, string) {
	text := port.text()
	last := 0
	if end.present() {
		last = end.number(0, 65535)
	}
	if !decimal.MatchString(text) {
		if last != 0 {
			end.fail("stands beside the name of a port")
		}
		return nil, portName(port, strings.ToLower(text))
	}
	first := port.within(text, 0, 65535)
	switch {
	case first == 0 && last != 0:
		end.fail("stands beside port 0, which is every port")
	case first == 0:
		return policy.AllNumbers(), ""
	case last == 0:
		last = first
	case last < first:
		end.fail("want a number from %d to 65535", first)
	}
	return policy.NewRanges(policy.Range{First: uint16(first), Last: uint16(last)}), ""
}

// ciliumRequests reads the rules about what the ports carry: HTTP requests, or
// DNS as the proxy that learns names needs it.
func ciliumRequests(v value, ports services, side string) []policy.HTTPMatch {
	f := v.fields("http", "dns", "kafka", "l7proto", "l7")
	for _, n := range []string{"kafka", "l7proto", "l7"} {
		f.at(n).refuse("such requests are not in the model")
	}
	http, dns := f.at("http"), f.at("dns")
	if http.present() == dns.present() {
		v.fail("want either http or dns")
	}
	for i := range ports {
		if s := &ports[i]; s.PortNames == nil && s.DestinationPorts.All() {
			v.fail("requests are not looked at on every port")
		} else if http.present() && s.Protocols != policy.Bytes(policy.TCP) {
			v.fail("HTTP goes with TCP alone")
		}
	}
	if dns.present() {
		allNames(dns, side)
		return nil
	}
	if len(http.list()) == 0 {
		http.fail("an empty list is not known to be all requests or none")
	}
	var out []policy.HTTPMatch
	for _, item := range http.list() {
		out = append(out, httpMatch(item))
	}
	return out
}

// allNames accepts the rule that lets every DNS request pass, which serves to
// learn the addresses of names.
func allNames(v value, side string) {
	if side != "to" {
		v.fail("stands in egress alone")
	}
	for _, item := range v.list() {
		if item.fqdn() == "*" {
			return
		}
	}
	v.fail("names that may be asked for are not in the model, unless one is matchPattern \"*\"")
}

// httpMatch reads one condition on requests. Method, path and host are regular
// expressions for the whole text.
func httpMatch(v value) (m policy.HTTPMatch) {
	f := v.fields("method", "path", "host", "headers", "headerMatches")
	m.Method, m.Path, m.Host = f.at("method").expression(), f.at("path").expression(), f.at("host").expression()
	for _, h := range f.at("headers").list() {
		m.Headers = append(m.Headers, h.header())
	}
	for _, h := range f.at("headerMatches").list() {
		f := h.fields("name", "value", "mismatch", "secret")
		f.at("mismatch").refuse("what is changed in requests is not in the model")
		f.at("secret").refuse("values in secrets are not known")
		m.Headers = append(m.Headers, policy.HTTPHeader{Name: headerName(f.at("name"), f.at("name").text()), Value: f.at("value").text()})
	}
	return m
}

// expression reads a regular expression.
func (v value) expression() string {
	text := v.text()
	if _, err := regexp.Compile(text); err != nil {
		v.fail("%v", err)
	}
	return text
}

// header reads "Name" or "Name: value".
func (v value) header() policy.HTTPHeader {
	name, text, _ := strings.Cut(v.text(), " ")
	return policy.HTTPHeader{Name: headerName(v, strings.TrimRight(name, ":")), Value: text}
}

var token = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

func headerName(v value, name string) string {
	if !token.MatchString(name) {
		v.fail("%q is no name of a header", name)
	}
	return name
}

// ciliumICMPs reads types of ICMP, each with all of its codes. Type 0 is every
// type, as Cilium enforces it (cilium/cilium#41304, in 1.20 too): what is read
// is what passes.
func ciliumICMPs(v value) (out []policy.Service) {
	sets := map[uint8]policy.Ranges{}
	for _, item := range v.list() {
		list := item.fields("fields").at("fields")
		if len(list.list()) == 0 {
			list.fail("an empty list is not known to be all types or none")
		}
		for _, f := range list.list() {
			protocol, kind := icmpType(f)
			types := policy.Ranges{{First: uint16(kind) << 8, Last: uint16(kind)<<8 | 255}}
			if kind == 0 {
				types = policy.AllNumbers()
			}
			sets[protocol] = sets[protocol].Union(types)
		}
	}
	for _, protocol := range []uint8{policy.ICMP, policy.ICMPv6} {
		if len(sets[protocol]) > 0 {
			s := policy.ServiceOf(policy.Bytes(protocol))
			s.ICMP = sets[protocol]
			out = append(out, s)
		}
	}
	return out
}

// icmpNames are the types that may be written by name, for each family (IANA,
// "ICMP Parameters" and "ICMPv6 Parameters").
var icmpNames = map[string]map[string]int{
	"IPv4": {
		"EchoReply": 0, "DestinationUnreachable": 3, "Redirect": 5, "Echo": 8, "EchoRequest": 8, "RouterAdvertisement": 9,
		"RouterSelection": 10, "TimeExceeded": 11, "ParameterProblem": 12, "Timestamp": 13, "TimestampReply": 14, "Photuris": 40,
	},
	"IPv6": {
		"DestinationUnreachable": 1, "PacketTooBig": 2, "TimeExceeded": 3, "ParameterProblem": 4, "EchoRequest": 128, "EchoReply": 129,
		"MulticastListenerQuery": 130, "MulticastListenerReport": 131, "MulticastListenerDone": 132, "RouterSolicitation": 133,
		"RouterAdvertisement": 134, "NeighborSolicitation": 135, "NeighborAdvertisement": 136, "RedirectMessage": 137,
	},
}

func icmpType(v value) (protocol uint8, kind int) {
	f := v.fields("family", "type")
	family := "IPv4"
	if at := f.at("family"); at.present() {
		family = at.word("IPv4", "IPv6")
	}
	protocol = map[string]uint8{"IPv4": policy.ICMP, "IPv6": policy.ICMPv6}[family]
	at := f.at("type")
	if !at.present() || at.isNumber() {
		return protocol, at.number(0, 255)
	}
	if kind, ok := icmpNames[family][at.text()]; ok {
		return protocol, kind
	}
	return protocol, at.within(at.text(), 0, 255)
}
