package shell

import (
	"fmt"
	"io"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

func (s *Shell) showZones(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	fmt.Fprint(c.out, "zone self\n  Description: System defined zone\n\n")
	for _, z := range s.running.Zones {
		s.printZone(c.out, z)
	}
	return nil
}

func (s *Shell) printZone(out io.Writer, z *grammar.Zone) {
	fmt.Fprintf(out, "zone %s\n", z.Name)
	if z.Description != "" {
		fmt.Fprintf(out, "  Description: %s\n", z.Description)
	}
	header := false
	for _, i := range s.running.Interfaces {
		if i.Zone.Text != z.Name {
			continue
		}
		if !header {
			fmt.Fprintln(out, "  Member Interfaces:")
			header = true
		}
		fmt.Fprintf(out, "    %s\n", interfaceName(i))
	}
	fmt.Fprintln(out)
}

// showZonePairs keeps IOS's blank behind the destination zone.
func (s *Shell) showZonePairs(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for _, z := range s.running.ZonePairs {
		fmt.Fprintf(c.out, "Zone-pair name %s\n", z.Name)
		if z.Description != "" {
			fmt.Fprintf(c.out, "    Description: %s\n", z.Description)
		}
		fmt.Fprintf(c.out, "    Source-Zone %s  Destination-Zone %s \n", z.Source.Text, z.Destination.Text)
		if z.Policy.Text == "" {
			fmt.Fprintln(c.out, "    service-policy not configured")
		} else {
			fmt.Fprintf(c.out, "    service-policy %s\n", z.Policy.Text)
		}
	}
	return nil
}

func (s *Shell) showClassMaps(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for n, m := range s.running.ClassMaps {
		fmt.Fprintf(c.out, " Class Map type inspect %s %s (id %d)\n", matchWord(m), m.Name, n+1)
		for _, line := range m.Matches {
			fmt.Fprintf(c.out, "   Match %s\n", matchText(line))
		}
		fmt.Fprintln(c.out)
	}
	return nil
}

func matchWord(m *grammar.ClassMap) string {
	if m.MatchAny {
		return "match-any"
	}
	return "match-all"
}

func matchText(m grammar.ClassMatch) string {
	switch m.Kind {
	case grammar.MatchProtocol:
		return "protocol " + m.Name.Text
	case grammar.MatchClassMap:
		return "class-map " + m.Name.Text
	}
	if numberIn(1, 2699)(m.Name.Text) {
		return "access-group " + m.Name.Text
	}
	return "access-group name " + m.Name.Text
}

func (s *Shell) showPolicyMaps(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for _, m := range s.running.PolicyMaps {
		fmt.Fprintf(c.out, "  Policy Map type inspect %s\n", m.Name)
		for _, class := range classes(m) {
			fmt.Fprintf(c.out, "    Class %s\n", className(class))
			if line := policeLine(class); line != "" {
				fmt.Fprintf(c.out, "      P%s\n", line[1:])
			}
			fmt.Fprintf(c.out, "      %s\n", actionText(class))
		}
		fmt.Fprintln(c.out)
	}
	return nil
}

// classes gives the classes of a policy-map with class-default, which is there
// whether it was typed or not.
func classes(m *grammar.PolicyMap) []*grammar.PolicyClass {
	if n := len(m.Classes); n > 0 && m.Classes[n-1].Default {
		return m.Classes
	}
	return append(m.Classes[:len(m.Classes):len(m.Classes)], &grammar.PolicyClass{Default: true})
}

func className(c *grammar.PolicyClass) string {
	if c.Default {
		return "class-default"
	}
	return c.Class.Text
}

// actionText gives the action in force: a class without one drops.
func actionText(c *grammar.PolicyClass) string {
	text := map[grammar.PolicyAction]string{grammar.Inspect: "Inspect", grammar.Pass: "Pass"}[c.Action]
	if text == "" {
		text = "Drop"
	}
	if c.Log {
		text += " log"
	}
	return text
}

// showPolicyMapZonePairs prints the policies in use. A class counts the packets
// that begin or go on with a connection in the zone-pair's direction, and those
// that it drops.
func (s *Shell) showPolicyMapZonePairs(c *call) error {
	use, err := s.policyUse(c)
	if err != nil {
		return err
	}
	if name := c.arg(); name != "" && !slices.ContainsFunc(s.running.ZonePairs, func(z *grammar.ZonePair) bool { return z.Name == name }) {
		return refusal("Zone-pair %s does not exist", name)
	}
	for _, z := range s.running.ZonePairs {
		if m := s.running.PolicyMap(z.Policy.Text); m != nil && (c.arg() == "" || c.arg() == z.Name) {
			s.printZonePair(c.out, z, m, use)
		}
	}
	return nil
}

// A policyUse is what nodes have counted of zone-pairs.
type policyUse struct {
	counters []policy.Counter
	policers []policy.PoliceCounter
}

func (s *Shell) policyUse(c *call) (use policyUse, err error) {
	if use.counters, err = s.counters(c.ctx); err != nil {
		return use, err
	}
	if use.policers, err = s.policers(c); err != nil {
		return use, err
	}
	if err = s.refresh(c.ctx); err == nil {
		s.banner(c.ctx, c.out)
	}
	return use, err
}

// showPolicyMapInterfaces prints the policies of the zone-pairs that start or
// end at an interface: no interface has a policy of its own.
func (s *Shell) showPolicyMapInterfaces(c *call) error {
	use, err := s.policyUse(c)
	if err != nil {
		return err
	}
	interfaces, err := s.interfacesCalled(c.arg())
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Zone.Text == "" {
			continue
		}
		fmt.Fprintf(c.out, " %s \n\n", interfaceName(i))
		for _, z := range s.running.ZonePairs {
			m := s.running.PolicyMap(z.Policy.Text)
			if m != nil && (z.Source.Text == i.Zone.Text || z.Destination.Text == i.Zone.Text) {
				s.printZonePair(c.out, z, m, use)
			}
		}
	}
	return nil
}

