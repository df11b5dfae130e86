// Command aclium secures Kubernetes pods in the language of Cisco IOS.
//
// It takes access-lists, object-groups and zones, from a file or at an
// IOS-like prompt, and gives policy objects, or packets filtered on a node and
// counted line by line. Each subcommand lives in one file of this package and
// only wires packages together: what a command decides is decided elsewhere.
//
//	aclium convert edge.cfg > policy.yaml     Kubernetes objects; the report on stderr
//	aclium shell                              the prompt
//	aclium enforcer                           the node agent
//	aclium version
//
// Data goes to stdout, words go to stderr as "aclium: ...". The exit status is
// that of diff(1): 0 clean, 1 findings (something is narrower, refused or
// different), 2 trouble (nothing could run).
package main
