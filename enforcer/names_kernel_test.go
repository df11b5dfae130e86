package enforcer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/internal/testns"
	"aclium/translate/policy"
)

// world is a node with a pod whose lists name FQDNs, two name servers, and one
// host of the world. Everything has an address of each family.
type world struct {
	t     *testing.T
	node  *testns.Node
	pod   *testns.Pod
	out   *testns.Pod // the host of the world
	agent *Enforcer
	// clsact says how the agent attaches.
	clsact bool
	paths  struct{ pins, state string }
	stop   func()

	mu    sync.Mutex
	zone  map[string]answerOf
	extra func(q []byte) []byte // another answer that the server sends first
}

// answerOf is what a server knows of a name.
type answerOf struct {
	addresses []string
	alias     string
	ttl       uint32
}

const (
	podAddr, podAddr6       = "10.1.0.1", "2001:db8:1::1"
	trusted, trusted6       = "10.1.0.53", "2001:db8:1::53"
	untrusted               = "203.0.113.53"
	hostAddr, hostAddr6     = "198.51.100.1", "2001:db8:ffff::1"
	otherAddr, otherAddr6   = "198.51.100.2", "2001:db8:ffff::2"
	connectTime, secondTime = 300 * time.Millisecond, 3 * time.Second
)

// eachWay runs the test over both ways to attach. A kernel without TCX attaches
// the same way twice.
func eachWay(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for name, clsact := range map[string]bool{"tcx": false, "clsact": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.clsact = clsact
			test(t, w)
		})
	}
}

func newWorld(t *testing.T) *world {
	n := testns.New(t)
	w := &world{t: t, node: n, pod: n.Pod("vethpod", podAddr, podAddr6), zone: map[string]answerOf{}}
	servers := n.Pod("vethdns", trusted, trusted6)
	out := n.Pod("vethout", hostAddr, hostAddr6, otherAddr, otherAddr6, untrusted)
	for _, a := range []string{trusted, trusted6} {
		w.serve(servers, a)
	}
	w.out = out
	w.serve(out, untrusted)
	for _, a := range []string{hostAddr, hostAddr6, otherAddr, otherAddr6} {
		w.listen(out, a)
	}
	w.paths.pins = filepath.Join("/sys/fs/bpf", fmt.Sprintf("aclium-names-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")))
	w.paths.state = t.TempDir()
	t.Cleanup(func() {
		if err := datapath.Remove(w.paths.pins); err != nil {
			t.Error(err)
		}
	})
	return w
}

// start runs an agent over what earlier ones left.
func (w *world) start() {
	w.t.Helper()
	s, lock, err := openStore(w.paths.state)
	w.must(err)
	r, err := s.load()
	if err != nil && !errors.Is(err, errNoState) {
		w.t.Fatal(err)
	}
	d, err := datapath.Open(datapath.Options{PinPath: w.paths.pins, Node: "node", Clsact: w.clsact})
	w.must(err)
	e := newEnforcer("node", slog.New(slog.NewTextHandler(io.Discard, nil)), kernel{d}, s, r)
	w.must(e.trustServers([]netip.Addr{netip.MustParseAddr(trusted), netip.MustParseAddr(trusted6)}))
	w.must(e.Sync())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { e.readNames(ctx) })
	running.Go(func() {
		_ = w.node.Enter(func() error { e.tendNames(ctx); return nil })
	})
	w.agent = e
	w.stop = func() {
		cancel()
		running.Wait()
		w.must(d.Close())
		w.must(lock.Close())
		w.stop = func() {}
	}
	w.t.Cleanup(func() { w.stop() })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// put makes the pod known and enforces lists on what leaves it: DNS to anybody
// and TCP 80 to the patterns.
func (w *world) put(patterns ...string) {
	w.t.Helper()
	w.must(w.agent.PutEndpoints([]client.Endpoint{
		pod("client", "client", "vethpod", podAddr, podAddr6),
		pod("dns", "dns", "vethdns", trusted, trusted6),
	}))
	var lists []policy.Policy
	for _, family := range []policy.Family{policy.IPv4, policy.IPv6} {
		p := onPods("NAMES", policy.Egress, "client")
		p.Family = family
		p.Rules = []policy.Rule{
			permitTo("NAMES", 10, policy.UDP, 53, policy.Everybody()),
			permitTo("NAMES", 20, policy.TCP, 80, policy.Peers{FQDNs: patterns}),
		}
		lists = append(lists, p)
	}
	_, err := w.agent.Put(client.Desired{Revision: w.agent.Desired().Revision, Policies: lists})
	w.must(err)
}

