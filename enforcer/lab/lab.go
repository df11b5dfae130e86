package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DefaultDir holds one directory per lab when nobody says otherwise.
const DefaultDir = "/run/aclium/lab"

// nodeName is what the node's own namespace goes by among the pods.
const nodeName = "node"

// podDevice is a pod's only device beside lo.
const podDevice = "eth0"

// maxSocket is the longest path of a unix socket in bytes (sun_path less its NUL).
const maxSocket = 107

// ErrNotUp says that no such lab runs.
var ErrNotUp = errors.New("is not up")

// Options say where labs live and what runs in them. The zero value is right
// for the aclium command.
type Options struct {
	// Dir is the directory of all labs; DefaultDir when empty.
	Dir string
	// Program is the aclium binary that children run; the own one when empty.
	Program string
}

// A Lab is one that runs.
type Lab struct {
	spec    Spec
	dir     string
	program string
}

// Below a lab's directory:
//
//	lab.json       the Spec; exists exactly while the lab is whole
//	net/           a mount per namespace: node, NAMESPACE_NAME, _NAME outside
//	bpf/           a bpf file system of its own, for the agent's pins
//	state/         the agent's state
//	enforcer.sock  the agent's socket
//	run/ log/      a pid file and a log per process
const (
	specFile = "lab.json"
	agent    = "enforcer"
)

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// Spec gives what the lab was made from.
func (l *Lab) Spec() *Spec { return &l.spec }

// Socket gives the path of the agent's socket.
func (l *Lab) Socket() string { return l.path("enforcer.sock") }

// Log gives the path of the agent's log.
func (l *Lab) Log() string { return l.path("log", agent) }

// net gives the path of a host's network namespace.
func (l *Lab) net(h *Host) string { return l.path("net", h.Namespace+"_"+h.Name) }

func (l *Lab) nodeNet() string { return l.path("net", nodeName) }

func newLab(name string, o Options) (*Lab, error) {
	if !dnsLabel.MatchString(name) || len(name) > maxName {
		return nil, fmt.Errorf("%q is no name of a lab", name)
	}
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	dir, err := filepath.Abs(filepath.Join(o.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("find the lab's directory: %w", err)
	}
	l := &Lab{spec: Spec{Name: name}, dir: dir, program: o.Program}
	if n := len(l.Socket()); n > maxSocket {
		return nil, fmt.Errorf("the path of the enforcer's socket has %d bytes, want %d at most: %s", n, maxSocket, l.Socket())
	}
	if l.program == "" {
		l.program, err = os.Executable()
	}
	return l, err
}

// Up makes a lab and its agent, and returns when the agent knows the pods. It
// refuses where a lab of the name is up, and clears away one that is half
// there. After an error nothing is left.
func Up(ctx context.Context, spec *Spec, o Options) (*Lab, error) {
	l, err := newLab(spec.Name, o)
	if err != nil {
		return nil, err
	}
	l.spec = *spec
	unlock, err := l.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(l.path(specFile)); err == nil {
		return nil, fmt.Errorf("lab %s is up already: take it down first", spec.Name)
	}
	if err := l.remove(); err != nil {
		return nil, fmt.Errorf("clear away a half-made lab: %w", err)
	}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.remove())
	}
	return l, nil
}

// Open gives a lab that is up; otherwise the error wraps ErrNotUp.
func Open(name string, o Options) (*Lab, error) {
	l, err := newLab(name, o)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(l.path(specFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("lab %s %w", name, ErrNotUp)
	case err != nil:
		return nil, fmt.Errorf("open lab %s: %w", name, err)
	}
	if err := json.Unmarshal(text, &l.spec); err != nil {
		return nil, fmt.Errorf("open lab %s: read %s: %w", name, l.path(specFile), err)
	}
	return l, nil
}

// Down takes a lab away, whole or half made. existed is false when there was
// none, which is no error.
func Down(name string, o Options) (existed bool, err error) {
	l, err := newLab(name, o)
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(l.dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	unlock, err := l.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := l.remove(); err != nil {
		return true, fmt.Errorf("take lab %s down: %w", name, err)
	}
	return true, nil
}

// remove ends processes first, so that nothing is made while it takes things
// away; a lab without its spec file is half made from then on.
func (l *Lab) remove() error {
	if err := os.Remove(l.path(specFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.stopAll(); err != nil {
		return err
	}
	if err := unmountAll(l.dir); err != nil {
		return err
	}
	return os.RemoveAll(l.dir)
}

// lock lets one process at a time make or remove labs. The directory itself
// is the lock, and goes when the last lab has gone.
func (l *Lab) lock() (unlock func(), err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a lab needs root: network namespaces and devices are made")
	}
	base := filepath.Dir(l.dir)
	for {
		if err := os.MkdirAll(base, 0o755); err != nil {
			return nil, fmt.Errorf("make the labs' directory: %w", err)
		}
		f, err := os.Open(base)
		if err != nil {
			return nil, fmt.Errorf("lock the labs' directory: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock the labs' directory: %w", err)
		}
		// Whoever held the lock before may have removed what we locked.
		if same(f, base) {
			return func() { _ = os.Remove(base); f.Close() }, nil
		}
		f.Close()
	}
}

func same(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
