package policy

import (
	"net/netip"
	"time"
)

// Reflexive holds the entries of a node's reflexive lists, which "reflect"
// makes and "evaluate" asks. It is the reference for the kernel's table, after
// Cisco's "Configuring IP Session Filtering (Reflexive Access Lists)":
//
//   - An entry permits the mirror of the packet that made it: protocol,
//     addresses and ports. Protocols without ports that have types (ICMP,
//     ICMPv6, IGMP) have the packet's own type instead, the answer to an echo
//     its answer's type; other protocols have nothing.
//   - It lives for its timeout after the last packet of either direction.
//   - A TCP entry ends 5 seconds after both directions have sent a FIN,
//     whatever comes behind, and at once with an RST, which still passes.
//   - A later fragment makes no entry, and fits those without ports and types
//     alone: it shows neither.
type Reflexive struct {
	entries map[mirror]*entry
}

// ReflexiveIdle is the timeout of entries where none is configured ("ip
// reflexive-list timeout"), and ReflexiveFin the rest of a TCP entry that both
// ends have finished.
const (
	ReflexiveIdle = 300 * time.Second
	ReflexiveFin  = 5 * time.Second
)

// A mirror identifies an entry by its list and by the packets that it permits.
type mirror struct {
	list                 string
	protocol             uint8
	source, destination  netip.Addr
	sourcePort, destPort uint16
}

type entry struct {
	timeout time.Duration
	expires time.Duration
	// inside and outside say that the end that made the entry, and the other
	// one, have sent a FIN.
	inside, outside bool
}

// NewReflexive gives lists without entries.
func NewReflexive() *Reflexive { return &Reflexive{entries: map[mirror]*entry{}} }

// Has reports whether an entry of the list fits the packet at the time.
func (r *Reflexive) Has(list string, p *Packet, now time.Duration) bool {
	if p.Fragment == Later && (HasPorts(p.Protocol) || hasTypes(p.Protocol)) {
		return false
	}
	return r.live(answerOf(list, p), now) != nil
}

// live gives the entry if it still lives.
func (r *Reflexive) live(m mirror, now time.Duration) *entry {
	e := r.entries[m]
	if e == nil || now >= e.expires {
		delete(r.entries, m)
		return nil
	}
	return e
}

// Len gives the number of entries that live at the time.
func (r *Reflexive) Len(now time.Duration) (n int) {
	for m := range r.entries {
		if r.live(m, now) != nil {
			n++
		}
	}
	return n
}

// reflect makes or renews the entry for a packet that a line permitted.
func (r *Reflexive) reflect(to *Reflect, p *Packet, now time.Duration) {
	if p.Fragment == Later {
		return
	}
	m := mirrorOf(to.List, p)
	e := r.live(m, now)
	if e == nil || opensTCP(p) {
		e = &entry{}
		r.entries[m] = e
	}
	e.timeout = to.Timeout
	r.touch(m, e, &e.inside, p, now)
}

// use renews the entry that permitted a packet.
func (r *Reflexive) use(list string, p *Packet, now time.Duration) {
	m := answerOf(list, p)
	if e := r.live(m, now); e != nil {
		r.touch(m, e, &e.outside, p, now)
	}
}

// touch notes one packet of the session; fin is the FIN of the end that sent it.
func (r *Reflexive) touch(m mirror, e *entry, fin *bool, p *Packet, now time.Duration) {
	ended := e.inside && e.outside
	if p.Protocol == TCP {
		if p.Flags&RST != 0 {
			delete(r.entries, m)
			return
		}
		*fin = *fin || p.Flags&FIN != 0
	}
	switch {
	case ended:
	case e.inside && e.outside:
		e.expires = now + ReflexiveFin
	default:
		e.expires = now + e.timeout
	}
}

func opensTCP(p *Packet) bool { return p.Protocol == TCP && p.Flags&(SYN|ACK) == SYN }

// mirrorOf gives the entry that a packet makes.
func mirrorOf(list string, p *Packet) mirror {
	m := mirror{list: list, protocol: p.Protocol, source: p.Destination.Addr, destination: p.Source.Addr}
	switch {
	case HasPorts(p.Protocol):
		m.sourcePort, m.destPort = p.DestinationPort, p.SourcePort
	case hasTypes(p.Protocol):
		m.destPort = uint16(answerType(p.Protocol, p.ICMPType))
	}
	return m
}

// answerOf gives the entry that would permit a packet.
func answerOf(list string, p *Packet) mirror {
	m := mirror{list: list, protocol: p.Protocol, source: p.Source.Addr, destination: p.Destination.Addr}
	switch {
	case HasPorts(p.Protocol):
		m.sourcePort, m.destPort = p.SourcePort, p.DestinationPort
	case hasTypes(p.Protocol):
		m.destPort = uint16(p.ICMPType)
	}
	return m
}

func hasTypes(protocol uint8) bool {
	return protocol == ICMP || protocol == ICMPv6 || protocol == IGMP
}

// answerType gives the type of the answer: an echo's is a reply, any other
// message is answered by its own kind.
func answerType(protocol, icmpType uint8) uint8 {
	if query := icmpType; protocol == ICMP && query == 8 || protocol == ICMPv6 && query == 128 {
		reply, _ := replyType(protocol, query)
		return reply
	}
	return icmpType
}
