package policy

import (
	"fmt"
	"net/netip"
	"time"
)

// A Reflect makes what a rule permits permit its answers: an entry that mirrors
// the packet joins the reflexive list.
type Reflect struct {
	// List is the name of the reflexive list, which Match.Evaluate asks. Lists
	// are a node's: every interface and port of it shares them.
	List string `json:"list"`
	// Timeout is how long an entry stays after its last packet; more than zero.
	Timeout time.Duration `json:"timeout"`
}

// A Police limits the rate of what a class permits, in both directions
// together; what exceeds it is dropped.
type Police struct {
	// Name is that of the class: rules of one name share one bucket.
	Name string `json:"name"`
	// Rate is in bits per second, 8 to 10^12.
	Rate uint64 `json:"rate"`
	// Burst is the size of the bucket in bytes, 1 to 10^9.
	Burst uint64 `json:"burst"`
}

func (r *Reflect) validate() error {
	if r.List == "" || r.Timeout <= 0 {
		return fmt.Errorf("reflects into list %q with a timeout of %v", r.List, r.Timeout)
	}
	return nil
}

func (p *Police) validate() error {
	if p.Name == "" || p.Rate < 8 || p.Rate > 1e12 || p.Burst == 0 || p.Burst > 1e9 {
		return fmt.Errorf("bad police %+v", *p)
	}
	return nil
}

// A Reflected is a temporary entry of a reflexive list on a node.
type Reflected struct {
	List string `json:"list"`
	Node string `json:"node,omitempty"`
	// Source and Destination are those of the packets that the entry permits.
	// The ports are 0 for protocols that have none.
	Source      netip.AddrPort `json:"source"`
	Destination netip.AddrPort `json:"destination"`
	Protocol    uint8          `json:"protocol"`
	// ICMPType is the type of those packets, for protocols that have types.
	ICMPType uint8 `json:"icmpType,omitempty"`
	// Packets counts what the entry has permitted.
	Packets uint64 `json:"packets"`
	// Expires is when the entry ends unless a packet renews it.
	Expires time.Time `json:"expires"`
}

// A PoliceCounter is what the bucket of a class let pass and dropped on a node,
// since it was made: a class whose rate or burst changes gets another bucket.
type PoliceCounter struct {
	Police
	Node             string `json:"node,omitempty"`
	ConformedPackets uint64 `json:"conformedPackets"`
	// Bytes are those of the packets' IP packets.
	ConformedBytes  uint64 `json:"conformedBytes"`
	ExceededPackets uint64 `json:"exceededPackets"`
	ExceededBytes   uint64 `json:"exceededBytes"`
}
