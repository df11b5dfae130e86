package enforcer

import (
	"os"
	"testing"
	"time"
)

// Reports without a pause do not keep the node from being looked at. A device
// that can always be read stands for the socket that always has one.
func TestEndlessReportsAreNotWaitedOut(t *testing.T) {
	f, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan struct{})
	go func() {
		waitReport(int(f.Fd()))
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("still waiting for quiet")
	}
}
