package datapath

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// holdings is everything that a datapath holds on to.
type holdings struct {
	files, goroutines, tables, chunks, hooks, links, names int
	kernel                                                 uint64 // bytes
}

func (x *bench) holdings(d *Datapath) holdings {
	x.t.Helper()
	h := holdings{goroutines: runtime.NumGoroutine(), chunks: len(d.lines.counters.chunks), names: len(d.lines.ids)}
	for path, n := range map[string]*int{"/proc/self/fd": &h.files, filepath.Join(x.pins, "links"): &h.links} {
		files, err := os.ReadDir(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // clsact has no links
			x.t.Fatal(err)
		}
		*n = len(files)
	}
	filled, err := d.tables.lister.filled()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, slots := range filled {
		h.tables += len(slots)
	}
	if _, err := d.readHooks(0); err != nil {
		x.t.Fatal(err)
	}
	h.hooks = len(d.halves[0]) + len(d.halves[1])
	h.kernel = growing(x.t, d)
	return h
}

// growing gives the kernel memory of lists and counters as the kernel has it
// in /proc/self/fdinfo, bytes: of all maps but those whose size is fixed.
func growing(t testing.TB, d *Datapath) (bytes uint64) {
	t.Helper()
	add := func(m *ebpf.Map) {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		n, ok := info.Memlock()
		if !ok || n == 0 {
			t.Fatal("the kernel does not say how large a map is")
		}
		bytes += n
	}
	add(d.maps.Maps["counter_map"])
	for _, c := range d.lines.counters.chunks {
		add(c.inner)
	}
	var id uint32
	if err := d.maps.Maps["counter_map"].Lookup(uint32(len(d.lines.counters.chunks)), &id); !errors.Is(err, ebpf.ErrKeyNotExist) {
		t.Fatalf("the kernel has more counters than user space knows: %v", err)
	}
	filled, err := d.tables.lister.filled()
	if err != nil {
		t.Fatal(err)
	}
	for class, outer := range d.tables.outer {
		add(outer)
		for _, slot := range filled[class] {
			var inner *ebpf.Map
			if err := outer.Lookup(slot, &inner); err != nil {
				t.Fatal(err)
			}
			add(inner)
			inner.Close()
		}
	}
	return bytes
}

// Pushes of other lists each time leave nothing behind.
func TestPushesLeakNothing(t *testing.T) {
	eachWayAlone(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		pushes, first := 300, 21
		if *long {
			// The counters grow until ids that rest are taken again.
			pushes, first = 10000, 70*21
		}
		push := func(i int) {
			ports := []uint16{53}
			for j := range i % 7 {
				ports = append(ports, uint16(1000+i%5000+j))
			}
			x.apply(d, x.state(udpPorts("T", ports...), udpPorts(fmt.Sprint("U", i%3), 53)))
		}
		for i := range first {
			push(i)
		}
		before, heap := x.holdings(d), heapSize()
		for i := range pushes {
			push(i)
		}
		push(20)
		after := x.holdings(d)
		if bound := (resting + 2*int(chunkSize) - 1) / int(chunkSize); after.chunks > bound {
			t.Errorf("%d chunks of counters, want %d at most for ids that rest and those in use", after.chunks, bound)
		}
		if after != before {
			t.Errorf("after %d pushes %+v, before %+v", pushes, after, before)
		}
		// The list of ids that rest may grow; so may what the runtime keeps.
		if grown, limit := heapSize()-heap, int64(4<<20); grown > limit {
			t.Errorf("the heap has grown by %d bytes in %d pushes", grown, pushes)
		}
		l := x.link(addrA, addrB, 53)
		if n := l.send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived", n)
		}
		x.apply(d, State{})
		if after := x.holdings(d); after.hooks+after.links+after.names+after.tables != 0 {
			t.Errorf("with no lists there are still %+v", after)
		}
	})
}

