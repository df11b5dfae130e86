package enforcer

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"aclium/enforcer/datapath"
)

// attentive notes at which priority messages are read.
type attentive struct {
	*memory
	nice chan int
}

func (l *attentive) Messages(context.Context, func(*datapath.Message)) error {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	l.nice <- 20 - raw // as the system call gives it
	return err
}

// The thread that reads answers goes before others, and takes no other along.
func TestAnswersAreReadFirst(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("raising a priority needs root")
	}
	e, m := newTest(t)
	l := &attentive{m, make(chan int, 1)}
	e.datapath = l
	go e.readNames(t.Context())
	if nice := <-l.nice; nice != highest {
		t.Errorf("answers are read at nice %d, want %d", nice, highest)
	}
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || 20-raw == highest {
		t.Errorf("this thread is at nice %d as well, %v", 20-raw, err)
	}
}
