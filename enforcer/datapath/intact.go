package datapath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Damage says what others have taken away of what the last Apply put into
// force: programs that were detached, and pins without which enforcement would
// end with this process. It is empty when all is there. An Apply puts back
// what is missing.
func (d *Datapath) Damage() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lost, err := d.lostPins()
	if err != nil {
		return "", err
	}
	if len(lost) > 0 {
		return fmt.Sprintf("%d pins are gone, the first is %s", len(lost), lost[0].path), nil
	}
	if d.foreign {
		return "", nil // what stands on the devices is another version's
	}
	generation, err := d.generation()
	if err != nil {
		return "", err
	}
	present, err := d.hooks.driver.present()
	if err != nil {
		return "", err
	}
	gone := 0
	for key := range d.halves[generation&1] {
		if !present[key.attachment()] {
			gone++
		}
	}
	if gone > 0 {
		return fmt.Sprintf("%d of %d programs are off their devices", gone, len(d.halves[generation&1])), nil
	}
	return "", nil
}

// pinned is a map with the path that it is to be pinned at.
type pinned struct {
	path string
	m    *ebpf.Map
}

// lostPins gives the maps whose pins are not there.
func (d *Datapath) lostPins() (lost []pinned, err error) {
	for name, m := range d.maps.Maps {
		path := filepath.Join(d.pins.push, name)
		if slices.Contains(privateMaps, name) || name[0] == '.' {
			continue
		}
		if slices.Contains(stateMaps, name) {
			path = d.pins.stateOf(name, d.spec.Maps[name])
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			lost = append(lost, pinned{path, m})
		} else if err != nil {
			return nil, fmt.Errorf("look at a pin: %w", err)
		}
	}
	return lost, nil
}

// restorePins pins anew what somebody has unpinned, or what lies under a BPF
// file system that was mounted over ours.
func (d *Datapath) restorePins(lost []pinned, err error) error {
	if err != nil || len(lost) == 0 {
		return err
	}
	if err := preparePins(d.pins.root); err != nil {
		return err
	}
	if err := d.lockAnew(); err != nil {
		return err
	}
	for _, p := range lost {
		if err := p.restore(); err != nil {
			return fmt.Errorf("pin %s again: %w", p.path, err)
		}
	}
	return nil
}

// restore pins a duplicate: a map that was pinned believes that it still is.
func (p pinned) restore() error {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	m, err := p.m.Clone()
	if err != nil {
		return err
	}
	return errors.Join(m.Pin(p.path), m.Close())
}

// lockAnew locks the pin path where it is another directory than the one that
// this process has locked.
func (d *Datapath) lockAnew() error {
	var held, there unix.Stat_t
	if err := unix.Fstat(int(d.lock.Fd()), &held); err != nil {
		return fmt.Errorf("look at the lock: %w", err)
	}
	if err := unix.Stat(d.pins.root, &there); err != nil {
		return fmt.Errorf("look at the pin path: %w", err)
	}
	if held.Dev == there.Dev && held.Ino == there.Ino {
		return nil
	}
	lock, err := lockPins(d.pins.root)
	if err != nil {
		return err
	}
	old := d.lock
	d.lock = lock
	return old.Close()
}

// restore pins the links again whose pins somebody has taken away: they would
// come off with this process.
func (t *tcx) restore() error {
	for k, l := range t.links {
		if _, err := os.Lstat(t.path(k)); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look at a link's pin: %w", err)
		}
		if err := t.pinAgain(k, l); err != nil {
			return err
		}
	}
	return nil
}

// pinAgain pins a second handle of the link: the first one believes that it is
// pinned.
func (t *tcx) pinAgain(k attachKey, l link.Link) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("make the links' pin path: %w", err)
	}
	info, err := l.Info()
	if err != nil {
		return fmt.Errorf("read link %s: %w", t.path(k), err)
	}
	again, err := link.NewFromID(info.ID)
	if err != nil {
		return fmt.Errorf("open link %s: %w", t.path(k), err)
	}
	if err := again.Pin(t.path(k)); err != nil {
		return errors.Join(fmt.Errorf("pin link %s again: %w", t.path(k), err), again.Close())
	}
	t.links[k] = again
	return l.Close()
}
