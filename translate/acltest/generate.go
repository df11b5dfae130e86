package acltest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Generator makes random configurations; the same seed gives the same ones.
type Generator struct {
	r *rand.Rand
	b strings.Builder
	// v6, named and standard say what list is being written.
	v6, named, standard bool
	// nodeOnly says that lines have what only a node looks at.
	nodeOnly bool
}

// NewGenerator gives a generator with its own random numbers.
func NewGenerator(seed uint64) *Generator {
	return &Generator{r: rand.New(rand.NewPCG(seed, 0xac1))}
}

// A List is a configuration with one list that is bound to one interface.
type List struct {
	Text string
	ACL  string
	// Stateful says that the list stands on "interface workload SUBJECT",
	// towards the pods; otherwise on eth0, inbound.
	Stateful bool
	IPv6     bool
}

// List gives the next configuration. Its addresses and ports come from small
// pools, so that its lines overlap.
func (g *Generator) List() List {
	g.b.Reset()
	l := List{Stateful: g.chance(50)}
	g.v6, g.named, g.standard = g.chance(30), g.chance(70), false
	if !g.v6 {
		g.standard = g.chance(10)
	}
	l.IPv6 = g.v6
	g.clocks()
	g.groups()
	l.ACL = g.list()
	g.bind(l)
	l.Text = g.b.String()
	return l
}

