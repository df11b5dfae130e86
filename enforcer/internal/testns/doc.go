// Package testns gives a test its own network: a locked thread in a fresh
// network namespace that plays the node, and pods on veth pairs. Everything
// goes away with the test.
//
//	node := testns.New(t)                       // this thread is the node
//	pod := node.Pod("veth0", "10.1.0.5", "2001:db8::5")
//	pod.Do(func() { net.Dial("udp", ...) })     // runs inside the pod
package testns
