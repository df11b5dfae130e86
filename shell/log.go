package shell

import (
	"context"
	"fmt"
	"sync"

	"aclium/translate/policy"
)

// logSize is how many bytes of log a session keeps.
const logSize = 64 << 10

// A logBuffer keeps the newest lines of the log. It is safe for concurrent use.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
	bytes int
	on    bool
}

func (b *logBuffer) add(line string) (monitored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	b.bytes += len(line) + 1
	for b.bytes > logSize {
		b.bytes -= len(b.lines[0]) + 1
		b.lines = b.lines[1:]
	}
	return b.on
}

func (b *logBuffer) all() (lines []string, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.lines...), logSize
}

func (b *logBuffer) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines, b.bytes = nil, 0
}

func (b *logBuffer) monitor(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = on
}

func (b *logBuffer) monitored() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on
}

// Watch keeps the log until ctx ends. It calls show with every line that the
// session has asked for with "terminal monitor".
func (s *Shell) Watch(ctx context.Context, show func(line string)) error {
	if s.o.Events == nil {
		return nil
	}
	return s.o.Events.Events(ctx, func(e policy.Event) {
		line := e.Time.UTC().Format("*Jan _2 15:04:05.000: ") + e.Message()
		if s.log.add(line) {
			show(line)
		}
	})
}

func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}
