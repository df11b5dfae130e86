package datapath

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// newPoliceKernel takes the time from its packets.
func newPoliceKernel(t *testing.T) *kernel {
	t.Helper()
	var failed error
	k := newKernelWith(t, func(spec *ebpf.CollectionSpec) { failed = spec.Variables["clock_in_packet"].Set(true) })
	k.must(failed)
	return k
}

// police gives the lists' classes their buckets; those of earlier lists stay.
func (k *kernel) police(lists ...*policy.Policy) {
	k.Helper()
	l, err := loadPolicers(k.PolicerMap)
	k.must(err)
	s := State{Ports: []Port{{}}}
	for _, p := range lists {
		s.Ports[0].Ingress = append(s.Ports[0].Ingress, *p)
	}
	k.limits, err = l.begin(&s)
	k.must(err)
	k.must(k.limits.store())
	k.limits.commit()
}

// buckets adds up what all buckets have let pass and dropped.
func (k *kernel) buckets() (sum bpf.AcliumPolicer) {
	k.Helper()
	var number uint32
	var b bpf.AcliumPolicer
	all := k.PolicerMap.Iterate()
	for all.Next(&number, &b) {
		sum.ConformedPackets += b.ConformedPackets
		sum.ConformedBytes += b.ConformedBytes
		sum.ExceededPackets += b.ExceededPackets
		sum.ExceededBytes += b.ExceededBytes
	}
	k.must(all.Err())
	return sum
}

// someClasses gives rates and bursts such that packets of some dozen bytes, some
// milliseconds apart, pass now and then.
func someClasses(r *rand.Rand, seed uint64) (out []*policy.Police) {
	for i := range 3 {
		out = append(out, &policy.Police{
			Name: fmt.Sprint(seed, "-", i), Rate: 8 + r.Uint64N(1<<(4+r.UintN(22))), Burst: 30 + r.Uint64N(1<<(4+r.UintN(10))),
		})
	}
	return out
}

// TestPoliceAgreesWithGate has packets of random lengths at random times pass
// lists that limit most of what they permit, alone and in series.
func TestPoliceAgreesWithGate(t *testing.T) {
	t.Parallel()
	k := newPoliceKernel(t)
	reasons := map[policy.Reason]int{}
	for seed := range uint64(30) {
		policeSequence(k, seed, reasons)
	}
	t.Log(reasons)
	for _, r := range []policy.Reason{policy.ByLine, policy.Connection, policy.Reply, policy.Policed} {
		if reasons[r] < 100 {
			t.Errorf("only %d packets were decided by %s, so the test sees too little", reasons[r], r)
		}
	}
}

func policeSequence(k *kernel, seed uint64, reasons map[policy.Reason]int) {
	k.Helper()
	p := newPort(seed)
	empty(k, k.ConnMap, new(bpf.AcliumConnKey), nil)
	empty(k, k.FragmentMap, new(bpf.AcliumFragmentKey), nil)
	for a, id := range p.owners {
		k.place(a, id.ID, map[bool]uint32{true: loopback}[p.own(a)])
	}
	limited, gate := someClasses(p.Rand, seed), policy.NewGate(nil, nil, p.own)
	now := time.Hour // no idle time may pass
	exceeded, dropped := k.buckets().ExceededPackets, k.dropped(bpf.AcliumDropReasonDROP_POLICE)
	policed := uint64(0)
	for i := range 250 {
		if i%80 == 0 {
			p.replacePoliced(k, gate, limited, i)
		}
		now += time.Duration(p.Int64N(1 << p.UintN(24)))
		d, packet := p.step()
		o := p.dress(&packet)
		o.payload = p.IntN(300)
		packet.Length = uint32(l3Length(&packet, o))
		decision := gate.Judge(d, &packet, now)
		reasons[decision.Reason]++
		policed += uint64(b2u(decision.Reason == policy.Policed))
		ctx := skBuff{IngressIfindex: 7 * uint32(b2u(!packet.Local)), Tstamp: uint64(now)}
		verdict := map[bool]int{true: permit, false: drop}[decision.Accept]
		if got := k.run(k.programOf(d), frame(&packet, o), ctx); got != verdict {
			k.Fatalf("seed %d, packet %d: got %d, want %+v: %v %+v", seed, i, got, decision, d, packet)
		}
	}
	exceeded, dropped = k.buckets().ExceededPackets-exceeded, k.dropped(bpf.AcliumDropReasonDROP_POLICE)-dropped
	if exceeded != policed || dropped != policed {
		k.Fatalf("seed %d: %d packets are beyond their rate, the buckets say %d and the drops %d", seed, policed, exceeded, dropped)
	}
}

