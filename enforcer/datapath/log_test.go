package datapath

import (
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// next gives the next event, or fails.
func next(t *testing.T, events <-chan policy.Event) policy.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event came")
		return policy.Event{}
	}
}

// The sum of what followed the first packet is told under the line that
// decided it, also when a push has given its counter id to another line.
func TestTotalsKeepTheirLine(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.state(loggedDeny("OLD")))
		events, err := d.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		link := x.link(addrA, addrB, 53)
		link.send(t, 3)
		first := next(t, events)
		if first.RuleID != (policy.RuleID{ACL: "OLD", Seq: 10}) || first.Packets != 1 || first.Total || first.Interface != x.b.Device {
			t.Errorf("the first event is %+v", first)
		}
		x.apply(d, State{})
		// The next list takes the counter ids over.
		x.apply(d, x.state(loggedDeny("NEW")))
		link.send(t, 1)
		got := map[string]uint64{}
		for range 2 {
			e := next(t, events)
			got[e.ACL] += e.Packets
		}
		if got["OLD"] != 2 || got["NEW"] != 1 {
			t.Errorf("got %v, want 2 packets of OLD and one of NEW", got)
		}
	})
}

// On a pod's port the packets of a permitted connection are in the totals of
// the line that admitted it; replies are not.
func TestTotalsOfConnections(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		p := udpPorts("T", 53)
		p.Rules[0].Log = true
		x.apply(d, x.state(p))
		if err := d.maps.Maps["log_options_map"].Put(uint32(0), bpf.AcliumLogOptions{Threshold: 4}); err != nil {
			t.Fatal(err)
		}
		events, err := d.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x.link(addrA, addrB, 53).send(t, 5)
		if e := next(t, events); e.Packets != 1 || e.Total || e.Action != policy.Permit {
			t.Errorf("the first packet: %+v", e)
		}
		if e := next(t, events); e.Packets != 4 || !e.Total || e.Seq != 10 {
			t.Errorf("the connection: %+v", e)
		}
	})
}

// loggedDeny denies everything and logs it.
func loggedDeny(name string) policy.Policy {
	p := udpPorts(name)
	p.Rules = []policy.Rule{{
		ID: policy.RuleID{ACL: name, Seq: 10}, Text: "deny ip any any log", Action: policy.Deny, Log: true,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}},
	}}
	return p
}

// What the kernel has added up while no agent ran is told by the next one.
func TestTotalsOutliveTheAgent(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		x.apply(d, x.state(loggedDeny("T")))
		link := x.link(addrA, addrB, 53)
		link.send(t, 5)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		link.send(t, 2)
		d = x.open(o)
		defer d.Close()
		x.apply(d, x.state(loggedDeny("T")))
		events, err := d.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e := next(t, events); e.Packets != 1 || e.Total || e.Seq != 10 {
			t.Errorf("the first packet: %+v", e)
		}
		if err := d.maps.Maps["log_options_map"].Put(uint32(0), bpf.AcliumLogOptions{Interval: 1}); err != nil {
			t.Fatal(err)
		}
		if e := next(t, events); e.Packets != 6 || !e.Total || e.ACL != "T" {
			t.Errorf("the total: %+v", e)
		}
	})
}

func TestLoggingSettingsReachTheKernel(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		s := x.state(loggedDeny("T"))
		s.Logging = policy.Logging{Threshold: 2, Spacing: 5}
		x.apply(d, s)
		var got bpf.AcliumLogOptions
		if err := d.maps.Maps["log_options_map"].Lookup(uint32(0), &got); err != nil || got.Threshold != 2 || got.Spacing != 5_000_000 {
			t.Errorf("%+v, %v", got, err)
		}
		u, err := d.LogUse()
		if err != nil || u.Limit != 16384 || u.Missed != 0 {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

// An event is given to the line that had the counter id at its time.
func TestLogbookKnowsTheTime(t *testing.T) {
	b := newLogbook()
	// tick gives a time that is later than all before: the clock is coarse.
	tick := func() uint64 {
		now := monotonic()
		for monotonic() == now {
		}
		now = monotonic()
		for monotonic() == now {
		}
		return now
	}
	put := func(acl string) {
		p := &push{logged: map[uint32]logLine{7: {RuleID: policy.RuleID{ACL: acl}}}}
		b.begin(p)
		b.settle(p)
	}
	b.settle(&push{})
	put("A")
	inA := tick()
	b.settle(&push{})
	between := tick()
	put("B")
	for _, c := range []struct {
		at   uint64
		want string
	}{{1, ""}, {inA, "A"}, {between, ""}, {tick(), "B"}} {
		if line, ok := b.find(7, c.at); line.ACL != c.want && (ok || c.want != "") {
			t.Errorf("at %d: %+v, %v, want %q", c.at, line, ok, c.want)
		}
	}
}
