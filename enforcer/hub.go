package enforcer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclium/translate/policy"
)

// backlog is how many events wait for a slow reader before it misses some.
const backlog = 1024

// A hub gives every event to every reader. It never waits for a reader: who is
// too slow misses events, and is told how many packets they spoke of.
type hub struct {
	mu      sync.Mutex
	readers map[chan policy.Event]uint64 // packets that the reader missed and was not told of
	recent  []policy.Event               // the newest, oldest first; keep at most
	missed  atomic.Uint64                // events
	passed  atomic.Uint64                // events that came
	// untold counts the packets of events that "logging rate-limit" dropped.
	untold atomic.Uint64
}

func newHub() *hub { return &hub{readers: map[chan policy.Event]uint64{}} }

// subscribe gives a channel of the events from here on, and its end.
func (h *hub) subscribe() (<-chan policy.Event, func()) {
	c := make(chan policy.Event, backlog)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers[c] = 0
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.readers, c)
	}
}

func (h *hub) publish(event policy.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	event.Sequence = h.passed.Add(1)
	h.remember(event)
	for c, missed := range h.readers {
		if missed > 0 && len(c)+2 <= cap(c) {
			c <- policy.Event{Time: event.Time, Node: event.Node, Packets: missed, Missed: true}
			h.readers[c] = 0
		}
		select {
		case c <- event:
		default:
			h.missed.Add(1)
			h.readers[c] += event.Packets
		}
	}
}

// keep is how many messages an agent remembers for "show logging".
const keep = 1000

// remember cuts the oldest half off at twice the size, so that it seldom copies.
func (h *hub) remember(event policy.Event) {
	if len(h.recent) == 2*keep {
		h.recent = append(h.recent[:0], h.recent[keep:]...)
	}
	h.recent = append(h.recent, event)
}

// newest gives what is remembered, oldest first.
func (h *hub) newest() []policy.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.recent[max(0, len(h.recent)-keep):])
}

// consoleRate is how many messages a second the agent's own log takes.
const consoleRate = 100

// A console lets so many events of a second through and adds the others up.
type console struct {
	print func(policy.Event)
	rate  int // events a second; 0 is no limit
	since time.Time
	used  int
	held  uint64 // packets of the events that were kept back
}

// take prints the event or keeps it back; what was kept back is reported in
// the next second that has an event, by a message beyond the rate.
func (c *console) take(now time.Time, event policy.Event) (printed bool) {
	if now.Sub(c.since) >= time.Second {
		c.since, c.used = now, 0
		if c.held > 0 {
			c.print(policy.Event{Time: event.Time, Node: event.Node, Packets: c.held, Missed: true})
			c.held = 0
		}
	}
	if c.rate > 0 && c.used >= c.rate {
		c.held += event.Packets
		return false
	}
	c.used++
	c.print(event)
	return true
}
