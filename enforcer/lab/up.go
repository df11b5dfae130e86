package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"aclium/enforcer/client"
)

// agentStart bounds how long an agent may take to load its programs.
const agentStart = 60 * time.Second

// build makes everything, the spec file last.
func (l *Lab) build(ctx context.Context) error {
	steps := []func(context.Context) error{
		l.makeDirs, l.makeNode, l.makeHosts, l.startServices, l.startAgent, l.startListeners, l.register, l.finish,
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("lab %s was not finished: %w", l.spec.Name, err)
		}
		if err := step(ctx); err != nil {
			return fmt.Errorf("lab %s: %w", l.spec.Name, err)
		}
	}
	return nil
}

// makeDirs also mounts the lab's own bpf file system: what is pinned there is
// gone with the mount, whatever becomes of the agent.
func (l *Lab) makeDirs(context.Context) error {
	for _, d := range []string{"", "net", "bpf", "run", "log"} {
		if err := os.MkdirAll(l.path(d), 0o700); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	if err := unix.Mount("bpf", l.path("bpf"), "bpf", 0, "mode=0700"); err != nil {
		return fmt.Errorf("mount a bpf file system at %s: %w", l.path("bpf"), err)
	}
	return nil
}

func (l *Lab) makeNode(context.Context) error {
	if err := newNamespace(l.nodeNet()); err != nil {
		return err
	}
	if err := inNamespace(l.nodeNet(), func() error { return writeSysctls(nodeSysctls) }); err != nil {
		return err
	}
	node, err := openSide(l.nodeNet())
	if err != nil {
		return err
	}
	defer node.close()
	_, err = node.up("lo", l.spec.Node...)
	return err
}

func (l *Lab) makeHosts(ctx context.Context) error {
	node, err := openSide(l.nodeNet())
	if err != nil {
		return err
	}
	defer node.close()
	for i, h := range l.spec.hosts() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.makeHost(node, i, h); err != nil {
			return fmt.Errorf("pod %s: %w", h, err)
		}
	}
	return nil
}

func (l *Lab) makeHost(node *side, i int, h *Host) error {
	if err := newNamespace(l.net(h)); err != nil {
		return err
	}
	settings := commonSysctls
	if !h.hasIPv6() {
		settings = append(noIPv6[:len(noIPv6):len(noIPv6)], settings...)
	}
	if err := inNamespace(l.net(h), func() error { return writeSysctls(settings) }); err != nil {
		return err
	}
	return connect(node, l.net(h), l.spec.device(i), h, l.spec.Node)
}

func (l *Lab) startAgent(ctx context.Context) error {
	ended, err := l.start(l.nodeNet(), agent, l.agentCommand())
	if err != nil {
		return err
	}
	return l.awaitAgent(ctx, ended)
}

func (l *Lab) agentCommand() []string {
	return []string{
		l.program, "enforcer", "--socket", l.Socket(), "--state", l.path("state"),
		"--pin", l.path("bpf", "aclium"), "--name", l.spec.Name,
	}
}

// awaitAgent returns when the agent answers and enforces what it was told.
func (l *Lab) awaitAgent(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, agentStart)
	defer cancel()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("the enforcer ended at once (%v):\n%s", err, l.lastWords(agent))
		case <-ctx.Done():
			return fmt.Errorf("the enforcer does not answer: %w:\n%s", ctx.Err(), l.lastWords(agent))
		case <-time.After(20 * time.Millisecond):
		}
		if health, err := l.agentHealth(ctx); err == nil && health.Error == "" {
			return nil
		}
	}
}

func (l *Lab) agentHealth(ctx context.Context) (client.Health, error) {
	c, err := client.Dial(l.Socket())
	if err != nil {
		return client.Health{}, err
	}
	defer c.Close()
	return c.Health(ctx)
}

// lastWords gives the end of a log.
func (l *Lab) lastWords(name string) string {
	text, err := os.ReadFile(l.path("log", name))
	if err != nil || len(text) == 0 {
		return "(it said nothing)"
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// StartAgent starts the agent again after it has died. It is an error when it
// runs.
func (l *Lab) StartAgent(ctx context.Context) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if p, ok, err := l.running(agent); err != nil || ok {
		return errors.Join(err, fmt.Errorf("the enforcer runs, process %d", p.pid))
	}
	return l.startAgent(ctx)
}

// startListeners opens each host's sockets in its namespace and hands them to
// one process per host, which therefore listens from its first moment.
func (l *Lab) startListeners(context.Context) error {
	for _, h := range l.spec.hosts() {
		if len(h.Listen) == 0 {
			continue
		}
		if err := l.startListener(h); err != nil {
			return fmt.Errorf("pod %s: %w", h, err)
		}
	}
	return nil
}

func (l *Lab) startListener(h *Host) error {
	var sockets []*os.File
	defer func() {
		for _, s := range sockets {
			s.Close()
		}
	}()
	argv := []string{l.program, "lab", "listen", "--", h.String()}
	for _, p := range h.Listen {
		for _, a := range h.Addresses {
			s, err := l.openSocket(h, p, a)
			if err != nil {
				return err
			}
			sockets = append(sockets, s)
			argv = append(argv, p.Protocol)
		}
	}
	_, err := l.start(l.net(h), l.listener(h), argv, sockets...)
	return err
}

// openSocket listens on one address, not on all, so that a datagram is
// answered from the address that it was sent to.
func (l *Lab) openSocket(h *Host, p Port, a netip.Addr) (f *os.File, err error) {
	at := netip.AddrPortFrom(a, p.Number)
	err = inNamespace(l.net(h), func() error {
		f, err = listenOn(p.Protocol, at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s %s: %w", p.Protocol, at, err)
	}
	return f, nil
}

func listenOn(protocol string, at netip.AddrPort) (*os.File, error) {
	if protocol == "tcp" {
		s, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return s.File()
	}
	s, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.File()
}

func (l *Lab) listener(h *Host) string { return h.Namespace + "_" + h.Name }

// register tells the agent which pods hang on which devices.
func (l *Lab) register(ctx context.Context) error {
	c, err := client.Dial(l.Socket())
	if err != nil {
		return err
	}
	defer c.Close()
	var endpoints []client.Endpoint
	for i := range l.spec.Pods {
		h := &l.spec.Pods[i]
		endpoints = append(endpoints, client.Endpoint{
			Name: h.Name, Namespace: h.Namespace, Labels: h.Labels,
			Addresses: h.Addresses, Interface: l.spec.device(i),
		})
	}
	if err := c.PutEndpoints(ctx, endpoints); err != nil {
		return fmt.Errorf("tell the enforcer of the pods: %w", err)
	}
	return l.registerServices(ctx, c)
}

func (l *Lab) finish(context.Context) error {
	text, err := json.MarshalIndent(&l.spec, "", " ")
	if err != nil {
		return fmt.Errorf("write the lab's state: %w", err)
	}
	return replaceFile(l.path(specFile), append(text, '\n'))
}
