package ruleset

import "aclium/translate/policy"

// A Shape is a kind of list.
type Shape string

// The shapes.
const (
	// ACL1 is a provider's access list: specific pairs of prefixes, nearly all
	// TCP, services named by the destination port.
	ACL1 Shape = "acl1"
	// FW1 is a firewall's: many lines leave one end open, and both ports count.
	FW1 Shape = "fw1"
	// IPC1 is a chain of Linux hosts: in between, with more protocols.
	IPC1 Shape = "ipc1"
	// Own is what an enterprise writes: quarantined hosts first, then ICMP,
	// established, object-groups and pairs of hosts and subnets, and a last line.
	Own Shape = "own"
	// Exact has lines of host, host, protocol and port alone, which a hash of
	// another filter can hold.
	Exact Shape = "exact"
	// Disjoint has lines whose destinations are disjoint intervals of addresses
	// that are no prefixes, which a set of another filter can hold.
	Disjoint Shape = "disjoint"
)

// Shapes gives the four shapes that stand for what users write.
func Shapes() []Shape { return []Shape{ACL1, FW1, IPC1, Own} }

// A statistic is what a shape's lines are drawn from.
type statistic struct {
	// pairs are the lengths of source and destination prefix.
	pairs weighted[pair]
	// sources and destinations are the classes of the port ranges.
	sources, destinations weighted[portClass]
	protocols             weighted[int]
	// related is the share of lines whose ends are near to each other.
	related float64
	// denied is the share of lines that deny.
	denied float64
}

type pair struct{ source, destination int }

// portClass is ClassBench's class of a port range.
type portClass uint8

const (
	wildcard  portClass = iota // WC: every port
	high                       // HI: 1024 to 65535
	low                        // LO: 0 to 1023
	arbitrary                  // AR: a range
	exact                      // EM: one port
)

// anyProtocol stands for "ip".
const anyProtocol = -1

var statistics = map[Shape]statistic{
	ACL1: {
		pairs: weighted[pair]{
			{20, pair{32, 32}}, {10, pair{24, 32}}, {6, pair{28, 32}}, {5, pair{26, 32}}, {5, pair{27, 32}}, {5, pair{16, 32}},
			{4, pair{22, 32}}, {6, pair{0, 32}}, {4, pair{32, 24}}, {6, pair{24, 24}}, {3, pair{0, 24}}, {4, pair{16, 24}},
			{4, pair{30, 32}}, {3, pair{23, 32}}, {3, pair{25, 32}}, {2, pair{21, 32}}, {2, pair{20, 28}}, {3, pair{24, 28}},
			{2, pair{24, 27}}, {1, pair{0, 27}}, {1, pair{19, 24}}, {1, pair{8, 32}}, {1, pair{8, 24}}, {0.5, pair{0, 16}},
		},
		sources:      weighted[portClass]{{1, wildcard}},
		destinations: weighted[portClass]{{66, exact}, {9, arbitrary}, {22, wildcard}, {2, high}, {1, low}},
		protocols:    weighted[int]{{83, int(policy.TCP)}, {9, int(policy.UDP)}, {4, int(policy.ICMP)}, {4, anyProtocol}},
		related:      0.05, denied: 0.25,
	},
	FW1: {
		pairs: weighted[pair]{
			{24, pair{0, 32}}, {14, pair{32, 0}}, {14, pair{32, 32}}, {0.2, pair{0, 0}}, {6, pair{24, 32}}, {6, pair{32, 24}},
			{6, pair{0, 24}}, {5, pair{24, 0}}, {4, pair{24, 24}}, {3, pair{16, 32}}, {2, pair{32, 16}}, {1, pair{16, 0}},
			{1, pair{0, 16}}, {2, pair{16, 16}}, {2, pair{28, 32}}, {2, pair{0, 28}}, {2, pair{27, 0}}, {2, pair{22, 32}},
		},
		sources:      weighted[portClass]{{80, wildcard}, {6, exact}, {11, high}, {2, arbitrary}, {1, low}},
		destinations: weighted[portClass]{{25, wildcard}, {50, exact}, {10, arbitrary}, {12, high}, {3, low}},
		protocols:    weighted[int]{{55, int(policy.TCP)}, {28, int(policy.UDP)}, {5, int(policy.ICMP)}, {8, anyProtocol}, {2, 47}, {2, 50}},
		related:      0.02, denied: 0.3,
	},
	IPC1: {
		pairs: weighted[pair]{
			{30, pair{32, 32}}, {8, pair{24, 24}}, {8, pair{24, 32}}, {8, pair{32, 24}}, {2, pair{16, 16}}, {6, pair{0, 32}},
			{6, pair{32, 0}}, {3, pair{28, 28}}, {3, pair{26, 26}}, {3, pair{25, 32}}, {3, pair{32, 27}}, {2, pair{23, 24}},
			{2, pair{22, 32}}, {3, pair{0, 24}}, {3, pair{24, 0}}, {3, pair{16, 32}}, {2, pair{32, 16}}, {0.1, pair{0, 0}},
			{2, pair{30, 30}}, {2, pair{29, 32}}, {2, pair{20, 24}}, {1, pair{14, 32}},
		},
		sources:      weighted[portClass]{{78, wildcard}, {12, exact}, {6, high}, {3, arbitrary}, {1, low}},
		destinations: weighted[portClass]{{45, wildcard}, {38, exact}, {8, arbitrary}, {7, high}, {2, low}},
		protocols: weighted[int]{
			{48, int(policy.TCP)}, {28, int(policy.UDP)}, {9, int(policy.ICMP)}, {12, anyProtocol}, {1, 89}, {1, 50}, {1, 47},
		},
		related: 0.3, denied: 0.3,
	},
}
