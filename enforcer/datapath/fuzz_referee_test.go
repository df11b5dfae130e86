package datapath

import (
	"fmt"
	"net/netip"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

// A ruling is what the referee says about a frame.
type ruling struct {
	kind     wire.Kind
	accept   bool
	why      string
	fault    string // of a malformed frame
	lines    []counterOf
	drop     bpf.AcliumDropReason // 0 for none
	segments int
	bytes    int // of its IP packets, or of the whole frame where they cannot be read
	packet   policy.Packet
}

func (v ruling) String() string {
	text := fmt.Sprintf("accept %v (%s %s) on %v, drop reason %d, %d bytes", v.accept, v.why, v.fault, v.lines, v.drop, v.bytes)
	if p := &v.packet; v.kind == wire.IP {
		text += fmt.Sprintf("\n%v > %v protocol %d ports %d %d type %d %d id %d flags %#x class %#x hops %d fragment %d of %d/%d local %v", p.Source, p.Destination, p.Protocol,
			p.SourcePort, p.DestinationPort, p.ICMPType, p.ICMPCode, p.ICMPID, p.Flags, p.TrafficClass, p.HopLimit, p.Fragment, p.FragmentID, p.FragmentProtocol, p.Local)
		if p.Inner != nil {
			text += fmt.Sprintf("\nabout %+v", *p.Inner)
		}
	}
	return text
}

// A referee is the reference of the whole packet path of one device, from the
// bytes of a frame to the line that decides it.
type referee struct {
	pod      bool
	families policy.Family
	lists    map[policy.Direction][]*policy.Policy
	end      func(netip.Addr) policy.Endpoint
	gate     *policy.Gate
	counted  map[policy.RuleID]counterOf
}

func (r *referee) replace(ingress, egress []*policy.Policy) {
	r.lists = map[policy.Direction][]*policy.Policy{policy.Ingress: ingress, policy.Egress: egress}
	r.families = 0
	for _, lists := range r.lists {
		nameLines(r.counted, lists)
		for _, l := range lists {
			r.families |= l.Family
		}
	}
	r.gate.Replace(ingress, egress)
}

// judge decides a frame that travels in the direction.
func (r *referee) judge(d policy.Direction, frame []byte, segments int, local bool) ruling {
	f := wire.Decode(frame, segments)
	v := ruling{kind: f.Kind, fault: f.Fault, segments: 1, bytes: len(frame)}
	switch f.Kind {
	case wire.ARP:
		v.accept, v.why = true, "arp"
	case wire.NonIP:
		v.accept, v.why = !r.pod, "not IP"
		if r.pod {
			v.drop = bpf.AcliumDropReasonDROP_NON_IP
		}
	case wire.Malformed:
		// What no list filters passes a node's interface.
		v.packet = f.Packet
		v.accept, v.why = !r.pod && f.Family != 0 && r.families&f.Family == 0, "malformed"
		if !v.accept {
			v.drop = bpf.AcliumDropReasonDROP_MALFORMED
		}
	case wire.IP:
		v.segments, v.bytes = segments, f.Length
		if policy.HasPorts(f.Packet.Protocol) {
			v.bytes += (segments - 1) * f.Headers
		}
		p := &f.Packet
		p.Source, p.Destination = r.end(p.Source.Addr), r.end(p.Destination.Addr)
		p.Local = local && d == policy.Ingress && r.pod
		r.judgePacket(d, p, &v)
		v.packet = *p
	}
	return v
}

func (r *referee) judgePacket(d policy.Direction, p *policy.Packet, v *ruling) {
	if !r.pod {
		r.walk(d, p, v)
		return
	}
	decision := r.gate.Judge(d, p, 0)
	v.accept, v.why = decision.Accept, string(decision.Reason)
	for _, id := range decision.Lines {
		if c, ok := r.counted[id]; ok {
			v.lines = append(v.lines, c)
		}
	}
	switch decision.Reason {
	case policy.Spoofed:
		v.drop = bpf.AcliumDropReasonDROP_SPOOFED
	case policy.Orphan:
		v.drop = bpf.AcliumDropReasonDROP_FRAGMENT
	}
}

// walk asks the lists of a node's interface, line by line.
func (r *referee) walk(d policy.Direction, p *policy.Packet, v *ruling) {
	v.accept, v.why = true, "unfiltered"
	for _, l := range r.lists[d] {
		if l.Family&p.Family() == 0 {
			continue
		}
		action, line := l.Eval(p)
		v.why = "line"
		if line == policy.Implicit || !l.Rules[line].Uncounted {
			v.lines = append(v.lines, counterOf{l.ACL, line})
		}
		if action != policy.Permit {
			v.accept = false
			return
		}
	}
}
