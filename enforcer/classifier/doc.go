// Package classifier turns an ordered list into a table in which the first
// matching line of a packet is found at nearly the same cost however long the
// list is. It takes a policy.Policy, the identities of a node and the numbers
// of counters and time windows, and gives bytes that bpf/walk.h and glance.h
// walk. It touches no kernel.
//
//	table, err := classifier.Compile(list, identities, classifier.Numbers{
//		Counter: func(line int) uint32 { return ids[line] },
//	})
//	// write table.Bytes into a map value of table.Size() bytes
package classifier
