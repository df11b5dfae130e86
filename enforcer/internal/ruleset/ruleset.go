package ruleset

import (
	"fmt"
	"math"
	"slices"

	"aclium/translate/policy"
)

// New gives a list of n rules on the node's interface eth0, where 0 < n. All
// rules differ in what they match, and few of them stand behind a rule that
// covers them. The family is IPv4 or IPv6.
func New(shape Shape, n int, family policy.Family, seed uint64) *policy.Policy {
	d := newDice(shape, seed)
	var rules []policy.Rule
	switch shape {
	case Own:
		rules = enterpriseRules(d, n, family)
	case Exact:
		rules = rulesOf(exactLines(d, n), family)
	case Disjoint:
		rules = disjointRules(d, n, family)
	default:
		rules = rulesOf(order(d, classBench(d, shape, n)), family)
	}
	return listOf(shape, family, rules)
}

// listOf numbers the rules as IOS does.
func listOf(shape Shape, family policy.Family, rules []policy.Rule) *policy.Policy {
	p := &policy.Policy{
		ACL: fmt.Sprintf("%s-%d", shape, len(rules)), Direction: policy.Ingress, Family: family,
		Subject: policy.Subject{Name: "eth0", Interface: "eth0"}, Rules: rules,
	}
	for i := range p.Rules {
		p.Rules[i].ID = policy.RuleID{ACL: p.ACL, Seq: uint32(10 * (i + 1))}
	}
	return p
}

func rulesOf(lines []line, f policy.Family) []policy.Rule {
	rules := make([]policy.Rule, len(lines))
	for i := range lines {
		rules[i] = lines[i].rule(f)
	}
	return rules
}

// network is what the lines of one list draw from.
type network struct {
	dice
	statistic
	sources, destinations []uint32
	ranges                []policy.Range
	services              []uint16
}

func newNetwork(d dice, s statistic, n int) *network {
	w := &network{dice: d, statistic: s}
	ends := n/3 + 16
	w.sources = newAddressTree(d.Uint64(), ends).pool(d, ends)
	w.destinations = newAddressTree(d.Uint64(), ends).pool(d, ends)
	for range 8 + int(6*math.Sqrt(math.Sqrt(float64(n)))) {
		first := d.between(1, 60000)
		w.ranges = append(w.ranges, policy.Range{First: uint16(first), Last: uint16(first + d.between(1, choice(d, []int{5, 50, 500, 5000})))})
	}
	w.services = slices.Clone(knownPorts)
	for range int(2 * math.Sqrt(float64(n))) {
		w.services = append(w.services, uint16(d.between(1024, 65535)))
	}
	return w
}

// knownPorts come up most often, in this order.
var knownPorts = []uint16{
	80, 443, 53, 25, 22, 23, 21, 110, 123, 161, 389, 1433, 1521, 3306, 3389, 8080, 445, 139, 135, 137, 138, 143, 179, 500, 514, 1723,
	5060, 5432, 6379, 8443, 20, 69, 88, 111, 119, 162, 220, 512, 513, 515, 554, 636, 993, 995, 1080, 1494, 1645, 1812, 2049, 5190,
}

// classBench gives different lines of the shape, in no order.
func classBench(d dice, shape Shape, n int) []line {
	w := newNetwork(d, statistics[shape], n)
	seen := map[line]bool{}
	var out []line
	for len(out) < n {
		l := w.line()
		if m := l.match(); !seen[m] {
			seen[m] = true
			out = append(out, l)
		}
	}
	return out
}

func (w *network) line() line {
	p := w.pairs.pick(w.dice)
	from, to := w.sources[w.skewed(len(w.sources))], w.destinations[w.skewed(len(w.destinations))]
	if w.chance(w.related) {
		to = from ^ uint32(w.between(1, 1<<12))
	}
	l := line{
		action: policy.Permit, protocol: w.protocols.pick(w.dice), source: blockOf(from, p.source), destination: blockOf(to, p.destination),
		sports: everyPort, dports: everyPort, icmp: -1,
	}
	if w.chance(w.denied) {
		l.action = policy.Deny
	}
	w.transport(&l)
	// What names neither end names a service, or it would hide the rest.
	if p == (pair{}) && l.dports.First != l.dports.Last {
		l.protocol, l.dports, l.icmp = int(policy.TCP), single(choice(w.dice, w.services)), -1
	}
	return l
}

func (w *network) transport(l *line) {
	switch l.protocol {
	case int(policy.TCP), int(policy.UDP):
		l.sports, l.dports = w.ports(w.statistic.sources.pick(w.dice)), w.ports(w.statistic.destinations.pick(w.dice))
		l.established = l.protocol == int(policy.TCP) && w.chance(0.02)
	case int(policy.ICMP):
		l.icmp = choice(w.dice, []int{-1, 0, 3, 8, 11, 12})
	}
}

func (w *network) ports(c portClass) policy.Range {
	switch c {
	case high:
		return policy.Range{First: 1024, Last: 65535}
	case low:
		return policy.Range{First: 0, Last: 1023}
	case arbitrary:
		return choice(w.dice, w.ranges)
	case exact:
		return single(w.services[w.skewed(len(w.services))])
	}
	return everyPort
}

func single(port uint16) policy.Range { return policy.Range{First: port, Last: port} }