func (g *Generator) printf(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

func (g *Generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func pick[T any](g *Generator, all ...T) T { return all[g.r.IntN(len(all))] }

// groups writes the object-groups: SUBJECT, INNER, OUTER (which holds INNER
// and maybe nothing else), PODS, EMPTY, and services.
func (g *Generator) groups() {
	g.printf("object-group network SUBJECT\n workload namespace my-application label app=backend")
	kind := "network"
	if g.v6 {
		kind = "v6-network"
	}
	g.printf("object-group %s INNER", kind)
	for range 1 + g.r.IntN(3) {
		g.printf(" %s", g.networkMember())
	}
	g.printf("object-group %s OUTER\n group-object INNER", kind)
	if g.chance(60) {
		g.printf(" %s", g.networkMember())
	}
	g.printf("object-group %s PODS", kind)
	for range 1 + g.r.IntN(2) {
		g.printf(" %s", g.workload())
	}
	g.printf("object-group %s EMPTY", kind)
	g.printf("object-group service SVC")
	for range 1 + g.r.IntN(3) {
		g.printf(" %s", g.serviceMember())
	}
	g.printf("object-group service SVCS\n group-object SVC\n %s", g.serviceMember())
}

func (g *Generator) networkMember() string {
	if g.chance(20) {
		return g.workload()
	}
	if g.chance(15) {
		return "entity " + pick(g, "world", "cluster", "host", "remote-node", "kube-apiserver")
	}
	if g.v6 {
		return pick(g, "host "+g.host(), g.prefix6(), g.prefix6())
	}
	switch g.r.IntN(3) {
	case 0:
		return "host " + g.host()
	case 1:
		return fmt.Sprintf("range %s %s", g.host(), g.host())
	}
	return g.subnet()
}

func (g *Generator) workload() string {
	terms := []string{
		"label app=frontend", "label app!=backend", "label tier", "label !tier", "label app in (backend,database)",
		"label app notin (frontend,backend)", "namespace dev", "namespace my-application",
		"namespace my-application label app=database", "namespace dev label tier label app",
	}
	return "workload " + pick(g, terms...)
}

func (g *Generator) serviceMember() string {
	tcpOnly := pick(g, "tcp", "udp", "tcp-udp")
	members := []string{
		"tcp", "udp", "ip", "47", tcpOnly + " eq " + g.port(), tcpOnly + " source gt 1023 eq " + g.port(),
		tcpOnly + " range " + g.portRange(), tcpOnly + " lt " + g.port(), tcpOnly + " source range " + g.portRange(),
	}
	if !g.v6 {
		members = append(members, "icmp", "icmp echo", "icmp 3")
	}
	return pick(g, members...)
}

// host gives an address of a small pool that holds the cast.
func (g *Generator) host() string {
	if g.v6 {
		return pick(g, "2001:db8:20::", "2001:db8::") + fmt.Sprintf("%x", g.r.IntN(12))
	}
	return pick(g, "10.1.20.", "10.0.0.", "198.51.100.") + fmt.Sprint(g.r.IntN(12))
}

func (g *Generator) prefix6() string {
	return pick(g, "2001:db8:20::", "2001:db8::", "::") + fmt.Sprintf("/%d", pick(g, 1, 32, 33, 48, 120, 125, 126, 127))
}

// subnet gives an address with a netmask.
func (g *Generator) subnet() string {
	return g.host() + " " + pick(g, "255.255.255.0", "255.255.255.248", "255.255.255.252", "255.255.255.254", "255.255.0.0", "255.0.0.0")
}

func (g *Generator) port() string {
	return fmt.Sprint(pick(g, 0, 1, 22, 23, 79, 80, 81, 443, 1023, 1024, 3306, 65534, 65535))
}

func (g *Generator) portRange() string { return g.port() + " " + g.port() }

// list writes the list and gives its name.
func (g *Generator) list() string {
	name := "LIST"
	n := 1 + g.r.IntN(10)
	switch {
	case g.v6:
		g.printf("ipv6 access-list %s", name)
	case g.standard && !g.named:
		name = pick(g, "10", "1399")
	case g.standard:
		g.printf("ip access-list standard %s", name)
	case !g.named:
		name = pick(g, "101", "2699")
	default:
		g.printf("ip access-list extended %s", name)
	}
	permits := pick(g, 20, 50, 80)
	seq := 0
	for range n {
		seq += 1 + g.r.IntN(30)
		g.line(name, seq, permits)
	}
	return name
}

func (g *Generator) line(name string, seq, permits int) {
	action := "deny"
	if g.chance(permits) {
		action = "permit"
	}
	prefix, remark := fmt.Sprintf(" %d ", seq), " remark"
	switch {
	case g.v6:
		prefix = fmt.Sprintf(" sequence %d ", seq)
	case !g.named:
		prefix = "access-list " + name + " "
		remark = prefix + "remark"
	}
	if g.chance(15) {
		g.printf("%s line %d says %s", remark, seq, action)
	}
	if g.standard {
		g.printf("%s%s %s", prefix, action, g.standardSource())
		return
	}
	if g.nodeOnly && (g.named || g.v6) && g.chance(8) {
		g.printf("%sevaluate %s", prefix, pick(g, "MIRROR", "OTHER"))
		return
	}
	g.printf("%s%s %s", prefix, action, g.ace(action == "permit"))
}

// standardSource avoids hosts, which IOS moves before the wider lines.
func (g *Generator) standardSource() string {
	if g.chance(10) {
		return "any"
	}
	return g.host() + " " + pick(g, "0.0.0.1", "0.0.0.3", "0.0.0.7", "0.0.0.255", "0.0.255.255", "0.0.0.5")
}

func (g *Generator) ace(permit bool) string {
	return g.match() + g.marks(permit)
}

func (g *Generator) match() string {
	if g.nodeOnly && !g.v6 && g.chance(10) {
		return fmt.Sprintf("igmp %s %s %s", g.address(), g.address(), pick(g, "host-query", "v1host-report", "pim", "v2leave-group", "8", "v3host-report"))
	}
	if g.chance(15) {
		return fmt.Sprintf("object-group %s %s %s%s", pick(g, "SVC", "SVCS"), g.address(), g.address(), g.tail(true))
	}
	switch g.r.IntN(6) {
	case 0:
		return fmt.Sprintf("%s %s %s%s", g.anyProtocol(), g.address(), g.address(), g.tail(true))
	case 1:
		return fmt.Sprintf("icmp %s %s%s%s", g.address(), g.address(), g.message(), g.tail(false))
	case 2:
		return fmt.Sprintf("udp %s%s %s%s%s", g.address(), g.ports(), g.address(), g.ports(), g.tail(false))
	case 3:
		return fmt.Sprintf("sctp %s%s %s%s%s", g.address(), g.ports(), g.address(), g.ports(), g.tail(false))
	}
	return fmt.Sprintf("tcp %s%s %s%s%s%s", g.address(), g.ports(), g.address(), g.ports(), g.flags(), g.tail(false))
}

func (g *Generator) anyProtocol() string {
	if g.v6 {
		return pick(g, "ipv6", "ipv6", "50", "tcp", "udp", "esp")
	}
	return pick(g, "ip", "ip", "gre", "47", "tcp", "udp", "ospf")
}

func (g *Generator) address() string {
	if g.chance(35) {
		return "any"
	}
	if g.chance(35) {
		return "object-group " + pick(g, "INNER", "OUTER", "PODS", "EMPTY")
	}
	if g.v6 {
		return pick(g, "host "+g.host(), g.prefix6())
	}
	if g.chance(30) {
		return "host " + g.host()
	}
	return g.host() + " " + pick(g, "0.0.0.1", "0.0.0.3", "0.0.0.7", "0.0.0.255", "0.255.255.255", "0.0.0.5", "0.255.0.3", "255.255.255.254", "0.0.0.10")
}

func (g *Generator) ports() string {
	if g.chance(50) {
		return ""
	}
	switch g.r.IntN(5) {
	case 0:
		return " range " + g.portRange()
	case 1:
		return " " + pick(g, "lt", "gt") + " " + g.port()
	case 2:
		if g.named || g.v6 {
			return " " + pick(g, "eq", "neq") + " " + g.port() + " " + g.port() + " " + g.port()
		}
	case 3:
		return " neq " + g.port()
	}
	return " eq " + g.port()
}

func (g *Generator) flags() string {
	if g.chance(60) {
		return ""
	}
	if g.named || g.v6 {
		if f := pick(g, "", " match-all +syn -ack", " match-any +fin -psh", " match-all +ack -rst -syn", " match-any +urg"); f != "" && !g.v6 {
			return f
		}
	}
	return pick(g, " established", " ack", " syn fin", " rst")
}

func (g *Generator) message() string {
	names := []string{"", "", " echo", " echo-reply", " unreachable", " port-unreachable", " packet-too-big", " 3", " 3 1", " 8 0", " 11 0"}
	if g.v6 {
		names = []string{"", "", " echo-request", " echo-reply", " unreachable", " port-unreachable", " packet-too-big", " nd-ns", " nd-na", " 1 1", " 128 0"}
	}
	return pick(g, names...)
}

func (g *Generator) tail(fragments bool) (out string) {
	if fragments && g.chance(10) {
		out += " fragments"
	}
	if g.chance(20) {
		out += " log"
	}
	return out
}

func (g *Generator) bind(l List) {
	command := "ip access-group"
	if l.IPv6 {
		command = "ipv6 traffic-filter"
	}
	if l.Stateful {
		g.printf("interface workload SUBJECT\n %s %s out", command, l.ACL)
		return
	}
	g.printf("interface eth0\n %s %s in", command, l.ACL)
}
