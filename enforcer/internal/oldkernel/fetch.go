package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// debianKeys sign every release of Debian.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// A mirror is where this machine's apt gets Debian from. Its settings and
// package lists are left alone: what is fetched here has its own.
type mirror struct{ dir string }

// fetch downloads and unpacks the newest cloud kernel of a release of Debian,
// which may be another one than the machine's.
func fetch(dir string, o *options) error {
	m, err := openMirror(dir, o.release)
	if err != nil {
		return err
	}
	names, err := m.run("apt-cache", "pkgnames", "linux-image-")
	if err != nil {
		return err
	}
	newest := newestCloud(strings.Fields(names))
	if newest == "" {
		return fmt.Errorf("no cloud kernel for this machine in %s: name a kernel with -kernel and -modules", o.release)
	}
	if _, err := m.run("apt-get", "-q", "download", newest); err != nil {
		return err
	}
	if _, err := m.run("sh", "-c", "dpkg-deb -x "+newest+"_*.deb ."); err != nil {
		return err
	}
	images, _ := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	modules, _ := filepath.Glob(filepath.Join(dir, "lib", "modules", "*"))
	if len(images) != 1 || len(modules) != 1 {
		return fmt.Errorf("package %s has %d images and %d module directories, want one each", newest, len(images), len(modules))
	}
	o.image, o.modules = images[0], modules[0]
	return nil
}

// openMirror asks apt for its Debian mirrors and reads the release's list of
// packages from them.
func openMirror(dir, release string) (mirror, error) {
	m := mirror{dir}
	targets, err := exec.Command("apt-get", "--print-uris", "update").Output()
	if err != nil {
		return m, fmt.Errorf("look for a Debian mirror (without apt name a kernel with -kernel and -modules): %w", err)
	}
	sources := sourcesOf(string(targets), release)
	if sources == "" {
		return m, fmt.Errorf("apt knows no mirror of Debian: name a kernel with -kernel and -modules")
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return m, fmt.Errorf("make room for packages: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources), 0o644); err != nil {
		return m, fmt.Errorf("name the mirror: %w", err)
	}
	_, err = m.run("apt-get", "-q", "update")
	return m, err
}

// indexes finds what "apt-get --print-uris update" would ask Debian for. Debian
// is known by its releases' names.
var indexes = regexp.MustCompile(`'(\S+/)dists/(bullseye|bookworm|trixie|oldoldstable|oldstable|stable)(-\w+)?/InRelease'`)

// sourcesOf writes apt's mirrors of Debian down for another release.
func sourcesOf(targets, release string) string {
	signed := ""
	if _, err := os.Stat(debianKeys); err == nil {
		signed = "[signed-by=" + debianKeys + "] "
	}
	var lines []string
	for _, m := range indexes.FindAllStringSubmatch(targets, -1) {
		uri, part := m[1], m[3]
		if part == "" || part == "-security" {
			lines = append(lines, "deb "+signed+uri+" "+release+part+" main\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

// run runs one of apt's commands with the mirror's settings.
func (m mirror) run(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	if strings.HasPrefix(name, "apt") {
		for _, setting := range []string{
			"Dir::Etc::sourcelist=" + filepath.Join(m.dir, "sources.list"), "Dir::Etc::sourceparts=-",
			"Dir::State::lists=" + filepath.Join(m.dir, "lists"), "Dir::Cache=" + filepath.Join(m.dir, "cache"),
			"Acquire::Languages=none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "APT::Sandbox::User=",
		} {
			c.Args = slices.Insert(c.Args, 1, "-o", setting)
		}
	}
	c.Dir, c.Stderr = m.dir, os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// newestCloud gives the package of the newest cloud kernel.
func newestCloud(names []string) string {
	newest, best := "", []int(nil)
	for _, name := range names {
		version, cloud := strings.CutSuffix(strings.TrimPrefix(name, "linux-image-"), "-cloud-amd64")
		if v := numbers(version); cloud && len(v) == 4 && slices.Compare(v, best) > 0 {
			newest, best = name, v
		}
	}
	return newest
}

// numbers gives the four of a package like 6.1.0-49, nothing for other texts.
func numbers(version string) (out []int) {
	for _, word := range strings.FieldsFunc(version, func(r rune) bool { return r == '.' || r == '-' }) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}
