package enforcer

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"aclium/enforcer/datapath"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

// keeper remembers what the kernel is told of names.
type keeper struct {
	memory
	names     map[netip.Addr]datapath.Name
	connected map[netip.Addr]bool
}

func (k *keeper) WriteName(a netip.Addr, n datapath.Name) error {
	k.names[a] = n
	return nil
}

func (k *keeper) Connected(map[netip.Addr]bool) (map[netip.Addr]bool, error) { return k.connected, nil }

// told is one answer as a plain model keeps it.
type told struct {
	addr    netip.Addr
	name    string
	expires datapath.Moment
}

// Random answers: what the kernel is told permits by a pattern exactly when the
// names that have not run out, as policy judges them, fit it.
func TestNamesAgreeWithPolicy(t *testing.T) {
	patterns := []string{"*", "*.example.com", "api.example.com", "a*.example.com", "*.*.example.org", "API.example.org"}
	hosts := []string{"example.com", "api.example.com", "www.example.com", "a.b.example.org", "api.example.org", "example.net"}
	permitted, cases := 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		k := &keeper{names: map[netip.Addr]datapath.Name{}}
		n := newNamebook(k, slog.New(slog.DiscardHandler))
		var wanted []string
		for _, p := range patterns[1:] {
			if r.IntN(2) == 0 {
				wanted = append(wanted, p)
			}
		}
		if r.IntN(4) == 0 {
			wanted = append(wanted, patterns[0])
		}
		list := onPods("N", policy.Egress, "x")
		list.Rules[0].Match.Destination = policy.Peers{FQDNs: wanted}
		policies := []policy.Policy{list}
		table, err := identity.Table{}.Assign(n.sets(policies))
		if err != nil {
			t.Fatal(err)
		}
		n.adopt(policies, table)
		now := datapath.Now()
		var model []told
		for range 1 + r.IntN(20) {
			host, addr := hosts[r.IntN(len(hosts))], netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(5))})
			ago, ttl := time.Duration(r.IntN(6))*20*time.Second+10*time.Second, uint32(r.IntN(6))*20
			at := now - min(now, datapath.Moment(ago))
			asks := r.IntN(5) > 0
			exchange(t, n, host, addr, ttl, at, asks)
			if asks {
				model = append(model, told{addr, host, at.Add(max(time.Duration(ttl)*time.Second, leastTTL))})
			}
		}
		// What has no number yet gets one, as after the agent's next push.
		if table, err = table.Assign(n.sets(policies)); err != nil {
			t.Fatal(err)
		}
		n.adopt(policies, table)
		for i := range 5 {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
			end := policy.Endpoint{Addr: addr}
			for _, m := range model {
				if m.addr == addr && m.expires > now {
					end.Names = append(end.Names, m.name)
				}
			}
			for _, p := range wanted {
				only := policy.Peers{FQDNs: []string{p}}
				got, want := k.permits(table, addr, p), only.Has(&end)
				if cases++; want {
					permitted++
				}
				if got != want {
					t.Fatalf("seed %d: %s by %s: %v, want %v; names %v", seed, addr, p, got, want, end.Names)
				}
			}
		}
	}
	t.Logf("%d of %d permitted", permitted, cases)
	if 10*permitted < cases {
		t.Errorf("%d of %d permitted: want a tenth", permitted, cases)
	}
}

// exchange lets a pod ask and be answered.
func exchange(t *testing.T, n *namebook, host string, addr netip.Addr, ttl uint32, at datapath.Moment, asks bool) {
	t.Helper()
	exchangeBy(t, n, 0, host, addr, ttl, at, asks)
}

// exchangeBy has the answer come by a device.
func exchangeBy(t *testing.T, n *namebook, device uint32, host string, addr netip.Addr, ttl uint32, at datapath.Moment, asks bool) {
	t.Helper()
	name := dnsmessage.MustNewName(host + ".")
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	passes := datapath.Message{Time: at, Ifindex: 3, Pod: netip.MustParseAddrPort("10.1.0.1:999"), Server: netip.MustParseAddr("10.1.0.53")}
	send := func(answer bool) {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		passes.Answer, passes.Payload = answer, b
		n.hear(&passes)
	}
	if asks {
		send(false)
	}
	m.Response, passes.From = true, device
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}, Body: &dnsmessage.AResource{A: addr.As4()},
	}}
	send(true)
}

// permits says what the program would: the number counts until its moment, and
// a line holds it when one of its patterns is the line's.
func (k *keeper) permits(table identity.Table, a netip.Addr, pattern string) bool {
	name := k.names[a]
	if name.Identity == 0 || datapath.Now() >= name.Expires {
		return false
	}
	for _, x := range table.Assigned {
		if fits, world := identity.PatternsOf(x.Labels); world && x.ID == name.Identity {
			return slices.Contains(fits, policy.CanonicalPattern(pattern))
		}
	}
	return false
}

// A name that has run out lingers for its connections, and goes with them.
func TestNamesLingerForConnections(t *testing.T) {
	k := &keeper{names: map[netip.Addr]datapath.Name{}}
	n := newNamebook(k, slog.New(slog.DiscardHandler))
	list := onPods("N", policy.Egress, "x")
	list.Rules[0].Match.Destination = policy.Peers{FQDNs: []string{"*.example.com"}}
	table, err := identity.Table{}.Assign(n.sets([]policy.Policy{list}))
	if err != nil {
		t.Fatal(err)
	}
	n.adopt([]policy.Policy{list}, table)
	addr := netip.MustParseAddr("192.0.2.1")
	exchange(t, n, "www.example.com", addr, 60, datapath.Now(), true)
	if got := k.names[addr]; got.Identity == 0 || got.Lingering != got.Identity {
		t.Fatalf("got %+v", got)
	}
	later := datapath.Now().Add(61 * time.Second)
	n.expire(later)
	if got := k.names[addr]; got.Identity != 0 || got.Lingering == 0 {
		t.Errorf("after its TTL: %+v", got)
	}
	k.connected = map[netip.Addr]bool{addr: true}
	if err := n.sweep(later); err != nil || k.names[addr].Lingering == 0 {
		t.Errorf("with a connection: %+v, %v", k.names[addr], err)
	}
	k.connected = nil
	if err := n.sweep(later); err != nil || k.names[addr] != (datapath.Name{}) {
		t.Errorf("without one: %+v, %v", k.names[addr], err)
	}
	if addresses, pairs := n.cache.Len(); addresses != 0 || pairs != 0 {
		t.Error(fmt.Sprint(addresses, pairs, " are left"))
	}
}
