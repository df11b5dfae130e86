package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"aclium/translate/policy"
)

// Desired is what an agent is asked to enforce: policies, and the text that
// they were compiled from. The text is opaque to the agent.
type Desired struct {
	// Revision grows with every change; 0 is the state of an agent that was
	// never told anything.
	Revision uint64          `json:"revision"`
	Source   string          `json:"source"`
	Policies []policy.Policy `json:"policies"`
	// Logging holds the settings of lines with "log".
	Logging policy.Logging `json:"logging,omitzero"`
}

// JSON gives what json.Marshal gives, in about a tenth of its time.
func (d Desired) JSON() ([]byte, error) {
	policies := d.Policies
	d.Policies = nil
	object, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	before, behind, err := AroundPolicies(object)
	if err != nil {
		return nil, err
	}
	b, err := policy.AppendJSON(slices.Clone(before), policies)
	return append(b, behind...), err
}

// AroundPolicies gives what stands before and behind the policies in the JSON
// of an object that has them as null.
func AroundPolicies(object []byte) (before, behind []byte, err error) {
	// No string of the object can hold these bytes: its quotes are escaped.
	at := bytes.Index(object, []byte(`"policies":null`))
	if at < 0 {
		return nil, nil, errors.New("the object has no policies")
	}
	at += len(`"policies":`)
	return object[:at], object[at+len("null"):], nil
}

// An Endpoint is a pod that the agent knows.
type Endpoint struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Addresses are the pod's own, of either family.
	Addresses []netip.Addr `json:"addresses"`
	// Interface is the node's device that the pod hangs on. It is empty for a
	// pod of another node, which is known by its labels and not filtered here.
	Interface string `json:"interface,omitempty"`
}

// A Service is a virtual address that leads to backends.
type Service struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Addresses are those that clients send to, of either family. No pod has
	// one of them.
	Addresses []netip.Addr  `json:"addresses"`
	Ports     []ServicePort `json:"ports"`
}

// A ServicePort is one port of a service, on each of its addresses.
type ServicePort struct {
	Name string `json:"name,omitempty"`
	// Protocol is the IP protocol's number: 6 TCP, 17 UDP, 132 SCTP.
	Protocol uint8  `json:"protocol"`
	Port     uint16 `json:"port"`
	// Backends are ready: their addresses and target ports. An address of the
	// service leads to those of its own family, at most 256.
	Backends []netip.AddrPort `json:"backends"`
}

// A Drop counts the packets that were dropped for a reason other than a line.
type Drop struct {
	Reason  string `json:"reason"`
	Packets uint64 `json:"packets"`
	// Bytes counts whole IP packets, without link headers.
	Bytes uint64 `json:"bytes"`
}

// A NamedAddress is an address of the world whose names some policy asks for.
type NamedAddress struct {
	Address netip.Addr    `json:"address"`
	Names   []LearnedName `json:"names"`
}

// A LearnedName was told by a name server.
type LearnedName struct {
	Name string `json:"name"`
	// Expires is when no connection may begin any more by this name; names in
	// the past are kept while a connection lives.
	Expires time.Time `json:"expires"`
}

// Health is what an agent says about itself.
type Health struct {
	Node     string `json:"node"`
	PID      int    `json:"pid"`
	Revision uint64 `json:"revision"`
	// Endpoints counts the known pods, Ports the filtered devices.
	Endpoints int `json:"endpoints"`
	Ports     int `json:"ports"`
	// Missing names devices that policies or endpoints ask for and the node
	// does not have; they are filtered as soon as they appear.
	Missing []string `json:"missing,omitempty"`
	// Audit says that nothing is dropped: what would be is only counted.
	Audit bool `json:"audit,omitempty"`
	// Error says why the desired state is not what is enforced; empty when it is.
	Error string `json:"error,omitempty"`
	// Unfinished says what the last change, which is in force, has left undone.
	Unfinished string `json:"unfinished,omitempty"`
	// Ahead names the programs of others that see packets before the node's
	// lists do, and may pass them without. They are looked for every ten seconds.
	Ahead []Earlier `json:"ahead,omitempty"`
}

// An Earlier is somebody else's program before ours.
type Earlier struct {
	// Interface and Direction say where: "ingress" is what the device receives.
	Interface string `json:"interface"`
	Direction string `json:"direction"`
	// Kind is xdp, tcx or tc.
	Kind string `json:"kind"`
	// Name is the program's, or the kind of a filter that is no program.
	Name string `json:"name"`
	// ID is the program's number in the kernel; 0 for a filter that is none.
	ID uint32 `json:"id,omitempty"`
}

// String names the program with its place.
func (e Earlier) String() string {
	return fmt.Sprintf("%s %q (id %d) stands before the lists on %s %s", e.Kind, e.Name, e.ID, e.Interface, e.Direction)
}
