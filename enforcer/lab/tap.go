package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

// A Sighting is one packet that a host sent, seen on the node's device before
// any filter.
type Sighting struct {
	// Time is since the tap began.
	Time time.Duration
	// Host is the sender's index: pods first, then hosts of the outside.
	Host int
	// Packet is nil for what is not IP and for what cannot be read.
	Packet *policy.Packet
	// Err says why Packet is nil.
	Err error
	// Packets is more than 1 for a segmented packet that the kernel carries
	// whole; Bytes is the sum of the IP packets' lengths, headers repeated.
	Packets, Bytes uint64
	// Hops is the packet's time to live, or hop limit.
	Hops uint8
}

// A Tap writes down every packet that the lab's hosts send, in the order the
// node receives them.
type Tap struct {
	file  *os.File
	ports map[int]int // interface index -> index in hosts
	spec  *Spec
	began time.Time
	last  atomic.Int64 // Time of the last sighting
	// The reader's, until ended is closed.
	sightings []Sighting
	fault     error
	ended     chan struct{}
}

// Sizes in bytes. A segmented packet that the kernel carries whole has 64 KiB.
const (
	packetOverhead = 10 // struct virtio_net_hdr
	tapBuffer      = 32 << 20
	tapFrame       = 128 << 10
)

// Tap begins to listen. Packets sent from here on are seen.
func (l *Lab) Tap() (*Tap, error) {
	t := &Tap{spec: &l.spec, ended: make(chan struct{})}
	node, err := openSide(l.nodeNet())
	if err != nil {
		return nil, err
	}
	defer node.close()
	if t.ports, err = l.ports(node); err != nil {
		return nil, err
	}
	err = inNamespace(l.nodeNet(), func() error {
		t.file, err = openPacketSocket()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tap the node: %w", err)
	}
	t.began = time.Now()
	go t.read()
	return t, nil
}

func (l *Lab) ports(node *side) (map[int]int, error) {
	ports := map[int]int{}
	for i := range l.spec.hosts() {
		link, err := node.handle.LinkByName(l.spec.device(i))
		if err != nil {
			return nil, fmt.Errorf("find device %s: %w", l.spec.device(i), err)
		}
		ports[link.Attrs().Index] = i
	}
	return ports, nil
}

// openPacketSocket hears every device of the namespace, receiving side only:
// there the kernel shows a packet to taps before tc does anything with it.
func openPacketSocket() (*os.File, error) {
	// Protocol 0 hears nothing; bind sets the protocol once all is prepared.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL)}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare a packet socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "tap"), nil
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// read collects until the deadline that Close sets, and then what is left.
func (t *Tap) read() {
	defer close(t.ended)
	raw, err := t.file.SyscallConn()
	if err != nil {
		t.fault = err
		return
	}
	buffer := make([]byte, tapFrame)
	err = raw.Read(func(fd uintptr) bool {
		t.fault = t.drain(int(fd), buffer)
		return t.fault != nil
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.fault = errors.Join(t.fault, err)
	}
	if t.fault != nil {
		return
	}
	if err := raw.Control(func(fd uintptr) { t.fault = t.drain(int(fd), buffer) }); err != nil {
		t.fault = err
	}
}

// drain reads what waits in the socket.
func (t *Tap) drain(fd int, buffer []byte) error {
	for {
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			continue
		}
		if port, ok := t.ports[link.Ifindex]; ok {
			s := t.sight(port, buffer[:n])
			t.last.Store(int64(s.Time))
			t.sightings = append(t.sightings, s)
		}
	}
}

// sight decodes what was received: a virtio_net_hdr, then the frame.
func (t *Tap) sight(host int, b []byte) Sighting {
	s := Sighting{Time: time.Since(t.began), Host: host, Packets: 1}
	f := wire.Decode(b[packetOverhead:], 1)
	switch f.Kind {
	case wire.IP:
	case wire.Malformed:
		s.Err = errors.New(f.Fault)
		return s
	default:
		s.Err = errNotIP
		return s
	}
	p := &f.Packet
	p.Source, p.Destination = t.spec.endpoint(p.Source.Addr), t.spec.endpoint(p.Destination.Addr)
	s.Packet, s.Hops = p, p.HopLimit
	s.Packets, s.Bytes = segments(&f, int(binary.NativeEndian.Uint16(b[4:])))
	return s
}

// errNotIP says that a frame carries something else than IP.
var errNotIP = errors.New("not IP")

// segments gives how many packets of at most size bytes of payload the frame
// will be on a wire, and their bytes; size 0 is a packet as it is.
func segments(f *wire.Frame, size int) (packets, bytes uint64) {
	payload := f.Length - f.Headers
	if size == 0 || payload <= size {
		return 1, uint64(f.Length)
	}
	n := (payload + size - 1) / size
	return uint64(n), uint64(payload + n*f.Headers)
}

// Settle waits until the pods have been quiet for a while: what was sent
// before has then arrived or been dropped, and is counted.
func (t *Tap) Settle(quiet, atMost time.Duration) error {
	for end := time.Now().Add(atMost); ; {
		last := t.last.Load()
		since := time.Since(t.began) - time.Duration(last)
		if since >= quiet {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the pods did not fall silent in %s", atMost)
		}
		time.Sleep(quiet - since)
	}
}

// Close ends the tap and gives what it saw. The error says that it missed
// packets, so that nothing can be concluded from the rest.
func (t *Tap) Close() ([]Sighting, error) {
	defer t.file.Close()
	if err := t.file.SetReadDeadline(time.Now()); err != nil {
		return nil, fmt.Errorf("end the tap: %w", err)
	}
	<-t.ended
	dropped, err := t.dropped()
	if err := errors.Join(t.fault, err); err != nil {
		return nil, fmt.Errorf("read the tap: %w", err)
	}
	if dropped > 0 {
		return nil, fmt.Errorf("the tap missed %d packets", dropped)
	}
	return t.sightings, nil
}

func (t *Tap) dropped() (n uint32, err error) {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		var stats *unix.TpacketStats
		if stats, failed = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); failed == nil {
			n = stats.Drops
		}
	})
	return n, errors.Join(err, failed)
}

// endpoint says who has an address: a pod with its labels, the node, or
// somebody outside.
func (s *Spec) endpoint(a netip.Addr) policy.Endpoint {
	e := policy.Endpoint{Addr: a}
	if h := s.podAt(a); h != nil {
		e.Labels = h.policyLabels()
	} else if s.isNode(a) {
		e.Entity = policy.Host
	}
	return e
}