func permitTo(acl string, seq uint32, protocol uint8, port uint16, to policy.Peers) policy.Rule {
	r := permitAll(acl)
	r.ID.Seq = seq
	s := policy.ServiceOf(policy.Bytes(protocol))
	s.DestinationPorts = policy.NewRanges(policy.Range{First: port, Last: port})
	r.Match.Destination, r.Match.Services = to, []policy.Service{s}
	return r
}

// serve answers DNS questions on an address from the zone.
func (w *world) serve(at *testns.Pod, address string) {
	var c *net.UDPConn
	var err error
	at.Do(func() { c, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(address), Port: 53}) })
	w.must(err)
	w.t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			extra := w.extra
			reply := w.reply(b[:n])
			w.mu.Unlock()
			if extra != nil {
				_, _ = c.WriteToUDPAddrPort(extra(b[:n]), from)
			}
			_, _ = c.WriteToUDPAddrPort(reply, from)
		}
	}()
}

func (w *world) reply(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.RecursionAvailable = true, true
	w.fill(&m, m.Questions[0].Name.String())
	b, _ := m.Pack()
	return b
}

func (w *world) fill(m *dnsmessage.Message, name string) {
	known, ok := w.zone[name]
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	head := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: known.ttl}
	if known.alias != "" {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(known.alias)}})
		w.fill(m, known.alias)
	}
	for _, text := range known.addresses {
		a := netip.MustParseAddr(text)
		r := dnsmessage.Resource{Header: head}
		switch six := m.Questions[0].Type == dnsmessage.TypeAAAA; {
		case a.Is6() && six:
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		case a.Is4() && !six:
			r.Body = &dnsmessage.AResource{A: a.As4()}
		default:
			continue
		}
		m.Answers = append(m.Answers, r)
	}
}

func (w *world) know(name string, a answerOf) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zone[name] = a
}

// resolve asks a server from inside the pod and waits for the answer.
func (w *world) resolve(server, name string, six bool) {
	w.t.Helper()
	var c net.Conn
	var err error
	w.pod.Do(func() { c, err = net.Dial("udp", net.JoinHostPort(server, "53")) })
	w.must(err)
	defer c.Close()
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, RecursionDesired: true}}
	kind := dnsmessage.TypeA
	if six {
		kind = dnsmessage.TypeAAAA
	}
	q.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}
	b, err := q.Pack()
	w.must(err)
	_, err = c.Write(b)
	w.must(err)
	w.must(c.SetReadDeadline(time.Now().Add(5 * time.Second)))
	_, err = c.Read(make([]byte, 1500))
	w.must(err)
}

// listen accepts TCP on port 80 and echoes.
func (w *world) listen(at *testns.Pod, address string) {
	var l net.Listener
	var err error
	at.Do(func() { l, err = net.Listen("tcp", net.JoinHostPort(address, "80")) })
	w.must(err)
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
}

// dial connects from inside the pod; nil when nobody answered in time.
func (w *world) dial(address string, patience time.Duration) net.Conn {
	w.t.Helper()
	var c net.Conn
	var err error
	w.pod.Do(func() { c, err = net.DialTimeout("tcp", net.JoinHostPort(address, "80"), patience) })
	if err != nil {
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			w.t.Fatal(err)
		}
		return nil
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// reaches wants the verdict on a new connection. A permitted one may need a
// second SYN.
func (w *world) reaches(want bool, address string) net.Conn {
	w.t.Helper()
	patience := secondTime
	if !want {
		patience = connectTime
	}
	c := w.dial(address, patience)
	if got := c != nil; got != want {
		w.t.Errorf("connection to %s: %v, want %v", address, got, want)
	}
	return c
}

// echoes wants a living connection to carry data, or not to.
func (w *world) echoes(want bool, c net.Conn) {
	w.t.Helper()
	w.must(c.SetDeadline(time.Now().Add(connectTime)))
	_, _ = c.Write([]byte("x"))
	_, err := c.Read(make([]byte, 1))
	if got := err == nil; got != want {
		w.t.Errorf("connection to %s carries data: %v (%v), want %v", c.RemoteAddr(), got, err, want)
	}
}

// age makes every name older by d: the tests' time passes without waiting.
func (w *world) age(d time.Duration) {
	w.t.Helper()
	n := w.agent.names
	n.mu.Lock()
	defer n.mu.Unlock()
	now := datapath.Now()
	for a := range n.cache.Addresses() {
		for name, at := range n.cache.Names(a) {
			older := at - min(at, uint64(d))
			n.cache.Remove(a, name)
			n.cache.Add(a, name, older)
			w.must(n.kernel.Remember(datapath.Learned{Addr: a, Name: name}, datapath.Moment(older)))
		}
		n.write(a, now)
	}
}

func TestNamesOpenAddresses(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("*.example.com", "www.example.org")
		w.know("api.example.com.", answerOf{addresses: []string{hostAddr, hostAddr6}, ttl: 60})
		w.know("www.example.net.", answerOf{addresses: []string{otherAddr, otherAddr6}, ttl: 60})
		w.reaches(false, hostAddr)
		w.reaches(false, hostAddr6)
		w.resolve(trusted, "api.example.com.", false)
		w.reaches(true, hostAddr)
		w.reaches(false, hostAddr6) // only its IPv4 address was asked for
		w.resolve(trusted6, "api.example.com.", true)
		w.reaches(true, hostAddr6)
		w.resolve(trusted, "www.example.net.", false) // a name that no line has
		w.reaches(false, otherAddr)
		if got := w.agent.names.list(); len(got) != 2 || got[0].Names[0].Name != "api.example.com" {
			t.Errorf("learned %+v", got)
		}
	})
}

