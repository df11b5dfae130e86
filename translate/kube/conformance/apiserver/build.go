package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without its version the server says v0.0.0, and what depends on the version
// behaves otherwise.
const (
	major, minor, patch = "1", "36", "3"
	versionPackage      = "k8s.io/component-base/version"
)

// build gives the folder with the programs, after building what is missing or
// old.
func build(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(file)
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(bin, "kube-apiserver")); err != nil {
		say("building kube-apiserver and etcd: about 5 minutes when the build cache is cold")
	}
	start := time.Now()
	flags := []string{
		"-s -w",
		"-X " + versionPackage + ".gitVersion=v" + major + "." + minor + "." + patch,
		"-X " + versionPackage + ".gitMajor=" + major, "-X " + versionPackage + ".gitMinor=" + minor,
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-p", "2", "-trimpath", "-ldflags", strings.Join(flags, " "), "-o", bin+"/", "./cmd/...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := progress(start, cmd); err != nil {
		t.Fatalf("build kube-apiserver and etcd: %v", err)
	}
	return bin
}

// progress runs a command and says now and then that it still runs.
func progress(start time.Time, cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // as run does
		defer runtime.UnlockOSThread()
		done <- cmd.Run()
	}()
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			say("still building after " + time.Since(start).Round(time.Second).String())
		}
	}
}

// say writes at once; a test's own log appears only when it has ended.
func say(text string) { _, _ = os.Stderr.WriteString("apiserver: " + text + "\n") }

// newKey gives a private key in PEM.
func newKey(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}
