package enforcer

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notify tells the service manager about the agent (sd_notify(3)): one datagram
// of assignments to the socket in NOTIFY_SOCKET. Without a manager, and when it
// does not listen, nothing happens: nobody waits for it then.
func notify(assignments ...string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // an abstract socket
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(assignments, "\n")))
}

// watchdogInterval gives the time after which the service manager kills an
// agent that it has not heard of; 0 is never.
func watchdogInterval() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// feedWatchdog says that the agent is alive, as long as changes come to an end
// and the kernel's maps can be read. Two signs fit into an interval.
func (e *Enforcer) feedWatchdog(ctx context.Context) {
	interval := watchdogInterval() / 2
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if e.alive() {
			notify("WATCHDOG=1", "STATUS="+e.status())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alive waits for a change that is under way, and reads from the kernel.
func (e *Enforcer) alive() bool {
	e.changing.Lock()
	defer e.changing.Unlock()
	_, err := e.datapath.Drops()
	return err == nil
}

// status gives the agent's state in a line.
func (e *Enforcer) status() string {
	h := e.Health()
	text := "revision " + strconv.FormatUint(h.Revision, 10) + ", " + strconv.Itoa(h.Endpoints) + " endpoints, " + strconv.Itoa(h.Ports) + " ports filtered"
	if h.Audit {
		text += ", AUDIT: nothing is dropped"
	}
	if h.Error != "" {
		text += ", not enforced: " + strings.ReplaceAll(h.Error, "\n", "; ")
	}
	if h.Unfinished != "" {
		text += ", not finished: " + strings.ReplaceAll(h.Unfinished, "\n", "; ")
	}
	return text + aheadStatus(h.Ahead)
}
