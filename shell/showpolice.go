package shell

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// policers gives what the classes with police let pass and dropped, summed over
// nodes; none without a node.
func (s *Shell) policers(c *call) ([]policy.PoliceCounter, error) {
	if s.o.Agent == nil {
		return nil, nil
	}
	all, err := s.o.Agent.Policers(c.ctx)
	var out []policy.PoliceCounter
	for _, p := range all {
		at := slices.IndexFunc(out, func(o policy.PoliceCounter) bool { return o.Police == p.Police })
		if at < 0 {
			p.Node = ""
			out = append(out, p)
			continue
		}
		out[at].ConformedPackets += p.ConformedPackets
		out[at].ConformedBytes += p.ConformedBytes
		out[at].ExceededPackets += p.ExceededPackets
		out[at].ExceededBytes += p.ExceededBytes
	}
	return out, err
}

// showPolice prints every policer under the class that it belongs to.
func (s *Shell) showPolice(c *call) error {
	if s.o.Agent == nil {
		return refusal("No enforcer: nothing is policed")
	}
	policers, err := s.policers(c)
	if err != nil {
		return err
	}
	if c.json {
		c.rows = append([]policy.PoliceCounter{}, policers...)
		return nil
	}
	s.banner(c.ctx, c.out)
	for i := range policers {
		fmt.Fprintln(c.out, policers[i].Name)
		printPolicer(c.out, &policers[i], "  ")
	}
	return nil
}

// printPolicer has IOS's words; what IOS measures over the last minutes is not
// known here.
func printPolicer(out io.Writer, p *policy.PoliceCounter, indent string) {
	fmt.Fprintf(out, "%sPolice\n%s  rate %d bps,%d limit\n", indent, indent, p.Rate, p.Burst)
	fmt.Fprintf(out, "%s  conformed %d packets, %d bytes; actions: transmit\n", indent, p.ConformedPackets, p.ConformedBytes)
	fmt.Fprintf(out, "%s  exceeded %d packets, %d bytes; actions: drop\n", indent, p.ExceededPackets, p.ExceededBytes)
}

// policeLine gives the limit of a class as it was typed, "" when it has none.
func policeLine(c *grammar.PolicyClass) string {
	for _, o := range c.Other {
		if strings.HasPrefix(o.Words, "police ") {
			return o.Words
		}
	}
	return ""
}

// printClassPolice prints what the limit of a class on a zone-pair has done. A
// node that does not know it says so by leaving the numbers out.
func printClassPolice(out io.Writer, pair string, class *grammar.PolicyClass, policers []policy.PoliceCounter) {
	line := policeLine(class)
	if line == "" {
		return
	}
	name, found := "zone-pair "+pair+" "+classText(class), false
	for i := range policers {
		if policers[i].Name == name {
			printPolicer(out, &policers[i], "      ")
			found = true
		}
	}
	if !found {
		fmt.Fprintf(out, "      Police\n        %s\n        is not in force\n", strings.TrimPrefix(line, "police "))
	}
}
