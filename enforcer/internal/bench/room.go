package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// A room is a network namespace. The one that this process is in is a room as
// well.
type room struct{ ns netns.NsHandle }

func ownRoom() (*room, error) {
	ns, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("find the own namespace: %w", err)
	}
	return &room{ns}, nil
}

func newRoom() (r *room, err error) {
	r = &room{}
	err = onThread(func() error {
		r.ns, err = netns.New() // moves this thread
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return r, nil
}

func (r *room) close() error { return r.ns.Close() }

// do runs f on a thread of its own in the room.
func (r *room) do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(r.ns); err != nil {
			return fmt.Errorf("enter a namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- f()
	}()
	return <-done
}

// command runs a program in the room, with the text as its input.
func (r *room) command(input string, name string, args ...string) (out string, err error) {
	err = r.do(func() error {
		c := exec.Command(name, args...)
		var stderr bytes.Buffer
		c.Stdin, c.Stderr = strings.NewReader(input), &stderr
		b, err := c.Output()
		out = string(b)
		if err != nil {
			text := stderr.String()
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text[:min(len(text), 400)])
		}
		return nil
	})
	return out, err
}

// receiver is the hardware address of every device that receives.
var receiver = []byte{2, 0, 0, 0, 0, 1}

// connect makes a veth pair from the sender's room to this one. IPv6 is off,
// so that nothing but the sender's packets arrives.
func (r *room) connect(device string, sender *room) error {
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: device, Namespace: netlink.NsFd(r.ns), HardwareAddr: receiver},
		PeerName:  device, PeerNamespace: netlink.NsFd(sender.ns),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make device %s: %w", device, err)
	}
	for _, end := range []*room{r, sender} {
		err := end.do(func() error {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
				return err
			}
			l, err := netlink.LinkByName(device)
			if err != nil {
				return err
			}
			return netlink.LinkSetUp(l)
		})
		if err != nil {
			return fmt.Errorf("switch device %s on: %w", device, err)
		}
	}
	return nil
}

// addSink makes the room drop what arrives behind the filters, and count it:
// in the first table of iptables that the kernel has everywhere, at the hook
// where IP begins.
func (r *room) addSink() error {
	_, err := r.command("", "iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-j", "DROP")
	return err
}

// arrived gives the packets in the sink: the last rule of the chain.
func (r *room) arrived() (n uint64, err error) {
	out, err := r.command("", "iptables-legacy", "-t", "mangle", "-nvxL", "PREROUTING")
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if _, err := fmt.Sscan(lines[len(lines)-1], &n); err != nil {
		return 0, fmt.Errorf("read the sink: %q: %w", lines[len(lines)-1], err)
	}
	return n, nil
}
