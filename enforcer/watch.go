package enforcer

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// settle is how long the node's devices must be quiet before they are read:
// a container runtime makes several changes in a row.
const settle = 20 * time.Millisecond

// patience is how long quiet is waited for: where devices come and go all the
// time, a pod must not stay unfiltered until that ends.
const patience = 100 * time.Millisecond

// fallback is how often the devices are read when the kernel reports nothing,
// in case a report was lost.
const fallback = 10 * time.Second

// watchNode sends on the channel when the node's devices, addresses or tc
// filters may have changed, until ctx ends. A report that nobody has taken yet is not repeated.
func watchNode(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("watch the node's devices: %w", err)
	}
	groups := unix.RTMGRP_LINK | unix.RTMGRP_TC | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: uint32(groups)}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch the node's devices: %w", err)
	}
	changed := make(chan struct{}, 1)
	go func() {
		defer unix.Close(fd)
		for ctx.Err() == nil {
			waitReport(fd)
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed, nil
}

// waitReport returns after a report and the quiet that follows it, which it
// waits for with patience, or when the fallback time is over. What a report says
// does not matter: the facts are read anew.
func waitReport(fd int) {
	timeout, end := fallback, time.Time{}
	for timeout > 0 {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(timeout.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return
		}
		drain(fd)
		if end.IsZero() {
			end = time.Now().Add(patience)
		}
		timeout = min(settle, time.Until(end))
	}
}

// drain takes the reports that wait, or many of them where they do not end.
func drain(fd int) {
	buffer := make([]byte, 1<<16)
	for range 1000 {
		if _, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT); err == unix.EAGAIN {
			return
		} else if err != nil && err != unix.ENOBUFS && err != unix.EINTR {
			return
		}
	}
}
