package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// A Moment is a time on the clock that the programs read (CLOCK_MONOTONIC),
// nanoseconds.
type Moment uint64

// Now gives the moment of the call.
func Now() Moment {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail for this clock
	return Moment(t.Nano())
}

// Add gives the moment that is d later; it does not go round at either end.
func (m Moment) Add(d time.Duration) Moment {
	if d < 0 {
		return m - min(m, Moment(-d))
	}
	return m + min(Moment(d), ^Moment(0)-m)
}

// Time gives the moment as a time of the day.
func (m Moment) Time() time.Time { return wallTime(uint64(m)) }

// A Name is who an address of the world is by its names. The zero value is an
// address without names.
type Name struct {
	// Identity is who a packet without a connection comes from or goes to
	// before Expires; 0 is the world.
	Identity uint32
	Expires  Moment
	// Lingering is who a connection that lives is judged by; 0 is the world.
	Lingering uint32
}

// names keeps name_map. It has a lock of its own: an answer must not wait for
// a push.
type names struct {
	pinned *ebpf.Map
	half   func() (byte, error) // of the live generation
	mu     sync.Mutex
	have   map[netip.Addr]bpf.AcliumNameValue
}

func loadNames(pinned *ebpf.Map, half func() (byte, error)) (*names, error) {
	n := &names{pinned: pinned, half: half, have: map[netip.Addr]bpf.AcliumNameValue{}}
	var key bpf.AcliumIpAddr
	var value bpf.AcliumNameValue
	all := pinned.Iterate()
	for all.Next(&key, &value) {
		n.have[addrOf(key)] = value
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read named addresses: %w", err)
	}
	return n, nil
}

// liveHalf gives the half of the generation that programs read.
func (d *Datapath) liveHalf() (byte, error) {
	g, err := d.generation()
	return byte(g & 1), err
}

func addrOf(a bpf.AcliumIpAddr) netip.Addr { return netip.AddrFrom16(a.Bytes).Unmap() }

func keyOf(a netip.Addr) bpf.AcliumIpAddr { return bpf.AcliumIpAddr{Bytes: a.As16()} }

// put writes a value and forgets the address when it says nothing.
func (n *names) put(a netip.Addr, v bpf.AcliumNameValue) error {
	if old, known := n.have[a]; known && old == v {
		return nil
	}
	if v.Identity == [2]uint32{} && v.Lingering == [2]uint32{} {
		delete(n.have, a)
		if err := n.pinned.Delete(keyOf(a)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget the name of %s: %w", a, err)
		}
		return nil
	}
	if err := n.pinned.Put(keyOf(a), v); err != nil {
		return fmt.Errorf("write the name of %s: %w", a, err)
	}
	n.have[a] = v
	return nil
}

// prepare writes the idle half for a push. What it says of an address that is
// not in the state is nothing.
func (n *names) prepare(state map[netip.Addr]Name, idle byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for a := range n.have {
		if _, stays := state[a]; !stays {
			if err := n.put(a, with(n.have[a], idle, Name{})); err != nil {
				return err
			}
		}
	}
	for a, name := range state {
		v, known := n.have[a]
		if !known {
			v.Expires = uint64(name.Expires)
		}
		// The moment counts for both halves; the shorter one is never wider.
		v.Expires = min(v.Expires, uint64(name.Expires))
		if err := n.put(a, with(v, idle, name)); err != nil {
			return err
		}
	}
	return nil
}

func with(v bpf.AcliumNameValue, half byte, name Name) bpf.AcliumNameValue {
	v.Identity[half], v.Lingering[half] = name.Identity, name.Lingering
	return v
}

// WriteName says who an address is by its names from here on, to the lists that
// are live. A push that is on its way may undo it: whoever pushes writes the
// names again behind it.
func (d *Datapath) WriteName(a netip.Addr, name Name) error {
	n := d.names
	n.mu.Lock()
	defer n.mu.Unlock()
	live, err := n.half()
	if err != nil {
		return err
	}
	v, known := n.have[a]
	if known && v.Identity[live] != name.Identity {
		v = with(v, 1-live, Name{}) // it stood for other names
	}
	v.Expires = uint64(name.Expires)
	return n.put(a, with(v, live, name))
}

