package kube

import (
	"slices"
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// calicoPeers reads one end of a rule, but for its ports. All of its
// conditions must hold.
func (o *object) calicoPeers(v value) policy.Peers {
	f := v.fields("nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts", "serviceAccounts", "services")
	f.at("services").refuse("services are not in the model")
	nets, notNets := f.at("nets"), f.at("notNets")
	pods, named := o.calicoPods(f)
	switch {
	case named && (nets.present() || notNets.present()):
		v.fail("selectors stand beside addresses: both would have to hold, which the model cannot say")
	case named:
		return pods
	case nets.present() || notNets.present():
		return policy.Peers{Addresses: calicoNets(nets, notNets)}
	}
	return policy.Everybody()
}

// calicoNets gives the addresses in nets, or all, without notNets.
func calicoNets(nets, notNets value) (out []policy.AddrRange) {
	for _, n := range nets.list() {
		out = append(out, policy.PrefixRange(n.prefixOrAddress()))
	}
	if !nets.present() {
		out = []policy.AddrRange{everyAddress["world-ipv4"], everyAddress["world-ipv6"]}
	} else if len(out) == 0 {
		nets.fail("an empty list is not known to be everybody or nobody")
	}
	out = joined(out)
	for _, n := range notNets.list() {
		out = without(out, policy.PrefixRange(n.prefixOrAddress()))
	}
	return out
}

// calicoPods reads the selectors of an end; named says that there are some. A
// selector without namespaces means the object's own one (libcalico-go,
// updateprocessors/rules.go).
func (o *object) calicoPods(f fields) (out policy.Peers, named bool) {
	selector, not, namespaces := f.at("selector"), f.at("notSelector"), f.at("namespaceSelector")
	accounts := f.at("serviceAccounts")
	none := func(v value) bool { return v.text() == "" }
	if none(selector) && none(not) && none(namespaces) && !accounts.present() {
		return policy.Peers{}, false
	}
	pods := everything
	switch {
	case !none(namespaces):
		pods = namespaces.expressionOf(calicoNamespaceKey)
	case o.namespace != "":
		pods.yes = []policy.Selector{{o.home()}}
	}
	pods = f.both(pods, selector.expressionOf(calicoPodKey))
	if accounts.present() {
		pods.yes = withTerm(pods.yes, accounts.serviceAccounts())
	}
	if none(not) {
		return policy.Peers{Selectors: pods.yes}, true
	}
	exclude := not.expressionOf(calicoPodKey).not()
	out.Selectors = f.both(expression{yes: pods.yes}, exclude).yes
	if none(selector) && none(namespaces) && o.namespace == "" && !accounts.present() {
		// What is no pod has no labels: it is not what the selector selects.
		out.Entities = []policy.Entity{policy.World, policy.Host, policy.RemoteNode}
	}
	return out, true
}

func withTerm(all []policy.Selector, t policy.Term) (out []policy.Selector) {
	for _, s := range all {
		out = append(out, append(slices.Clip(s), t))
	}
	return out
}

// serviceAccounts reads service accounts by their names.
func (v value) serviceAccounts() policy.Term {
	f := v.fields("names", "selector")
	f.at("selector").refuse("labels of service accounts are not in the model")
	t := policy.Term{Key: serviceAccountKey, Op: policy.In}
	for _, n := range f.at("names").list() {
		t.Values = append(t.Values, n.text())
	}
	if len(t.Values) == 0 {
		v.fail("want names")
	}
	slices.Sort(t.Values)
	t.Values = slices.Compact(t.Values)
	return t
}

// calicoProtocolWords are the names of protocols.
var calicoProtocolWords = map[string]uint8{
	"TCP": policy.TCP, "UDP": policy.UDP, "ICMP": policy.ICMP, "ICMPV6": policy.ICMPv6, "SCTP": policy.SCTP, "UDPLITE": 136,
}

// calicoProtocol reads a protocol by its name or number.
func (v value) calicoProtocol() uint8 {
	if v.isNumber() {
		return uint8(v.number(1, 255))
	}
	text := v.text()
	if decimal.MatchString(text) {
		return uint8(v.within(text, 1, 255))
	}
	p, ok := calicoProtocolWords[strings.ToUpper(text)]
	if !ok {
		v.fail("%q is no protocol, want TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number", text)
	}
	return p
}

// readCalicoServices reads the protocol, the ports and the types of ICMP of a rule.
func readCalicoServices(f fields) []policy.Service {
	protocols := policy.AllBytes()
	if p := f.at("protocol"); p.present() {
		protocols = policy.Bytes(p.calicoProtocol())
	}
	if p := f.at("notProtocol"); p.present() {
		not := p.calicoProtocol()
		protocols = protocols.Intersect(policy.BytesWhere(func(b uint8) bool { return b != not }))
	}
	s := policy.ServiceOf(protocols)
	withPorts := policy.Bytes(policy.TCP, policy.UDP, policy.SCTP)
	source, _ := calicoPortsOf(f.at("source"), protocols.Intersect(withPorts) == protocols)
	destination, names := calicoPortsOf(f.at("destination"), protocols.Intersect(withPorts) == protocols)
	s.SourcePorts = source
	s.ICMP = readCalicoICMP(f.at("icmp"), protocols).Minus(notICMP(f.at("notICMP"), protocols))
	return withNames(s, destination, names)
}

// withNames gives the service for ports by number and by name.
func withNames(s policy.Service, ports policy.Ranges, names []string) (out []policy.Service) {
	if len(ports) > 0 {
		t := s
		t.DestinationPorts = ports
		out = append(out, t)
	}
	if len(names) > 0 {
		s.PortNames = names
		out = append(out, s)
	}
	return out
}

// calicoPortsOf reads the ports of one end: numbers, ranges "A:B" and names.
func calicoPortsOf(v value, allowed bool) (ports policy.Ranges, names []string) {
	f := v.fields("nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts", "serviceAccounts", "services")
	yes, no := f.at("ports"), f.at("notPorts")
	if (len(yes.list())+len(no.list()) > 0) && !allowed {
		v.fail("ports stand beside protocols that have none")
	}
	for _, p := range yes.list() {
		r, name := p.calicoPort()
		if name != "" && strings.HasSuffix(v.path, ".source") {
			p.fail("names of source ports are not in the model")
		}
		if name != "" {
			names = append(names, name)
		}
		ports = ports.Union(r)
	}
	if len(yes.list()) == 0 {
		ports = policy.AllNumbers()
	}
	for _, p := range no.list() {
		r, name := p.calicoPort()
		if name != "" || len(names) > 0 {
			p.fail("names of ports cannot be taken out of others")
		}
		ports = ports.Minus(r)
	}
	return ports, names
}

// calicoPort reads a port, a range or a name.
func (v value) calicoPort() (policy.Ranges, string) {
	text := v.portText()
	low, high, both := strings.Cut(text, ":")
	if !both {
		high = low
	}
	if !decimal.MatchString(low) {
		return nil, portName(v, text)
	}
	first := v.within(low, 0, 65535)
	last := v.within(high, first, 65535)
	return policy.NewRanges(policy.Range{First: uint16(first), Last: uint16(last)}), ""
}

// portText reads a port as it is written.
func (v value) portText() string {
	if v.isNumber() {
		return strconv.Itoa(v.number(0, 65535))
	}
	return v.text()
}

// readCalicoICMP reads a type of ICMP and its code.
func readCalicoICMP(v value, protocols policy.ByteSet) policy.Ranges {
	if !v.present() {
		return policy.AllNumbers()
	}
	if protocols != policy.Bytes(policy.ICMP) && protocols != policy.Bytes(policy.ICMPv6) {
		v.fail("stands beside a protocol that is neither ICMP nor ICMPv6")
	}
	f := v.fields("type", "code")
	kind, code := f.at("type"), f.at("code")
	switch {
	case !kind.present() && code.present():
		code.fail("stands without a type")
	case !kind.present():
		v.fail("want a type")
	}
	first := uint16(kind.number(0, 255)) << 8
	if !code.present() {
		return policy.Ranges{{First: first, Last: first | 255}}
	}
	first |= uint16(code.number(0, 255))
	return policy.Ranges{{First: first, Last: first}}
}

func notICMP(v value, protocols policy.ByteSet) policy.Ranges {
	if !v.present() {
		return nil
	}
	return readCalicoICMP(v, protocols)
}
