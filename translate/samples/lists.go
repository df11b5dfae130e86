package samples

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// ground is what the lists of this file speak of.
const ground = `object-group network SUBJECT
 workload namespace my-application label app=backend
object-group network FRONTEND
 workload namespace my-application label app=frontend
object-group network OTHERS
 workload namespace dev
 workload label tier label app!=backend
 workload label app in (frontend,database)
object-group network TIERLESS
 workload label !tier
`

// sayable gives a configuration whose lines every target can mostly say:
// conditions on the peer, the protocol and the destination port. It overlaps
// on purpose and has up to 60 lines, of which any share may deny.
func sayable(r *rand.Rand) string {
	w := writer{r: r, v6: r.IntN(4) == 0, out: r.IntN(2) == 0}
	kind, command := "ip access-list extended", "ip access-group"
	if w.v6 {
		kind, command = "ipv6 access-list", "ipv6 traffic-filter"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s LIST\n", ground, kind)
	denies := r.IntN(10)
	lines := 1 + r.IntN(12)
	if r.IntN(4) == 0 {
		lines *= 5
	}
	for range lines {
		action := "permit"
		if r.IntN(10) < denies {
			action = "deny"
		}
		fmt.Fprintf(&b, " %s %s\n", action, w.line())
	}
	way := "in"
	if w.out {
		way = "out"
	}
	fmt.Fprintf(&b, "interface workload SUBJECT\n %s LIST %s\n", command, way)
	return b.String()
}

// A writer writes lines of one list.
type writer struct {
	r *rand.Rand
	// v6 is the family; out says that the list stands in the way to the pods.
	v6, out bool
}

func (w *writer) pick(all ...string) string { return all[w.r.IntN(len(all))] }

func (w *writer) line() string {
	ip := "ip"
	if w.v6 {
		ip = "ipv6"
	}
	service, port := ip, ""
	switch w.r.IntN(8) {
	case 0:
	case 1:
		service, port = "icmp", w.pick("", " echo", " echo-reply", " unreachable")
		if w.v6 {
			port = w.pick("", " echo-request", " echo-reply", " packet-too-big")
		}
	default:
		service, port = w.pick("tcp", "tcp", "udp", "sctp"), w.port()
	}
	if w.out {
		return fmt.Sprintf("%s %s any%s", service, w.peer(), port)
	}
	return fmt.Sprintf("%s any %s%s", service, w.peer(), port)
}

func (w *writer) port() string {
	p := func() int { return 1 + w.r.IntN(30)*w.r.IntN(2000) }
	first := p()
	switch w.r.IntN(6) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" range %d %d", first, first+w.r.IntN(900))
	case 2:
		return fmt.Sprintf(" %s %d", w.pick("gt", "lt", "neq"), 2+w.r.IntN(60000))
	}
	return fmt.Sprintf(" eq %d", first)
}

func (w *writer) peer() string {
	switch n := w.r.IntN(10); {
	case n < 2:
		return "any"
	case n < 5:
		return "object-group " + w.pick("FRONTEND", "OTHERS", "TIERLESS")
	case w.v6:
		return fmt.Sprintf("2001:db8:%x::/%d", 0x100+w.r.IntN(4), w.r.IntN(3)*8+48)
	case n < 7:
		return fmt.Sprintf("host 192.0.2.%d", w.r.IntN(24))
	}
	return fmt.Sprintf("192.0.2.%d %s", w.r.IntN(24), w.pick("0.0.0.1", "0.0.0.3", "0.0.0.7", "0.0.0.15", "0.0.0.5", "0.0.0.255"))
}
