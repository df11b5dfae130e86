// Package verify decides whether two stacks of policies mean the same, over
// the whole header space and without sampling, and shows packets on which they
// differ.
//
//	text -> translate.Compile -> policy.Stack (want) --\
//	                                                    Compare -> equal, or packets
//	YAML -> kube.Decode -------> policy.Stack (got) ---/
//
// Each side becomes one boolean function of the bits of a packet and of what is
// known of its ends: roles, addresses, labels, DNS names, ports, flags and
// requests. The functions are kept as reduced ordered binary decision diagrams
// (diagram.go), in which equal functions are the same node. package policy
// defines the meaning (Eval and Stack.Judge), and every packet that is shown
// has been judged by it. No code is shared with what makes the objects.
//
// It takes plain data, changes nothing, and needs no clock, network or kernel.
package verify
