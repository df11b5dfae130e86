package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// Validate reports the first thing that makes the policy meaningless. What
// passes can be judged by Eval and loaded into a kernel.
func (p *Policy) Validate() error {
	if err := p.validateHead(); err != nil {
		return fmt.Errorf("policy %q: %w", p.ACL, err)
	}
	const long = 4096 // rules; two processors do not share less
	half := len(p.Rules)
	if half > long {
		half /= 2
	}
	var wait sync.WaitGroup
	var behind error
	wait.Go(func() { behind = p.validateRules(half, len(p.Rules)) })
	err := p.validateRules(0, half)
	wait.Wait()
	if err != nil {
		return err
	}
	return behind
}

func (p *Policy) validateRules(first, behind int) error {
	for i := first; i < behind; i++ {
		if err := p.validateRule(i); err != nil {
			return fmt.Errorf("policy %q, rule %d (sequence %d): %w", p.ACL, i, p.Rules[i].ID.Seq, err)
		}
	}
	return nil
}

func (p *Policy) validateHead() error {
	switch {
	case p.ACL == "":
		return fmt.Errorf("has no ACL name")
	case p.Direction != Ingress && p.Direction != Egress:
		return fmt.Errorf("invalid direction %d", p.Direction)
	case p.Family == 0 || p.Family > Dual:
		return fmt.Errorf("invalid family %d", p.Family)
	case p.Subject.Name == "":
		return fmt.Errorf("has no subject name")
	case (p.Subject.Interface == "") == (len(p.Subject.Selectors) == 0):
		return fmt.Errorf("subject %q needs either selectors or an interface", p.Subject.Name)
	}
	return validateSelectors(p.Subject.Selectors)
}

func (p *Policy) validateRule(i int) error {
	r := &p.Rules[i]
	if r.Action < Permit || r.Action > Next {
		return fmt.Errorf("invalid action %d", r.Action)
	}
	if r.Action == Next && (r.Goto <= i || r.Goto > len(p.Rules)) {
		return fmt.Errorf("goes to rule %d, want %d to %d", r.Goto, i+1, len(p.Rules))
	}
	if err := r.validateNodeOnly(); err != nil {
		return err
	}
	for _, peers := range [...]*Peers{&r.Match.Source, &r.Match.Destination} {
		if err := peers.validate(); err != nil {
			return err
		}
	}
	for i := range r.Match.Services {
		s := &r.Match.Services[i]
		for _, set := range [...]Ranges{s.SourcePorts, s.DestinationPorts, s.ICMP} {
			if !set.canonical() {
				return fmt.Errorf("ranges %v are not sorted and disjoint", set)
			}
		}
	}
	return nil
}

// validateNodeOnly looks at what only a node carries.
func (r *Rule) validateNodeOnly() error {
	if r.Action != Permit && (r.Reflect != nil || r.Police != nil || r.Match.Evaluate != "") {
		return fmt.Errorf("%s with reflect, evaluate or police", r.Action)
	}
	if r.Reflect != nil && r.Match.Evaluate != "" {
		return fmt.Errorf("both reflects and evaluates")
	}
	var errs []error
	if r.Reflect != nil {
		errs = append(errs, r.Reflect.validate())
	}
	if r.Police != nil {
		errs = append(errs, r.Police.validate())
	}
	if r.Match.Time != nil {
		errs = append(errs, r.Match.Time.validate())
	}
	return errors.Join(errs...)
}

func (s *Peers) validate() error {
	for _, list := range [...][]AddrRange{s.Addresses, s.Outside} {
		for i := range list {
			if r := &list[i]; !sameFamily(r.First, r.Last) || r.First.Compare(r.Last) > 0 {
				return fmt.Errorf("bad address range %v - %v", r.First, r.Last)
			}
		}
	}
	for _, m := range s.Masked {
		if !sameFamily(m.Addr, m.Wildcard) {
			return fmt.Errorf("bad masked address %v %v", m.Addr, m.Wildcard)
		}
	}
	for _, e := range s.Entities {
		if e < World || e > KubeAPIServer {
			return fmt.Errorf("invalid entity %d", e)
		}
	}
	return validateSelectors(s.Selectors)
}

// sameFamily wants two plain addresses of one family. An IPv4-mapped IPv6
// address is refused, because packets never carry one.
func sameFamily(a, b netip.Addr) bool {
	return a.IsValid() && b.IsValid() && a.BitLen() == b.BitLen() && !a.Is4In6() && !b.Is4In6() && a.Zone() == "" && b.Zone() == ""
}

func validateSelectors(selectors []Selector) error {
	for _, s := range selectors {
		for _, t := range s {
			if err := t.validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t Term) validate() error {
	needs := t.Op == In || t.Op == NotIn
	switch {
	case t.Key == "":
		return fmt.Errorf("selector term without a key")
	case t.Op < In || t.Op > DoesNotExist:
		return fmt.Errorf("invalid operator %d on label %q", t.Op, t.Key)
	case needs != (len(t.Values) > 0):
		return fmt.Errorf("operator %s on label %q with %d values", t.Op, t.Key, len(t.Values))
	}
	return nil
}
