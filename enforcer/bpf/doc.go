// Package bpf holds the classifier that runs in the kernel, as C text and as
// the objects that bpf2go makes of it.
//
// It takes packets on the tc hooks of a node's devices, and the maps that
// aclium.h defines; it gives a verdict, counters and events. It knows nothing
// of lists as text: package datapath compiles and loads them. Read aclium.c
// first, then conn.h (pod ports), classify.h (the search) and parse.h.
//
//	spec, err := bpf.LoadAclium()      // programs tc_ingress and tc_egress
//	var objects bpf.AcliumObjects
//	err = spec.LoadAndAssign(&objects, nil)
//
// Go files other than this one and gen.go are generated; run go generate
// after a change of any .c or .h file.
package bpf
