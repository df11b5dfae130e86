package shell

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"

	"aclium/grammar"
	"aclium/translate/policy"
)

// reflexive gives the temporary entries of the node's reflexive lists; none
// without a node.
func (s *Shell) reflexive(c *call) ([]policy.Reflected, error) {
	if s.o.Agent == nil {
		return nil, nil
	}
	return s.o.Agent.Reflected(c.ctx)
}

// showReflexive prints the reflexive lists of a family, or the one that was
// named, each with its entries and what is left of them.
func (s *Shell) showReflexive(c *call, ipv6 bool, entries []policy.Reflected) (rows []aclRow) {
	for _, name := range s.running.ReflexiveLists(ipv6) {
		if c.arg() != "" && c.arg() != name {
			continue
		}
		of := slices.DeleteFunc(slices.Clone(entries), func(r policy.Reflected) bool { return r.List != name || r.Source.Addr().Is6() != ipv6 })
		printReflexive(c.out, name, ipv6, of, s.secondsLeft)
		for i := range of {
			left := s.secondsLeft(&of[i])
			rows = append(rows, aclRow{ACL: name, Kind: "reflexive", Text: reflectedText(&of[i]), Packets: of[i].Packets, TimeLeft: &left})
		}
	}
	return rows
}

func (s *Shell) secondsLeft(r *policy.Reflected) int { return secondsLeft(s.o.Now(), r.Expires) }

func printReflexive(out io.Writer, name string, ipv6 bool, entries []policy.Reflected, left func(*policy.Reflected) int) {
	if ipv6 {
		fmt.Fprintf(out, "IPv6 access list %s (reflexive)\n", name)
	} else {
		fmt.Fprintf(out, "Reflexive IP access list %s\n", name)
	}
	for i := range entries {
		r := &entries[i]
		line := reflectedText(r) + matches(r.Packets) + fmt.Sprintf(" (time left %d)", left(r))
		if ipv6 {
			fmt.Fprintf(out, "    %s sequence %d\n", line, i+1)
		} else {
			fmt.Fprintf(out, "     %s\n", line)
		}
	}
}

func matches(n uint64) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (1 match)"
	}
	return fmt.Sprintf(" (%d matches)", n)
}

// reflectedText gives the entry as the line that it is, in canonical words: the
// grammar knows the names of ports and types.
func reflectedText(r *policy.Reflected) string {
	text := "permit " + protocolWord(r.Protocol) + end(r.Source, r.Protocol) + end(r.Destination, r.Protocol)
	if r.Protocol == policy.ICMP || r.Protocol == policy.ICMPv6 {
		text += " " + strconv.Itoa(int(r.ICMPType))
	}
	header := "ip access-list extended X"
	if r.Source.Addr().Is6() {
		header = "ipv6 access-list X"
	}
	session := grammar.NewSession(&grammar.Config{})
	for _, line := range []string{header, text} {
		if _, err := session.Line(grammar.Position{}, line); err != nil {
			return text
		}
	}
	return session.Config.ACL("X").Entries[0].ACE.Show()
}

func end(at netip.AddrPort, protocol uint8) string {
	text := " host " + at.Addr().String()
	if policy.HasPorts(protocol) {
		text += " eq " + strconv.Itoa(int(at.Port()))
	}
	return text
}

// protocolWord gives IOS's word for a protocol with ports or types, and the
// number of others.
func protocolWord(protocol uint8) string {
	switch protocol {
	case policy.TCP:
		return "tcp"
	case policy.UDP:
		return "udp"
	case policy.SCTP:
		return "sctp"
	case policy.ICMP, policy.ICMPv6:
		return "icmp"
	}
	return strconv.Itoa(int(protocol))
}
