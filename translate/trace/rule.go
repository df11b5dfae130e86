package trace

import (
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// Mismatch says why a rule does not match a packet, naming the first thing
// that differs; empty when it matches.
func Mismatch(r *policy.Rule, p *policy.Packet) string {
	if r.Matches(p) {
		return ""
	}
	m := &r.Match
	switch {
	case len(m.Services) == 0:
		return "matches no new connection"
	case !m.Source.Has(&p.Source):
		return fmt.Sprintf("source %s is not in it", p.Source.Addr)
	case !m.Destination.Has(&p.Destination):
		return fmt.Sprintf("destination %s is not in it", p.Destination.Addr)
	case m.Fragments && p.Fragment != policy.Later:
		return "is for later fragments alone"
	}
	if why := nodeOnlyMismatch(m, p); why != "" {
		return why
	}
	return serviceMismatch(m, r.Action, p)
}

// serviceMismatch names the field that the service closest to the packet
// misses.
func serviceMismatch(m *policy.Match, a policy.Action, p *policy.Packet) string {
	var of []policy.Service
	for _, s := range m.Services {
		if s.Protocols.Has(p.Protocol) {
			of = append(of, s)
		}
	}
	if len(of) == 0 {
		return fmt.Sprintf("protocol %d is another one", p.Protocol)
	}
	if p.Fragment == policy.Later {
		return "a deny that looks at ports does not match a later fragment"
	}
	fields := []struct {
		what string
		free func(*policy.Service)
	}{
		{fmt.Sprintf("destination port %d is another one", p.DestinationPort), func(s *policy.Service) { s.DestinationPorts = policy.AllNumbers() }},
		{fmt.Sprintf("source port %d is another one", p.SourcePort), func(s *policy.Service) { s.SourcePorts = policy.AllNumbers() }},
		{fmt.Sprintf("ICMP type %d code %d is another one", p.ICMPType, p.ICMPCode), func(s *policy.Service) { s.ICMP = policy.AllNumbers() }},
		{"the TCP flags are others", func(s *policy.Service) { s.Flags = policy.AllBytes() }},
		{"the port's name is another one", func(s *policy.Service) { s.PortNames = nil }},
	}
	for _, f := range fields {
		freed := slices.Clone(of)
		for i := range freed {
			f.free(&freed[i])
		}
		free := policy.Rule{Action: a, Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: freed}}
		if free.Matches(p) {
			return f.what
		}
	}
	if m.HTTP != nil {
		return "the request is another one"
	}
	return "ports, types or flags are others"
}
