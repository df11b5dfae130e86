package classifier

import (
	"aclium/enforcer/bpf"
	"aclium/translate/policy"
	"net/netip"
	"testing"
)

// wanted gives what Eval says in the table's terms.
func wanted(p *policy.Policy, packet *policy.Packet) (policy.Action, uint32) {
	action, line := p.Eval(packet)
	if line == policy.Implicit {
		return 0, 0
	}
	if p.Rules[line].Uncounted {
		return action, 0
	}
	return action, byLine(line)
}

func TestTableAgreesWithEval(t *testing.T) {
	decided := 0
	for seed := range uint64(300) {
		w := newCast(seed)
		f := pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual})
		p := w.list("T", policy.Ingress, f, 1+w.IntN(60))
		if p.Validate() != nil {
			continue // some random ranges cross the corner in which IPv4 is mapped
		}
		table, err := Compile(p, w.identities, Numbers{Counter: byLine})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			packet := w.packet(w.family(f))
			action, line := newReader(table.Bytes).lookup(&packet, [2]uint32{w.id(packet.Source.Addr), w.id(packet.Destination.Addr)})
			wantAction, wantLine := wanted(p, &packet)
			if action != wantAction || line != wantLine {
				t.Fatalf("seed %d: got %v line %d, want %v line %d, packet %+v", seed, action, line, wantAction, wantLine, packet)
			}
			if line != 0 {
				decided++
			}
		}
	}
	if decided < 10000 {
		t.Errorf("only %d packets were decided by a line, so the test sees too little", decided)
	}
}

func (w *cast) id(a netip.Addr) uint32 {
	if id, ok := w.owners[a]; ok {
		return id
	}
	return uint32(bpf.AcliumIdentityIDENTITY_WORLD)
}
