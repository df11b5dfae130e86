package datapath

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const forbidden = "the kernel takes no BPF from this process: it is in a user namespace, or a seccomp filter or security module forbids the system call bpf"

// refusals are what keeps a thread with root's number from BPF, and what Open
// says of it.
var refusals = []struct {
	name  string
	bring func() error
	want  string
}{
	{"no right to the network", func() error { return takeRights(unix.CAP_NET_ADMIN) }, "loading BPF programs needs CAP_NET_ADMIN, which this process lacks"},
	{"no rights", func() error { return takeRights(unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN) },
		"loading BPF programs needs CAP_SYS_ADMIN and CAP_NET_ADMIN, which this process lacks"},
	{"forbidden", func() error { return answerBPF(unix.EPERM) }, forbidden},
	{"hidden", func() error { return answerBPF(unix.ENOSYS) },
		"the system call bpf does not exist here: the kernel is built without it, or a seccomp filter hides it"},
}

const refused = "ACLIUM_TEST_REFUSAL"

// What keeps the process from BPF is said in one line. Each process is another
// one: what a spoilt one learns of the kernel it keeps.
func TestRefusalsAreClear(t *testing.T) {
	for _, c := range refusals {
		if os.Getenv(refused) == c.name {
			runtime.LockOSThread() // never unlocked: the thread is spoilt
			if err := c.bring(); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, Options{PinPath: bpffs + "/aclium-nowhere"}, c.want)
			return
		}
	}
	newBench(t) // skips without root
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			x := exec.Command("/proc/self/exe", "-test.run=^TestRefusalsAreClear$", "-test.v")
			x.Env = append(os.Environ(), refused+"="+c.name)
			if out, err := x.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRefusalsAreClear") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("no BPF file system", func(t *testing.T) {
		dir := t.TempDir()
		wantRefusal(t, Options{PinPath: dir}, "pin path "+dir+" is not in a BPF file system")
	})
}

func wantRefusal(t *testing.T, o Options, want string) {
	t.Helper()
	d, err := Open(o)
	if err == nil {
		d.Close()
		t.Fatal("the datapath opened")
	}
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

const inNamespace = "ACLIUM_TEST_USER_NAMESPACE"

// Root of a user namespace has every capability there and none that counts.
func TestUserNamespaceIsNamed(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		wantRefusal(t, Options{PinPath: bpffs + "/aclium-nowhere"}, forbidden)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to be sure of a user namespace")
	}
	c := exec.Command("/proc/self/exe", "-test.run=^TestUserNamespaceIsNamed$")
	c.Env = append(os.Environ(), inNamespace+"=1")
	ids := []syscall.SysProcIDMap{{Size: 1}}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A kernel without types of its own (CONFIG_DEBUG_INFO_BTF) is no reason to
// refuse: the programs ask for none.
func TestKernelTypesAreNotNeeded(t *testing.T) {
	x := newBench(t)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		kind, at string
		flags    uintptr
	}{{"", "/", unix.MS_REC | unix.MS_PRIVATE}, {"tmpfs", "/sys/kernel/btf", 0}} {
		if err := unix.Mount(m.kind, m.at, m.kind, m.flags, ""); err != nil && err != unix.ENOENT {
			t.Fatalf("mount %s: %v", m.at, err)
		}
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err == nil {
		t.Fatal("the kernel's types are still there")
	}
	d := x.open(Options{})
	defer d.Close()
	x.apply(d, x.state(udpPorts("T", 53)))
}

// A kernel older than the claim is told what it lacks. It takes such a kernel:
// make test-oldkernel boots one.
func TestTooOldKernelIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to ask the kernel")
	}
	if checkKernel(kernelRelease(), requirements) == nil {
		t.Skip("needs a kernel older than the claim: make test-oldkernel boots one")
	}
	pins := bpffs + "/aclium-test-old"
	want := "this kernel (Linux " + kernelRelease() + ") lacks bpf_ktime_get_coarse_ns, bpf_for_each_map_elem, bpf_loop: " +
		"aclium needs Linux 6.1 or later with BPF and its JIT"
	if !strings.HasPrefix(kernelRelease(), "5.10.") {
		t.Skipf("what Linux %s lacks was not written down", kernelRelease())
	}
	wantRefusal(t, Options{PinPath: pins}, want)
	if _, err := os.Stat(pins); err == nil {
		t.Error("something was pinned")
	}
}

// takeRights takes capabilities from this thread.
func takeRights(bits ...uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return err
	}
	for _, bit := range bits {
		have[bit/32].Effective &^= 1 << (bit % 32)
	}
	return unix.Capset(&header, &have[0])
}

// answerBPF has the system call bpf answered for this thread with an error.
func answerBPF(errno syscall.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_BPF, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