func (s *Shell) printZonePair(out io.Writer, z *grammar.ZonePair, m *grammar.PolicyMap, use policyUse) {
	fmt.Fprintf(out, "Zone-pair: %s \nService-policy inspect : %s\n\n", z.Name, m.Name)
	for _, class := range classes(m) {
		word, name := "match-any", className(class)
		if cm := s.running.ClassMap(class.Class.Text); cm != nil && !class.Default {
			word = matchWord(cm)
			fmt.Fprintf(out, "    Class-map: %s (%s)  \n", name, word)
			for _, line := range cm.Matches {
				fmt.Fprintf(out, "      Match: %s\n", matchText(line))
			}
		} else {
			fmt.Fprintf(out, "    Class-map: %s (%s)  \n      Match: any \n", name, word)
		}
		fmt.Fprintf(out, "      %s\n", actionText(class))
		packets, bytes := use.of(z.Name, class)
		fmt.Fprintf(out, "        %d packets, %d bytes\n", packets, bytes)
		printClassPolice(out, z.Name, class, use.policers)
		fmt.Fprintln(out)
	}
}

// of sums what a class of a zone-pair has decided. The rest that comes to no
// class is the last class's.
func (u *policyUse) of(pair string, class *grammar.PolicyClass) (packets, bytes uint64) {
	for i := range u.counters {
		c := &u.counters[i]
		if c.ACL == "zone-pair "+pair && (c.Text == classText(class) || class.Default && c.Seq == 0) {
			packets, bytes = packets+c.Packets, bytes+c.Bytes
		}
	}
	return packets, bytes
}

// classText gives the class as its line on nodes is called.
func classText(c *grammar.PolicyClass) string {
	if c.Default {
		return "class class-default"
	}
	return "class type inspect " + c.Class.Text
}
