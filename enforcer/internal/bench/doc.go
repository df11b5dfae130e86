// Command bench measures the datapath, and checks what it measures.
//
// It takes nothing but flags and gives a table: what a packet costs at 10 to
// 100,000 rules, how many packets a second pass a filter beside other filters,
// how soon a changed line is live, and how much memory a list takes. It runs
// as root in network namespaces of its own and leaves nothing behind. It is no
// part of the product and must not change what it measures.
//
//	make bench                 all parts; writes docs/performance.md
//	go run ./enforcer/internal/bench -only cost -o json
//
// docs/performance.md says how each part measures.
package main
