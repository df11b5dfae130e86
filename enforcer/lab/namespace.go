package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// inNamespace runs f on a thread that is in the network namespace at path.
// Goroutines that f starts are not.
func inNamespace(path string, f func() error) error {
	return onOwnThread(func() error {
		if err := enter(path); err != nil {
			return err
		}
		return f()
	})
}

// enter moves the calling thread, which must be locked.
func enter(path string) error {
	ns, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the network namespace: %w", err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace %s: %w", path, err)
	}
	return nil
}

// onOwnThread runs f on a locked thread, which returns to its network
// namespace afterwards. A thread that cannot return is given up.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("open the own network namespace: %w", err)
			return
		}
		defer home.Close()
		err = f()
		// A goroutine that ends while it is locked takes its thread with it.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// newNamespace makes a network namespace that lives as long as the mount at path.
func newNamespace(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	f.Close()
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount the network namespace at %s: %w", path, err)
		}
		return nil
	})
}

// unmountAll takes off every mount below dir, the newest first.
func unmountAll(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	var errs []error
	for i := len(points) - 1; i >= 0; i-- {
		if err := unix.Unmount(points[i], unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", points[i], err))
		}
	}
	return errors.Join(errs...)
}

// mountsBelow reads the mount points of the process (proc(5), mountinfo: the
// fifth field, with white space as octal escapes, which our paths lack).
func mountsBelow(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// A sysctl is a file below /proc/sys/net and what is written to it. The
// kernel shows each thread the files of its own network namespace.
type sysctl struct{ name, value string }

// Duplicate address detection would keep an address unusable for a second.
// Everybody may open ICMP datagram sockets, as container runtimes have it.
var commonSysctls = []sysctl{
	{"ipv4/conf/all/rp_filter", "0"},
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/ping_group_range", "0 2147483647"},
	{"ipv6/conf/all/accept_dad", "0"},
	{"ipv6/conf/default/accept_dad", "0"},
	{"ipv6/conf/default/accept_ra", "0"},
	{"ipv6/conf/default/router_solicitations", "0"},
}

// The node forwards. The agent alone judges sources, so the node itself does
// not; and its devices have no addresses but those that it is given.
var nodeSysctls = append([]sysctl{
	{"ipv4/ip_forward", "1"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv6/conf/all/forwarding", "1"},
	{"ipv6/conf/default/addr_gen_mode", "1"},
}, commonSysctls...)

var noIPv6 = []sysctl{
	{"ipv6/conf/all/disable_ipv6", "1"},
	{"ipv6/conf/default/disable_ipv6", "1"},
}

// writeSysctls writes them in the thread's namespace. IPv6 settings are left
// alone on a kernel without IPv6.
func writeSysctls(settings []sysctl) error {
	_, err := os.Stat("/proc/sys/net/ipv6")
	withIPv6 := err == nil
	for _, s := range settings {
		if strings.HasPrefix(s.name, "ipv6/") && !withIPv6 {
			continue
		}
		if err := os.WriteFile(filepath.Join("/proc/sys/net", s.name), []byte(s.value), 0); err != nil {
			return fmt.Errorf("set a sysctl: %w", err)
		}
	}
	return nil
}
