package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Gate is the reference for one pod port: the lists of both directions, in
// series, and the connections that they have permitted. It says what the
// kernel program must do, in the plainest way; it is not meant to be fast.
//
//	            Judge
//	              |
//	neighbour discovery -------> accept
//	source not the pod's own --> drop (Spoofed)
//	later fragment ------------> as its first fragment; drop if unknown
//	known connection ----------> accept, counted on its lines, unless a SYN
//	                             begins another one
//	reply, related ICMP error -> accept, not counted
//	lists in series -----------> accept and remember, or drop
//	(a service on each backend)
//	the node to its own pod ---> accept even so
//
// The connection is judged anew on its next packet after Replace, and after a
// rule's schedule has begun or ended by Packet.At, as its first packet would be
// at that moment; one that is denied is forgotten, and the packet at hand is
// judged as new.
//
// Every packet that passes by a rule with Police, in either direction of its
// connection, takes from the bucket of the class; what finds too little there
// is dropped and changes nothing else but the connection's idle time. Reflexive
// lists are a node's own interface's: "evaluate" permits nothing here.
type Gate struct {
	lists      map[Direction][]*Policy
	timed      []*Schedule
	lasting    []bool
	at         time.Time
	policer    *Policer
	services   Services
	own        func(netip.Addr) bool
	conns      map[flow]*conn
	fragments  map[datagram]*conn
	generation int
}

// Idle times after which a connection is forgotten. They are IOS's defaults
// for inspect: tcp idle-time, tcp synwait-time, tcp finwait-time, udp
// idle-time and icmp idle-time ("parameter-map type inspect"); other protocols
// and the fragments of a datagram take UDP's.
const (
	TCPIdle = 3600 * time.Second
	TCPOpen = 30 * time.Second
	TCPFin  = 5 * time.Second
	UDPIdle = 30 * time.Second
	ICMPLen = 10 * time.Second
)

// A Reason says what decided a packet.
type Reason string

// The reasons. ByLine is a line of a list, or its implicit last line.
const (
	ByLine     Reason = "line"
	Connection Reason = "connection"
	Reply      Reason = "reply"
	Unfiltered Reason = "unfiltered"
	HostPermit Reason = "host-permit"
	Neighbour  Reason = "neighbour-discovery"
	Spoofed    Reason = "spoofed"
	Orphan     Reason = "fragment"
	Policed    Reason = "police"
	// MixedService and NoBackend are about packets to a service: of its
	// backends some may be reached and some not, or none is ready.
	MixedService Reason = "mixed-service"
	NoBackend    Reason = "no-backend"
)

// A Decision is a verdict with the lines that it counts on, in the order of
// the lists. Accept is false for the zero Decision.
type Decision struct {
	Accept bool
	Lines  []RuleID
	Reason Reason
	// police are the limits that the packet is under, nil for a list without.
	police []*Police
}

// flow identifies a connection by its first packet.
type flow struct {
	direction            Direction
	protocol             uint8
	source, destination  netip.Addr
	sourcePort, destPort uint16
	code                 uint8
	answer               bool // an ICMP reply
}

type datagram struct {
	direction           Direction
	protocol            uint8
	source, destination netip.Addr
	id                  uint32
}

type conn struct {
	first      Packet
	direction  Direction
	lines      []RuleID
	police     []*Police
	generation int
	replied    bool
	closing    bool
	expires    time.Duration
}

// NewGate gives a port without connections. The lists must all select the
// port's pod; own says which addresses are the pod's.
func NewGate(ingress, egress []*Policy, own func(netip.Addr) bool) *Gate {
	g := &Gate{own: own, policer: NewPolicer(), conns: map[flow]*conn{}, fragments: map[datagram]*conn{}}
	g.Replace(ingress, egress)
	return g
}

// SharePolicer lets the port take from the buckets of others, as the ports of a
// node do.
func (g *Gate) SharePolicer(p *Policer) { g.policer = p }

