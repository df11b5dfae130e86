// Package trace walks one packet through one access-list and says of every
// line why it does not match, up to the line that decides, like a firewall's
// packet-tracer.
//
//	packet, err := trace.Parse(grammar.IOS, "tcp 10.0.0.9 40000 10.1.20.5 23")
//	walk, err := trace.Walk(config, "102", false, packet)
//
// A line that looks at what the packet does not say (a time of day, a ttl, who
// an address belongs to) and that would match otherwise cannot be decided: the
// walk ends there and says what is missing, and nothing is guessed. Where both
// can judge, the verdict of package linewalk must be the same.
package trace
