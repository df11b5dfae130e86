package lab

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// podAt gives the pod that has the address; nil when none does.
func (s *Spec) podAt(a netip.Addr) *Host {
	for i := range s.Pods {
		if slices.Contains(s.Pods[i].Addresses, a) {
			return &s.Pods[i]
		}
	}
	return nil
}

// isNode reports whether the address is one of the node's own.
func (s *Spec) isNode(a netip.Addr) bool {
	return a == gateway4 || a == gateway6 || slices.Contains(s.Node, a)
}

// policyLabels gives the pod's labels as policies see them.
func (h *Host) policyLabels() map[string]string {
	labels := map[string]string{policy.NamespaceKey: h.Namespace}
	maps.Copy(labels, h.Labels)
	return labels
}

// A Place is where a line counts.
type Place struct {
	policy.RuleID
	Subject   string
	Direction policy.Direction
}

// A Tally is what a place counted. Bytes are of whole IP packets.
type Tally struct{ Packets, Bytes uint64 }

// Replay judges what a tap saw with one policy.Gate per pod, as a node would:
// the sender's egress first, then, when that accepts, the ingress of the pod
// that the packet is for. It gives what each line must have counted.
//
// Packets that the node sends by itself pass no tap. Its ICMP errors count
// nowhere, being about connections that were permitted; whatever else it sends
// to a pod is not expected by Replay.
func Replay(s *Spec, policies []policy.Policy, sightings []Sighting) map[Place]Tally {
	r := &replay{spec: s, gates: map[*Host]*gate{}, tally: map[Place]Tally{}}
	for i := range s.Pods {
		r.gates[&s.Pods[i]] = newGate(&s.Pods[i], policies)
	}
	hosts := s.hosts()
	for i := range sightings {
		if sightings[i].Packet != nil {
			r.forward(hosts[sightings[i].Host], &sightings[i])
		}
	}
	return r.tally
}

type replay struct {
	spec  *Spec
	gates map[*Host]*gate
	tally map[Place]Tally
}

// forward takes one packet as far as it gets.
func (r *replay) forward(from *Host, s *Sighting) {
	if !r.judge(from, policy.Egress, s) || s.Hops <= 1 {
		return
	}
	if to := r.spec.podAt(s.Packet.Destination.Addr); to != nil {
		r.judge(to, policy.Ingress, s)
	}
}

// judge counts the lines that decide. A host of the outside has no gate. An
// implicit permit has the id of the implicit last line and is not counted; the
// last line denies, and what denies is the last of the decision.
func (r *replay) judge(h *Host, d policy.Direction, s *Sighting) bool {
	g := r.gates[h]
	if g == nil {
		return true
	}
	decision := g.Judge(d, s.Packet, s.Time)
	for i, id := range decision.Lines {
		if permits := decision.Accept || i < len(decision.Lines)-1; permits && id.Seq == 0 {
			continue
		}
		places := g.places[line{id, d}]
		nth := occurrences(decision.Lines[:i], id)
		if nth >= len(places) {
			continue
		}
		place := places[nth]
		t := r.tally[place]
		r.tally[place] = Tally{t.Packets + s.Packets, t.Bytes + s.Bytes}
	}
	return decision.Accept
}

func occurrences(lines []policy.RuleID, id policy.RuleID) (n int) {
	for _, l := range lines {
		if l == id {
			n++
		}
	}
	return n
}

// A gate is one pod's port with the places that its lines count in: several
// for a list that stands on several subjects of the pod, in their order.
type gate struct {
	*policy.Gate
	places map[line][]Place
}

type line struct {
	id        policy.RuleID
	direction policy.Direction
}

func newGate(h *Host, policies []policy.Policy) *gate {
	g := &gate{places: map[line][]Place{}}
	self := policy.Endpoint{Labels: h.policyLabels()}
	lists := map[policy.Direction][]*policy.Policy{}
	for i := range policies {
		if p := &policies[i]; p.Subject.Selects(&self) {
			lists[p.Direction] = append(lists[p.Direction], p)
		}
	}
	inSeries(lists[policy.Ingress], true)
	inSeries(lists[policy.Egress], false)
	for _, p := range slices.Concat(lists[policy.Ingress], lists[policy.Egress]) {
		g.add(p)
	}
	own := func(a netip.Addr) bool { return slices.Contains(h.Addresses, a) }
	g.Gate = policy.NewGate(lists[policy.Ingress], lists[policy.Egress], own)
	return g
}

// add learns where the lines of a list count; implicit permits do not. Several
// rules may be one line, which counts in one place.
func (g *gate) add(p *policy.Policy) {
	ids := map[policy.RuleID]bool{p.ID(policy.Implicit): true}
	for i := range p.Rules {
		if !p.Rules[i].Uncounted {
			ids[p.Rules[i].ID] = true
		}
	}
	for id := range ids {
		at := line{id, p.Direction}
		g.places[at] = append(g.places[at], Place{id, p.Subject.Name, p.Direction})
	}
}

// inSeries puts zones before ACLs towards a pod, and behind them away from it.
func inSeries(lists []*policy.Policy, zonesFirst bool) {
	rank := func(p *policy.Policy) int {
		if strings.HasPrefix(p.ACL, "zone") == zonesFirst {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(lists, func(a, b *policy.Policy) int { return cmp.Compare(rank(a), rank(b)) })
}

// A Difference is a place where counted and expected numbers stand side by side.
type Difference struct {
	Place
	Expected, Counted Tally
}

// String says where the numbers stand and what they are.
func (d *Difference) String() string {
	return fmt.Sprintf("%s on %s, %s: want %d packets, %d bytes, counted %d packets, %d bytes",
		d.RuleID, d.Subject, d.Direction, d.Expected.Packets, d.Expected.Bytes, d.Counted.Packets, d.Counted.Bytes)
}

// Compare puts every place that either side knows beside the other, ordered by
// list, direction, subject and line, the implicit line last.
func Compare(expected map[Place]Tally, counters []policy.Counter) []Difference {
	rows := map[Place]Difference{}
	for place, tally := range expected {
		rows[place] = Difference{Place: place, Expected: tally}
	}
	for _, c := range counters {
		place := Place{c.RuleID, c.Subject, c.Direction}
		row := rows[place]
		row.Place = place
		row.Counted.Packets += c.Packets
		row.Counted.Bytes += c.Bytes
		rows[place] = row
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.ACL, b.ACL), cmp.Compare(a.Direction, b.Direction),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Seq-1, b.Seq-1))
	})
}

// Equal reports whether both sides say the same.
func (d *Difference) Equal() bool { return d.Expected == d.Counted }
