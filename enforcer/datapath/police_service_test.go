package datapath

import (
	"fmt"
	"net/netip"
	"testing"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// What may reach all backends of a service, but not under the same police of
// each list in series, is dropped as mixed: nobody knows whose limit it is
// under. Under the same it passes.
func TestBackendsUnderOtherPoliceAreMixed(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	vip := netip.MustParseAddr("10.96.0.1")
	backends := []netip.AddrPort{netip.MustParseAddrPort("10.0.2.1:80"), netip.MustParseAddrPort("10.0.2.2:80")}
	k.put([]Service{{Addr: vip, Protocol: policy.TCP, Port: 80, Backends: backends}})
	class := []*policy.Police{{Name: "first", Rate: 1 << 30, Burst: 1 << 20}, {Name: "second", Rate: 1 << 30, Burst: 1 << 20}, nil}
	const series = 8
	port := uint16(40000)
	try := func(other int, police *policy.Police) (verdict int, mixed uint64) {
		var lists []*policy.Policy
		for i := range series {
			lists = append(lists, policedTo(fmt.Sprint("L", i), backends, class[0]))
		}
		if other >= 0 {
			lists[other].Rules[1].Police = police
		}
		k.police(lists...)
		k.bind(nil, bpf.AcliumHookFlagsHOOK_POD|bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, nil, lists)
		p := tcpPacket("10.0.1.5", vip.String())
		p.SourcePort, p.DestinationPort, port = port, 80, port+1
		before := k.dropped(bpf.AcliumDropReasonDROP_MIXED)
		verdict = k.run(k.programOf(policy.Egress), frame(&p, frameOptions{}), skBuff{IngressIfindex: 7})
		return verdict, k.dropped(bpf.AcliumDropReasonDROP_MIXED) - before
	}

	if verdict, mixed := try(-1, nil); verdict != permit || mixed != 0 {
		t.Errorf("under the same police: got %d, %d mixed, want %d, 0", verdict, mixed, permit)
	}
	for other := range series {
		for _, police := range class[1:] {
			if verdict, mixed := try(other, police); verdict != drop || mixed != 1 {
				t.Errorf("list %d with %+v for one backend: got %d, %d mixed, want %d, 1", other, police, verdict, mixed, drop)
			}
		}
	}
}

// policedTo gives a list that permits what goes to the addresses, by a line for
// each.
func policedTo(acl string, to []netip.AddrPort, class *policy.Police) *policy.Policy {
	list := &policy.Policy{ACL: acl, Direction: policy.Egress, Family: policy.IPv4, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	for i, a := range to {
		r := simple(policy.Permit, policy.Everybody(), policy.Peers{Addresses: []policy.AddrRange{{First: a.Addr(), Last: a.Addr()}}})
		r.ID, r.Police = policy.RuleID{ACL: acl, Seq: uint32(10 * (i + 1))}, class
		list.Rules = append(list.Rules, r)
	}
	return list
}
