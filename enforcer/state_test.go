package enforcer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

func sampleRecord(t *testing.T) record {
	t.Helper()
	r := record{
		Desired:   client.Desired{Revision: 7, Source: "access-list 102 permit ip any any\n", Policies: []policy.Policy{onPods("102", policy.Ingress, "web")}},
		Endpoints: []client.Endpoint{pod("a", "web", "veth1", "10.0.0.1", "2001:db8::1")},
	}
	var err error
	if r.Identities, err = r.Identities.Assign(labelSets(r.Endpoints)); err != nil {
		t.Fatal(err)
	}
	return r
}

func testStore(t *testing.T) *store {
	t.Helper()
	s, lock, err := openStore(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	return s
}

func save(t *testing.T, s *store, r record) {
	t.Helper()
	staged, err := s.stage(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := staged.commit(); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, r record) string {
	t.Helper()
	b, err := encodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Join(b, nil))
}

func TestStateComesBack(t *testing.T) {
	s, r := testStore(t), sampleRecord(t)
	if _, err := s.load(); !errors.Is(err, errNoState) {
		t.Fatalf("load of nothing: %v, want errNoState", err)
	}
	save(t, s, r)
	got, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text(t, r), text(t, got)); diff != "" {
		t.Error(diff)
	}
	if got.Revision != 7 || len(got.Policies) != 1 || got.Endpoints[0].Addresses[1].String() != "2001:db8::1" {
		t.Errorf("got %+v", got)
	}
}

// However much of the file reached the disk, and whichever byte of it rotted:
// it is the whole state or a clear error, never less than was stored.
func TestDamagedStateIsRefused(t *testing.T) {
	s := testStore(t)
	whole := []byte(text(t, sampleRecord(t)))
	check := func(what string, i int, content []byte) {
		t.Helper()
		if err := os.WriteFile(s.path(), content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := s.load()
		if err == nil || errors.Is(err, errNoState) || !strings.Contains(err.Error(), s.path()) {
			t.Fatalf("%s %d: %v (revision %d), want an error that names the file", what, i, err, r.Revision)
		}
	}
	for i := range whole {
		check("cut at", i, whole[:i])
		rotten := bytes.Clone(whole)
		rotten[i] ^= 1
		check("rotten at", i, rotten)
	}
	check("longer by", 1, append(bytes.Clone(whole), ' '))
}

// A state with the right sum that another version wrote must not be half read.
func TestForeignStateIsRefused(t *testing.T) {
	s := testStore(t)
	for _, payload := range []string{`{"revision":1,"more":true}`, `[]`, `{"policies":[{}]}`, `{"endpoints":[{"name":"a"}]}`} {
		content := fmt.Sprintf(stateHead, sha256.Sum256([]byte(payload)), len(payload)) + payload
		if err := os.WriteFile(s.path(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.load(); err == nil {
			t.Errorf("%s was accepted", payload)
		}
	}
}

func TestStagedStateIsNotYetTheState(t *testing.T) {
	s, r := testStore(t), sampleRecord(t)
	save(t, s, r)
	next := r
	next.Revision = 8
	if _, err := s.stage(next); err != nil {
		t.Fatal(err)
	}
	// Here the agent is killed; another one starts.
	s.sweep()
	got, err := s.load()
	if err != nil || got.Revision != 7 {
		t.Errorf("revision %d, %v, want 7", got.Revision, err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, stateFile+".*")); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
}

func TestOneAgentPerStateDirectory(t *testing.T) {
	s := testStore(t)
	if _, _, err := openStore(s.dir); err == nil || !strings.Contains(err.Error(), "another enforcer") {
		t.Errorf("a second agent took the directory: %v", err)
	}
}

func TestBadStateDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openStore(file); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// An agent that lost its state must not open the node that still filters.
func TestLostStateDoesNotOpenTheNode(t *testing.T) {
	s, pin := testStore(t), t.TempDir()
	if _, err := recall(s, filepath.Join(pin, "none")); err != nil {
		t.Fatalf("first start: %v", err)
	}
	if err := os.Remove(s.path()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pin, "hook_map"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recall(s, pin); err == nil || !strings.Contains(err.Error(), "--remove") {
		t.Errorf("got %v, want a refusal that says what to do", err)
	}
}

// A full disk refuses the push, and the old state stays readable.
func TestFullDiskChangesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	// The thread keeps its own mounts for good: it ends with the test.
	runtime.LockOSThread()
	dir := t.TempDir()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s, lock, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	m := &memory{}
	e := testEnforcer(t, m, s, record{}, "veth1")
	mustPut(t, e, onPods("102", policy.Ingress, "web"))
	applied := m.count()
	_, err = e.Put(client.Desired{Revision: 1, Source: strings.Repeat("x", 1<<20), Policies: []policy.Policy{}})
	if !errors.Is(err, unix.ENOSPC) || m.count() != applied {
		t.Errorf("got %v after %d more changes of the kernel, want %v and none", err, m.count()-applied, unix.ENOSPC)
	}
	if r, err := s.load(); err != nil || r.Revision != 1 {
		t.Errorf("stored is revision %d, %v, want 1", r.Revision, err)
	}
	mustPut(t, e, onPods("103", policy.Ingress, "web"))
}

// On a full disk the lock is held, though nobody can read by whom.
func TestLockOnFullDisk(t *testing.T) {
	lock, err := lockFile("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
}
