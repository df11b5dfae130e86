package enforcer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSocket is the longest path of a unix socket in bytes (sun_path less its NUL).
const maxSocket = 107

// errLocked says that another process holds a lock.
var errLocked = errors.New("it is locked")

// lockFile takes a file for this process alone, until it closes it or dies.
// The file stays behind; its content is the process id of the last holder.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w by process %s", errLocked, cmp.Or(strings.TrimSpace(string(holder[:n])), "of unknown number"))
		}
		return nil, err
	}
	// The process id is for the other's message alone: an agent must start on a
	// full disk as well.
	_ = f.Truncate(0)
	_, _ = fmt.Fprintln(f, os.Getpid())
	return f, nil
}

// listen opens the agent's socket, for its owner alone. The socket of a dead
// agent is replaced, that of a live one is refused.
func listen(path string) (net.Listener, error) {
	if len(path) > maxSocket {
		return nil, fmt.Errorf("the socket's path has %d bytes, want %d at most: %s", len(path), maxSocket, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the socket's directory: %w", err)
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	// The mask holds from the socket's first moment; a chmod would be late.
	mask := unix.Umask(0o177)
	defer unix.Umask(mask)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket: %w", err)
	}
	return l, nil
}

func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	if pid, alive := listener(path); alive {
		return fmt.Errorf("the socket %s is in use by process %d", path, pid)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove a dead agent's socket: %w", err)
	}
	return nil
}

// listener gives the process that listens on a socket. A listener whose queue
// is full is alive.
func listener(path string) (pid int, alive bool) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return 0, !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, true
	}
	_ = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(c.Pid)
		}
	})
	return pid, true
}
