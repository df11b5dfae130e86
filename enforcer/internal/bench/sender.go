package main

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// batch is how many packets one system call sends.
const batch = 64

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      uint32
}

// A load is traffic, packed, and what a right filter lets through of it.
type load struct {
	packed []byte
	// permits holds how many of the packets before each are permitted.
	permits []uint64
}

// A sender has the frames of one batch, ready for the system call.
type sender struct {
	frames   [batch][ruleset.FrameLength]byte
	vectors  [batch]unix.Iovec
	messages [batch]mmsghdr
}

// newLoad makes traceLength packets of which every other is permitted, from
// that many flows; 0 makes all of them different.
func newLoad(list *policy.Policy, flows int) (*load, error) {
	walk := ruleset.NewWalk(list)
	n := traceLength
	if flows > 0 {
		n = flows
	}
	var kinds [2][]policy.Packet // denied, permitted
	for tries := 0; min(len(kinds[0]), len(kinds[1])) < n/2; tries++ {
		if tries > 100 {
			return nil, fmt.Errorf("list %s hardly permits or denies anything", list.ACL)
		}
		for _, p := range ruleset.Random(list, 4*n, seed+uint64(tries)) {
			kind := 0
			if a, _ := walk.Eval(&p); a == policy.Permit {
				kind = 1
			}
			kinds[kind] = append(kinds[kind], p)
		}
	}
	packets := make([]policy.Packet, traceLength)
	for i := range packets {
		// An odd step visits the flows in another order than they were made in.
		packets[i] = kinds[i%2][i/2*7%(n/2)]
	}
	return loadOf(packets)
}

func loadOf(packets []policy.Packet) (*load, error) {
	l := &load{permits: make([]uint64, len(packets)+1)}
	for i := range packets {
		l.permits[i+1] = l.permits[i] + uint64(i%2)
	}
	var err error
	l.packed, err = pack(packets)
	return l, err
}

// permitted gives how many of the first n packets are permitted.
func (l *load) permitted(n int) uint64 {
	all := len(l.permits) - 1
	return uint64(n/all)*l.permits[all] + l.permits[n%all]
}

// openSender gives a socket that sends whole frames from the device, past the
// queueing discipline. It must be called in the sender's room.
func openSender(device string) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: it receives nothing
	if err != nil {
		return 0, fmt.Errorf("open a packet socket: %w", err)
	}
	l, err := netlink.LinkByName(device)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index})
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("bind a packet socket to %s: %w", device, err)
	}
	return fd, nil
}

// newSender gives one whose frames are IPv4 to the receiver.
func newSender() *sender {
	s := &sender{}
	like := likeFrame()
	copy(like, receiver)
	copy(like[6:], []byte{2, 0, 0, 0, 0, 2})
	for i := range batch {
		copy(s.frames[i][:], like)
		s.vectors[i] = unix.Iovec{Base: &s.frames[i][0], Len: ruleset.FrameLength}
		s.messages[i].header = unix.Msghdr{Iov: &s.vectors[i], Iovlen: 1}
	}
	return s
}

// send sends the load from its packet number from on, again and again for the
// time, and gives the number of packets and how long they took. A veth hands a
// packet to the receiver's hooks before the system call returns.
func (s *sender) send(fd int, l *load, from int, limit time.Duration) (n int, took time.Duration, err error) {
	all := len(l.permits) - 1
	for start := time.Now(); took < limit; took = time.Since(start) {
		at := (from + n) % all
		count := min(batch, all-at)
		for i := range count {
			unpack(s.frames[i][:], l.packed[(at+i)*packedLength:])
		}
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.messages[0])), uintptr(count), 0, 0, 0)
		switch errno {
		case 0:
			n += int(sent)
		case unix.EINTR, unix.ENOBUFS, unix.EAGAIN:
		default:
			return n, took, fmt.Errorf("send: %w", errno)
		}
	}
	return n, took, nil
}
