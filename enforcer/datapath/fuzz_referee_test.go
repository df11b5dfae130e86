package datapath

import (
	"fmt"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

// A ruling is what the referee says about a frame.
type ruling struct {
	kind     wire.Kind
	accept   bool
	audited  bool // it passes all the same
	why      string
	fault    string // of a malformed frame
	lines    []counterOf
	feats    []string             // what those lines have that only some have
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
	at       *site
	families policy.Family
	lists    map[policy.Direction][]*policy.Policy
	gate     *policy.Gate // of a pod's port
	node     *policy.Node // of a node's interface
	counted  map[policy.RuleID]counterOf
	rules    map[policy.RuleID]*policy.Rule
}

func newReferee(at *site) *referee {
	r := &referee{at: at, counted: map[policy.RuleID]counterOf{}, rules: map[policy.RuleID]*policy.Rule{}}
	r.gate = policy.NewGate(nil, nil, at.owns)
	r.gate.SharePolicer(at.policer)
	r.node = policy.NewNode(nil, nil, at.entries)
	return r
}

func (r *referee) replace(ingress, egress []*policy.Policy) {
	r.lists = map[policy.Direction][]*policy.Policy{policy.Ingress: ingress, policy.Egress: egress}
	r.families = 0
	for _, lists := range r.lists {
		nameLines(r.counted, lists)
		for _, l := range lists {
			r.families |= l.Family
			for i := range l.Rules {
				r.rules[l.Rules[i].ID] = &l.Rules[i]
			}
		}
	}
	r.again()
}

// again has connections judged again.
func (r *referee) again() {
	r.gate.Replace(r.lists[policy.Ingress], r.lists[policy.Egress])
	r.node.Replace(r.lists[policy.Ingress], r.lists[policy.Egress])
}

// forget ends all connections.
func (r *referee) forget(entries *policy.Reflexive) {
	r.gate = policy.NewGate(r.lists[policy.Ingress], r.lists[policy.Egress], r.at.owns)
	r.gate.SharePolicer(r.at.policer)
	if mall := r.at.mall; mall != nil {
		r.gate.SetServices(mall.behind(mall.services))
	}
	r.node = policy.NewNode(r.lists[policy.Ingress], r.lists[policy.Egress], entries)
}

// hooked reports whether packets of the direction are looked at: a pod's port
// tracks connections in both.
func (r *referee) hooked(d policy.Direction) bool {
	return len(r.lists[d]) > 0 || r.at.pod && r.families != 0
}

// judge decides a frame that travels in the direction.
func (r *referee) judge(d policy.Direction, frame []byte, segments int, local bool) ruling {
	f := wire.Decode(frame, segments)
	v := ruling{kind: f.Kind, fault: f.Fault, segments: 1, bytes: len(frame), packet: f.Packet}
	if !r.hooked(d) {
		v.accept, v.why = true, "no list"
		return v
	}
	pod := r.at.pod
	switch f.Kind {
	case wire.ARP:
		v.accept, v.why = true, "arp"
	case wire.NonIP:
		v.accept, v.why = !pod, "not IP"
		if pod {
			v.drop = bpf.AcliumDropReasonDROP_NON_IP
		}
	case wire.Malformed:
		// What no list filters passes a node's interface.
		v.accept, v.why = !pod && f.Family != 0 && r.families&f.Family == 0, "malformed"
		if !v.accept {
			v.drop = bpf.AcliumDropReasonDROP_MALFORMED
		}
	case wire.IP:
		v.segments, v.bytes = segments, f.Length
		if policy.HasPorts(f.Packet.Protocol) {
			v.bytes += (segments - 1) * f.Headers
		}
		p := &v.packet
		p.Source, p.Destination = r.at.end(p.Source.Addr), r.at.end(p.Destination.Addr)
		p.Local = local && d == policy.Ingress && pod
		p.Length, p.At = uint32(v.bytes), r.at.clock.at()
		r.judgePacket(d, p, &v)
	}
	v.audited = r.at.audit && !v.accept
	return v
}

func (r *referee) judgePacket(d policy.Direction, p *policy.Packet, v *ruling) {
	var decision policy.Decision
	if r.at.pod {
		decision = r.gate.Judge(d, p, r.at.clock.now)
	} else {
		decision = r.limit(r.node.Judge(d, p, r.at.clock.now), p)
	}
	v.accept, v.why = decision.Accept, string(decision.Reason)
	for _, id := range decision.Lines {
		if c, ok := r.counted[id]; ok {
			v.lines = append(v.lines, c)
		}
		v.feats = append(v.feats, featsOf(r.rules[id])...)
		if r.at.direct[id.ACL] {
			v.feats = append(v.feats, "direct table")
			if r.at.pod {
				v.feats = append(v.feats, "direct table of a pod")
			}
			if len(decision.Lines) > 1 {
				v.feats = append(v.feats, "direct table in series")
			}
		}
	}
	v.drop = map[policy.Reason]bpf.AcliumDropReason{
		policy.Spoofed: bpf.AcliumDropReasonDROP_SPOOFED, policy.Orphan: bpf.AcliumDropReasonDROP_FRAGMENT, policy.Policed: bpf.AcliumDropReasonDROP_POLICE,
		policy.MixedService: bpf.AcliumDropReasonDROP_MIXED, policy.NoBackend: bpf.AcliumDropReasonDROP_NO_BACKEND,
	}[decision.Reason]
}

// limit drops what exceeds the rate of a class that a node's lists permit it
// under, as policy.Gate does on ports.
func (r *referee) limit(d policy.Decision, p *policy.Packet) policy.Decision {
	for _, id := range d.Lines {
		rule := r.rules[id]
		if d.Accept && rule != nil && rule.Police != nil && !r.at.policer.Conforms(rule.Police, p.Length, r.at.clock.now) {
			d.Accept, d.Reason = false, policy.Policed
		}
	}
	return d
}

// featsOf names what a line has that only some lines have.
func featsOf(r *policy.Rule) (feats []string) {
	if r == nil {
		return nil
	}
	add := func(has bool, name string) {
		if has {
			feats = append(feats, name)
		}
	}
	add(r.Match.Time != nil, "timed")
	add(r.Match.Evaluate != "", "evaluate")
	add(r.Reflect != nil, "reflect")
	add(r.Police != nil, "police")
	add(r.Log, "log")
	add(r.Match.LooksAtNames(), "fqdn")
	return feats
}