func heapSize() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Pods come and go, some with devices of the same name and some with ones of
// the same index as a pod before.
func TestPodsComeAndGo(t *testing.T) {
	eachWayAlone(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		pods := 40
		if *long {
			pods = 1000
		}
		base := x.state(udpPorts("T", 53))
		x.apply(d, base)
		l := x.link(addrA, addrB, 53)
		before := x.holdings(d)
		compiled := d.places
		for i := range pods {
			name := fmt.Sprint("pod", i%5)
			veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, Index: 4000 + i%3}, PeerName: "peer"}
			if err := netlink.LinkAdd(veth); err != nil {
				t.Fatal(err)
			}
			s := base
			s.Ports = append([]Port{{Interface: name, Pod: true, Ingress: base.Ports[0].Ingress}}, base.Ports...)
			s.Addresses = maps.Clone(base.Addresses)
			s.Addresses[netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 1, byte(i)}), 32)] = Address{301, name}
			x.apply(d, s)
			if !maps.Equal(compiled, d.places) {
				t.Fatal("a list was compiled again for a pod whose identity is known")
			}
			if err := netlink.LinkDel(veth); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 { // sometimes the next pod is there before anybody noticed
				x.apply(d, base)
			}
		}
		x.apply(d, base)
		if after := x.holdings(d); after != before {
			t.Errorf("after %d pods %+v, before %+v", pods, after, before)
		}
		if n := l.send(t, 3); n != 3 {
			t.Errorf("%d of 3 arrived", n)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": 3})
	})
}

// heard gives how many sockets have a packet, of which there are to be so many,
// in the end: a slow machine delivers late.
func heard(sockets []*net.UDPConn, want func() int) int {
	waiting := slices.Clone(sockets)
	for end := time.Now().Add(time.Minute); ; {
		waiting = slices.DeleteFunc(waiting, func(c *net.UDPConn) bool {
			c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			_, err := c.Read(make([]byte, 8))
			return err == nil
		})
		if n := len(sockets) - len(waiting); n >= want() || time.Now().After(end) {
			return n
		}
	}
}

// A full connection table forgets connections: a packet of one that it forgot
// is judged as a new one, so that what the lists deny stays denied, what they
// permit passes, and a reply that only the connection would let pass does not.
func TestFullConnectionTable(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		o.Connections = 64
		d := x.open(o)
		defer d.Close()
		x.apply(d, x.repliesOnly(53))
		shut := x.link(addrA, addrB, 54)
		var server *net.UDPConn
		var clients []*net.UDPConn
		var err error
		x.b.Do(func() { server, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addrB), Port: 53}) })
		const flows = 600
		for i := 0; i < flows && err == nil; i++ {
			var c *net.UDPConn
			x.a.Do(func() {
				c, err = net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(addrA), Port: 20000 + i}, &net.UDPAddr{IP: net.ParseIP(addrB), Port: 53})
			})
			clients = append(clients, c)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		sent := 0
		for _, c := range append(clients, clients...) {
			l := udpLink{from: c, to: server}
			if l.send(t, 1) != 1 {
				t.Fatalf("packet %d of a permitted flow was lost", sent)
			}
			sent++
		}
		if b := shut.send(t, 5); b != 0 {
			t.Errorf("%d denied packets arrived", b)
		}
		for _, c := range clients {
			server.WriteTo([]byte("y"), c.LocalAddr()) // an error says that it was dropped on the way out
		}
		replies := heard(clients, func() int { return flows - int(x.counts(d)["SHUT/0"]) })
		for _, c := range clients {
			c.Close()
		}
		if limit := int(d.maps.Maps["conn_map"].MaxEntries()); replies == 0 || replies > limit {
			t.Errorf("%d replies passed by a table of %d connections", replies, limit)
		}
		wantCounts(t, x.counts(d), map[string]uint64{"T/10": uint64(sent), "T/0": 5, "SHUT/0": uint64(flows - replies)})
	})
}
