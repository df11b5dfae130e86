package enforcer

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager listens as a service manager does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// An agent says READY when it enforces and answers, and STOPPING at its end.
func TestServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn := manager(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	e, _ := newTest(t)
	l, err := listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.serve(ctx, l) }()
	if got := heard(t, conn); !strings.HasPrefix(got, "READY=1\nSTATUS=revision 0, 0 endpoints, 0 ports filtered") {
		t.Errorf("got %q", got)
	}
	if status, _ := request(t, l.Addr().String(), "GET", "/healthz", ""); status != 200 {
		t.Errorf("ready, and /healthz answers %d", status)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := heard(t, conn); got != "STOPPING=1" {
		t.Errorf("got %q", got)
	}
}

func TestWatchdogIsFedWhileChangesEnd(t *testing.T) {
	conn := manager(t, "@aclium-test-"+strconv.Itoa(os.Getpid()))
	t.Setenv("NOTIFY_SOCKET", "@aclium-test-"+strconv.Itoa(os.Getpid()))
	t.Setenv("WATCHDOG_USEC", "2000")
	e, _ := newTest(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.feedWatchdog(ctx); close(done) }()
	for range 3 {
		if got := heard(t, conn); !strings.HasPrefix(got, "WATCHDOG=1\n") {
			t.Errorf("got %q", got)
		}
	}
	// A change that never ends keeps the watchdog hungry: what was sent before
	// is drained, and then nothing comes.
	e.changing.Lock()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 4096)); err != nil {
			break
		}
	}
	e.changing.Unlock()
	stop()
	<-done
}

func TestWatchdogOfAnotherProcessIsNotOurs(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0}, {"x", "", 0}, {"-5", "", 0}, {"2000000", "", 2 * time.Second},
		{"2000000", strconv.Itoa(os.Getpid()), 2 * time.Second}, {"2000000", "1", 0},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got := watchdogInterval(); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
