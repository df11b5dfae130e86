package datapath

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

const (
	// sweepEvery is how often the flows of lines with "log" are looked at.
	sweepEvery = time.Second
	// sweepMost limits the messages of one sweep; what is over waits.
	sweepMost = 1000
)

// logLine is what a message needs to know of its line.
type logLine struct {
	policy.RuleID
	subject string
	form    policy.LogForm
	cookie  string
	// since and until bound the packets of this line on its counter id, in
	// bpf_ktime_get_ns: the next line with that id must not get them.
	since, until uint64
}

// A logbook knows which lines the kernel's log speaks of.
type logbook struct {
	mu      sync.Mutex
	lines   map[uint32]logLine // by counter id
	gone    map[uint32]logLine // the line that had the id last
	devices map[uint32]string  // by interface index
	queue   []policy.Event     // messages about flows whose line is gone
	lost    uint64             // packets that no message tells, for want of a line
	flows   uint32             // of the last sweep
	applied bool
	// sweeping is held by whoever deletes flows.
	sweeping sync.Mutex
}

func newLogbook() *logbook {
	return &logbook{lines: map[uint32]logLine{}, gone: map[uint32]logLine{}, devices: map[uint32]string{}}
}

// A LogUse says how full the log is.
type LogUse struct {
	// Flows are those that wait for their next message, of Limit at most.
	Flows, Limit uint32
	// Missed counts the packets of lines with "log" that no message tells.
	Missed uint64
}

// logList notes the lines of a list that log, by their counter ids.
func (p *push) logList(l *policy.Policy, numbers *numbered) {
	for i := range l.Rules {
		r := &l.Rules[i]
		if r.Log && numbers.line(i) != 0 {
			p.logged[numbers.line(i)] = logLine{RuleID: r.ID, subject: l.Subject.Name, form: r.LogForm, cookie: r.LogCookie}
		}
	}
}

// begin makes the lines of a push known before the first packet meets them.
func (b *logbook) begin(p *push) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, line := range p.logged {
		old, known := b.lines[id]
		switch {
		case known:
			line.since = old.since
		case b.applied:
			line.since = monotonic()
		}
		b.lines[id] = line
	}
	for name, device := range p.devices {
		b.devices[device.index] = name
	}
}

// settle forgets the lines that no packet meets any more, and gives their ids.
func (b *logbook) settle(p *push) map[uint32]logLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, until := map[uint32]logLine{}, monotonic()
	for id, line := range b.lines {
		if _, stays := p.logged[id]; stays {
			continue
		}
		line.until = until
		out[id], b.gone[id] = line, line
		delete(b.lines, id)
	}
	b.applied = true
	return out
}

// find gives the line that had the counter id when the packet came.
func (b *logbook) find(id uint32, ktime uint64) (logLine, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if line, ok := b.lines[id]; ok && ktime >= line.since {
		return line, true
	}
	line, ok := b.gone[id]
	return line, ok && ktime >= line.since && ktime <= line.until
}

func (b *logbook) device(index uint32) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.devices[index]
}

// retire tells the flows of lines that are gone, before their ids are used
// again. A message needs a line; what is left is attributed by its time.
func (d *Datapath) retire(gone map[uint32]logLine) error {
	if len(gone) == 0 {
		return nil
	}
	d.log.sweeping.Lock()
	defer d.log.sweeping.Unlock()
	keys, err := d.flowsOf(gone)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var flow bpf.AcliumLogFlow
		if err := d.maps.Maps["log_map"].LookupAndDelete(key, &flow); errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("take a log flow: %w", err)
		}
		if flow.Packets == 0 {
			continue
		}
		kind := bpf.AcliumEventKindEVENT_FIRST
		if flow.Told != 0 {
			kind = bpf.AcliumEventKindEVENT_TOTAL
		}
		d.log.push(d.eventOf(&bpf.AcliumEvent{Time: flow.Seen, Packets: flow.Packets, Flow: key, Kind: uint32(kind)}))
	}
	return nil
}

// push queues a message; the map's size bounds how many one push can make.
func (b *logbook) push(e policy.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 1 << 16
	if len(b.queue) == most {
		b.lost += e.Packets
		return
	}
	b.queue = append(b.queue, e)
}

func (b *logbook) take() []policy.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}

// flowsOf gives the flows of some lines. A walk that packets disturb too often
// ends early: the rest keeps its line by its time.
func (d *Datapath) flowsOf(lines map[uint32]logLine) (keys []bpf.AcliumLogKey, err error) {
	for range 3 {
		keys = keys[:0]
		var key bpf.AcliumLogKey
		var flow bpf.AcliumLogFlow
		all := d.maps.Maps["log_map"].Iterate()
		for all.Next(&key, &flow) {
			if _, ok := lines[key.Line]; ok {
				keys = append(keys, key)
			}
		}
		if err = all.Err(); !errors.Is(err, ebpf.ErrIterationAborted) {
			break
		}
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the log's flows: %w", err)
	}
	return keys, nil
}

// setLogging writes the device's settings.
func (d *Datapath) setLogging(p *push) error {
	m, before := d.maps.Maps["log_options_map"], bpf.AcliumLogOptions{}
	if err := m.Lookup(uint32(0), &before); err != nil {
		return fmt.Errorf("read the log's settings: %w", err)
	}
	p.logging = &before
	l := &p.state.Logging
	return putLogging(m, &bpf.AcliumLogOptions{Threshold: uint64(l.Threshold), Spacing: uint64(l.Spacing) * uint64(time.Millisecond)})
}

// restoreLogging undoes setLogging.
func (d *Datapath) restoreLogging(p *push) error {
	if p.logging == nil {
		return nil
	}
	return putLogging(d.maps.Maps["log_options_map"], p.logging)
}

func putLogging(m *ebpf.Map, o *bpf.AcliumLogOptions) error {
	if err := m.Put(uint32(0), o); err != nil {
		return fmt.Errorf("write the log's settings: %w", err)
	}
	return nil
}

// sweep has the kernel tell what is due.
func (d *Datapath) sweep() error {
	d.log.sweeping.Lock()
	defer d.log.sweeping.Unlock()
	in, out := bpf.AcliumLogSweep{Most: sweepMost}, bpf.AcliumLogSweep{}
	if d.log.flows > d.maps.Maps["log_map"].MaxEntries()/4*3 {
		in.Pressure = 1
	}
	if _, err := d.maps.Programs["sweep_log"].Run(&ebpf.RunOptions{Context: &in, ContextOut: &out}); err != nil {
		return fmt.Errorf("sweep the log: %w", err)
	}
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	d.log.flows = out.Flows
	return nil
}

// sweepUntil sweeps once a second until ctx ends.
func (d *Datapath) sweepUntil(ctx context.Context, out chan<- policy.Event) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A sweep that failed is tried again; its flows wait in the kernel.
		_ = d.sweep()
		for _, e := range d.log.take() {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

// LogUse says how full the log is.
func (d *Datapath) LogUse() (LogUse, error) {
	var loss bpf.AcliumLogLoss
	if err := d.maps.Maps["log_loss_map"].Lookup(uint32(0), &loss); err != nil {
		return LogUse{}, fmt.Errorf("read the log's losses: %w", err)
	}
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	return LogUse{Flows: d.log.flows, Limit: d.maps.Maps["log_map"].MaxEntries(), Missed: loss.Missed + d.log.lost}, nil
}

// monotonic is the time of bpf_ktime_get_coarse_ns, by which packets are
// stamped: the precise clock is ahead of it by up to a tick.
func monotonic() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &now) != nil {
		return 0
	}
	return uint64(now.Nano())
}