// SetServers says whose answers are copied; at most bpf's MAX_SERVERS.
func (d *Datapath) SetServers(servers []netip.Addr) error {
	m := d.maps.Maps["server_map"]
	if len(servers) > int(m.MaxEntries()) {
		return fmt.Errorf("%d name servers, want %d at most", len(servers), m.MaxEntries())
	}
	want := map[bpf.AcliumIpAddr]bool{}
	for _, a := range servers {
		want[keyOf(a)] = true
	}
	var stale []bpf.AcliumIpAddr
	var key bpf.AcliumIpAddr
	var value uint32
	all := m.Iterate()
	for all.Next(&key, &value) {
		if !want[key] {
			stale = append(stale, key)
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("read name servers: %w", err)
	}
	for _, k := range stale {
		if err := m.Delete(k); err != nil {
			return fmt.Errorf("delete a name server: %w", err)
		}
	}
	for k := range want {
		if err := m.Put(k, uint32(1)); err != nil {
			return fmt.Errorf("write a name server: %w", err)
		}
	}
	return nil
}

// A Learned is an address with one name of it: lower case, without the last
// dot, 255 bytes at most.
type Learned struct {
	Addr netip.Addr
	Name string
}

func (l Learned) key() (k bpf.AcliumLearnedKey) {
	k.Addr = keyOf(l.Addr)
	copy(k.Name[:len(k.Name)-1], l.Name)
	return k
}

// Remember keeps a name beyond the life of the process.
func (d *Datapath) Remember(l Learned, expires Moment) error {
	if err := d.maps.Maps["learned_map"].Put(l.key(), uint64(expires)); err != nil {
		return fmt.Errorf("remember the name of %s: %w", l.Addr, err)
	}
	return nil
}

// Forget undoes Remember.
func (d *Datapath) Forget(l Learned) error {
	if err := d.maps.Maps["learned_map"].Delete(l.key()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget the name of %s: %w", l.Addr, err)
	}
	return nil
}

// Remembered gives what this process and earlier ones remember.
func (d *Datapath) Remembered() (map[Learned]Moment, error) {
	out := map[Learned]Moment{}
	var key bpf.AcliumLearnedKey
	var expires uint64
	all := d.maps.Maps["learned_map"].Iterate()
	for all.Next(&key, &expires) {
		out[Learned{addrOf(key.Addr), unix.ByteSliceToString(key.Name[:])}] = Moment(expires)
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return out, nil
}

// Connected gives those of the addresses that are an end of a connection which
// lives. It reads the whole connection table.
func (d *Datapath) Connected(addresses map[netip.Addr]bool) (map[netip.Addr]bool, error) {
	out := map[netip.Addr]bool{}
	const batch = 4096 // more than one bucket of the table holds
	keys, values := make([]bpf.AcliumConnKey, batch), make([]bpf.AcliumConn, batch)
	var cursor ebpf.MapBatchCursor
	for now, more := Now(), true; more; {
		n, err := d.maps.Maps["conn_map"].BatchLookup(&cursor, keys, values, nil)
		if more = !errors.Is(err, ebpf.ErrKeyNotExist); err != nil && more {
			return nil, fmt.Errorf("read connections: %w", err)
		}
		for i := range n {
			key, c := &keys[i], &values[i]
			if now >= Moment(c.Seen).Add(idleTime(key, c)) {
				continue
			}
			for _, a := range []netip.Addr{addrOf(key.Saddr), addrOf(key.Daddr)} {
				if addresses[a] {
					out[a] = true
				}
			}
		}
	}
	return out, nil
}

// idleTime is conn.h's idle.
func idleTime(key *bpf.AcliumConnKey, c *bpf.AcliumConn) time.Duration {
	switch {
	case key.Protocol == policy.ICMP || key.Protocol == policy.ICMPv6:
		return policy.ICMPLen
	case key.Protocol != policy.TCP:
		return policy.UDPIdle
	case c.Flags&uint32(bpf.AcliumConnFlagsCONN_CLOSING) != 0:
		return policy.TCPFin
	case c.Flags&uint32(bpf.AcliumConnFlagsCONN_REPLIED) != 0:
		return policy.TCPIdle
	}
	return policy.TCPOpen
}

// looksAtNames reports whether a line of the list names an FQDN.
func looksAtNames(l *policy.Policy) bool {
	for i := range l.Rules {
		if l.Rules[i].Match.LooksAtNames() {
			return true
		}
	}
	return false
}
