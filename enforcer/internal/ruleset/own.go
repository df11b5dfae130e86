package ruleset

import (
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// enterprise is what the lines of an Own list draw from: sites of clients,
// nets of servers, and the services that people use.
type enterprise struct {
	dice
	clients, servers []uint32 // subnets of 256
	ports            []uint16
}

// enterpriseRules gives the list in the order in which people write it: who is
// out, what must work, groups and pairs, and a last line.
func enterpriseRules(d dice, n int, f policy.Family) []policy.Rule {
	w := newEnterprise(d, n)
	head := w.head(n)
	groups := n / 25
	seen := map[line]bool{}
	for i := range head {
		seen[head[i].match()] = true
	}
	last := line{action: policy.Deny, protocol: anyProtocol, sports: everyPort, dports: everyPort, icmp: -1}
	seen[last.match()] = true
	var pairs []line
	for len(head)+groups+len(pairs)+1 < n {
		if l := w.pair(); !seen[l.match()] {
			seen[l.match()] = true
			pairs = append(pairs, l)
		}
	}
	rules := rulesOf(head, f)
	pairs = order(d, pairs)
	for made := 0; made < groups || len(pairs) > 0; {
		if d.IntN(groups-made+len(pairs)) < groups-made {
			rules = append(rules, w.group(made, f))
			made++
			continue
		}
		rules = append(rules, pairs[0].rule(f))
		pairs = pairs[1:]
	}
	return append(rules, last.rule(f))
}

func newEnterprise(d dice, n int) *enterprise {
	w := &enterprise{dice: d, ports: slices.Clone(knownPorts[:40])}
	for range n/40 + 4 {
		w.clients = append(w.clients, 10<<24|uint32(d.IntN(180))<<16|uint32(d.IntN(256))<<8)
	}
	for range n/60 + 3 {
		w.servers = append(w.servers, 10<<24|uint32(200+d.IntN(50))<<16|uint32(d.IntN(256))<<8)
	}
	for range 20 + n/500 {
		w.ports = append(w.ports, uint16(d.between(1024, 20000)))
	}
	return w
}

// head gives what stands at the top, at most a fifth of the list.
func (w *enterprise) head(n int) (out []line) {
	blank := line{protocol: anyProtocol, sports: everyPort, dports: everyPort, icmp: -1}
	seen := map[uint32]bool{}
	for len(seen) < max(1, n*3/100) {
		host := w.client()
		if seen[host] {
			continue
		}
		seen[host] = true
		l := blank
		l.action, l.source = policy.Deny, block{host, 32}
		out = append(out, l)
	}
	l := blank
	l.action, l.protocol, l.established = policy.Permit, int(policy.TCP), true
	out = append(out, l)
	if n < 50 {
		return out
	}
	for _, bogus := range []block{{127 << 24, 8}, {169<<24 | 254<<16, 16}, {224 << 24, 4}} {
		l := blank
		l.action, l.source = policy.Deny, bogus
		out = append(out, l)
	}
	for _, kind := range []int{0, 3, 8, 11} {
		l := blank
		l.action, l.protocol, l.icmp = policy.Permit, int(policy.ICMP), kind
		out = append(out, l)
	}
	return out
}

func (w *enterprise) client() uint32 { return choice(w.dice, w.clients) + uint32(w.between(2, 250)) }
func (w *enterprise) server() uint32 { return choice(w.dice, w.servers) + uint32(w.between(2, 60)) }

// Who asks, and what for.
var (
	clientLengths = weighted[int]{{40, 32}, {35, 24}, {8, 28}, {7, 16}, {10, 0}}
	serverLengths = weighted[int]{{65, 32}, {15, 28}, {20, 24}}
	serviceKinds  = weighted[int]{{70, int(policy.TCP)}, {18, int(policy.UDP)}, {12, anyProtocol}}
)

// pair gives a line between clients and servers.
func (w *enterprise) pair() line {
	l := line{
		action: policy.Permit, protocol: serviceKinds.pick(w.dice), sports: everyPort, dports: everyPort, icmp: -1,
		source:      blockOf(w.client(), clientLengths.pick(w.dice)),
		destination: blockOf(w.server(), serverLengths.pick(w.dice)),
	}
	if w.chance(0.12) {
		l.action = policy.Deny
	}
	if l.protocol == anyProtocol {
		if l.source.length == 0 { // would open the servers to everybody
			l.source = blockOf(w.client(), 24)
		}
		return l
	}
	l.dports = w.service()
	return l
}

func (w *enterprise) service() policy.Range {
	if w.chance(0.08) {
		first := w.between(1024, 60000)
		return policy.Range{First: uint16(first), Last: uint16(first + w.between(1, 1000))}
	}
	return single(w.ports[w.skewed(len(w.ports))])
}

// group gives a line of object-groups: some clients, some servers, some ports.
func (w *enterprise) group(i int, f policy.Family) policy.Rule {
	r := policy.Rule{
		Text:   fmt.Sprintf("permit object-group SERVICES-%d object-group CLIENTS-%d object-group SERVERS-%d", i, i, i),
		Action: policy.Permit,
	}
	for range w.between(2, 4) {
		c := blockOf(w.client(), clientLengths[w.IntN(3)].value)
		r.Match.Source.Addresses = append(r.Match.Source.Addresses, policy.PrefixRange(c.prefix(f)))
	}
	for range w.between(2, 4) {
		r.Match.Destination.Addresses = append(r.Match.Destination.Addresses, policy.PrefixRange(block{w.server(), 32}.prefix(f)))
	}
	var ports []policy.Range
	for range w.between(2, 4) {
		ports = append(ports, w.service())
	}
	tcp := policy.ServiceOf(policy.Bytes(policy.TCP))
	tcp.DestinationPorts = policy.NewRanges(ports...)
	r.Match.Services = append(r.Match.Services, tcp)
	if w.chance(0.3) {
		udp := policy.ServiceOf(policy.Bytes(policy.UDP))
		udp.DestinationPorts = policy.NewRanges(w.service())
		r.Match.Services = append(r.Match.Services, udp)
	}
	return r
}