func TestNamesFollowAliases(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("www.example.org")
		w.know("www.example.org.", answerOf{alias: "edge.example.net.", ttl: 300})
		w.know("edge.example.net.", answerOf{addresses: []string{hostAddr}, ttl: 60})
		w.resolve(trusted, "edge.example.net.", false)
		w.reaches(false, hostAddr)
		w.resolve(trusted, "WWW.example.ORG.", false) // not in the zone under this spelling
		w.reaches(false, hostAddr)
		w.resolve(trusted, "www.example.org.", false)
		w.reaches(true, hostAddr)
	})
}

func TestNamesRunOut(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("*.example.com")
		w.know("api.example.com.", answerOf{addresses: []string{hostAddr, hostAddr6}, ttl: 600})
		w.resolve(trusted, "api.example.com.", false)
		w.resolve(trusted, "api.example.com.", true)
		four, six := w.reaches(true, hostAddr), w.reaches(true, hostAddr6)
		w.age(500 * time.Second)
		w.reaches(true, hostAddr)
		w.age(200 * time.Second)
		w.reaches(false, hostAddr)
		w.reaches(false, hostAddr6)
		w.echoes(true, four)
		w.echoes(true, six)
		// A change of policies judges connections again: those that live stay.
		w.put("*.example.com", "www.example.org")
		w.echoes(true, four)
		w.echoes(true, six)
		w.must(w.agent.names.sweep(datapath.Now()))
		w.put("*.example.com")
		w.echoes(true, four)
		w.reaches(false, hostAddr)
		// A change that takes the name away ends them.
		w.put("www.example.org")
		w.echoes(false, four)
		w.echoes(false, six)
		w.put("*.example.com")
		w.resolve(trusted, "api.example.com.", false)
		w.reaches(true, hostAddr)
	})
}

// A connection that has ended lends what its name opened to no other one
// between the same ports, however soon it follows.
func TestEndedConnectionsOpenNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("*.example.com")
		w.know("api.example.com.", answerOf{addresses: []string{hostAddr, hostAddr6}, ttl: 600})
		for i, address := range []string{hostAddr, hostAddr6} {
			port := 40000 + i
			w.resolve(trusted, "api.example.com.", i == 1)
			for range 2 { // while the name holds, the ports may be used again
				if !w.resetFrom(port, address, secondTime) {
					t.Fatalf("no connection to %s by its name", address)
				}
			}
			w.age(700 * time.Second)
			if w.resetFrom(port, address, connectTime) {
				t.Errorf("a new connection to %s, whose name has run out", address)
			}
		}
	})
}

// resetFrom connects from a port of the pod and resets the connection, so that
// the port may be used again at once. It reports whether somebody answered.
func (w *world) resetFrom(port int, address string, patience time.Duration) bool {
	w.t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{Port: port}}
	var c net.Conn
	var err error
	w.pod.Do(func() { c, err = d.Dial("tcp", net.JoinHostPort(address, "80")) })
	if err != nil {
		return false
	}
	w.must(c.(*net.TCPConn).SetLinger(0))
	w.must(c.Close())
	return true
}

