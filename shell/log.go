package shell

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"aclium/translate/policy"
)

// logSize is how many bytes of log "show logging" shows.
const logSize = 64 << 10

// A logView is what a session wants of the agent's log. It is safe for
// concurrent use.
type logView struct {
	mu sync.Mutex
	on bool
	// cleared is the sequence of the last event that the session does not want
	// to see any more.
	cleared uint64
}

func (v *logView) monitor(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.on = on
}

func (v *logView) monitored() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.on
}

// Watch calls show with every line of the log that the session has asked for
// with "terminal monitor", until ctx ends.
func (s *Shell) Watch(ctx context.Context, show func(line string)) error {
	if s.o.Events == nil {
		return nil
	}
	return s.o.Events.Events(ctx, func(e policy.Event) {
		if s.log.monitored() {
			show(e.Syslog())
		}
	})
}

// logLines gives the log since the session has cleared it, as much as fits,
// and the sequence of its last line.
func (s *Shell) logLines(ctx context.Context) (lines []string, last uint64, err error) {
	if s.o.Events == nil {
		return nil, 0, nil
	}
	events, err := s.o.Events.Log(ctx)
	if err != nil {
		return nil, 0, err
	}
	size := 0
	if n := len(events); n == 0 || events[n-1].Sequence < s.log.cleared {
		s.log.cleared = 0 // the agent has begun anew
	}
	for i := range events {
		e := &events[len(events)-1-i]
		last = max(last, e.Sequence)
		line := e.Syslog()
		if size += len(line) + 1; size > logSize || e.Sequence <= s.log.cleared {
			break
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	return lines, last, nil
}

func (s *Shell) showLogging(c *call) error {
	lines, _, err := s.logLines(c.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Syslog logging: enabled\n    Monitor logging: %s\n    Buffer logging: level informational, %d messages logged\n\n",
		onOff(s.log.monitored(), "enabled", "disabled"), len(lines))
	fmt.Fprintf(c.out, "Log Buffer (%d bytes):\n\n", logSize)
	for _, line := range lines {
		fmt.Fprintln(c.out, line)
	}
	return nil
}

// clearLogging forgets the log for this session; others keep it.
func (s *Shell) clearLogging(c *call) error {
	_, last, err := s.logLines(c.ctx)
	s.log.cleared = max(s.log.cleared, last)
	return err
}

func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}
