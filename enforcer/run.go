package enforcer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// Where an agent keeps its things when nobody says otherwise.
const (
	DefaultState = "/var/lib/aclium"
	DefaultPin   = "/sys/fs/bpf/aclium"
)

// Options say where an agent keeps its things. Those of type string and Log are required.
type Options struct {
	Socket string // path of the unix socket
	State  string // directory of what must survive a restart
	Pin    string // directory on a bpf file system
	Node   string // name that counters and events carry
	// NameServers are those whose answers are believed; the node's own where
	// there are none.
	NameServers []netip.Addr
	Clsact      bool // attach through clsact even where the kernel has TCX
	// Audit judges, counts and logs everything and drops nothing. An agent that
	// is started without it drops again.
	Audit bool
	// QuietLines keeps the messages of lines with "log" out of Log; they still
	// go to whoever reads the events.
	QuietLines bool
	// LineMetrics is how many lines have time series of their own; the lines
	// beyond it are added up by list. 0 adds up all lines.
	LineMetrics int
	// Version is the program's, for the metrics.
	Version string
	Log     *slog.Logger
}

// Run is an agent from start to end. It returns nil when ctx ends; what it
// enforced stays enforced. An error before that says what could not be had:
// another agent has the socket, the state is damaged, the kernel cannot.
func Run(ctx context.Context, o Options) error {
	s, lock, err := openStore(o.State)
	if err != nil {
		return err
	}
	defer lock.Close()
	l, err := listen(o.Socket)
	if err != nil {
		return err
	}
	defer l.Close()
	r, err := recall(s, o.Pin)
	if err != nil {
		return err
	}
	d, err := datapath.Open(datapath.Options{PinPath: o.Pin, Node: o.Node, Clsact: o.Clsact})
	if err != nil {
		return err
	}
	defer d.Close()
	e := newEnforcer(o.Node, o.Log, kernel{d}, s, r)
	e.audit = o.Audit
	e.quiet, e.metrics.lineLimit = o.QuietLines, o.LineMetrics
	e.metrics.build(o.Version)
	if err := e.trustServers(o.NameServers); err != nil {
		return err
	}
	return e.serve(ctx, l)
}

// recall reads the record. An agent without one begins without policies, but
// not over a kernel that still enforces some: they came from a state that is
// elsewhere or lost, and forgetting them would open the node.
func recall(s *store, pin string) (record, error) {
	s.sweep()
	r, err := s.load()
	if !errors.Is(err, errNoState) {
		return r, err
	}
	if pinned, err := os.ReadDir(pin); err == nil && len(pinned) > 0 {
		return r, fmt.Errorf("%s has no state, but %s enforces policies: name the state directory that they came from, "+
			"or take them off with 'aclium enforcer --remove'", s.dir, pin)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("look for pinned policies: %w", err)
	}
	r.Policies = []policy.Policy{}
	staged, err := s.stage(r)
	if err != nil {
		return r, err
	}
	return r, staged.commit()
}

// Remove takes off everything that an agent enforces through the pin path. It
// refuses while one listens on the socket. The state directory stays.
func Remove(socket, pin string) error {
	if pid, alive := listener(socket); alive {
		return fmt.Errorf("an enforcer runs on %s (process %d): stop it first", socket, pid)
	}
	return datapath.Remove(pin)
}

// serve keeps the datapath to the desired state and answers requests.
func (e *Enforcer) serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	changed, err := watchNode(ctx)
	if err != nil {
		return err
	}
	e.syncAndLog()
	go e.follow(ctx, changed)
	go e.readEvents(ctx)
	go e.readNames(ctx)
	go e.tendNames(ctx)
	server := &http.Server{
		Handler: e.Handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(e.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	h := e.Health()
	if h.Audit {
		e.log.Warn("AUDIT MODE: nothing is dropped on this node, what would be is only counted")
	}
	e.log.Info("listening", "socket", l.Addr().String(), "revision", h.Revision, "endpoints", h.Endpoints, "ports", h.Ports)
	notify("READY=1", "STATUS="+e.status())
	go e.feedWatchdog(ctx)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	notify("STOPPING=1")
	// A push that is under way is finished; event streams end with ctx.
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = server.Shutdown(wait)
	e.changing.Lock() // nothing is half done after this
	e.log.Info("stopped, what was enforced stays enforced")
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// follow keeps the datapath to the node's devices as they come and go.
func (e *Enforcer) follow(ctx context.Context, changed <-chan struct{}) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			e.syncAndLog()
		case <-minute.C:
			e.keepTime()
		}
	}
}

// keepTime lets timed lines go on beyond what the kernel knows of the future.
// Until it succeeds timed permits may be absent, never present by mistake.
func (e *Enforcer) keepTime() {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.keptTime(e.datapath.KeepTime())
}

func (e *Enforcer) syncAndLog() {
	err := e.Sync()
	switch {
	case isUnfinished(err):
		e.log.Error("the desired state is enforced, what follows it is not done", "error", err)
	case err != nil:
		e.log.Error("the desired state is not enforced, what was enforced before still is", "error", err)
	}
}

// readEvents gives the kernel's log events to whoever listens.
func (e *Enforcer) readEvents(ctx context.Context) {
	printed := console{rate: consoleRate, print: func(event policy.Event) {
		e.log.Info(event.Message(), "line", event.RuleID.String(), "subject", event.Subject)
	}}
	told := console{print: func(event policy.Event) {
		e.events.publish(event)
		if !e.quiet {
			printed.take(time.Now(), event)
		}
	}}
	err := e.datapath.Events(ctx, func(event policy.Event) {
		event.Node, told.rate = e.name, int(e.current.Load().record.Logging.Rate)
		if !told.take(time.Now(), event) {
			e.events.untold.Add(event.Packets)
		}
	})
	if err != nil && ctx.Err() == nil {
		e.log.Error("log events are not read any more", "error", err)
	}
}