func TestOnlyTrustedAnswersCount(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("*.example.com")
		w.know("api.example.com.", answerOf{addresses: []string{hostAddr}, ttl: 60})
		w.know("www.example.com.", answerOf{addresses: []string{otherAddr}, ttl: 60})
		w.resolve(untrusted, "api.example.com.", false)
		w.reaches(false, hostAddr)
		forge := func(change func(*dnsmessage.Message)) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.extra = func(query []byte) []byte {
				var m dnsmessage.Message
				_ = m.Unpack(query)
				change(&m)
				m.Response = true
				w.mu.Lock()
				w.fill(&m, m.Questions[0].Name.String())
				w.mu.Unlock()
				b, _ := m.Pack()
				return b
			}
		}
		for name, change := range map[string]func(*dnsmessage.Message){
			"another name":     func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("www.example.com.") },
			"another question": func(m *dnsmessage.Message) { m.ID++; m.Questions[0].Name = dnsmessage.MustNewName("www.example.com.") },
			"cut": func(m *dnsmessage.Message) {
				m.Truncated = true
				m.Questions[0].Name = dnsmessage.MustNewName("www.example.com.")
			},
		} {
			forge(change)
			w.resolve(trusted, "api.example.com.", false)
			if w.dial(otherAddr, connectTime) != nil {
				t.Errorf("%s: the address is open", name)
			}
		}
	})
}

// The agent ends, another one begins: what was learned goes on.
func TestNamesOutliveTheAgent(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world) {
		w.start()
		w.put("*.example.com", "*")
		w.know("api.example.com.", answerOf{addresses: []string{hostAddr}, ttl: 600})
		w.know("www.example.com.", answerOf{addresses: []string{otherAddr}, ttl: 600})
		w.resolve(trusted, "api.example.com.", false)
		c := w.reaches(true, hostAddr)
		before := w.agent.names.list()
		w.stop()
		w.echoes(true, c)
		w.reaches(true, hostAddr)
		w.resolve(trusted, "www.example.com.", false) // waits in the ring buffer
		w.reaches(false, otherAddr)
		w.start()
		w.echoes(true, c)
		w.reaches(true, hostAddr)
		w.reaches(true, otherAddr)
		if after := w.agent.names.list(); !slices.ContainsFunc(after, func(a client.NamedAddress) bool { return a.Address == before[0].Address }) {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}

// forgeFrom sends what the host of the world says in the server's name, as an
// answer to a question that the pod has asked the server in vain.
func (w *world) forgeFrom(name, address string) {
	w.t.Helper()
	var question, forged net.PacketConn
	var err error
	server := net.UDPAddr{IP: net.ParseIP(trusted), Port: 53}
	w.pod.Do(func() { question, err = net.ListenPacket("udp", net.JoinHostPort(podAddr, "0")) })
	w.must(err)
	defer question.Close()
	w.out.Do(func() {
		lo, _ := netlink.LinkByName("lo")
		a, _ := netlink.ParseAddr(trusted + "/32")
		if err = netlink.AddrReplace(lo, a); err == nil {
			forged, err = net.ListenUDP("udp", &server)
		}
	})
	w.must(err)
	defer forged.Close()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 99, RecursionDesired: true}}
	m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	b, err := m.Pack()
	w.must(err)
	_, err = question.WriteTo(b, &server)
	w.must(err)
	w.must(question.SetReadDeadline(time.Now().Add(5 * time.Second)))
	_, _, err = question.ReadFrom(make([]byte, 1500)) // that there is no such name
	w.must(err)
	m.Response = true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
		Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
	}}
	b, err = m.Pack()
	w.must(err)
	_, err = forged.WriteTo(b, question.LocalAddr())
	w.must(err)
	w.must(question.SetReadDeadline(time.Now().Add(5 * time.Second)))
	_, _, err = question.ReadFrom(make([]byte, 1500)) // so the forgery has passed the port
	w.must(err)
}

// A pod without lists answers in a server's name: the pod that asked is given
// the answer, the node believes it only of a pod that stands behind the server.
func TestPodsThatAreNoServersAreNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.put("*.example.com")
	w.must(w.agent.PutEndpoints(append(w.agent.Endpoints(), pod("accomplice", "bad", "vethout", "203.0.113.7"))))
	w.forgeFrom("forged.example.com.", otherAddr)
	w.reaches(false, otherAddr)
	w.know("api.example.com.", answerOf{addresses: []string{hostAddr}, ttl: 60})
	w.resolve(trusted, "api.example.com.", false)
	w.reaches(true, hostAddr)
	n := w.agent.names
	n.mu.Lock()
	misplaced, learned := n.tally.misplaced, n.tally.learned
	n.mu.Unlock()
	if misplaced != 1 || learned != 1 {
		t.Errorf("%d answers were misplaced and %d learned, want 1 and 1", misplaced, learned)
	}
	// The same message is believed of a device that is no pod's, which shows
	// that nothing else was wrong with it.
	w.must(w.agent.PutEndpoints(w.agent.Endpoints()[:2]))
	w.forgeFrom("forged.example.com.", otherAddr)
	w.reaches(true, otherAddr)
}