// replacePoliced puts other lists with the same classes in place.
func (p *port) replacePoliced(k *kernel, gate *policy.Gate, limited []*policy.Police, generation int) {
	k.Helper()
	ingress, egress := p.lists(policy.Ingress, generation, 0), p.lists(policy.Egress, generation, 0)
	all := append(append([]*policy.Policy{}, ingress...), egress...)
	for _, l := range all {
		for i := range l.Rules {
			r := &l.Rules[i]
			r.Match.Time = nil // another test's matter
			if r.Action == policy.Permit && !p.one(4) {
				r.Police = pick(p.world, limited)
			}
		}
	}
	gate.Replace(ingress, egress)
	k.police(all...)
	k.bind(p.ids, bpf.AcliumHookFlagsHOOK_POD, ingress, egress)
}

// permitPoliced gives a list that permits everything at a rate.
func permitPoliced(class *policy.Police) policy.Policy {
	p := udpPorts("T", 53, 54)
	for i := range p.Rules {
		p.Rules[i].Match.Source = policy.Everybody()
		p.Rules[i].Police = class
	}
	return p
}

// bulk is large enough that no test lasts until a bucket of the least rate has
// gained one: the bytes of its IP packet.
const bulk = 20 + 8 + 1000

// sendBulk sends n datagrams and counts those that arrive.
func (l udpLink) sendBulk(t *testing.T, n int) (arrived int) {
	t.Helper()
	for range n {
		if _, err := l.from.Write(make([]byte, bulk-28)); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, bulk)
	for ; arrived < n; arrived++ {
		l.to.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := l.to.Read(buffer); err != nil {
			break
		}
	}
	return arrived
}

// TestPoliceConserves has real packets of two connections, and their answers,
// take from one bucket that hardly fills: what passes is what it held, and
// every packet is told to have conformed or exceeded.
func TestPoliceConserves(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		class := &policy.Police{Name: "C", Rate: 8, Burst: 10*bulk + 3}
		x.apply(d, x.state(permitPoliced(class)))
		one, two := x.link(addrA, addrB, 53), x.link(addrA, addrB, 54)
		arrived := one.sendBulk(t, 3) + two.sendBulk(t, 2)
		for range 3 {
			if _, err := one.to.WriteTo(make([]byte, bulk-28), one.from.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		if arrived += one.sendBulk(t, 12); arrived != 10-3 {
			t.Errorf("%d datagrams passed beside 3 answers, want 7", arrived)
		}
		want := policy.PoliceCounter{
			Police: *class, Node: "node", ConformedPackets: 10, ConformedBytes: 10 * bulk, ExceededPackets: 10, ExceededBytes: 10 * bulk,
		}
		x.wantPolicers(d, want)
		drops, err := d.Drops()
		if err != nil || drops["police"].Packets != 10 || drops["police"].Bytes != 10*bulk {
			t.Errorf("drops are %+v, %v", drops["police"], err)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 15, "T/20": 2})
	})
}

func (x *bench) wantPolicers(d *Datapath, want ...policy.PoliceCounter) {
	x.t.Helper()
	got, err := d.Policers()
	if err != nil || !slices.Equal(got, want) {
		x.t.Errorf("policers are %+v, %v, want %+v", got, err, want)
	}
}

// TestPushFillsNoBucket empties a bucket: neither other lines nor another
// process fill it; another rate begins with a full one, and a class that
// nothing names is forgotten.
func TestPushFillsNoBucket(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer func() { d.Close() }()
		class := &policy.Police{Name: "C", Rate: 8, Burst: 3*bulk + 100}
		list := permitPoliced(class)
		x.apply(d, x.state(list))
		l := x.link(addrA, addrB, 53)
		wantArrived := func(when string, want int) {
			t.Helper()
			if n := l.sendBulk(t, 5); n != want {
				t.Errorf("%s: %d of 5 datagrams arrived, want %d", when, n, want)
			}
		}
		wantArrived("full", 3)
		other := permitPoliced(&policy.Police{Name: "C", Rate: 8, Burst: 3*bulk + 100})
		other.Rules = append(other.Rules, udpPorts("T", 99).Rules...)
		other.Rules[2].Police = &policy.Police{Name: "B", Rate: 8000, Burst: 1}
		x.apply(d, x.state(other))
		wantArrived("with another line", 0)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		wantArrived("without a process", 0)
		d = x.open(o)
		x.apply(d, x.state(list))
		wantArrived("after a restart", 0)
		x.wantPolicers(d, policy.PoliceCounter{Police: *class, Node: "node", ConformedPackets: 3, ConformedBytes: 3 * bulk, ExceededPackets: 17, ExceededBytes: 17 * bulk})
		x.apply(d, x.state(permitPoliced(&policy.Police{Name: "C", Rate: 9, Burst: 3*bulk + 100})))
		wantArrived("with another rate", 3)
		x.apply(d, x.state(udpPorts("T", 53)))
		wantArrived("without police", 5)
		x.wantPolicers(d)
		if n := countElements(t, d.maps.Maps["policer_map"]); n != 0 {
			t.Errorf("%d policers are left", n)
		}
	})
}

func countElements(t *testing.T, m *ebpf.Map) (n int) {
	t.Helper()
	var number uint32
	var b bpf.AcliumPolicer
	all := m.Iterate()
	for all.Next(&number, &b) {
		n++
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
