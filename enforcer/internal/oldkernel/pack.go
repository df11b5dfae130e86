package main

import (
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the modules that the tests' devices and filters need.
var wanted = []string{"veth", "dummy", "tun", "sch_ingress", "cls_bpf", "8021q", "bridge"}

// pack writes the RAM disk: this binary as init, the modules in the order in
// which they load, and each package's test binary in a copy of its folder.
func pack(to, dir string, o options) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	a := &archive{w: zip}
	if err := fill(a, dir, o); err != nil {
		return err
	}
	return errors.Join(a.close(), zip.Close(), f.Close())
}

func fill(a *archive, dir string, o options) error {
	init := filepath.Join(dir, "init")
	if err := build(init, "build", "./enforcer/internal/oldkernel"); err != nil {
		return err
	}
	for _, d := range []string{"dev", "proc", "sys", "tmp", "run", "var", "modules", "src"} {
		a.directory(d)
	}
	if err := a.copy("init", init); err != nil {
		return err
	}
	modules, err := inOrder(o.modules)
	if err != nil {
		return err
	}
	for i, path := range modules {
		if err := a.copy(fmt.Sprintf("modules/%03d-%s", i, filepath.Base(path)), path); err != nil {
			return err
		}
	}
	a.entry("flags", 0o100644, []byte(strings.Join(o.testFlags(), "\n")))
	for _, p := range o.packages {
		if err := addPackage(a, dir, filepath.Clean(p)); err != nil {
			return err
		}
	}
	return nil
}

// build compiles without libc, which the guest does not have.
func build(to, verb, pkg string) error {
	args := []string{verb, "-o", to, pkg}
	if verb == "test" {
		args = slices.Insert(args, 1, "-c")
	}
	c := exec.Command("go", args...)
	c.Env, c.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s %s: %w", verb, pkg, err)
	}
	return nil
}

func addPackage(a *archive, dir, pkg string) error {
	binary := filepath.Join(dir, "test")
	if err := build(binary, "test", "./"+pkg); err != nil {
		return err
	}
	at := filepath.Join("src", pkg)
	a.directories(at)
	if err := a.copy(filepath.Join(at, "package.test"), binary); err != nil {
		return err
	}
	data := filepath.Join(pkg, "testdata")
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			a.directory(filepath.Join("src", path))
			return err
		}
		return a.copy(filepath.Join("src", path), path)
	})
}

// inOrder gives the wanted modules behind those that they need. A kernel that
// has one built in has no file of it.
func inOrder(dir string) ([]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok && err == nil {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for modules: %w", err)
	}
	var out []string
	var add func(name string) error
	add = func(name string) error {
		path, ok := files[name]
		if !ok || slices.Contains(out, path) {
			return nil
		}
		needs, err := dependencies(path)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		out = append(out, path)
		return nil
	}
	for _, name := range wanted {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dependencies reads what a module says that it needs.
func dependencies(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", path, err)
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return nil, nil
	}
	info, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", path, err)
	}
	for _, entry := range strings.Split(string(info), "\x00") {
		if names, ok := strings.CutPrefix(entry, "depends="); ok && names != "" {
			return strings.Split(strings.ReplaceAll(names, "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// An archive is written in cpio's "newc" form, which the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w     io.Writer
	inode int
	made  []string
	err   error
}

func (a *archive) directories(path string) {
	for i, c := range path {
		if c == '/' {
			a.directory(path[:i])
		}
	}
	a.directory(path)
}

func (a *archive) directory(path string) {
	if !slices.Contains(a.made, path) {
		a.made = append(a.made, path)
		a.entry(path, 0o40755, nil)
	}
}

func (a *archive) copy(path, from string) error {
	content, err := os.ReadFile(from)
	a.entry(path, 0o100755, content)
	return errors.Join(err, a.err)
}

func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

func (a *archive) entry(path string, mode int, content []byte) {
	a.inode++
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path)+1, 0, path)
	a.write([]byte(head))
	a.write(content)
}

// write pads what it writes to four bytes.
func (a *archive) write(b []byte) {
	b = append(slices.Clip(b), make([]byte, (4-len(b)%4)%4)...)
	if _, err := a.w.Write(b); err != nil && a.err == nil {
		a.err = err
	}
}