// Replace puts other lists in place at once and keeps the connections.
func (g *Gate) Replace(ingress, egress []*Policy) {
	g.lists = map[Direction][]*Policy{Ingress: ingress, Egress: egress}
	g.generation++
	g.timed = nil
	g.anyList(func(p *Policy) bool {
		for i := range p.Rules {
			if s := p.Rules[i].Match.Time; s != nil {
				g.timed = append(g.timed, s)
			}
		}
		return false
	})
}

// look moves the generation on when a schedule has begun or ended since the
// last packet. At an unknown moment every rule with one counts as changed.
func (g *Gate) look(at time.Time) {
	g.at = at
	if len(g.timed) == 0 {
		return
	}
	var lasting []bool
	for _, s := range g.timed {
		if !at.IsZero() {
			lasting = append(lasting, s.Active(at))
		}
	}
	if !slices.Equal(lasting, g.lasting) {
		g.lasting = lasting
		g.generation++
	}
}

// Judge decides a packet that travels in the direction at the given time,
// which must not run backwards.
func (g *Gate) Judge(d Direction, p *Packet, now time.Duration) Decision {
	g.look(p.At)
	if p.neighbourDiscovery() {
		return Decision{Accept: true, Reason: Neighbour}
	}
	if d == Egress && !g.own(p.Source.Addr) && !g.allowsSpoofed() {
		return Decision{Reason: Spoofed}
	}
	if p.Fragment == Later {
		return g.judgeLater(d, p, now)
	}
	decision := g.judgeWhole(d, p, now)
	if p.Fragment == First && decision.Accept {
		g.fragments[datagramOf(d, p)] = &conn{
			lines: decision.Lines, police: decision.police, generation: g.generation, expires: now + UDPIdle,
		}
	}
	return g.limit(decision, p, now)
}

// limit drops what exceeds the rate of a class that it is under. The packet has
// opened its connection even so: the lists permit it.
func (g *Gate) limit(d Decision, p *Packet, now time.Duration) Decision {
	for _, police := range d.police {
		if police != nil && !g.policer.Conforms(police, p.Length, now) {
			d.Accept, d.Reason = false, Policed
			break
		}
	}
	d.police = nil
	return d
}

func (g *Gate) judgeLater(d Direction, p *Packet, now time.Duration) Decision {
	f, ok := g.fragments[datagramOf(d, p)]
	if ok && f.generation == g.generation && now < f.expires {
		return g.limit(Decision{Accept: true, Lines: f.lines, Reason: Connection, police: f.police}, p, now)
	}
	if g.filters(p.Family()) {
		return Decision{Reason: Orphan}
	}
	return Decision{Accept: true, Reason: Unfiltered}
}

func (g *Gate) judgeWhole(d Direction, p *Packet, now time.Duration) Decision {
	if !g.filters(p.Family()) {
		return Decision{Accept: true, Reason: Unfiltered}
	}
	if c := g.lookup(flowOf(d, p), now); c != nil && !c.beginsAgain(p) {
		c.touch(p, now)
		return Decision{Accept: true, Lines: c.lines, Reason: Connection, police: c.police}
	}
	if c := g.replyOf(d, p, now); c != nil {
		c.replied = true
		c.touch(p, now)
		return Decision{Accept: true, Reason: Reply, police: c.police}
	}
	if g.related(d, p, now) {
		return Decision{Accept: true, Reason: Reply}
	}
	return g.judgeNew(d, p, now)
}

func (g *Gate) judgeNew(d Direction, p *Packet, now time.Duration) Decision {
	decision := g.walk(d, p)
	if !decision.Accept && d == Ingress && p.Local && p.Source.Entity == Host && !g.noHostPermit() {
		decision = Decision{Accept: true, Reason: HostPermit}
	}
	if !decision.Accept {
		return decision
	}
	c := &conn{first: opening(p), direction: d, lines: decision.Lines, police: decision.police, generation: g.generation}
	c.touch(p, now)
	if opens(p) {
		g.conns[flowOf(d, p)] = c
	}
	return decision
}

