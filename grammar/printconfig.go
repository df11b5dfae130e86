package grammar

import (
	"fmt"
	"io"
	"strconv"
)

// printer collects blocks, with "!" between them.
type printer struct {
	// to is where the text goes as it grows; nil to collect all of it.
	to   io.Writer
	err  error
	text []byte
	open bool
	// dialect is that of the configuration.
	dialect Dialect
}

// block starts a block with its first line.
func (p *printer) block(format string, args ...any) {
	p.separate()
	p.text = append(fmt.Appendf(p.text, format, args...), '\n')
}

// pageSize is how much text is collected before it is written, bytes.
const pageSize = 1 << 16

// separate writes the "!" in front of a block, unless it is the first.
func (p *printer) separate() {
	if p.open {
		p.text = append(p.text, "!\n"...)
	}
	p.open = true
	p.flush(pageSize)
}

// flush writes what was collected when that is more than the size.
func (p *printer) flush(size int) {
	if p.to == nil || len(p.text) <= size {
		return
	}
	if p.err == nil {
		_, p.err = p.to.Write(p.text)
	}
	p.text = p.text[:0]
}

// line writes a line of the block, indented by one blank.
func (p *printer) line(format string, args ...any) {
	p.text = append(fmt.Appendf(append(p.text, ' '), format, args...), '\n')
}

// statements writes kept statements into the open block.
func (p *printer) statements(all []*Statement) {
	for _, s := range all {
		s.printIn(p)
	}
}

func (p *printer) description(text string) {
	if text != "" {
		p.line("description %s", text)
	}
}

// text gives the canonical configuration.
func (c *Config) text() string {
	p := &printer{dialect: c.Dialect}
	c.print(p)
	return string(p.text)
}

// print writes the blocks in IOS's order. What is not understood stands first,
// where no mode can take it for a line of its own.
func (c *Config) print(p *printer) {
	if c.Dialect == ASA {
		c.printASA(p)
		return
	}
	if c.Hostname != "" {
		p.block("hostname %s", c.Hostname)
	}
	for _, s := range c.Other {
		s.print(p)
	}
	for _, g := range c.ObjectGroups {
		g.print(p)
	}
	c.printHTTP(p)
	for _, m := range c.ClassMaps {
		m.print(p)
	}
	for _, m := range c.PolicyMaps {
		m.print(p)
	}
	for _, z := range c.Zones {
		p.block("zone security %s", z.Name)
		p.description(z.Description)
		p.statements(z.Other)
	}
	for _, z := range c.ZonePairs {
		z.print(p)
	}
	for _, i := range c.Interfaces {
		i.print(p)
	}
	for _, a := range c.ACLs {
		a.print(p)
	}
	c.printTrustSec(p)
}

func (g *ObjectGroup) print(p *printer) {
	p.block("%s", g.header())
	p.description(g.Description)
	for _, m := range g.Members {
		if m.Seq != 0 {
			p.line("%d %s", m.Seq, m)
			continue
		}
		p.line("%s", m)
	}
	p.statements(g.Other)
}

// header gives the line that the members stand below.
func (g *ObjectGroup) header() string {
	kind := g.Kind.String()
	if s := spellings[g.Dialect]; s != nil {
		kind = s.group(g.Kind)
	}
	return "object-group " + kind + " " + g.Name
}

func (m *ClassMap) print(p *printer) {
	p.block("class-map type inspect %s %s", m.match(), m.Name)
	p.description(m.Description)
	for _, match := range m.Matches {
		p.line("match %s", match)
	}
	p.statements(m.Other)
}

// String gives the match without the word "match".
func (m ClassMatch) String() string {
	switch {
	case m.Kind == MatchProtocol:
		return "protocol " + m.Name.Text
	case m.Kind == MatchClassMap:
		return "class-map " + m.Name.Text
	case isListNumber(m.Name.Text):
		return "access-group " + m.Name.Text
	}
	return "access-group name " + m.Name.Text
}

func (m *PolicyMap) print(p *printer) {
	p.block("policy-map type inspect %s", m.Name)
	p.description(m.Description)
	for _, c := range m.Classes {
		if c.Default {
			p.line("class class-default")
		} else {
			p.line("class type inspect %s", c.Class.Text)
		}
		if c.Action != 0 {
			p.line(" %s", c.action())
		}
		if c.HTTPPolicy.Text != "" {
			p.line(" service-policy http %s", c.HTTPPolicy.Text)
		}
		for _, s := range c.Other {
			p.line(" %s", s.Words)
			s.printBelow(p, "   ")
		}
	}
	p.statements(m.Other)
}

