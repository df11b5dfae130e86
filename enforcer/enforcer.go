package enforcer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

// Datapath is what the agent needs of the kernel side; *datapath.Datapath is one.
type Datapath interface {
	// ApplyWhen enforces the state as a whole, or changes nothing. After a
	// *datapath.Unfinished the state is enforced. Before anything is, ready must
	// succeed, which may be nil.
	ApplyWhen(s datapath.State, ready func() error) error
	// KeepTime lays down anew when time windows open and close, where that has
	// come to its end or the clock has left it.
	KeepTime() error
	// Damage says what others took away of what Apply put into force.
	Damage() (string, error)
	// Ahead gives the programs of others that stand before ours.
	Ahead() ([]datapath.Earlier, error)
	Counters() ([]policy.Counter, error)
	// Clear sets the counters of one list to zero, of all when acl is "".
	Clear(acl string) error
	Drops() ([]client.Drop, error)
	Policers() ([]policy.PoliceCounter, error)
	// Reflected gives the temporary entries of reflexive lists.
	Reflected() ([]policy.Reflected, error)
	// Use says how full the kernel's maps are.
	Use() (datapath.Use, error)
	// Events calls f with every logged packet until ctx ends.
	Events(ctx context.Context, f func(policy.Event)) error
	NameKeeper
}

// An Enforcer holds the desired state and keeps the datapath to it. It is safe
// for concurrent use; changes happen one at a time.
type Enforcer struct {
	name     string
	log      *slog.Logger
	datapath Datapath
	store    *store
	readNode func() (nodeFacts, error)
	events   *hub
	rules    ruleCache
	metrics  *metrics
	quiet    bool // log messages stay out of log
	audit    bool // nothing is dropped
	names    *namebook

	changing sync.Mutex // held by whoever changes the state
	current  atomic.Pointer[snapshot]
	ahead    atomic.Pointer[[]client.Earlier]
	// applied is what the datapath was last told; guarded by changing.
	applied appliedState
	resting *time.Timer // guarded by changing, nil until memory is given back
}

// A snapshot is the state as readers see it; it is never changed.
type snapshot struct {
	record  record
	ports   int
	missing []string
	// err says why the record is not what is enforced.
	err error
	// left says what an enforced change has left undone.
	left error
}

type appliedState struct {
	known bool
	plan
}

// refused wraps an error that is the asker's own doing.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

func refuse(format string, args ...any) error { return refused{fmt.Errorf(format, args...)} }

// newEnforcer gives an agent that remembers the record and enforces nothing yet.
func newEnforcer(name string, log *slog.Logger, d Datapath, s *store, r record) *Enforcer {
	e := &Enforcer{name: name, log: log, datapath: d, store: s, readNode: readNode, events: newHub(), names: newNamebook(d, log)}
	e.current.Store(&snapshot{record: r, err: errors.New("nothing was applied yet")})
	e.metrics = newMetrics(e)
	return e
}

// Desired gives the desired policies and their text.
func (e *Enforcer) Desired() client.Desired { return e.current.Load().record.Desired }

// Endpoints gives the known pods.
func (e *Enforcer) Endpoints() []client.Endpoint { return e.current.Load().record.Endpoints }

// Health gives the agent's state.
func (e *Enforcer) Health() client.Health {
	s := e.current.Load()
	h := client.Health{
		Node: e.name, PID: os.Getpid(), Revision: s.record.Revision,
		Endpoints: len(s.record.Endpoints), Ports: s.ports, Missing: s.missing,
		Audit: e.audit, Ahead: e.earlier(),
	}
	if s.err != nil {
		h.Error = s.err.Error()
	}
	if s.left != nil {
		h.Unfinished = s.left.Error()
	}
	return h
}

// Put replaces the desired policies and gives their revision. The error wraps
// client.ErrConflict when d.Revision is not the current one. After a
// *datapath.Unfinished the policies are in force under the revision.
func (e *Enforcer) Put(d client.Desired) (uint64, error) { return e.put(d, nil) }

