package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"aclium/translate/policy"
)

// answering gives a client of a server that answers everything alike.
func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	c, err := Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestErrorsAreTheAgentsWords(t *testing.T) {
	for _, c := range []struct {
		status   int
		body     string
		want     string
		conflict bool
	}{
		{422, `{"error":"policy \"102\" stands twice"}`, `policy "102" stands twice`, false},
		{409, `{"error":"it is at revision 3, not 2"}`, "revision 3", true},
		{500, `nonsense`, "500 Internal Server Error", false},
		{500, ``, "500 Internal Server Error", false},
		{200, `{"revision":`, "read the enforcer's answer", false},
	} {
		_, err := answering(t, c.status, c.body).Put(t.Context(), Desired{})
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrConflict) != c.conflict {
			t.Errorf("%d %s: got %v, want %q", c.status, c.body, err, c.want)
		}
	}
}

func TestEventsSayThatTheAgentWentAway(t *testing.T) {
	n := 0
	line := `{"acl":"102","seq":10,"action":"deny","direction":"ingress","source":"10.0.0.1:1","destination":"10.0.0.2:23","packets":1}`
	err := answering(t, 200, line+"\n"+line+"\n").Events(t.Context(), func(e policy.Event) {
		if e.ACL == "102" && e.Action == policy.Deny {
			n++
		}
	})
	if err == nil || n != 2 {
		t.Errorf("%d events, %v, want 2 and an error", n, err)
	}
}

func TestDialWithoutAnAgent(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, socket := range []string{dead, dead + ".none"} {
		_, err := Dial(socket)
		if !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), "start one with 'aclium enforcer --socket "+socket) {
			t.Errorf("%s: got %v", socket, err)
		}
	}
}

func TestDialWithoutPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	// The thread stays somebody else and ends with the goroutine.
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		_ = unix.Setfsuid(65534)
		_, err := Dial(socket)
		failed <- err
	}()
	if err := <-failed; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v, want a refusal that names the socket", err)
	}
}

// An agent that dies amid a call is named, without the wrapping of HTTP.
func TestAgentDiesAmidACall(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	c, err := Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Desired(context.Background()); err == nil || strings.Contains(err.Error(), "http://") || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v", err)
	}
}