func (c *PolicyClass) action() string {
	text := c.Action.String()
	if c.Log {
		text += " log"
	}
	if c.Parameter.Text != "" {
		text += " " + c.Parameter.Text
	}
	return text
}

func (z *ZonePair) print(p *printer) {
	p.block("zone-pair security %s source %s destination %s", z.Name, z.Source.Text, z.Destination.Text)
	p.description(z.Description)
	if z.Policy.Text != "" {
		p.line("service-policy type inspect %s", z.Policy.Text)
	}
	p.statements(z.Other)
}

func (i *Interface) print(p *printer) {
	p.block("interface %s", i.key())
	p.description(i.Description)
	for _, b := range i.Bindings {
		if p.dialect == IOSXR {
			p.line("%s", b.xrText())
		} else if b.IPv6 {
			p.line("ipv6 traffic-filter %s %s", b.ACL.Text, b.Direction)
		} else {
			p.line("ip access-group %s %s", b.ACL.Text, b.Direction)
		}
	}
	if i.Zone.Text != "" {
		p.line("zone-member security %s", i.Zone.Text)
	}
	if i.NoHostPermit {
		p.line("no ip host-permit")
	}
	if i.NoVerifySource {
		p.line("no ip verify source")
	}
	p.statements(i.Other)
}

func (a *ACL) print(p *printer) {
	if a.Numbered && a.printsNumbered() {
		a.printNumbered(p)
		return
	}
	p.block("%s", a.header())
	p.statements(a.Other)
	for _, e := range a.Entries {
		p.text = append(a.appendEntry(append(p.text, ' '), e), '\n')
		p.flush(pageSize)
	}
}

// header gives the line that lines of the list stand below.
func (a *ACL) header() string {
	if s := spellings[a.Dialect]; s != nil {
		return s.list(a.Kind) + " " + a.Name
	}
	return a.Kind.typed() + " " + a.Name
}

// typed gives the words in front of the name of a list.
func (k ACLKind) typed() string {
	return [...]string{
		Standard: "ip access-list standard", Extended: "ip access-list extended", IPv6: "ipv6 access-list",
		RoleBased: "ip access-list role-based", RoleBased6: "ipv6 access-list role-based",
		DomainList: "ip access-list fqdn", DomainList6: "ipv6 access-list fqdn",
	}[k]
}

func (a *ACL) entryText(e *Entry) string { return string(a.appendEntry(nil, e)) }

// appendEntry adds the entry as a named list has it.
func (a *ACL) appendEntry(b []byte, e *Entry) []byte {
	if e.Seq != 0 {
		if a.Kind.IsIPv6() && a.Dialect == IOS {
			b = append(b, "sequence "...)
		}
		b = append(strconv.AppendUint(b, uint64(e.Seq), 10), ' ')
	}
	switch {
	case e.ACE == nil:
		return append(append(b, "remark "...), e.Remark...)
	case a.Kind >= IPv6 || a.Dialect != IOS:
		return e.ACE.append(b, false)
	}
	return appendPadded(b, e.ACE, false)
}

func (a *ACL) printNumbered(p *printer) {
	p.separate()
	for _, e := range a.Entries {
		p.text = append(append(append(p.text, "access-list "...), a.Name...), ' ')
		if e.ACE == nil {
			p.text = append(append(p.text, "remark "...), e.Remark...)
		} else {
			p.text = appendPadded(p.text, e.ACE, false)
		}
		p.text = append(p.text, '\n')
		p.flush(pageSize)
	}
}

// printsNumbered reports whether lines without sequence numbers give the same
// list: its numbers are the automatic ones and no line needs a named list.
func (a *ACL) printsNumbered() bool {
	next, check := uint32(seqStep), &line{Session: &Session{}}
	open := false // a numbered remark stands before its ACE
	for _, e := range a.Entries {
		if e.ACE == nil {
			if e.Seq != 0 && e.Seq != next {
				return false
			}
			open = open || e.Seq != 0
			continue
		}
		if e.Seq != next || e.ACE.Action == Evaluate || check.numberedForm(e.ACE) != nil {
			return false
		}
		next += seqStep
		open = false
	}
	return !open && len(a.Entries) > 0 && len(a.Other) == 0
}
