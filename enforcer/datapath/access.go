package datapath

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// needed are the capabilities without which nothing works. CAP_SYS_ADMIN
// includes CAP_BPF and CAP_PERFMON, and nothing else opens maps by their
// numbers.
var needed = []struct {
	bit  uint
	name string
}{{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}}

// checkAccess says, in one error, why the kernel takes no BPF from this
// process, whatever it could do.
func checkAccess() error {
	if os.Geteuid() != 0 {
		return errors.New("loading BPF programs needs root")
	}
	if lacks := lackingCapabilities(); len(lacks) > 0 {
		return fmt.Errorf("loading BPF programs needs %s, which this process lacks", strings.Join(lacks, " and "))
	}
	// Before Linux 5.11 the limit, too, is answered with EPERM.
	_ = rlimit.RemoveMemlock()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	switch {
	case errors.Is(err, unix.ENOSYS):
		return errors.New("the system call bpf does not exist here: the kernel is built without it, or a seccomp filter hides it")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return errors.New("the kernel takes no BPF from this process: it is in a user namespace, " +
			"or a seccomp filter or security module forbids the system call bpf")
	case err != nil:
		return nil // a shortage, say; loading tells
	}
	return m.Close()
}

// lackingCapabilities names those that this thread does not have.
func lackingCapabilities() (names []string) {
	var have [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &have[0]); err != nil {
		return nil // not to know is no reason to stop
	}
	for _, c := range needed {
		if have[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			names = append(names, c.name)
		}
	}
	return names
}
