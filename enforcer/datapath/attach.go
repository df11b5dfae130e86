package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// attachKey is a place for a program: a device and its own direction.
type attachKey struct {
	ifindex uint32
	point   ebpf.AttachType // AttachTCXIngress or AttachTCXEgress, for clsact too
}

// attachPoint says where a direction of the subject passes the device: a pod's
// ingress is what its host device sends.
func attachPoint(pod bool, d policy.Direction) bpf.AcliumAttachPoint {
	if pod == (d == policy.Ingress) {
		return bpf.AcliumAttachPointATTACH_TC_EGRESS
	}
	return bpf.AcliumAttachPointATTACH_TC_INGRESS
}

// attacher keeps the programs on their devices.
//
//	TCX (Linux 6.6)   a link per place, pinned: PinPath/links/IFINDEX-ingress
//	clsact (before)   a filter per place, of fixed priority, handle and name
type attacher struct {
	programs map[ebpf.AttachType]*ebpf.Program
	driver   driver
	// other is the way not taken, until dropOther has looked there.
	other driver
}

// driver is one of the two ways to attach.
type driver interface {
	// present gives the places that our programs stand on.
	present() (map[attachKey]bool, error)
	// put attaches the program, or replaces what stands there of ours.
	put(attachKey, *ebpf.Program) error
	// drop detaches ours. A device that is gone is no error.
	drop(attachKey) error
	close() error
}

func newAttacher(o Options, c *ebpf.Collection) (*attacher, error) {
	a := &attacher{programs: map[ebpf.AttachType]*ebpf.Program{
		ebpf.AttachTCXIngress: c.Programs["tc_ingress"],
		ebpf.AttachTCXEgress:  c.Programs["tc_egress"],
	}}
	if o.Clsact || !haveTCX() {
		a.driver = clsact{}
	} else {
		dir, err := linkDir(o.PinPath)
		if err != nil {
			return nil, err
		}
		a.driver = &tcx{dir: dir, links: map[attachKey]link.Link{}}
	}
	a.other = otherDriver(a.driver, o.PinPath)
	return a, nil
}

// upgrade puts this process's programs where an earlier one's stand.
func (a *attacher) upgrade() error {
	present, err := a.driver.present()
	if err != nil {
		return err
	}
	for key := range present {
		if err := a.driver.put(key, a.programs[key.point]); err != nil {
			return err
		}
	}
	return nil
}

// attach puts programs on the places that have none.
func (a *attacher) attach(want map[attachKey]bool) error {
	present, err := a.driver.present()
	if err != nil {
		return err
	}
	for key := range want {
		if present[key] {
			continue
		}
		if err := a.driver.put(key, a.programs[key.point]); err != nil {
			return err
		}
	}
	return nil
}

// keep takes the programs off all other places.
func (a *attacher) keep(want map[attachKey]bool) error {
	present, err := a.driver.present()
	if err != nil {
		return err
	}
	for key := range present {
		if want[key] {
			continue
		}
		if err := a.driver.drop(key); err != nil {
			return err
		}
	}
	return nil
}

func (a *attacher) close() error { return a.driver.close() }

// haveTCX asks the kernel what stands on the loopback device, which only kernels
// with TCX can say.
func haveTCX() bool {
	_, err := link.QueryPrograms(link.QueryOptions{Target: 1, Attach: ebpf.AttachTCXIngress})
	return err == nil
}

// tcx attaches through links. Each is pinned, so that it outlives the process.
type tcx struct {
	dir   string
	links map[attachKey]link.Link
}

var pointNames = map[ebpf.AttachType]string{ebpf.AttachTCXIngress: "ingress", ebpf.AttachTCXEgress: "egress"}

func (t *tcx) path(k attachKey) string {
	return filepath.Join(t.dir, fmt.Sprintf("%d-%s", k.ifindex, pointNames[k.point]))
}

func (t *tcx) present() (map[attachKey]bool, error) {
	if err := t.restore(); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, fmt.Errorf("read pinned links: %w", err)
	}
	found := map[attachKey]bool{}
	for _, f := range files {
		key, ok := t.parse(f.Name())
		if !ok {
			continue
		}
		alive, err := t.open(key)
		if err != nil {
			return nil, err
		}
		if alive {
			found[key] = true
		}
	}
	return found, nil
}

func (t *tcx) parse(name string) (k attachKey, ok bool) {
	var word string
	if n, _ := fmt.Sscanf(name, "%d-%s", &k.ifindex, &word); n != 2 {
		return k, false
	}
	for point, w := range pointNames {
		if w == word {
			k.point = point
			return k, true
		}
	}
	return k, false
}

// open loads a pinned link, and unpins one whose device is gone.
func (t *tcx) open(k attachKey) (bool, error) {
	l := t.links[k]
	if l == nil {
		var err error
		if l, err = link.LoadPinnedLink(t.path(k), nil); err != nil {
			return false, fmt.Errorf("open pinned link %s: %w", t.path(k), err)
		}
		t.links[k] = l
	}
	info, err := l.Info()
	if err != nil {
		return false, fmt.Errorf("read link %s: %w", t.path(k), err)
	}
	if x := info.TCX(); x != nil && x.Ifindex == k.ifindex {
		return true, nil
	}
	return false, t.drop(k)
}

func (t *tcx) put(k attachKey, p *ebpf.Program) error {
	if l := t.links[k]; l != nil {
		if err := l.Update(p); err != nil {
			return fmt.Errorf("update program on device %d: %w", k.ifindex, err)
		}
		return nil
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: int(k.ifindex), Program: p, Attach: k.point, Anchor: link.Head()})
	if err != nil {
		return fmt.Errorf("attach tcx program to device %d: %w", k.ifindex, err)
	}
	if err := l.Pin(t.path(k)); err != nil {
		return errors.Join(fmt.Errorf("pin link: %w", err), l.Close())
	}
	t.links[k] = l
	return t.detachStale(k, p)
}

// detachStale takes off the copies of our program that nobody has pinned any
// more, for example because the BPF file system was mounted anew.
func (t *tcx) detachStale(k attachKey, p *ebpf.Program) error {
	ours, err := p.Info()
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}
	found, err := link.QueryPrograms(link.QueryOptions{Target: int(k.ifindex), Attach: k.point})
	if err != nil {
		return fmt.Errorf("query programs of device %d: %w", k.ifindex, err)
	}
	own, err := t.links[k].Info()
	if err != nil {
		return fmt.Errorf("read link: %w", err)
	}
	for _, other := range found.Programs {
		id, linked := other.LinkID()
		if !linked || id == own.ID || !sameProgram(other.ID, ours) {
			continue
		}
		if err := detachLink(id); err != nil {
			return err
		}
	}
	return nil
}

// sameProgram goes by the name: another version of ours has another tag.
func sameProgram(id ebpf.ProgramID, ours *ebpf.ProgramInfo) bool {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return false // gone meanwhile
	}
	defer p.Close()
	info, err := p.Info()
	return err == nil && info.Name == ours.Name
}

func detachLink(id link.ID) error {
	l, err := link.NewFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open stale link: %w", err)
	}
	defer l.Close()
	if err := l.Detach(); err != nil {
		return fmt.Errorf("detach stale link: %w", err)
	}
	return nil
}

func (t *tcx) drop(k attachKey) error {
	l := t.links[k]
	if l == nil {
		return nil
	}
	delete(t.links, k)
	if err := l.Unpin(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("unpin link: %w", err)
	}
	// Closing the last reference detaches.
	return l.Close()
}

func (t *tcx) close() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