// walk asks every list that governs the packet's family; all must permit.
func (g *Gate) walk(d Direction, p *Packet) Decision {
	governs := func(list *Policy) bool { return list.Family&p.Family() != 0 }
	if d == Egress && g.services != nil && HasPorts(p.Protocol) && slices.ContainsFunc(g.lists[d], governs) {
		if backends, ok := g.services(p.Destination.Addr, p.Protocol, p.DestinationPort); ok {
			return g.walkService(p, backends)
		}
	}
	return g.series(d, p.Family(), func(list *Policy) (Action, int) { return list.Eval(p) })
}

// series asks the lists of a direction and a family by eval.
func (g *Gate) series(d Direction, f Family, eval func(*Policy) (Action, int)) Decision {
	decision := Decision{Accept: true, Reason: Unfiltered}
	for _, list := range g.lists[d] {
		if list.Family&f == 0 {
			continue
		}
		action, line := eval(list)
		decision.Reason = ByLine
		decision.Lines = append(decision.Lines, list.ID(line))
		if action != Permit {
			decision.Accept, decision.police = false, nil
			return decision
		}
		decision.police = append(decision.police, list.Rules[line].Police)
	}
	return decision
}

// lookup gives the live connection of a flow, judged again where the lists
// have changed since.
func (g *Gate) lookup(f flow, now time.Duration) *conn {
	c := g.conns[f]
	if c == nil || now >= c.expires {
		delete(g.conns, f)
		return nil
	}
	if c.generation == g.generation {
		return c
	}
	c.first.At = g.at
	decision := g.walk(c.direction, &c.first)
	hostPermit := c.first.Local && c.direction == Ingress && c.first.Source.Entity == Host && !g.noHostPermit()
	if !decision.Accept && !hostPermit {
		delete(g.conns, f)
		return nil
	}
	c.generation, c.lines, c.police = g.generation, nil, nil
	if decision.Accept {
		c.lines, c.police = decision.Lines, decision.police
	}
	return c
}

// replyOf gives the connection that the packet answers. A segment that only
// asks to open a connection answers none.
func (g *Gate) replyOf(d Direction, p *Packet, now time.Duration) *conn {
	if p.Protocol == TCP && p.Flags&(SYN|ACK) == SYN {
		return nil
	}
	return g.lookup(reverse(flowOf(d, p)), now)
}

// related reports whether the packet is an ICMP error about a live connection,
// sent to the end that the offending packet came from.
func (g *Gate) related(d Direction, p *Packet, now time.Duration) bool {
	if p.Inner == nil || p.Inner.Fragment == Later || !isError(p) || p.Inner.Source.Addr != p.Destination.Addr {
		return false
	}
	f := flowOf(d.Opposite(), p.Inner)
	return g.lookup(f, now) != nil || g.lookup(reverse(f), now) != nil
}

// filters reports whether any list governs the family, in either direction.
func (g *Gate) filters(f Family) bool {
	return g.anyList(func(p *Policy) bool { return p.Family&f != 0 })
}

func (g *Gate) allowsSpoofed() bool {
	return g.anyList(func(p *Policy) bool { return p.Subject.AllowSpoofed })
}

func (g *Gate) noHostPermit() bool {
	return g.anyList(func(p *Policy) bool { return p.Subject.NoHostPermit })
}

func (g *Gate) anyList(accept func(*Policy) bool) bool {
	for _, lists := range g.lists {
		for _, p := range lists {
			if accept(p) {
				return true
			}
		}
	}
	return false
}

// beginsAgain reports whether the packet asks for another connection between
// the same ports. It is judged by itself: what the lists hold may have moved
// since, as names do, and a connection that ended lends its verdict to none. A
// repetition of the first packet, which was not answered, asks for nothing new.
func (c *conn) beginsAgain(p *Packet) bool {
	return p.Protocol == TCP && p.Flags&(SYN|ACK|FIN|RST) == SYN && (c.replied || c.closing)
}

