// Package chance draws random lists and packets for tests of what classifies
// packets. Its values are few, so that lines and packets meet; what a verdict
// should be is left to policy.Eval.
//
//	w := chance.New(seed)
//	list := w.List("T", policy.Ingress, policy.Dual, 40)
//	packet := w.Packet(policy.IPv4)
//	action, line := list.Eval(&packet)
package chance
