package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// guest is process 1: it prepares the system, runs every test binary and
// powers off. It does not return.
func guest() {
	status := 0
	if err := prepare(); err != nil {
		fmt.Println("oldkernel:", err)
		status = 2
	} else if !runTests() {
		status = 1
	}
	fmt.Printf("%s%d\n", result, status)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {}
}

func prepare() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"tmpfs", "/var"}, {"bpf", "/sys/fs/bpf"},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	modules, _ := filepath.Glob("/modules/*")
	for _, path := range modules {
		if err := load(path); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return nil
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// runTests reports whether every test binary ended well.
func runTests() bool {
	flags, err := os.ReadFile("/flags")
	if err != nil {
		fmt.Println("oldkernel:", err)
		return false
	}
	var name unix.Utsname
	_ = unix.Uname(&name)
	fmt.Println("kernel", unix.ByteSliceToString(name.Release[:]))
	good := true
	binaries, _ := filepath.Glob("/src/*/*/package.test")
	one, _ := filepath.Glob("/src/*/package.test")
	for _, path := range append(one, binaries...) {
		c := exec.Command(path, strings.Split(string(flags), "\n")...)
		c.Dir, c.Stdout, c.Stderr = filepath.Dir(path), os.Stdout, os.Stdout
		c.Env = append(os.Environ(), "HOME=/tmp", "TMPDIR=/tmp", "PATH=/bin")
		if err := c.Run(); err != nil {
			fmt.Println(path+":", err)
			good = false
		}
	}
	return good
}
