package shell

import (
	"fmt"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// showBoundLists prints the IPv4 lists of an interface with what they matched
// there alone: "show ip access-lists interface NAME [in|out]".
func (s *Shell) showBoundLists(c *call) error {
	counters, err := s.counters(c.ctx)
	if err != nil {
		return err
	}
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	name, way := wayOf(c.arg())
	rows := []aclRow{}
	interfaces, err := s.interfacesCalled(name)
	if err != nil {
		return err
	}
	s.banner(c.ctx, c.out)
	for _, i := range interfaces {
		for _, d := range []grammar.Direction{grammar.Inbound, grammar.Outbound} {
			if a := s.running.ACL(bound(i, d)); a != nil && (way == "" || way == directionWord(d)) {
				total := sum(s.countedAt(counters, i, d))
				s.printEntries(c.out, listHeader(a)+" "+directionWord(d), a, total)
				rows = append(rows, aclRows(a, total)...)
			}
		}
	}
	if c.json {
		c.rows = rows
	}
	return nil
}

// interfacesCalled gives the interface that the words name, or all when there
// are none.
func (s *Shell) interfacesCalled(words string) ([]*grammar.Interface, error) {
	if words == "" {
		return s.running.Interfaces, nil
	}
	for _, i := range s.running.Interfaces {
		if isCalled(words, i) {
			return []*grammar.Interface{i}, nil
		}
	}
	return nil, refusal("Interface %s is not configured", words)
}

// wayOf takes the direction off the end of an interface's name.
func wayOf(words string) (name, way string) {
	fields := strings.Fields(words)
	if n := len(fields) - 1; n > 0 && (fields[n] == "in" || fields[n] == "out") {
		return strings.Join(fields[:n], " "), fields[n]
	}
	return words, ""
}

func directionWord(d grammar.Direction) string {
	if d == grammar.Inbound {
		return "in"
	}
	return "out"
}

// countedAt gives the counters of an interface in a direction.
func (s *Shell) countedAt(counters []policy.Counter, i *grammar.Interface, d grammar.Direction) (out []policy.Counter) {
	for k := range counters {
		c := &counters[k]
		if c.Subject == interfaceName(i) && s.direction(c) == directionWord(d) {
			out = append(out, *c)
		}
	}
	return out
}

// boundInterfaces names the interfaces for help.
func (s *Shell) boundInterfaces() (all []grammar.Completion) {
	for _, c := range s.interfaceNames() {
		c.Help = strings.TrimSpace(fmt.Sprintf("%s %s", c.Help, "[in|out]"))
		all = append(all, c)
	}
	return all
}
