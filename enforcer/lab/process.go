package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// gateFD is where a child waits for its parent to have written its pid file.
const gateFD = 3

// patience is how long a process may take to end when it is asked to.
const patience = 5 * time.Second

// A process is known by its id and the time it started, in clock ticks since
// the machine did: ids are used again, pairs are not.
type process struct {
	pid   int
	start uint64
}

// start runs argv in the namespace at ns, in a session of its own, its words
// in a log file. Files are handed down from descriptor 4 on. The program
// begins only after its pid file is written, so that no crash of ours leaves a
// process that nobody knows.
func (l *Lab) start(ns, name string, argv []string, files ...*os.File) (<-chan error, error) {
	log, err := os.OpenFile(l.path("log", name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	defer log.Close()
	gate, open, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer gate.Close()
	defer open.Close()
	cmd := exec.Command(l.program, append([]string{"lab", "child", "--"}, argv...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.ExtraFiles = append([]*os.File{gate}, files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := inNamespace(ns, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := l.record(name, cmd.Process.Pid); err != nil {
		return nil, err
	}
	if _, err := open.Write([]byte{1}); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return ended, nil
}

// Child waits at the gate and becomes argv. It is what `aclium lab child` does
// and returns an error only.
func Child(argv []string) error {
	gate := os.NewFile(gateFD, "gate")
	if n, err := gate.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("the lab went away before it was up: %w", err)
	}
	gate.Close()
	return fmt.Errorf("run %s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ()))
}

// record writes the pid file of a child that still waits.
func (l *Lab) record(name string, pid int) error {
	start, err := startTime(pid)
	if err != nil {
		return err
	}
	return replaceFile(l.path("run", name), fmt.Appendf(nil, "%d %d\n", pid, start))
}

// running gives the process of a pid file; ok is false when it has ended, also
// when another process has its id today.
func (l *Lab) running(name string) (p process, ok bool, err error) {
	text, err := os.ReadFile(l.path("run", name))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read a pid file: %w", err)
	}
	if _, err := fmt.Sscanf(string(text), "%d %d\n", &p.pid, &p.start); err != nil || p.pid <= 1 {
		return p, false, fmt.Errorf("%s is no pid file of a lab", l.path("run", name))
	}
	start, err := startTime(p.pid)
	return p, err == nil && start == p.start, nil
}

// startTime gives when a process started; an error when it has ended or is a
// zombie (proc(5), stat: fields 3 and 22, counted behind the command's name,
// which may hold anything).
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// stopAll ends every process of the lab.
func (l *Lab) stopAll() error {
	files, err := filepath.Glob(l.path("run", "*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		if filepath.Ext(f) != partial {
			errs = append(errs, l.stop(filepath.Base(f)))
		}
	}
	return errors.Join(errs...)
}

// stop ends the process of a pid file and nobody else. The file descriptor
// holds on to the process that the start time was read from.
func (l *Lab) stop(name string) error {
	p, ok, err := l.running(name)
	if err != nil || !ok {
		return err
	}
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.pid, err)
	}
	defer unix.Close(fd)
	if start, err := startTime(p.pid); err != nil || start != p.start {
		return nil
	}
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stop %s, process %d: %w", name, p.pid, err)
		}
		if ended(fd) {
			return nil
		}
	}
	return fmt.Errorf("%s, process %d, does not end", name, p.pid)
}

// ended waits for a process; a pidfd is readable once it has ended.
func ended(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// partial ends the name of a file that is being written.
const partial = ".part"

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content []byte) error {
	part := path + partial
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
