package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	image, modules string
	release        string
	run, skip      string
	further        string
	memory         int // MiB
	kvm, single    bool
	limit          time.Duration
	packages       []string
}

func main() {
	if os.Getpid() == 1 {
		guest()
	}
	o := options{}
	flag.StringVar(&o.image, "kernel", "", "kernel image; without it Debian's cloud kernel is downloaded")
	flag.StringVar(&o.release, "release", "bookworm", "release of Debian whose kernel is downloaded: bookworm has 6.1, bullseye 5.10")
	flag.StringVar(&o.modules, "modules", "", "directory of the kernel's modules")
	flag.StringVar(&o.run, "run", "", "run only the tests that match this regular expression")
	flag.StringVar(&o.skip, "skip", "", "leave out the tests that match this regular expression")
	flag.StringVar(&o.further, "flags", "", "further flags of the tests, separated by spaces")
	flag.IntVar(&o.memory, "memory", 3072, "memory of the guest, MiB")
	flag.BoolVar(&o.kvm, "kvm", false, "use the processor's virtualisation instead of emulating; nested guests often cannot")
	flag.BoolVar(&o.single, "single", false, "emulate both processors in one thread, for a machine that has one to spare")
	flag.DurationVar(&o.limit, "timeout", 15*time.Minute, "end the guest after this time")
	flag.Parse()
	o.packages = flag.Args()
	if len(o.packages) == 0 {
		o.packages = []string{"./enforcer/datapath"}
	}
	status, err := host(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "oldkernel:", err)
		os.Exit(2)
	}
	os.Exit(status)
}

// host builds the guest's RAM disk, boots it and gives the tests' exit status.
func host(o options) (int, error) {
	dir, err := os.MkdirTemp("", "oldkernel")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if o.image == "" {
		if err := fetch(dir, &o); err != nil {
			return 0, err
		}
	}
	disk := filepath.Join(dir, "initrd.gz")
	if err := pack(disk, dir, o); err != nil {
		return 0, err
	}
	return boot(disk, o)
}

// testFlags are for every test binary, which ends itself a little before the
// guest is ended, to say where it hangs. Tests run one by one: the emulated
// machine has no time to share, and the programs that one test has loaded serve
// the next.
func (o options) testFlags() []string {
	flags := []string{"-test.v", "-test.parallel=1", "-test.run=" + o.run, "-test.skip=" + o.skip, fmt.Sprint("-test.timeout=", o.limit*9/10)}
	return append(flags, strings.Fields(o.further)...)
}

// commandLine is the kernel's. What is emulated is slow where the kernel
// shuts side channels, clears memory and copies with "rep" (feature 112).
const commandLine = "console=ttyS0 quiet panic=-1 mitigations=off init_on_alloc=0 no5lvl nokaslr clearcpuid=112 random.trust_cpu=on"

// boot starts the guest and copies its console until it ends.
func boot(disk string, o options) (int, error) {
	args := []string{
		"-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-m", fmt.Sprint(o.memory), "-smp", "2",
		"-kernel", o.image, "-initrd", disk, "-append", commandLine,
	}
	if o.kvm {
		args = append(args, "-enable-kvm", "-cpu", "host")
	} else {
		threads := "multi"
		if o.single {
			threads = "single"
		}
		args = append(args, "-accel", "tcg,thread="+threads, "-cpu", "max,-erms,-fsrm")
	}
	c := exec.Command("qemu-system-x86_64", args...)
	c.Stderr = os.Stderr
	runtime.LockOSThread() // whose end is what the guest dies with
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := c.Start(); err != nil {
		return 0, fmt.Errorf("start the guest (package qemu-system-x86): %w", err)
	}
	late := time.AfterFunc(o.limit, func() { _ = c.Process.Kill() })
	defer late.Stop()
	status := follow(out, os.Stdout)
	if err := c.Wait(); err != nil {
		return 0, fmt.Errorf("the guest ended: %w", err)
	}
	if status < 0 {
		return 0, fmt.Errorf("the guest ended without a result")
	}
	return status, nil
}

// result begins the guest's last line, behind which its exit status stands.
const result = "oldkernel result "

// follow copies the console and gives the status that it ends with, or -1. To
// run no test at all is no success.
func follow(console io.Reader, to io.Writer) int {
	status, passed := -1, false
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		passed = passed || strings.HasPrefix(line, "--- PASS")
		if _, err := fmt.Sscanf(line, result+"%d", &status); err != nil {
			fmt.Fprintln(to, line)
		}
	}
	if status == 0 && !passed {
		fmt.Fprintln(to, "no test has passed")
		return 1
	}
	return status
}