// touch renews the connection's idle time.
func (c *conn) touch(p *Packet, now time.Duration) {
	if p.Protocol == TCP && p.Flags&(FIN|RST) != 0 {
		c.closing = true
	} else if p.Protocol == TCP && p.Flags&(SYN|ACK) == SYN {
		c.closing, c.replied = false, false
	}
	c.expires = now + c.idle(p.Protocol)
}

func (c *conn) idle(protocol uint8) time.Duration {
	switch {
	case protocol == ICMP || protocol == ICMPv6:
		return ICMPLen
	case protocol != TCP:
		return UDPIdle
	case c.closing:
		return TCPFin
	case !c.replied:
		return TCPOpen
	}
	return TCPIdle
}

// opening gives the packet that a connection is judged by when the lists
// change: its own first packet with the flags of a new connection.
func opening(p *Packet) Packet {
	first := *p
	first.Fragment, first.Inner = Whole, nil
	if p.Protocol == TCP {
		first.Flags = SYN
	}
	return first
}

// opens reports whether a permitted packet may have replies. IGMP messages and
// ICMP messages other than queries have none, and each of them is judged by its
// own type.
func opens(p *Packet) bool {
	if p.Protocol == IGMP {
		return false
	}
	if p.Protocol != ICMP && p.Protocol != ICMPv6 {
		return true
	}
	_, query := replyType(p.Protocol, p.ICMPType)
	return query
}

// replyType gives the type that answers an ICMP query (RFC 792, 950, 4443).
func replyType(protocol, query uint8) (uint8, bool) {
	switch {
	case protocol == ICMP && query == 8:
		return 0, true
	case protocol == ICMP && (query == 13 || query == 15 || query == 17):
		return query + 1, true
	case protocol == ICMPv6 && query == 128:
		return 129, true
	}
	return 0, false
}

// isError reports whether an ICMP message complains about another packet:
// unreachable, source quench, time exceeded and parameter problem, and all
// errors of ICMPv6 (RFC 792, 4443). A redirect is no error.
func isError(p *Packet) bool {
	if p.Protocol == ICMP {
		return p.ICMPType == 3 || p.ICMPType == 4 || p.ICMPType == 11 || p.ICMPType == 12
	}
	return p.Protocol == ICMPv6 && p.ICMPType >= 1 && p.ICMPType <= 4
}

// flowOf gives the packet's own flow. An ICMP query has its identifier as
// source port and its type as destination port; the reply has them swapped and
// is marked, so that only a reply of the right type answers and an identifier
// cannot pass for a type. Both have the same code.
func flowOf(d Direction, p *Packet) flow {
	f := flow{
		direction: d, protocol: p.Protocol, source: p.Source.Addr, destination: p.Destination.Addr,
		sourcePort: p.SourcePort, destPort: p.DestinationPort,
	}
	if p.Protocol != ICMP && p.Protocol != ICMPv6 {
		return f
	}
	f.sourcePort, f.destPort, f.code = p.ICMPID, uint16(p.ICMPType), p.ICMPCode
	for _, query := range []uint8{8, 13, 15, 17, 128} {
		if reply, ok := replyType(p.Protocol, query); ok && reply == p.ICMPType {
			f.sourcePort, f.destPort, f.answer = uint16(query), p.ICMPID, true
		}
	}
	return f
}

func reverse(f flow) flow {
	f.direction = f.direction.Opposite()
	f.source, f.destination = f.destination, f.source
	f.sourcePort, f.destPort = f.destPort, f.sourcePort
	f.answer = !f.answer && (f.protocol == ICMP || f.protocol == ICMPv6)
	return f
}

func datagramOf(d Direction, p *Packet) datagram {
	return datagram{d, cmp.Or(p.FragmentProtocol, p.Protocol), p.Source.Addr, p.Destination.Addr, p.FragmentID}
}
