package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
)

// The test binary plays the aclium program: the lab starts it as its children.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab" {
		fmt.Fprintln(os.Stderr, child(os.Args[2], os.Args[4:]))
		os.Exit(2)
	}
	if len(os.Args) > 1 && os.Args[1] == "enforcer" {
		fmt.Fprintln(os.Stderr, stubAgent(os.Args[3]))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func child(role string, args []string) error {
	if role == "child" {
		return Child(args)
	}
	return Listen(args[0], args[1:])
}

// stubAgent answers as an agent that filters nothing.
func stubAgent(socket string) error {
	if os.Getenv("ACLIUM_TEST_AGENT") == "broken" {
		return fmt.Errorf("no such kernel")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNoContent)
		} else {
			_ = json.NewEncoder(w).Encode(map[string]any{"node": "stub", "pid": os.Getpid()})
		}
	}))
}
