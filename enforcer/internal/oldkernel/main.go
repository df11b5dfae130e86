package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	image, modules string
	run            string
	memory         int // MiB
	kvm            bool
	limit          time.Duration
	packages       []string
}

func main() {
	if os.Getpid() == 1 {
		guest()
	}
	o := options{}
	flag.StringVar(&o.image, "kernel", "", "kernel image; Debian's 6.1 cloud kernel is downloaded without it")
	flag.StringVar(&o.modules, "modules", "", "directory of the kernel's modules")
	flag.StringVar(&o.run, "run", "", "run only the tests that match this regular expression")
	flag.IntVar(&o.memory, "memory", 3072, "memory of the guest, MiB")
	flag.BoolVar(&o.kvm, "kvm", false, "use the processor's virtualisation instead of emulating; nested guests often cannot")
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

// fetch downloads and unpacks the newest 6.1 cloud kernel that Debian has.
func fetch(dir string, o *options) error {
	names, err := exec.Command("apt-cache", "pkgnames", "linux-image-6.1.0-").Output()
	if err != nil {
		return fmt.Errorf("look for a 6.1 kernel (Debian 12 has one; elsewhere name it with -kernel and -modules): %w", err)
	}
	newest := ""
	for _, name := range strings.Fields(string(names)) {
		version, cloud := strings.CutSuffix(name, "-cloud-amd64")
		if cloud && (len(version) > len(newest) || len(version) == len(newest) && version > newest) {
			newest = version
		}
	}
	if newest == "" {
		return fmt.Errorf("no package linux-image-6.1.0-*-cloud-amd64: run 'apt-get update', or name a kernel with -kernel and -modules")
	}
	for _, step := range []string{"apt-get download " + newest + "-cloud-amd64", "dpkg-deb -x linux-image-*.deb ."} {
		c := exec.Command("sh", "-c", step)
		c.Dir, c.Stderr = dir, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	images, _ := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	modules, _ := filepath.Glob(filepath.Join(dir, "lib", "modules", "*"))
	if len(images) != 1 || len(modules) != 1 {
		return fmt.Errorf("package %s has %d images and %d module directories, want one each", newest, len(images), len(modules))
	}
	o.image, o.modules = images[0], modules[0]
	return nil
}

// boot starts the guest and copies its console until it ends.
func boot(disk string, o options) (int, error) {
	args := []string{
		"-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-m", fmt.Sprint(o.memory), "-smp", "2",
		"-kernel", o.image, "-initrd", disk, "-append", "console=ttyS0 quiet panic=-1 oldkernel.run=" + o.run,
	}
	if o.kvm {
		args = append(args, "-enable-kvm", "-cpu", "host")
	} else {
		args = append(args, "-accel", "tcg,thread=multi", "-cpu", "max")
	}
	c := exec.Command("qemu-system-x86_64", args...)
	c.Stderr = os.Stderr
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

// follow copies the console and gives the status that it ends with, or -1.
func follow(console io.Reader, to io.Writer) int {
	status := -1
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if _, err := fmt.Sscanf(line, result+"%d", &status); err != nil {
			fmt.Fprintln(to, line)
		}
	}
	return status
}
