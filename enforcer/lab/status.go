package lab

import (
	"context"
	"net/netip"

	"aclium/enforcer/client"
)

// A Status says what of a lab runs.
type Status struct {
	Name   string `json:"name"`
	Socket string `json:"socket"`
	Agent  Agent  `json:"agent"`
	// Hosts has the pods and then the hosts of the outside.
	Hosts []HostStatus `json:"hosts"`
	// Services are what the agent was told when the lab was made.
	Services []client.Service `json:"services,omitempty"`
}

// An Agent is the state of the lab's agent.
type Agent struct {
	// PID is 0 when the agent does not run.
	PID int `json:"pid"`
	// Health is nil when the agent does not answer; Error says why.
	Health *client.Health `json:"health,omitempty"`
	Error  string         `json:"error,omitempty"`
	Log    string         `json:"log"`
}

// A HostStatus is the state of one pod, or host of the outside.
type HostStatus struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Addresses []netip.Addr      `json:"addresses"`
	// Device is the node's device that the host hangs on.
	Device string `json:"device"`
	// NetNS is the path of the host's network namespace.
	NetNS  string `json:"netns"`
	Listen []Port `json:"listen,omitempty"`
	// PID is the listening process; 0 when there is none.
	PID int `json:"pid"`
}

// Sound reports whether everything runs that should.
func (s *Status) Sound() bool {
	for i := range s.Hosts {
		if h := &s.Hosts[i]; len(h.Listen) > 0 && h.PID == 0 {
			return false
		}
	}
	return s.Agent.PID != 0 && s.Agent.Health != nil && s.Agent.Health.Error == ""
}

// Status looks at the lab's processes and asks its agent.
func (l *Lab) Status(ctx context.Context) (*Status, error) {
	s := &Status{Name: l.spec.Name, Socket: l.Socket(), Services: l.spec.clientServices()}
	var err error
	if s.Agent, err = l.agent(ctx); err != nil {
		return nil, err
	}
	for i, h := range l.spec.hosts() {
		p, ok, err := l.running(l.listener(h))
		if err != nil {
			return nil, err
		}
		if !ok {
			p.pid = 0
		}
		s.Hosts = append(s.Hosts, HostStatus{
			Name: h.Name, Namespace: h.Namespace, Labels: h.Labels, Addresses: h.Addresses,
			Device: l.spec.device(i), NetNS: l.net(h), Listen: h.Listen, PID: p.pid,
		})
	}
	return s, nil
}

func (l *Lab) agent(ctx context.Context) (Agent, error) {
	a := Agent{Log: l.Log()}
	p, ok, err := l.running(agent)
	if err != nil {
		return a, err
	}
	if ok {
		a.PID = p.pid
	}
	health, err := l.agentHealth(ctx)
	if err != nil {
		a.Error = err.Error()
		return a, nil
	}
	a.Health = &health
	return a, nil
}
