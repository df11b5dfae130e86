// Package cilium holds what aclium writes for Cilium, and for any plugin that
// knows ClusterNetworkPolicy, against the code of those projects: the schemas
// of their custom resources, Cilium's own check of a rule, and Cilium's own
// verdicts. It has its own module, so that Cilium's versions never meet the
// product's.
//
//	go test ./...
package cilium
