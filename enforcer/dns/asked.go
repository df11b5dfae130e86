package dns

import (
	"net/netip"
	"time"
)

// A Place is where a question was asked: the pod's device and socket, and the
// server.
type Place struct {
	Ifindex uint32
	Pod     netip.AddrPort
	Server  netip.Addr
}

// Asked remembers the questions that have no answer yet. The zero value is
// empty. Its times are those of one clock that never goes back.
type Asked struct {
	open map[asking]time.Duration
	// order holds the questions as they came, also those that are answered.
	order []asked
	// Forgotten counts the questions that were pushed out by others.
	Forgotten uint64
}

type asking struct {
	Place
	Question
}

type asked struct {
	asking
	at time.Duration
}

// patience is how long an answer may take; resolvers give up after 5 to 30
// seconds.
const patience = 30 * time.Second

// maxAsked bounds the questions in mind, answered ones of the last seconds
// included.
const maxAsked = 16384

// Add remembers a question. The oldest is forgotten where there are too many:
// its answer then opens nothing, and the pod asks again.
func (a *Asked) Add(at Place, q Question, now time.Duration) {
	if a.open == nil {
		a.open = map[asking]time.Duration{}
	}
	for len(a.order) > 0 && now-a.order[0].at > patience {
		a.drop()
	}
	if len(a.order) == maxAsked && a.drop() {
		a.Forgotten++
	}
	key := asking{at, q}
	a.open[key] = now
	a.order = append(a.order, asked{key, now})
}

// drop lets the oldest question go, unless it was asked again since, and
// reports whether it waited.
func (a *Asked) drop() bool {
	oldest := a.order[0]
	a.order = a.order[1:]
	at, waits := a.open[oldest.asking]
	if !waits || at != oldest.at {
		return false
	}
	delete(a.open, oldest.asking)
	return true
}

// Take reports whether the question was asked there and waits for an answer,
// which it then does no more: as a resolver believes the first one.
func (a *Asked) Take(at Place, q Question, now time.Duration) bool {
	key := asking{at, q}
	since, waits := a.open[key]
	delete(a.open, key)
	return waits && now-since <= patience
}
