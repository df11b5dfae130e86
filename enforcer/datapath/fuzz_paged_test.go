package datapath

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/testns"
	"aclium/translate/policy"
)

// pagedFrames is how many frames TestPagedFrames sends.
const pagedFrames = 6000

// TestPagedFrames sends frames whose headers lie in pages behind the linear
// area, as they do when a driver puts them there: what test runs cannot make.
// The program stands on the loopback device of a namespace, and the system
// call that sends says whether it dropped.
func TestPagedFrames(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		testns.New(t)
		k := newKernel(t)
		key := attachKey{loopback, ebpf.AttachTCXEgress}
		if o.Clsact {
			k.must(clsact{}.put(key, k.TcEgress))
			t.Cleanup(func() { k.must(clsact{}.drop(key)) })
		} else {
			l, err := link.AttachTCX(link.TCXOptions{Interface: loopback, Program: k.TcEgress, Attach: key.point})
			k.must(err)
			t.Cleanup(func() { l.Close() })
		}
		sendPaged(t, k)
	})
}

func sendPaged(t *testing.T, k *kernel) {
	sender := newSender(k)
	total := &fuzzTally{}
	for seed := uint64(1); total.run < pagedFrames; seed++ {
		s := newScenario(stage{kernel: k, devices: []uint32{loopback}}, seed)
		// What leaves the device goes to the pod, or away from the node.
		at, only := s.sites[0], policy.Ingress
		if !at.pod {
			only = policy.Egress
		}
		s.run = func(_ *site, _ policy.Direction, frame []byte, _ int, _ bool) (int, error) {
			return sender.send(frame, 14+at.aim.IntN(80))
		}
		s.forget()
		s.change(0)
		for range 1000 {
			d, p := at.aim.next()
			if d != only {
				continue
			}
			if at.pod {
				at.atPort(d, &p)
			}
			at.aim.large = true
			frame := at.aim.frame(&p)
			if at.aim.one(2) {
				frame = at.aim.spoil()
			}
			at.offer(d, frame, 1, true, total)
		}
		if wrong := s.compare(); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
	}
	t.Log(total)
	total.checkShares(t)
}

// A sender puts frames on the loopback device.
type sender struct {
	*kernel
	fd int
	b  []byte
}

func newSender(k *kernel) *sender {
	k.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	k.must(err)
	k.Cleanup(func() { unix.Close(fd) })
	k.must(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	k.must(unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: loopback}))
	return &sender{kernel: k, fd: fd}
}

// vnetHeader is struct virtio_net_hdr (linux/virtio_net.h).
type vnetHeader struct {
	_, _         uint8
	HeaderLength uint16
	_            [3]uint16
}

// send gives the verdict on a frame of which the kernel has the first bytes in
// the linear area, and the rest, when the frame exceeds a page, in others.
func (s *sender) send(frame []byte, linear int) (int, error) {
	header := vnetHeader{HeaderLength: uint16(min(linear, len(frame)))}
	s.b = append(s.b[:0], (*[unsafe.Sizeof(header)]byte)(unsafe.Pointer(&header))[:]...)
	s.b = append(s.b, frame...)
	_, err := unix.Write(s.fd, s.b)
	switch {
	case err == nil:
		return permit, nil
	case errors.Is(err, unix.ENOBUFS): // NET_XMIT_DROP
		return drop, nil
	case errors.Is(err, unix.EINVAL):
		return 0, errNotRun
	}
	return 0, err
}
