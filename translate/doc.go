// Package translate turns a configuration into policies.
//
// It takes the syntax tree of package grammar, resolves every name in it, and
// gives the ordered policies of package policy; then it turns an ordered
// policy into one whose rules may stand in any order, as Kubernetes wants
// them. It is pure: it knows no clock, no network, no cluster and no kernel.
//
//	c, _, err := grammar.ParseFile("edge.cfg", file)
//	policies, findings, err := translate.Compile(c)   // first match wins
//	permits, more, err := translate.Order(policies[0], options)
//
// Never wider, never silent: whatever a policy cannot carry exactly becomes a
// Finding. A permit line that cannot be said is left out, and less passes. A
// deny line that cannot be said keeps its whole list out, which would leave
// the subject unfiltered: Refused gives the error that must stop a node from
// being told of such a configuration at all.
package translate
