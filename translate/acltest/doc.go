// Package acltest makes access-lists and packets for tests that hold several
// judges against each other: the line-by-line walk, policy.Eval and the kernel.
//
// It has a table that was worked out by hand from the language's description
// (Table), and a generator of random lists with packets derived from their
// lines (Generator). Both give text, because the text is what the judges must
// agree about. It is imported by tests only and knows no judge; the caller's
// tells it whether a packet reaches the line it was made for.
//
//	g := acltest.NewGenerator(1)
//	list := g.List()                  // configuration text with one bound list
//	packets := g.Packets(config, list.ACL, judge, 20)
package acltest
