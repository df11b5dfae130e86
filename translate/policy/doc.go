// Package policy is the contract between the language and everything that
// enforces it: an ordered list of rules per subject and direction, the packet
// they judge, and the verdict.
//
// It takes values that translate has resolved (no names are left: groups are
// sets, port names are numbers) and it gives verdicts. It knows nothing of
// IOS syntax, Kubernetes objects, kernels or clocks. Everything here is plain
// data: comparable by value, printable, and carried as JSON between the shell
// and the node.
//
//	p := policy.Policy{ACL: "102", Direction: policy.Ingress, Family: policy.IPv4, Rules: rules}
//	action, line := p.Eval(&packet)      // first match; line -1 is the implicit deny
//	gate := policy.NewGate(in, out)      // a pod's port: both directions and its connections
//	decision := gate.Judge(policy.Ingress, &packet)
//
// All numbers are in host byte order. Sets say exactly what they hold: the
// zero value of every set is the empty set, never "everything".
package policy
