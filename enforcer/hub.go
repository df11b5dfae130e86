package enforcer

import (
	"sync"
	"sync/atomic"

	"aclium/translate/policy"
)

// backlog is how many events wait for a slow reader before it misses some.
const backlog = 1024

// A hub gives every event to every reader. It never waits for a reader: who is
// too slow misses events, and they are counted.
type hub struct {
	mu      sync.Mutex
	readers map[chan policy.Event]bool
	missed  atomic.Uint64
}

func newHub() *hub { return &hub{readers: map[chan policy.Event]bool{}} }

// subscribe gives a channel of the events from here on, and its end.
func (h *hub) subscribe() (<-chan policy.Event, func()) {
	c := make(chan policy.Event, backlog)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers[c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.readers, c)
	}
}

func (h *hub) publish(event policy.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.readers {
		select {
		case c <- event:
		default:
			h.missed.Add(1)
		}
	}
}
