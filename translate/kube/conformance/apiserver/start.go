package apiserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Start gives an administrator's access to an API server that serves until
// the test has ended. It builds the server where that is necessary, and says
// so.
func Start(t testing.TB) *rest.Config {
	t.Helper()
	bin := build(t)
	dir := t.TempDir()
	store := "http://" + freeAddress(t)
	run(t, dir, filepath.Join(bin, "etcd"),
		"--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls="+store, "--advertise-client-urls="+store,
		"--listen-peer-urls=http://"+freeAddress(t), "--unsafe-no-fsync", "--log-level=warn")
	waitFor(t, "etcd", func() error { return get(http.DefaultClient, store+"/health") })

	config := &rest.Config{Host: "https://" + freeAddress(t), BearerToken: secret(t), QPS: -1}
	serve(t, bin, dir, store, config)
	return config
}

// serve starts the API server for the access that the configuration gives.
func serve(t testing.TB, bin, dir, store string, config *rest.Config) {
	t.Helper()
	host, port, err := net.SplitHostPort(config.Host[len("https://"):])
	if err != nil {
		t.Fatal(err)
	}
	key := write(t, dir, "service-account.key", newKey(t))
	tokens := write(t, dir, "tokens.csv", []byte(config.BearerToken+",admin,admin,system:masters\n"))
	run(t, dir, filepath.Join(bin, "kube-apiserver"),
		"--etcd-servers="+store, "--bind-address="+host, "--advertise-address="+host, "--secure-port="+port,
		"--cert-dir="+filepath.Join(dir, "certificates"), "--token-auth-file="+tokens, "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		// There are no service accounts without their controller.
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--v=0")
	// The server makes its certificate itself while it starts.
	certificate := filepath.Join(dir, "certificates", "apiserver.crt")
	waitFor(t, "kube-apiserver", func() error {
		if config.CAData, err = os.ReadFile(certificate); err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(context.Background()).Error()
	})
}

// run starts a program that ends when the test does. Programs end in reverse
// order, so that the API server goes before its store, without which it would
// wait. The kernel ends the program when the test's process dies.
func run(t testing.TB, dir, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The signal comes when the thread dies that started the program; a
		// locked one lives as long as the wait.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		_ = cmd.Wait()
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", filepath.Base(program), err)
	}
	t.Cleanup(func() {
		stop(cmd, ended)
		if t.Failed() {
			tail(t, log.Name())
		}
		_ = log.Close()
	})
}

// grace is how long a program may take to end by itself.
const grace = 10 * time.Second

func stop(cmd *exec.Cmd, ended <-chan struct{}) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(grace):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// tail shows the end of a log.
func tail(t testing.TB, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		t.Logf("%s ends:\n%s", filepath.Base(name), text[max(0, len(text)-2000):])
	}
}

// ready is how long a program may take to answer on a busy machine.
const ready = 2 * time.Minute

func waitFor(t testing.TB, what string, answers func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(ready); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = answers(); err == nil {
			return
		}
	}
	t.Fatalf("%s is not ready after %v: %v", what, ready, err)
}

func get(c *http.Client, url string) error {
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", r.Status)
	}
	return nil
}

// freeAddress gives a loopback address and a port that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func secret(t testing.TB) string {
	t.Helper()
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func write(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
