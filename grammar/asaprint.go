package grammar

import (
	"fmt"
	"net/netip"
	"strconv"
)

// This file prints the configuration of an ASA, in its own order: names,
// interfaces, objects and groups, lists, and where the lists are bound.

func (c *Config) printASA(p *printer) {
	if c.Hostname != "" {
		p.block("hostname %s", c.Hostname)
	}
	c.printAliases(p)
	for _, s := range c.Other {
		s.print(p)
	}
	for _, i := range c.Interfaces {
		i.printASA(p)
	}
	for _, g := range c.ObjectGroups {
		g.printASA(p)
	}
	for _, a := range c.ACLs {
		a.printASA(p)
	}
	if len(c.Bindings) > 0 {
		p.separate()
	}
	for _, b := range c.Bindings {
		p.text = append(p.text, b.asaText()+"\n"...)
	}
}

func (c *Config) printAliases(p *printer) {
	if c.ShowNames || len(c.Aliases) > 0 {
		p.separate()
	}
	if c.ShowNames {
		p.text = append(p.text, "names\n"...)
	}
	for _, a := range c.Aliases {
		p.text = fmt.Appendf(p.text, "name %s %s", a.Addr, a.Name)
		if a.Description != "" {
			p.text = append(p.text, " description "+a.Description...)
		}
		p.text = append(p.text, '\n')
	}
}

func (i *Interface) printASA(p *printer) {
	p.block("interface %s", i.Name)
	p.description(i.Description)
	if i.NameIf.Text != "" {
		p.line("nameif %s", i.NameIf.Text)
	}
	if i.SecurityLevel != nil {
		p.line("security-level %d", i.SecurityLevel.Number)
	}
	p.statements(i.Other)
}

func (g *ObjectGroup) printASA(p *printer) {
	text := asaWord(g.Kind) + " " + g.Kind.String() + " " + g.Name
	if g.Kind == PortGroup {
		text += " " + protocolsText(g.Protocols)
	}
	p.block("%s", text)
	p.description(g.Description)
	for _, m := range g.Members {
		if g.Kind == ServiceObject {
			p.line("service %s", m.Service.asaText())
		} else {
			p.line("%s", g.memberText(m))
		}
	}
	p.statements(g.Other)
}

// memberText gives the line of a member, which differs in an object.
func (g *ObjectGroup) memberText(m *Member) string {
	switch {
	case g.Kind != NetworkObject:
		return m.asaText()
	case m.Kind == HostMember:
		return "host " + m.addressText()
	case m.Kind == SubnetMember:
		return "subnet " + m.addressText()
	}
	return m.asaText()
}

func (m *Member) asaText() string {
	switch m.Kind {
	case HostMember:
		return "network-object host " + m.addressText()
	case SubnetMember:
		return "network-object " + m.addressText()
	case RangeMember:
		return "range " + m.First.String() + " " + m.Last.String()
	case FQDNMember:
		if m.Family == 0 {
			return "fqdn " + m.Word.Text
		}
		return fmt.Sprintf("fqdn v%d %s", m.Family, m.Word.Text)
	case GroupMember:
		return "group-object " + m.Group.Text
	case ServiceMember:
		return "service-object " + m.Service.asaText()
	case PortMember:
		return "port-object" + string(appendCompare(nil, m.Ports, asaPortNames(m.Service.Protocols...)))
	case ProtocolMember:
		return "protocol-object " + m.Service.Protocols[0].text(asaProtocols)
	case ICMPMember:
		return "icmp-object" + string(m.Service.ICMP.appendASA(nil, asaICMPTypes))
	case ObjectMember:
		return "network-object object " + m.Group.Text
	}
	return "service-object object " + m.Group.Text
}

func (m *Member) addressText() string {
	a := Address{Kind: MaskedAddress, Addr: m.First, Wildcard: m.Wildcard, Alias: m.Alias}
	if m.Kind == HostMember {
		return string(a.appendASAAddress(nil)[1:])
	}
	return string(a.appendASA(nil)[1:])
}

// asaText gives the service behind "service-object" or "service".
func (s *Service) asaText() string {
	b := []byte(protocolsText(s.Protocols))
	names := asaPortNames(s.Protocols...)
	if s.Source.Op != 0 {
		b = appendCompare(appendWord(b, "source"), s.Source, names)
	}
	if s.Destination.Op != 0 {
		b = appendCompare(appendWord(b, "destination"), s.Destination, names)
	}
	if s.ICMP != nil {
		b = s.ICMP.appendASA(b, asaTypes(s.Protocols[0]))
	}
	return string(b)
}

func protocolsText(all []Protocol) string {
	if len(all) > 1 {
		return "tcp-udp"
	}
	return all[0].text(asaProtocols)
}

