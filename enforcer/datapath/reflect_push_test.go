package datapath

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"aclium/translate/policy"
)

func reflexiveState(evaluated int, names ...string) *State {
	l := listOf()
	for i, name := range names {
		r := simple(policy.Permit, policy.Everybody(), policy.Everybody())
		if i < evaluated {
			r.Match.Evaluate = name
		} else {
			r.Reflect = &policy.Reflect{List: name, Timeout: time.Second}
		}
		l.Rules = append(l.Rules, r)
	}
	return &State{Ports: []Port{{Interface: "a", Ingress: []policy.Policy{*l}}}}
}

// A reflexive list keeps its number from push to push, no two share one, and
// what is beyond the limits is refused by its number.
func TestReflexivesKeepTheirNumbers(t *testing.T) {
	first, err := reflexivesOf(reflexiveState(1, "A", "B", "A"), nil)
	if err != nil || len(first) != 2 || first["A"] == first["B"] || first["A"]*first["B"] == 0 {
		t.Fatalf("%v, %v", first, err)
	}
	second, err := reflexivesOf(reflexiveState(0, "0", "B", "C"), first)
	if err != nil || second["B"] != first["B"] || second["0"] == second["B"] || second["C"] == second["B"] || second["0"] == second["C"] {
		t.Errorf("%v became %v, %v", first, second, err)
	}
	if _, err := second.number("A"); err == nil {
		t.Error("a list that is gone has a number")
	}
	var many []string
	for i := range 64 {
		many = append(many, fmt.Sprint(i))
	}
	if _, err := reflexivesOf(reflexiveState(0, many...), nil); err == nil {
		t.Error("64 lists were accepted")
	}
	for n, fits := range map[int]bool{8: true, 9: false} {
		s := reflexiveState(n, many[:n]...)
		r, err := reflexivesOf(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.evaluated(s.Ports[0].Ingress); (err == nil) != fits {
			t.Errorf("%d lists evaluated: %v", n, err)
		}
	}
}

// reflexiveNode puts lists on b's device as on a node's interface: what goes to
// b makes entries of out, and what comes from there is asked for in.
func (x *bench) reflexiveNode(out, in string) State {
	one := func(acl string, d policy.Direction, change func(*policy.Rule)) policy.Policy {
		p := udpPorts(acl, 53)
		p.Direction, p.Stateful, p.Subject = d, false, policy.Subject{Name: x.b.Device, Interface: x.b.Device}
		p.Rules[0].Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
		change(&p.Rules[0])
		return p
	}
	return State{Ports: []Port{{
		Interface: x.b.Device,
		Egress:    []policy.Policy{one("OUT", policy.Egress, func(r *policy.Rule) { r.Reflect = &policy.Reflect{List: out, Timeout: time.Hour} })},
		Ingress:   []policy.Policy{one("IN", policy.Ingress, func(r *policy.Rule) { r.Match.Evaluate = in })},
	}}}
}

// Entries stand under the names of their lists: they outlive the process and
// the numbers, and no other list gets them.
func TestEntriesOutliveTheProcess(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		link := x.link(addrA, addrB, 53)
		answers := func() bool {
			t.Helper()
			if _, err := link.to.WriteTo([]byte("y"), link.from.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			link.from.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, err := link.from.Read(make([]byte, 8))
			return err == nil
		}
		x.apply(d, x.reflexiveNode("R", "R"))
		if answers() {
			t.Error("an answer passed before the question")
		}
		if n := link.send(t, 1); n != 1 || !answers() {
			t.Errorf("%d arrived, or its answer did not", n)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if !answers() {
			t.Error("without the process no answer passes")
		}
		d = x.open(o)
		defer d.Close()
		x.apply(d, x.reflexiveNode("A", "R")) // A has the number that R had
		if !answers() {
			t.Error("after a restart no answer passes")
		}
		x.apply(d, x.reflexiveNode("R", "A"))
		if answers() {
			t.Error("another list has the entry")
		}
	})
}

// What a question reflects is listed with what it permits, how often it did and
// when it ends, as long as a list in force is called so.
func TestReflectedListsWhatEntriesPermit(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		link := x.link(addrA, addrB, 53)
		listed := func() []policy.Reflected {
			t.Helper()
			all, err := d.Reflected()
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		x.apply(d, x.reflexiveNode("R", "R"))
		if all := listed(); len(all) != 0 {
			t.Errorf("before the question: %+v", all)
		}
		began := time.Now()
		if n := link.send(t, 1); n != 1 {
			t.Fatal("the question did not arrive")
		}
		for range 2 {
			if _, err := link.to.WriteTo([]byte("y"), link.from.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			link.from.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := link.from.Read(make([]byte, 8)); err != nil {
				t.Fatal("an answer did not arrive")
			}
		}
		from := link.from.LocalAddr().(*net.UDPAddr).AddrPort()
		want := policy.Reflected{
			List: "R", Node: "node", Protocol: policy.UDP, Packets: 2,
			Source: netip.AddrPortFrom(netip.MustParseAddr(addrB), 53), Destination: netip.AddrPortFrom(netip.MustParseAddr(addrA), from.Port()),
		}
		all := listed()
		if len(all) != 1 {
			t.Fatalf("got %+v, want one entry", all)
		}
		if left := all[0].Expires.Sub(began); left < 59*time.Minute || left > 61*time.Minute {
			t.Errorf("the entry has %v left of an hour", left)
		}
		if all[0].Expires = (time.Time{}); all[0] != want {
			t.Errorf("got %+v, want %+v", all[0], want)
		}
		x.apply(d, x.reflexiveNode("OTHER", "OTHER"))
		if all := listed(); len(all) != 0 {
			t.Errorf("of a list that is gone: %+v", all)
		}
	})
}
