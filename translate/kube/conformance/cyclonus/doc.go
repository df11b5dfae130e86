// Package cyclonus holds aclium's reading of NetworkPolicies against that of
// cyclonus (github.com/mattfenwick/cyclonus), the conformance suite of network
// plugins.
//
// The tests replay cyclonus's own 230 cases on its own simulated cluster, take
// its verdict on every flow between the pods, and compare it with what
// policy.Stack says of the policies that kube.Decode read. It has its own
// module, so that cyclonus's versions never meet the product's.
//
//	go test ./...
package cyclonus