// put takes the policies' JSON as well, where it is at hand.
func (e *Enforcer) put(d client.Desired, encoded json.RawMessage) (uint64, error) {
	if err := cmp.Or(validatePolicies(d.Policies), d.Logging.Validate()); err != nil {
		return 0, refused{err}
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	next := e.current.Load().record
	if d.Revision != next.Revision {
		return 0, fmt.Errorf("%w: it is at revision %d, not %d", client.ErrConflict, next.Revision, d.Revision)
	}
	next.Desired, next.encoded = d, encoded
	next.Revision++
	err := e.change(next)
	if err != nil && !isUnfinished(err) {
		return 0, err
	}
	return next.Revision, err
}

// PutEndpoints replaces the set of known pods.
func (e *Enforcer) PutEndpoints(endpoints []client.Endpoint) error {
	if err := validateEndpoints(endpoints); err != nil {
		return refused{err}
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	next := e.current.Load().record
	if err := validateServices(next.Services, endpoints); err != nil {
		return refused{err}
	}
	next.Endpoints = endpoints
	return e.change(next)
}

// largestKept is how much of a push's text is kept for the next time that the
// state is stored, bytes. It is about 20,000 rules; above, memory is dearer.
const largestKept = 8 << 20

// change makes the record the one that is enforced and remembered, or leaves
// everything as it is. The disk must have it before the kernel does, because it
// fails more often, and the kernel can be put back; it writes while the datapath
// compiles.
func (e *Enforcer) change(next record) error {
	old := e.current.Load()
	if err := next.validatePorts(); err != nil {
		return refused{err}
	}
	node, err := e.readNode()
	if err != nil {
		return err
	}
	if err := checkNew(&old.record, &next, node); err != nil {
		return err
	}
	if next.Identities, err = old.record.Identities.Assign(slices.Concat(labelSets(next.Endpoints), e.names.sets(next.Policies))); err != nil {
		return refused{err}
	}
	out := e.plan(&next, node)
	if err := checkIdle(&next, out.state); err != nil {
		return err
	}
	staged := e.store.begin(next)
	if len(next.encoded) > largestKept {
		next.encoded = nil
	}
	before := e.applied
	shown, err := e.applyAmid(&next, out, staged.ready)
	if shown == nil {
		staged.discard()
		return err
	}
	if err := staged.commit(); err != nil {
		return e.undo(old, before, node, next.Identities, err)
	}
	// A reader who saw it earlier might have seen a revision that is undone, and
	// then replace another state of the same revision.
	e.current.Store(shown)
	return err
}

// checkNew refuses what the record newly asks for and the node cannot give: a
// device that is not there, an address that is the node's own. What was
// accepted before and vanished since is waited for.
func checkNew(old, next *record, node nodeFacts) error {
	known := old.devices()
	for name := range next.devices() {
		if _, exists := node.devices[name]; !exists && !known[name] {
			return refuse("this node has no interface %s", name)
		}
	}
	for i := range next.Endpoints {
		for _, a := range next.Endpoints[i].Addresses {
			if node.addresses[a] && !slices.ContainsFunc(old.Endpoints, func(e client.Endpoint) bool { return slices.Contains(e.Addresses, a) }) {
				return refuse("endpoint %s has the address %s, which is the node's own", podName(&next.Endpoints[i]), a)
			}
		}
	}
	return nil
}

// plan gives what the record means on this node.
func (e *Enforcer) plan(r *record, node nodeFacts) plan {
	return e.planBehind(r, node, e.current.Load().record.Identities)
}

// planBehind gives a plan that follows one under which addresses had these
// numbers.
func (e *Enforcer) planBehind(r *record, node nodeFacts, before identity.Table) plan {
	p := planner{record: r, node: node.of(r), audit: e.audit, retired: retiredBy(r.Identities, before)}
	out := p.plan()
	out.state.Names = e.names.state(r.Policies, r.Identities)
	return out
}

// pursuits is how often a push runs after devices that vanish under it.
const pursuits = 5

// applyAmid repeats a push that failed while the node changed: a pod that goes
// away must not fail the configuration of the others.
func (e *Enforcer) applyAmid(r *record, out plan, ready func() error) (*snapshot, error) {
	shown, err := e.apply(r, out, ready)
	for range pursuits {
		if shown != nil {
			break
		}
		node, unread := e.readNode()
		if unread != nil || out.node.equal(node.of(r)) {
			break
		}
		out = e.plan(r, node)
		shown, err = e.apply(r, out, ready)
	}
	return shown, err
}

// apply tells the datapath the plan for the record, when ready has succeeded,
// and gives what readers are to be shown. After an error everything is as before
// and there is nothing to show, but for an Unfinished.
func (e *Enforcer) apply(r *record, out plan, ready func() error) (*snapshot, error) {
	start := time.Now()
	err := e.enforce(out.state, ready)
	e.metrics.applied(time.Since(start), err)
	if err != nil && !isUnfinished(err) {
		// The next Sync looks at everything again. A flip that was taken back
		// may have cost addresses their names, and an agent whose first push
		// fails goes on with the lists of the one before it.
		e.applied.known = false
		old := e.current.Load()
		e.names.placeFirst(&old.record, out.node)
		e.names.adopt(old.record.Policies, old.record.Identities)
		return nil, fmt.Errorf("enforce: %w", err)
	}
	e.applied = appliedState{known: err == nil, plan: out}
	e.names.place(r, out.node)
	e.names.adopt(r.Policies, r.Identities)
	e.giveBack(r.Policies)
	for _, name := range out.missing {
		e.log.Warn("a device is missing, it is filtered as soon as it appears", "interface", name)
	}
	return &snapshot{record: *r, ports: len(out.state.Ports), missing: out.missing, left: err}, err
}

// retiredBy gives the label sets that the new table does not know any more.
func retiredBy(next, old identity.Table) []identity.Assignment {
	var gone []identity.Assignment
	for _, a := range old.Assigned {
		if _, stays := next.Number(a.Labels); !stays {
			gone = append(gone, a)
		}
	}
	return gone
}

// undo puts the kernel back to what it had before, because the new state could
// not be remembered. Its tables know the numbers of the new one too: addresses
// have them until they are turned back.
func (e *Enforcer) undo(old *snapshot, before appliedState, node nodeFacts, numbers identity.Table, cause error) error {
	before.plan = e.planBehind(&old.record, node, numbers)
	restored := *old
	err := e.enforce(before.state, nil)
	switch {
	case isUnfinished(err):
		restored.left = err
	case err != nil:
		cause = fmt.Errorf("%w, and the old state cannot be enforced again: what was refused is in force until it can: %w", cause, err)
		restored.err = cause
	}
	before.known = err == nil
	e.names.place(&old.record, before.node)
	e.names.adopt(old.record.Policies, old.record.Identities)
	e.applied = before
	e.current.Store(&restored)
	return cause
}

// Sync makes the datapath enforce the desired state on the devices that the
// node has at this moment. It is safe to repeat and does nothing when nothing
// has changed and all that was put into force is still there.
func (e *Enforcer) Sync() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	defer e.lookAhead()
	s := e.current.Load()
	node, err := e.readNode()
	if err == nil {
		if e.applied.known && s.err == nil && len(e.applied.retired) == 0 && e.applied.node.equal(node.of(&s.record)) && e.intact() {
			return nil
		}
		r := s.record
		var shown *snapshot
		if shown, err = e.apply(&r, e.plan(&r, node), nil); shown != nil {
			e.current.Store(shown)
		}
	}
	if err != nil && !isUnfinished(err) {
		e.fail(err)
	}
	return err
}

// fail shows readers why the desired state is not what is enforced. The next
// Sync tries again.
func (e *Enforcer) fail(err error) {
	failed := *e.current.Load()
	failed.err = err
	e.current.Store(&failed)
}

// intact reports whether what was applied is still where it was put. A device
// that was moved away and back, or made again under its old index, has lost its
// programs; so has one that somebody took them off. Who cannot tell looks again
// when the node is next looked at: a push would change nothing about it.
func (e *Enforcer) intact() bool {
	damage, err := e.datapath.Damage()
	if err != nil {
		e.log.Error("what is in force cannot be looked at", "error", err)
		return true
	}
	if damage != "" {
		e.log.Warn("what was enforced was taken away by another program, it is put back", "what", damage)
	}
	return damage == ""
}

// Counters gives every line's counter, stamped with the node's name.
func (e *Enforcer) Counters() ([]policy.Counter, error) {
	counters, err := e.datapath.Counters()
	if err != nil {
		return nil, err
	}
	for i := range counters {
		counters[i].Node = e.name
	}
	return counters, nil
}
