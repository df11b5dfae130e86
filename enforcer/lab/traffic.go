package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Outcome is what became of an attempt to reach somebody.
type Outcome uint8

// The outcomes. Silent: nothing came back in time, as when a filter drops.
// Refused: the other end said that nobody listens. Unreachable: somebody on
// the way said that it cannot be reached, or the pod lacks the address family.
const (
	Silent Outcome = iota
	Answered
	Refused
	Unreachable
)

// String gives the outcome's word.
func (o Outcome) String() string {
	return [...]string{"silent", "answered", "refused", "unreachable"}[o]
}

// A Pod is a place to send traffic from: a pod, a host of the outside, or the
// node itself.
type Pod struct {
	name string
	path string
	// Addresses are the pod's own.
	Addresses []netip.Addr
}

// Pod gives the pod, or host of the outside, of this name; "node" is the node.
func (l *Lab) Pod(name string) (*Pod, error) {
	if name == nodeName {
		return &Pod{nodeName, l.nodeNet(), l.spec.Node}, nil
	}
	i, err := l.spec.find(name)
	if err != nil {
		return nil, err
	}
	h := l.spec.hosts()[i]
	return &Pod{h.String(), l.net(h), h.Addresses}, nil
}

// String gives the pod's name with its namespace.
func (p *Pod) String() string { return p.name }

// Do runs f on a thread in the pod's network namespace. Goroutines that f
// starts are not there.
func (p *Pod) Do(f func() error) error { return inNamespace(p.path, f) }

// Exec becomes the command, in the pod's network namespace. It returns an
// error only.
func (p *Pod) Exec(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	// exec leaves one thread, the calling one, with the namespace it is in.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := enter(p.path); err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

// Connect opens a TCP connection, says a line and reads the answer. The
// timeout bounds all of it.
func (p *Pod) Connect(to netip.AddrPort, timeout time.Duration) (outcome Outcome, err error) {
	err = p.Do(func() error {
		outcome, err = connectTCP(to, timeout)
		return err
	})
	return outcome, err
}

func connectTCP(to netip.AddrPort, timeout time.Duration) (Outcome, error) {
	deadline := time.Now().Add(timeout)
	conn, err := (&net.Dialer{Deadline: deadline, KeepAlive: -1}).Dial("tcp", to.String())
	if err != nil {
		return outcomeOf(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return Silent, err
	}
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		return outcomeOf(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return outcomeOf(err)
	}
	if !strings.Contains(line, "hello") {
		return Silent, fmt.Errorf("%s answered %q", to, line)
	}
	return Answered, nil
}

// SendUDP sends a datagram and waits for the same to come back. It is Silent,
// too, when somebody on the way says that the address cannot be reached: the
// kernel tells UDP sockets of closed ports only.
func (p *Pod) SendUDP(to netip.AddrPort, timeout time.Duration) (outcome Outcome, err error) {
	err = p.Do(func() error {
		outcome, err = exchangeUDP(to, []byte("hello"), timeout)
		return err
	})
	return outcome, err
}

func exchangeUDP(to netip.AddrPort, payload []byte, timeout time.Duration) (Outcome, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return outcomeOf(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return Silent, err
	}
	if _, err := conn.Write(payload); err != nil {
		return outcomeOf(err)
	}
	answer := make([]byte, len(payload)+1)
	n, err := conn.Read(answer)
	if err != nil {
		return outcomeOf(err)
	}
	if !bytes.Equal(answer[:n], payload) {
		return Silent, fmt.Errorf("%s answered %q", to, answer[:n])
	}
	return Answered, nil
}

// Ping sends one ICMP echo request and waits for its reply.
func (p *Pod) Ping(to netip.Addr, timeout time.Duration) (outcome Outcome, err error) {
	err = p.Do(func() error {
		outcome, err = echo(to, timeout)
		return err
	})
	return outcome, err
}

// echo uses a datagram socket: the kernel sets the identifier and checksum,
// and hands back only the reply that fits.
func echo(to netip.Addr, timeout time.Duration) (Outcome, error) {
	family, protocol, request := unix.AF_INET, unix.IPPROTO_ICMP, byte(8)
	if to.Is6() {
		family, protocol, request = unix.AF_INET6, unix.IPPROTO_ICMPV6, 128
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return Silent, fmt.Errorf("open an ICMP socket: %w", err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return Silent, err
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		return outcomeOf(err)
	}
	message := append([]byte{request, 0, 0, 0, 0, 0, 0, 1}, "hello"...)
	if _, err := unix.Write(fd, message); err != nil {
		return outcomeOf(err)
	}
	answer := make([]byte, 128)
	n, err := unix.Read(fd, answer)
	if err != nil {
		return outcomeOf(err)
	}
	if !bytes.Equal(answer[8:n], message[8:]) {
		return Silent, fmt.Errorf("%s answered % x", to, answer[:n])
	}
	return Answered, nil
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// outcomeOf tells what the kernel heard of a packet from faults of our own.
func outcomeOf(err error) (Outcome, error) {
	var late interface{ Timeout() bool }
	switch {
	case errors.As(err, &late) && late.Timeout():
		return Silent, nil
	case errors.Is(err, unix.ECONNREFUSED):
		return Refused, nil
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EADDRNOTAVAIL):
		return Unreachable, nil
	}
	return Silent, err
}
