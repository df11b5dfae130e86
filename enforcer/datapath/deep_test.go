package datapath

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclium/translate/policy"
)

// Indexes whose two ends are of different depth: addresses in clusters inside
// clusters, up to both ends of the space, on one end of the lines and few or
// none on the other. Verdicts on the neighbours of all of them are Eval's.
func TestDeepIndexesAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for seed := range uint64(6) {
		for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
			r := rand.New(rand.NewPCG(seed, 5))
			deep, flat := clusters(r, f, 400), clusters(r, f, int(seed%3))
			list := deepList(r, f, deep, flat, seed%2 == 1)
			k.bind(nil, 0, []*policy.Policy{list}, nil)
			judgeNear(k, list, deep, flat, seed%2 == 1)
		}
	}
}

// clusters gives n addresses that lie ever closer to each other around a few
// points, the ends of the space among them.
func clusters(r *rand.Rand, f policy.Family, n int) (all []netip.Addr) {
	points := []uint64{0, 0xffffffff, 0x7fffffff, r.Uint64() & 0xffffffff}
	for i := range n {
		v := points[i%len(points)] ^ r.Uint64()>>(32+r.IntN(32))
		all = append(all, deepAddr(r, f, uint32(v)))
	}
	return all
}

// deepAddr spreads IPv6 addresses over few high halves, which have clusters of
// their own.
func deepAddr(r *rand.Rand, f policy.Family, v uint32) netip.Addr {
	if f == policy.IPv4 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
	}
	b := make([]byte, 16)
	high := []uint64{0, 1, 0xffffffffffffffff, 0x20010db800000000, 0x20010db800000001}[r.IntN(5)]
	binary.BigEndian.PutUint64(b, high)
	low := uint64(v)
	if v>>31 == 1 {
		low |= 0xffffffff00000000
	}
	binary.BigEndian.PutUint64(b[8:], low)
	a := netip.AddrFrom16([16]byte(b))
	if a.Is4In6() {
		return a.Prev()
	}
	return a
}

func deepList(r *rand.Rand, f policy.Family, deep, flat []netip.Addr, turned bool) *policy.Policy {
	list := &policy.Policy{ACL: "DEEP", Direction: policy.Ingress, Family: f, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	for i, a := range deep {
		last := a
		for range r.IntN(4) {
			if n := last.Next(); n.IsValid() && !n.Is4In6() {
				last = n
			}
		}
		from, to := policy.Peers{Addresses: []policy.AddrRange{{First: a, Last: last}}}, policy.Everybody()
		if len(flat) > 0 && r.IntN(3) > 0 {
			to = policy.Peers{Addresses: []policy.AddrRange{{First: flat[i%len(flat)], Last: flat[i%len(flat)]}}}
		}
		if turned {
			from, to = to, from
		}
		rule := simple(policy.Permit+policy.Action(r.IntN(2)), from, to)
		rule.ID = policy.RuleID{ACL: "DEEP", Seq: uint32(10 * (i + 1))}
		list.Rules = append(list.Rules, rule)
	}
	return list
}

func judgeNear(k *kernel, list *policy.Policy, deep, flat []netip.Addr, turned bool) {
	k.Helper()
	permitted := 0
	flat = append(flat, deep[0])
	for i, a := range deep {
		for _, from := range []netip.Addr{a.Prev(), a, a.Next(), a.Next().Next()} {
			to := flat[i%len(flat)]
			if !from.IsValid() || from.Is4In6() {
				continue
			}
			if turned {
				from, to = to, from
			}
			p := tcpPacket(from.String(), to.String())
			action, line := list.Eval(&p)
			want := drop
			if action == policy.Permit {
				want = permit
				permitted++
			}
			if got := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); got != want {
				k.Fatalf("%v to %v: got %d, want %d by line %d", from, to, got, want, line)
			}
		}
	}
	if permitted < len(deep)/4 {
		k.Errorf("%d packets permitted: this says little", permitted)
	}
}
