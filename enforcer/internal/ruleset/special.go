package ruleset

import (
	"fmt"

	"aclium/translate/policy"
)

// exactLines gives lines of host, host, TCP or UDP, and one destination port.
func exactLines(d dice, n int) []line {
	w := newNetwork(d, statistics[ACL1], n)
	seen := map[line]bool{}
	var out []line
	for len(out) < n {
		l := line{
			action: policy.Permit, protocol: int(choice(d, []uint8{policy.TCP, policy.UDP})), sports: everyPort, icmp: -1,
			source: block{choice(d, w.sources), 32}, destination: block{choice(d, w.destinations), 32},
			dports: single(choice(d, w.services)),
		}
		if d.chance(0.3) {
			l.action = policy.Deny
		}
		if m := l.match(); !seen[m] {
			seen[m] = true
			out = append(out, l)
		}
	}
	return out
}

// disjointRules gives rules of "ip", any source, and intervals of destinations
// that have no address in common and are no prefixes.
func disjointRules(d dice, n int, f policy.Family) []policy.Rule {
	step := uint32(0xd0000000) / uint32(n) // from 1.0.0.0 to 209.0.0.0
	rules := make([]policy.Rule, n)
	for i := range rules {
		first := 1<<24 + uint32(i)*step + uint32(d.IntN(int(step/8)))*2 + 1
		last := first + 3 + uint32(d.IntN(int(step/2)))
		action := policy.Permit
		if d.chance(0.3) {
			action = policy.Deny
		}
		to := policy.AddrRange{First: block{first, 32}.prefix(f).Addr(), Last: block{last, 32}.prefix(f).Addr()}
		if f == policy.IPv6 {
			to = policy.AddrRange{First: six(first, false), Last: six(last, false)}
		}
		rules[i] = policy.Rule{
			Text: fmt.Sprintf("%s ip any range %s %s", action, to.First, to.Last), Action: action,
			Match: policy.Match{
				Source: policy.Everybody(), Destination: policy.Peers{Addresses: []policy.AddrRange{to}},
				Services: []policy.Service{policy.AnyService()},
			},
		}
	}
	d.Shuffle(n, func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	return rules
}
