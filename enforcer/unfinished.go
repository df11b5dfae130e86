package enforcer

import (
	"errors"

	"aclium/enforcer/datapath"
)

// isUnfinished reports whether an error says that the change is in force and
// something behind it is not done. Readers are shown it until it is.
func isUnfinished(err error) bool { return errors.As(err, new(*datapath.Unfinished)) }

// enforce tells the datapath a state, and once more where that left something
// undone: what stood in the way may be gone.
func (e *Enforcer) enforce(s datapath.State, ready func() error) error {
	err := e.datapath.ApplyWhen(s, ready)
	if !isUnfinished(err) {
		return err
	}
	e.metrics.results.WithLabelValues("unfinished").Inc()
	again := e.datapath.ApplyWhen(s, nil)
	if again == nil || isUnfinished(again) {
		return again
	}
	return &datapath.Unfinished{Err: errors.Join(err, again)}
}

// keptTime follows an attempt to lay down when time windows open and close.
func (e *Enforcer) keptTime(err error) {
	if err == nil {
		return
	}
	e.applied.known = false
	if isUnfinished(err) {
		e.metrics.results.WithLabelValues("unfinished").Inc()
		s := *e.current.Load()
		s.left = err
		e.current.Store(&s)
		e.log.Error("the change is enforced, what follows it is not done", "error", err)
		return
	}
	e.fail(err)
	e.log.Error("time-ranges cannot be kept, timed permits will be absent", "error", err)
}
