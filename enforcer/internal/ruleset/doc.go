// Package ruleset makes lists of rules and traffic for them, at any size, for
// benchmarks and tests.
//
// It takes a shape, a number of lines and a seed; it gives a policy.Policy on
// a node's interface, packets as policy.Packet and as Ethernet frames, and a
// quick line-by-line walk that says what each packet's verdict is. The same
// seed gives the same list and the same packets on every machine. It must not
// know how a list is compiled or enforced.
//
//	list := ruleset.New(ruleset.ACL1, 10_000, policy.IPv4, 1)
//	packets := ruleset.Random(list, 65_536, 2)
//	walk := ruleset.NewWalk(list)
//	action, line := walk.Eval(&packets[0])
//	frame := ruleset.Frame(&packets[0])
//
// The first three shapes have the statistics of the seeds that ClassBench
// (Taylor and Turner, INFOCOM 2005) derives from lists of providers, firewalls
// and Linux IP chains: the pairs of prefix lengths, how prefixes nest, the five
// classes of port ranges and the protocols. The numbers are rounded, the code
// and the lists are our own.
package ruleset
