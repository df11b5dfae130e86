package datapath

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

var testVIP = netip.MustParseAddr("10.96.0.1")

// newShop gives a bench on which pod a sends to a service: pod b answers at its
// address, as if the node had translated it.
func newShop(t *testing.T) *bench {
	x := newBench(t)
	x.b.Do(func() {
		eth0, err := netlink.LinkByName("eth0")
		if err == nil {
			err = netlink.AddrAdd(eth0, &netlink.Addr{IPNet: netlink.NewIPNet(testVIP.AsSlice())})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	outer, err := netlink.LinkByName(x.b.Device)
	if err == nil {
		err = netlink.RouteAdd(&netlink.Route{LinkIndex: outer.Attrs().Index, Dst: netlink.NewIPNet(testVIP.AsSlice()), Scope: netlink.SCOPE_LINK})
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// shop permits pod a to send to pods with app=b, ports 8053 and 8054, and
// knows the service's backends.
func (x *bench) shop(backends ...string) State {
	s := x.state()
	p := udpPorts("OUT", 8053, 8054)
	p.Direction, p.Subject = policy.Egress, policy.Subject{Name: "workload A", Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"a"}}}}}
	for i := range p.Rules {
		m := &p.Rules[i].Match
		m.Source, m.Destination = policy.Everybody(), policy.Peers{Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"b"}}}}}
	}
	s.Ports = []Port{{Interface: x.a.Device, Pod: true, Egress: []policy.Policy{p}}}
	service := Service{Addr: testVIP, Protocol: policy.UDP, Port: 53}
	for _, b := range backends {
		service.Backends = append(service.Backends, netip.MustParseAddrPort(b))
	}
	s.Services = []Service{service}
	return s
}

// held gives how many ports and backends the maps hold in each set.
func (d *Datapath) held(t *testing.T) (sets [3][2]int) {
	t.Helper()
	var service bpf.AcliumServiceKey
	var backend bpf.AcliumBackendKey
	all := d.maps.Maps["service_map"].Iterate()
	for all.Next(&service, new(bpf.AcliumService)) {
		sets[service.Set][0]++
	}
	all = d.maps.Maps["backend_map"].Iterate()
	for all.Next(&backend, new(bpf.AcliumBackend)) {
		sets[backend.Set][1]++
	}
	return sets
}

func TestServicesFollowThePush(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newShop(t)
		d := x.open(o)
		link := x.link(addrA, testVIP.String(), 53)
		drops := func() string {
			all, err := d.Drops()
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(all["mixed-service"].Packets, all["no-backend"].Packets)
		}
		send := func(s State, want int) {
			t.Helper()
			x.apply(d, s)
			if n := link.send(t, 3); n != want {
				t.Errorf("%d of 3 arrived, want %d", n, want)
			}
		}
		unknown := x.shop()
		unknown.Services = nil
		send(unknown, 0)
		send(x.shop(addrB+":8053"), 3)
		send(x.shop(addrB+":8053", "192.0.2.9:8053"), 0) // nobody's address
		if got := drops(); got != "3 0" {
			t.Errorf("dropped %s as mixed and without backend, want 3 0", got)
		}
		send(x.shop(addrB+":8054"), 3)
		send(x.shop(), 0)
		if got := drops(); got != "3 3" {
			t.Errorf("dropped %s as mixed and without backend, want 3 3", got)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"OUT/10": 3, "OUT/20": 3, "OUT/0": 6})
		send(x.shop(addrB+":8053"), 3)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if n := link.send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived without a process", n)
		}
		d = x.open(o)
		defer func() { d.Close() }()
		send(x.shop(addrB+":8053"), 3)
		for range 3 {
			x.apply(d, x.shop(addrB+":8053", addrB+":8054"))
			x.apply(d, x.shop(addrB+":8053"))
		}
		if sets := d.held(t); sets[d.set] != [2]int{1, 1} || sets[3-d.set] != [2]int{} {
			t.Errorf("the maps hold %v, want one port and one backend in set %d", sets, d.set)
		}
		x.apply(d, unknown)
		if sets := d.held(t); sets != [3][2]int{} {
			t.Errorf("the maps hold %v without services", sets)
		}
	})
}

// again gives the link another source port.
func (x *bench) again(l udpLink) udpLink {
	x.t.Helper()
	var err error
	to := l.from.RemoteAddr().(*net.UDPAddr)
	x.a.Do(func() { l.from, err = net.DialUDP("udp", nil, to) })
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { l.from.Close() })
	return l
}

// New connections that are permitted before and behind a change of the services
// are permitted all the while. Other services make the change take its time.
func TestServicesAreReplacedAtOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newShop(t)
		d := x.open(o)
		defer d.Close()
		one, two := x.shop(addrB+":8053"), x.shop(addrB+":8054", addrB+":8053")
		for i := range 200 {
			two.Services = append(two.Services, Service{Addr: testVIP, Protocol: policy.TCP, Port: uint16(i), Backends: two.Services[0].Backends})
		}
		x.apply(d, one)
		link := x.link(addrA, testVIP.String(), 53)
		sent, passed := 0, 0
		for i := range 40 {
			s := []State{two, one}[i%2]
			done := make(chan error, 1)
			go func() { done <- x.node.Enter(func() error { return d.Apply(s) }) }()
			for busy := true; busy; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
					busy = false
				default:
					sent += 5
					for range 5 {
						l := x.again(link)
						passed += l.send(t, 1)
						l.from.Close() // a slow push meets thousands
					}
				}
			}
		}
		if passed != sent || sent < 80 {
			t.Errorf("%d of %d packets passed while services were replaced", passed, sent)
		}
	})
}

func TestServicesThatDoNotFit(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newShop(t)
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.shop(addrB+":8053"))
		for want, edit := range map[string]func(s *State){
			"257 backends, want 256": func(s *State) {
				for i := range 256 {
					s.Services[0].Backends = append(s.Services[0].Backends, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i)}), 53))
				}
			},
			"32769 ports of services, want 32768": func(s *State) {
				for i := range 32768 {
					s.Services = append(s.Services, Service{Addr: testVIP, Protocol: policy.TCP, Port: uint16(i)})
				}
			},
			"protocol 1 has no ports":  func(s *State) { s.Services[0].Protocol = policy.ICMP },
			"protocol 17 stands twice": func(s *State) { s.Services = append(s.Services, s.Services[0]) },
		} {
			s := x.shop(addrB + ":8053")
			edit(&s)
			if err := d.Apply(s); !errors.As(err, new(*Refused)) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		if n := x.link(addrA, testVIP.String(), 53).send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived after what was refused", n)
		}
	})
}
