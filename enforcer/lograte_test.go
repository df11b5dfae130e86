package enforcer

import (
	"context"
	"testing"
	"time"

	"aclium/enforcer/client"
	"aclium/translate/policy"
)

// "logging rate-limit" holds from the push that brings it to the one that takes
// it away, and whatever it drops is counted.
func TestLogRateLimit(t *testing.T) {
	e, m := newTest(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { e.readEvents(ctx); close(ended) }()
	limit := func(rate uint32) {
		t.Helper()
		if _, err := e.Put(client.Desired{Revision: e.Desired().Revision, Logging: policy.Logging{Rate: rate}}); err != nil {
			t.Fatal(err)
		}
	}
	const events = 50
	// send gives how many events were told, and the seconds that it took.
	send := func() (told, seconds int) {
		before, began := len(e.events.newest()), time.Now()
		for range events {
			m.events <- policy.Event{Packets: 2}
		}
		m.events <- policy.Event{} // the one before it has been taken
		for _, event := range e.events.newest()[before:] {
			if !event.Missed && event.Packets > 0 {
				told++
			}
		}
		return told, int(time.Since(began)/time.Second) + 1
	}
	if told, _ := send(); told != events || e.events.untold.Load() != 0 {
		t.Errorf("without a limit %d of %d were told", told, events)
	}
	limit(3)
	told, seconds := send()
	if told > 3*(seconds+1) {
		t.Errorf("%d were told in %d seconds with a limit of 3", told, seconds)
	}
	if got, want := e.events.untold.Load(), uint64(2*(events-told)); got != want {
		t.Errorf("%d packets counted as not told, want %d", got, want)
	}
	limit(0)
	if told, _ := send(); told != events {
		t.Errorf("behind the limit %d of %d were told", told, events)
	}
	stop()
	<-ended
}