// appendASA adds the type and its code; names are of types alone.
func (m *ICMP) appendASA(b []byte, names *table) []byte {
	if word, ok := names.byValue[icmpValue(uint32(m.Type), anyCode)]; ok {
		b = appendWord(b, word)
	} else {
		b = appendNumber(b, uint32(m.Type))
	}
	if m.Code >= 0 {
		b = appendNumber(b, uint32(m.Code))
	}
	return b
}

func (a *ACL) printASA(p *printer) {
	p.separate()
	for _, e := range a.Entries {
		p.text = append(append(p.text, "access-list "...), a.Name...)
		switch {
		case e.ACE == nil:
			p.text = append(append(p.text, " remark "...), e.Remark...)
		case a.Kind == Standard:
			p.text = e.ACE.append(append(p.text, " standard "...), false)
		default:
			p.text = e.ACE.append(append(p.text, " extended "...), false)
		}
		p.text = append(p.text, '\n')
		p.flush(pageSize)
	}
}

// appendASA adds the words of a line from its action on.
func (a *ACE) appendASA(b []byte) []byte {
	b = append(b, a.Action.String()...)
	if a.Kind == Standard {
		return a.Source.appendASA(b)
	}
	names := asaPortNames(a.Protocol)
	switch {
	case a.ServiceGroup.Text == "":
		b = appendWord(b, a.Protocol.text(asaProtocols))
	case a.ServiceObject:
		b = appendWord(appendWord(b, "object"), a.ServiceGroup.Text)
	default:
		b, names = appendWord(appendWord(b, "object-group"), a.ServiceGroup.Text), asaBothPorts
	}
	b = appendName(appendName(b, a.User), a.SourceTag)
	b = appendPorts(a.Source.appendASA(b), a.SourcePorts, names)
	b = appendName(b, a.DestinationTag)
	b = appendPorts(a.Destination.appendASA(b), a.DestinationPorts, names)
	switch {
	case a.ICMPGroup.Text != "":
		b = appendWord(appendWord(b, "object-group"), a.ICMPGroup.Text)
	case a.ICMP != nil:
		b = a.ICMP.appendASA(b, asaTypes(a.Protocol))
	}
	b = a.Log.appendASA(b)
	if a.TimeRange.Text != "" {
		b = appendWord(appendWord(b, "time-range"), a.TimeRange.Text)
	}
	if a.Inactive {
		b = appendWord(b, "inactive")
	}
	return b
}

func appendName(b []byte, n Name) []byte {
	if n.Text == "" {
		return b
	}
	return appendWord(b, n.Text)
}

func appendPorts(b []byte, c Compare, names *table) []byte {
	if c.Op == InGroup {
		return appendWord(appendWord(b, "object-group"), c.Group.Text)
	}
	return appendCompare(b, c, names)
}

func (l *Log) appendASA(b []byte) []byte {
	if !l.On && l.Level == "" {
		return b
	}
	b = appendWord(b, "log")
	if l.Level != "" {
		b = appendWord(b, l.Level)
	}
	if l.Interval != 0 {
		b = appendNumber(appendWord(b, "interval"), l.Interval)
	}
	return b
}

func (a *Address) appendASA(b []byte) []byte {
	switch a.Kind {
	case AnyAddress:
		return appendWord(b, anyWord(a.Addr))
	case HostAddress:
		return a.appendASAAddress(appendWord(b, "host"))
	case AddressObject:
		return appendWord(appendWord(b, "object"), a.Group.Text)
	case InterfaceAddress:
		return appendWord(appendWord(b, "interface"), a.Group.Text)
	case AddressGroup:
		return appendWord(appendWord(b, "object-group"), a.Group.Text)
	case NetworkServices:
		return appendWord(appendWord(b, "object-group-network-service"), a.Group.Text)
	}
	b = a.appendASAAddress(b)
	if a.Addr.Is6() {
		return strconv.AppendInt(append(b, '/'), int64(length6(a.Wildcard)), 10)
	}
	return invert(a.Wildcard).AppendTo(append(b, ' '))
}

func anyWord(a netip.Addr) string {
	switch {
	case a.Is4():
		return "any4"
	case a.Is6():
		return "any6"
	}
	return "any"
}

// appendASAAddress adds the name for the address, or the address in small
// letters.
func (a *Address) appendASAAddress(b []byte) []byte {
	if a.Alias.Text != "" {
		return appendWord(b, a.Alias.Text)
	}
	return a.Addr.AppendTo(append(b, ' '))
}

// asaText gives the line that binds the list.
func (b Binding) asaText() string {
	if b.Global {
		return "access-group " + b.ACL.Text + " global"
	}
	text := "access-group " + b.ACL.Text + " " + b.Direction.String() + " interface " + b.Interface.Text
	if b.Options != "" {
		text += " " + b.Options
	}
	return text
}
