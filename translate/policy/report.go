package policy

import (
	"time"
)

// State says how well a line survives on its way to a target.
type State uint8

// The states, from best to worst but for Wider, which only an explicit flag
// allows. Narrower: less passes than the line permits. Refused: the line is
// left out of the target (a permit) or keeps its whole list out (a deny).
// NoEffect: the line changes no verdict there, and Reason says why.
const (
	Exact State = iota + 1
	NoEffect
	Narrower
	Refused
	Wider
	Faulty
)

var stateNames = []string{"", "exact", "no-effect", "narrower", "refused", "wider", "error"}

// String gives the word used in reports.
func (s State) String() string { return nameOf(stateNames, uint8(s)) }

// MarshalText writes the word used in reports.
func (s State) MarshalText() ([]byte, error) { return marshalName(stateNames, uint8(s), "state") }

// UnmarshalText reads the word used in reports.
func (s *State) UnmarshalText(b []byte) error {
	return unmarshalName(stateNames, b, (*uint8)(s), "state")
}

// A Finding says what became of one line, or of a whole list when ID.Seq is 0.
type Finding struct {
	ID     RuleID
	Source Source
	// Text is the line as the user knows it.
	Text  string
	State State
	// Reason is empty exactly for Exact: lower case, no period.
	Reason string
	// Objects are the target's objects that carry the line: "Kind/namespace/name".
	Objects []string
}

// A Counter is what one line has decided on one subject and direction. Seq 0
// is the implicit last line.
type Counter struct {
	RuleID
	Text      string    `json:"text"`
	Direction Direction `json:"direction"`
	// Action is what the line does; zero when the agent does not say.
	Action  Action `json:"action,omitzero"`
	Subject string `json:"subject"`
	Node    string `json:"node"`
	Packets uint64 `json:"packets"`
	// Bytes counts whole IP packets, without link headers.
	Bytes uint64 `json:"bytes"`
	// LastHit is zero when nothing has hit the line.
	LastHit time.Time `json:"lastHit,omitzero"`
}
