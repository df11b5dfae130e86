// Package linewalk is the plainest judge of an access-list: it reads the lines
// of the syntax tree from the top and compares each word with the packet.
//
// It exists for tests, which hold it against what Compile made of the same
// list. It shares no code with Compile and with package policy's sets, and it
// is written to be compared with the language's description, not to be fast.
// It takes a configuration, a list's name and a packet, and gives the verdict
// and the sequence number of the deciding line; it never changes anything.
//
//	permit, seq := linewalk.Verdict(c, "101", false, &packet)
package linewalk
