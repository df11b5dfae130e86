package datapath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// lockDir is where network namespaces are locked. It is root's alone: others
// must not keep an enforcer from starting.
const lockDir = "/run/aclium"

// lockNode keeps a second enforcer out of the network namespace, whatever it
// pins where: each would take the other's programs for its own leftovers. The
// kernel drops the lock with the process.
func lockNode() (*os.File, error) {
	var space unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &space); err != nil {
		return nil, fmt.Errorf("look at the network namespace: %w", err)
	}
	if err := os.MkdirAll(lockDir, 0o755); err != nil {
		return nil, fmt.Errorf("lock the network namespace: %w", err)
	}
	path := filepath.Join(lockDir, fmt.Sprintf("net-%d.lock", space.Ino))
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock the network namespace: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(errors.New("another enforcer is running in this network namespace, with other pins"), f.Close())
		} else if err != nil {
			return nil, errors.Join(fmt.Errorf("lock the network namespace: %w", err), f.Close())
		}
		if same, err := isAt(f, path); err != nil || same {
			return f, err
		}
		f.Close() // its last holder has just removed it
	}
}

// unlockNode takes the file away as well: namespaces come and go.
func unlockNode(f *os.File) error { return errors.Join(os.Remove(f.Name()), f.Close()) }

// isAt reports whether the path leads to the open file.
func isAt(f *os.File, path string) (bool, error) {
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(held, there), err
}

// otherDriver gives the way of attaching that this process does not use, nil
// where nothing can stand by it.
func otherDriver(used driver, pins string) driver {
	if _, ok := used.(*tcx); ok {
		return clsact{}
	}
	dir := filepath.Join(pins, "links")
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	return &tcx{dir: dir, links: map[attachKey]link.Link{}}
}

// dropOther takes off, once, what an earlier process attached the other way. It
// follows the first flip: until then those programs enforce. Packets in between
// are judged by both.
func (a *attacher) dropOther() error {
	if a.other == nil {
		return nil
	}
	present, err := a.other.present()
	if err != nil {
		return err
	}
	for key := range present {
		if err := a.other.drop(key); err != nil {
			return err
		}
	}
	err = a.other.close()
	a.other = nil
	return err
}
