package enforcer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// memory is a datapath that only remembers.
type memory struct {
	mu       sync.Mutex
	states   []datapath.State // every state that was applied
	fail     error            // what Apply answers
	left     error            // what Apply answers when it has applied
	failures int              // how often it still answers left; -1 is always
	counters []policy.Counter
	cleared  []string
	kept     int // calls of KeepTime
	events   chan policy.Event
	damage   string // until the next Apply
	applying func() // called by each Apply, nil for nobody
	ahead    []datapath.Earlier
}

func (m *memory) ApplyWhen(s datapath.State, ready func() error) error {
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	if m.applying != nil {
		m.applying()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.states, m.damage = append(m.states, s), ""
	if m.failures != 0 {
		m.failures--
		return &datapath.Unfinished{Err: m.left}
	}
	return nil
}

func (m *memory) Damage() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.damage, nil
}

func (m *memory) Ahead() ([]datapath.Earlier, error) { return m.ahead, nil }

// KeepTime notes that it was asked.
func (m *memory) KeepTime() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept++
	return m.fail
}

func (m *memory) last() datapath.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[len(m.states)-1]
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.states)
}

func (m *memory) Counters() ([]policy.Counter, error) { return slices.Clone(m.counters), nil }

func (m *memory) Clear(acl string) error {
	m.cleared = append(m.cleared, acl)
	return nil
}

func (m *memory) Policers() ([]policy.PoliceCounter, error) {
	return []policy.PoliceCounter{{Police: policy.Police{Name: "C", Rate: 8000, Burst: 1500}, ConformedPackets: 3, ExceededPackets: 2}}, nil
}

func (m *memory) Reflected() ([]policy.Reflected, error) {
	return []policy.Reflected{{List: "MIRROR", Protocol: policy.TCP, Source: netip.MustParseAddrPort("203.0.113.50:443"), Destination: netip.MustParseAddrPort("10.0.0.1:51022"), Packets: 4}}, nil
}

func (m *memory) Drops() ([]client.Drop, error) {
	return []client.Drop{{Reason: "spoofed", Packets: 3, Bytes: 180}}, nil
}

func (m *memory) Use() (datapath.Use, error) {
	return datapath.Use{Connections: 5, ConnectionLimit: 100, Memory: map[string]uint64{"tables": 65536}, Log: datapath.LogUse{Flows: 2, Limit: 16384, Missed: 7}}, nil
}

func (m *memory) Events(ctx context.Context, f func(policy.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-m.events:
			f(event)
		}
	}
}

var errKernel = errors.New("the kernel will not")

// newTest gives an agent over memory, on a node that has the devices.
func newTest(t testing.TB, devices ...string) (*Enforcer, *memory) {
	t.Helper()
	s, lock, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	m := &memory{events: make(chan policy.Event)}
	return testEnforcer(t, m, s, record{}, devices...), m
}

func testEnforcer(t testing.TB, m *memory, s *store, r record, devices ...string) *Enforcer {
	t.Helper()
	e := newEnforcer("worker-1", slog.New(slog.NewTextHandler(io.Discard, nil)), m, s, r)
	e.readNode = func() (nodeFacts, error) { return factsOf(devices...), nil }
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	return e
}

func factsOf(devices ...string) nodeFacts {
	facts := nodeFacts{devices: map[string]int{}, addresses: map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true}}
	for i, d := range devices {
		facts.devices[d] = i + 1
	}
	return facts
}

// onPods gives a list of one permit on the pods with the label app=NAME.
func onPods(acl string, d policy.Direction, app string) policy.Policy {
	return policy.Policy{
		ACL: acl, Direction: d, Family: policy.IPv4, Stateful: true,
		Subject: policy.Subject{Name: "workload " + app, Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{app}}}}},
		Rules:   []policy.Rule{permitAll(acl)},
	}
}

func onInterface(acl, name string) policy.Policy {
	return policy.Policy{
		ACL: acl, Direction: policy.Ingress, Family: policy.IPv4,
		Subject: policy.Subject{Name: name, Interface: name}, Rules: []policy.Rule{permitAll(acl)},
	}
}

func permitAll(acl string) policy.Rule {
	return policy.Rule{
		ID: policy.RuleID{ACL: acl, Seq: 10}, Text: "permit ip any any", Action: policy.Permit,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}},
	}
}

func pod(name, app, device string, addresses ...string) client.Endpoint {
	e := client.Endpoint{Name: name, Namespace: "shop", Labels: map[string]string{"app": app}, Interface: device}
	for _, a := range addresses {
		e.Addresses = append(e.Addresses, netip.MustParseAddr(a))
	}
	return e
}
