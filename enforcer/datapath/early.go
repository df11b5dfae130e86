package datapath

import (
	"errors"
	"runtime"

	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

// early is the lists that are compiled while the rest of a push is worked out:
// they ask for counters, windows, policers and reflexive lists only when half of
// the work is done.
type early struct {
	push  *push
	lists map[listName]*compiling
	known chan struct{} // closed when the numbers are known, or will never be
	end   func() (struct{}, error)
}

// compiling is one of them. numbers may be read when known is closed; they are
// nil where nobody wants the table.
type compiling struct {
	policy  policy.Policy
	numbers *numbered
	table   *Table
	err     error
}

// compileEarly begins to compile the lists that the live state does not have.
// Of several with one name it takes the first, as their numbering does.
func (d *Datapath) compileEarly(p *push) *early {
	e := &early{push: p, lists: map[listName]*compiling{}, known: make(chan struct{})}
	var order []*compiling
	for i := range p.state.Ports {
		for _, lists := range [...][]policy.Policy{p.state.Ports[i].Ingress, p.state.Ports[i].Egress} {
			for j := range lists {
				name := listNameOf(&lists[j])
				old := d.lines.lists[name]
				if e.lists[name] == nil && (old == nil || !sameList(&old.policy, &lists[j])) {
					c := &compiling{policy: lists[j]}
					e.lists[name], order = c, append(order, c)
				}
			}
		}
	}
	e.end = beside(func() (struct{}, error) {
		return struct{}{}, inParallel(runtime.GOMAXPROCS(0), order, func(c *compiling) error { e.compile(c); return nil })
	})
	return e
}

var errNotWanted = errors.New("nobody wants the table")

func (e *early) compile(c *compiling) {
	p, ready := e.push, func() error {
		if <-e.known; c.numbers == nil {
			return errNotWanted
		}
		return nil
	}
	c.table, c.err = classifier.Compile(&c.policy, p.state.Identities, classifier.Numbers{
		Ready:   ready,
		Counter: func(line int) uint32 { return c.numbers.line(line) },
		Window:  func(s *policy.Schedule) (uint8, error) { return p.windows.number(s) },
		Policer: func(s *policy.Police) (uint16, error) { return p.limits.number(s) },
		List:    func(name string) (uint8, error) { return p.reflexives.number(name) },
	})
}

// finish gives the tables of the lists, whose numbers are known.
func (e *early) finish(fresh []*numbered) (map[*numbered]*Table, error) {
	made := make([]*compiling, len(fresh))
	var late []*compiling
	for i, n := range fresh {
		c := e.lists[listNameOf(&n.policy)]
		if c == nil || c.numbers != nil || !sameRules(c.policy.Rules, n.policy.Rules) {
			c = &compiling{policy: n.policy}
			late = append(late, c)
		}
		c.numbers, made[i] = n, c
	}
	e.stop()
	_ = inParallel(runtime.GOMAXPROCS(0), late, func(c *compiling) error { e.compile(c); return nil })
	tables, errs := make(map[*numbered]*Table, len(fresh)), make([]error, len(fresh))
	for i, c := range made {
		tables[fresh[i]], errs[i] = c.table, c.err
	}
	return tables, joinOrOnly(errs)
}

// joinOrOnly is errors.Join, which would wrap a single error as well.
func joinOrOnly(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// stop ends the compilations of lists that nobody wants and waits for the rest.
// More than one call is harmless.
func (e *early) stop() {
	select {
	case <-e.known:
	default:
		close(e.known)
	}
	_, _ = e.end()
}

// beside begins to do f and gives what waits for it.
func beside[T any](f func() (T, error)) (end func() (T, error)) {
	var out T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = f()
	}()
	return func() (T, error) {
		<-done
		return out, err
	}
}
