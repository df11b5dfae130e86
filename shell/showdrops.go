package shell

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// A Drop counts packets that were dropped for a reason other than a line.
type Drop struct {
	Reason         string
	Packets, Bytes uint64
}

// An AgentState is what the node says about its own enforcement.
type AgentState struct {
	// Audit says that nothing is dropped.
	Audit bool
	// Error says why the configuration is not what is enforced.
	Error string
	// Unfinished says what a change, which is in force, has left undone.
	Unfinished string
	// Ahead names programs that may pass packets before the lists see them.
	Ahead []string
	// Missing names the interfaces that are configured and do not exist.
	Missing []string
}

// An AgentReader asks the node's agent.
type AgentReader interface {
	Drops(ctx context.Context) ([]Drop, error)
	State(ctx context.Context) (AgentState, error)
	// Services gives the services that the node knows, Names what it has
	// learned from the DNS.
	Services(ctx context.Context) ([]Service, error)
	Names(ctx context.Context) ([]LearnedName, error)
	// Policers gives what classes with police did, Reflected the temporary
	// entries of reflexive lists.
	Policers(ctx context.Context) ([]policy.PoliceCounter, error)
	Reflected(ctx context.Context) ([]policy.Reflected, error)
}

// dropMeanings says what the agent's words for drops mean.
var dropMeanings = map[string]string{
	"malformed":     "no whole IP or transport header",
	"spoofed":       "the source address is not the pod's own",
	"fragment":      "a later fragment whose first one was not seen",
	"non-ip":        "neither IP nor ARP on a pod's port",
	"fault":         "a table that should be there is not",
	"police":        "beyond the rate of a police line",
	"reflect":       "no room for another reflexive entry",
	"no-backend":    "to a service without a ready backend",
	"mixed-service": "to a service with a backend that a line denies, and others that may be reached",
	"audit":         "would have been dropped; audit mode let it pass",
}

// bannerAhead is how many programs before the lists are named each time.
const bannerAhead = 3

// banner says loudly what a reader of counters must know: that nothing is
// dropped, or that something else is enforced. An agent that cannot be asked
// has no banner; the command itself says so.
func (s *Shell) banner(ctx context.Context, out io.Writer) {
	if s.o.Agent == nil || s.checking {
		return
	}
	state, err := s.o.Agent.State(ctx)
	if err != nil {
		return
	}
	if state.Audit {
		fmt.Fprintln(out, "% AUDIT MODE: nothing is dropped on this node, what would be is only counted")
	}
	if state.Error != "" {
		fmt.Fprintf(out, "%% NOT ENFORCED: %s\n", strings.ReplaceAll(state.Error, "\n", "; "))
	}
	if state.Unfinished != "" {
		fmt.Fprintf(out, "%% NOT FINISHED: %s\n", strings.ReplaceAll(state.Unfinished, "\n", "; "))
	}
	for _, program := range state.Ahead[:min(len(state.Ahead), bannerAhead)] {
		fmt.Fprintf(out, "%% PACKETS MAY PASS UNSEEN: %s\n", program)
	}
	if more := len(state.Ahead) - bannerAhead; more > 0 {
		fmt.Fprintf(out, "%% PACKETS MAY PASS UNSEEN: %d programs more stand before the lists\n", more)
	}
}

// A dropRow is one line of "show drops | json".
type dropRow struct {
	ACL       string `json:"acl,omitempty"`
	Seq       uint32 `json:"seq"`
	Text      string `json:"text,omitempty"`
	Direction string `json:"direction,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Node      string `json:"node,omitempty"`
	Reason    string `json:"reason"`
	Packets   uint64 `json:"packets"`
	Bytes     uint64 `json:"bytes"`
}

// showDrops answers "what dropped this packet": the lines that deny, the most
// used first, and the reasons that have no line.
func (s *Shell) showDrops(c *call) error {
	if s.o.Agent == nil {
		return refusal("No enforcer: nothing is dropped")
	}
	counters, err := s.counters(c.ctx)
	if err != nil {
		return err
	}
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	drops, err := s.o.Agent.Drops(c.ctx)
	if err != nil {
		return err
	}
	rows := s.denials(counters)
	s.banner(c.ctx, c.out)
	printDenials(c.out, rows)
	const rule = "-------------------------------------------------------------------------"
	fmt.Fprintf(c.out, "%s\n%-34s%15s%24s\n%s\n", rule, "Global Drop Stats", "Packets", "Octets", rule)
	for _, d := range drops {
		fmt.Fprintf(c.out, "%-34s%15d%24d\n", d.Reason, d.Packets, d.Bytes)
		rows = append(rows, dropRow{Reason: d.Reason, Packets: d.Packets, Bytes: d.Bytes})
	}
	for _, d := range drops {
		if meaning := dropMeanings[d.Reason]; d.Packets > 0 && meaning != "" {
			fmt.Fprintf(c.out, "  %s: %s\n", d.Reason, meaning)
		}
	}
	if c.json {
		c.rows = rows
	}
	return nil
}

// denials gives the lines that have denied something.
func (s *Shell) denials(counters []policy.Counter) []dropRow {
	var rows []dropRow
	for _, c := range counters {
		if c.Packets == 0 || c.Action != policy.Deny {
			continue
		}
		rows = append(rows, dropRow{
			ACL: c.ACL, Seq: c.Seq, Text: cmp.Or(c.Text, "implicit deny"), Direction: s.direction(&c), Subject: c.Subject, Node: c.Node,
			Reason: "line", Packets: c.Packets, Bytes: c.Bytes,
		})
	}
	slices.SortStableFunc(rows, func(a, b dropRow) int { return cmp.Compare(b.Packets, a.Packets) })
	return rows
}

func printDenials(out io.Writer, rows []dropRow) {
	for _, r := range rows {
		seq := ""
		if r.Seq != 0 {
			seq = fmt.Sprintf("%d ", r.Seq)
		}
		fmt.Fprintf(out, "access list %s: %s%s\n    %s %s on %s: %s, %d bytes\n", r.ACL, seq, r.Text, r.Subject, r.Direction, cmp.Or(r.Node, "-"), packets(r.Packets), r.Bytes)
	}
}
