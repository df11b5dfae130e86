// Package lab runs pods without a cluster: network namespaces with labels and
// addresses, joined by routes through one more namespace that plays the node,
// where an agent enforces policies on the pods' ports.
//
//	+--------------------- node -----------------------+
//	|  aclium enforcer     forwarding, NAT for services |
//	|  v0-frontend         v1-backend        v2-client  |
//	+-------|-------------------|----------------|-----+
//	      eth0                eth0             eth0
//	 pod frontend         pod backend      outside: client
//
// It takes a lab file (Parse) and gives a running lab (Up), its state (Open,
// Lab.Status), its pods to send traffic from (Lab.Pod), and a tap that counts
// what they really sent (Lab.Tap), so that what the agent counted can be
// checked against policy.Gate (Replay).
//
//	spec, err := lab.Parse("lab.yaml", text)
//	l, err := lab.Up(ctx, spec, lab.Options{})
//	frontend, err := l.Pod("frontend")
//	outcome, err := frontend.Connect(netip.MustParseAddrPort("10.1.20.5:80"), time.Second)
//	err = lab.Down(spec.Name, lab.Options{})
//
// Everything that a lab makes lives in its own namespaces and below its own
// directory: devices, mounts, sockets, logs, process ids. The machine's own
// network is never touched. To the agent the lab is a client like any other;
// the package knows nothing of BPF.
package lab
