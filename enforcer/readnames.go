package enforcer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"aclium/enforcer/datapath"
)

// readNames learns from answers as they come. Its thread goes before others:
// the pod that has its answer connects a moment later, and is turned away until
// the address is written.
func (e *Enforcer) readNames(ctx context.Context) {
	runtime.LockOSThread() // for good, so that the thread ends with its priority
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, highest); err != nil {
		e.log.Warn("names are learned at an ordinary priority, more first connections to them are repeated", "error", err)
	}
	if err := e.datapath.Messages(ctx, e.names.hear); err != nil && ctx.Err() == nil {
		e.log.Error("names of the DNS are not learned any more", "error", err)
	}
}

// highest is the nice value of the thread that reads answers.
const highest = -20

// sweepPeriod is how often names that have run out are looked at again.
const sweepPeriod = 30 * time.Second

// tendNames takes away what has run out and gets numbers for what has none.
func (e *Enforcer) tendNames(ctx context.Context) {
	sweep := time.NewTicker(sweepPeriod)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(untilNext(e.names.expire(datapath.Now()))):
		case <-e.names.lacking:
			if err := e.renumber(); err != nil {
				e.log.Error("addresses are not known by their names", "error", err)
			}
		case <-sweep.C:
			if err := e.names.sweep(datapath.Now()); err != nil {
				e.log.Error("names that ran out are kept", "error", err)
			}
		}
	}
}

// untilNext gives how long to wait for a moment: until it is over, and no
// longer than an answer needs to bring an earlier one.
func untilNext(next datapath.Moment) time.Duration {
	now := datapath.Now()
	wait := time.Duration(min(next-min(next, now), datapath.Moment(leastTTL)))
	return max(wait, time.Millisecond)
}

// renumber gives numbers to the sets of patterns that lack one.
func (e *Enforcer) renumber() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	return e.change(e.current.Load().record)
}

// trustServers says whose answers are believed: those that were named, or the
// node's own. A loopback address is that of a server which a pod cannot reach.
func (e *Enforcer) trustServers(named []netip.Addr) error {
	servers := named
	if len(named) == 0 {
		var err error
		if servers, err = nodeServers("/etc/resolv.conf"); err != nil {
			return err
		}
	}
	var useful []netip.Addr
	for _, a := range servers {
		if a.IsLoopback() {
			e.log.Warn("pods cannot reach this name server, name the one that they ask with --name-server", "server", a)
			continue
		}
		useful = append(useful, a)
	}
	e.log.Info("answers of these name servers are believed", "servers", useful)
	return e.datapath.SetServers(useful)
}

// nodeServers reads the name servers of a resolver's configuration; no file
// means none.
func nodeServers(path string) ([]netip.Addr, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the node's name servers: %w", err)
	}
	defer f.Close()
	var out []netip.Addr
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			out = append(out, a.WithZone("").Unmap())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}
