package policy

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"sync"
)

// AppendJSON appends the JSON that json.Marshal gives of the policies, in about
// a tenth of its time: lists have tens of thousands of lines, and each change
// of one sends them all.
func AppendJSON(b []byte, policies []Policy) ([]byte, error) {
	if policies == nil {
		return append(b, "null"...), nil
	}
	e := encoder{b: b}
	appendList(&e, policies, e.policy)
	return e.b, e.err
}

// encoder writes JSON; after an error what it wrote means nothing.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) text(s string) { e.b = append(e.b, s...) }

// any writes what is rare as json.Marshal does.
func (e *encoder) any(name string, v any) {
	e.text(name)
	b, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b = append(e.b, b...)
}

// name writes a name of an enumeration.
func (e *encoder) name(b []byte, err error) {
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b = append(append(append(e.b, '"'), b...), '"')
}

// string writes a string, in which json.Marshal escapes some letters.
func (e *encoder) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			e.any("", s)
			return
		}
	}
	e.b = append(append(append(e.b, '"'), s...), '"')
}

func appendList[T any](e *encoder, list []T, element func(*T)) {
	e.b = append(e.b, '[')
	for i := range list {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		element(&list[i])
	}
	e.b = append(e.b, ']')
}

func (e *encoder) policy(p *Policy) {
	e.text(`{"acl":`)
	e.string(p.ACL)
	e.any(`,"subject":`, p.Subject)
	e.any(`,"direction":`, p.Direction)
	e.any(`,"family":`, p.Family)
	e.any(`,"stateful":`, p.Stateful)
	e.text(`,"rules":`)
	e.rules(p.Rules)
	if p.Open {
		e.text(`,"open":true`)
	}
	e.text("}")
}

// rules has a second processor write half of a long list.
func (e *encoder) rules(list []Rule) {
	const long = 4096
	switch {
	case list == nil:
		e.text("null")
		return
	case len(list) <= long:
		appendList(e, list, e.rule)
		return
	}
	half := len(list) / 2
	var behind encoder
	var wait sync.WaitGroup
	wait.Go(func() { appendList(&behind, list[half:], behind.rule) })
	appendList(e, list[:half], e.rule)
	wait.Wait()
	if e.err == nil {
		e.err = behind.err
	}
	// The bracket that shuts one half and that which opens the other are a comma.
	e.b[len(e.b)-1] = ','
	e.b = append(e.b, behind.b[1:]...)
}

func (e *encoder) rule(r *Rule) {
	e.text(`{"id":{"acl":`)
	e.string(r.ID.ACL)
	e.text(`,"seq":`)
	e.b = strconv.AppendUint(e.b, uint64(r.ID.Seq), 10)
	e.text(`},"text":`)
	e.string(r.Text)
	if r.Source != (Source{}) {
		e.source(&r.Source)
	}
	e.text(`,"action":`)
	e.name(r.Action.MarshalText())
	if r.Goto != 0 {
		e.any(`,"goto":`, r.Goto)
	}
	if r.Log {
		e.text(`,"log":true`)
	}
	if r.LogForm != 0 {
		e.any(`,"logForm":`, r.LogForm)
	}
	if r.LogCookie != "" {
		e.any(`,"logCookie":`, r.LogCookie)
	}
	if r.Uncounted {
		e.text(`,"uncounted":true`)
	}
	e.match(&r.Match)
	if r.Reflect != nil {
		e.any(`,"reflect":`, r.Reflect)
	}
	if r.Police != nil {
		e.any(`,"police":`, r.Police)
	}
	e.text("}")
}

func (e *encoder) source(s *Source) {
	comma := `,"source":{`
	if s.File != "" {
		e.text(comma + `"file":`)
		e.string(s.File)
		comma = ","
	}
	if s.Line != 0 {
		e.text(comma + `"line":`)
		e.b = strconv.AppendInt(e.b, int64(s.Line), 10)
		comma = ","
	}
	if s.Column != 0 {
		e.text(comma + `"column":`)
		e.b = strconv.AppendInt(e.b, int64(s.Column), 10)
	}
	e.text("}")
}

func (e *encoder) match(m *Match) {
	e.text(`,"match":{"source":`)
	e.peers(&m.Source)
	e.text(`,"destination":`)
	e.peers(&m.Destination)
	e.text(`,"services":`)
	if m.Services == nil {
		e.text("null")
	} else {
		appendList(e, m.Services, e.service)
	}
	if m.Fragments {
		e.text(`,"fragments":true`)
	}
	if m.TrafficClass != nil {
		e.any(`,"trafficClass":`, m.TrafficClass)
	}
	if m.HopLimit != nil {
		e.any(`,"hopLimit":`, m.HopLimit)
	}
	if m.Time != nil {
		e.any(`,"time":`, m.Time)
	}
	if m.Evaluate != "" {
		e.any(`,"evaluate":`, m.Evaluate)
	}
	if len(m.HTTP) > 0 {
		e.any(`,"http":`, m.HTTP)
	}
	e.text("}")
}

// peers writes what ends mostly are: everybody, or addresses.
func (e *encoder) peers(p *Peers) {
	switch {
	case len(p.Masked)+len(p.Selectors)+len(p.Entities)+len(p.Outside)+len(p.FQDNs) > 0:
		e.any("", p)
	case len(p.Addresses) == 0 && p.Any:
		e.text(`{"any":true}`)
	case len(p.Addresses) == 0:
		e.text(`{}`)
	default:
		e.text("{")
		if p.Any {
			e.text(`"any":true,`)
		}
		e.text(`"addresses":`)
		appendList(e, p.Addresses, e.addrRange)
		e.text("}")
	}
}

func (e *encoder) addrRange(r *AddrRange) {
	if r.First.Zone() != "" || r.Last.Zone() != "" {
		e.any("", r)
		return
	}
	e.text(`{"first":`)
	e.address(r.First)
	e.text(`,"last":`)
	e.address(r.Last)
	e.text("}")
}

func (e *encoder) address(a netip.Addr) {
	e.b = append(e.b, '"')
	if a.IsValid() {
		e.b = a.AppendTo(e.b)
	}
	e.b = append(e.b, '"')
}

func (e *encoder) service(s *Service) {
	e.text(`{"protocols":`)
	e.byteSet(&s.Protocols)
	e.text(`,"sourcePorts":`)
	e.ranges(s.SourcePorts)
	e.text(`,"destinationPorts":`)
	e.ranges(s.DestinationPorts)
	e.text(`,"icmp":`)
	e.ranges(s.ICMP)
	e.text(`,"flags":`)
	e.byteSet(&s.Flags)
	if len(s.PortNames) > 0 {
		e.any(`,"portNames":`, s.PortNames)
	}
	e.text("}")
}

func (e *encoder) byteSet(s *ByteSet) {
	if s.All() {
		e.text(`"all"`)
		return
	}
	var list [128]Range
	n := 0
	for v := range 256 {
		switch {
		case !s.Has(uint8(v)):
		case n > 0 && int(list[n-1].Last)+1 == v:
			list[n-1].Last++
		default:
			list[n] = Range{uint16(v), uint16(v)}
			n++
		}
	}
	e.ranges(list[:n])
}

func (e *encoder) ranges(s Ranges) {
	if s.All() {
		e.text(`"all"`)
		return
	}
	e.b = append(e.b, '"')
	for i, r := range s {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = strconv.AppendUint(e.b, uint64(r.First), 10)
		if r.First != r.Last {
			e.b = strconv.AppendUint(append(e.b, '-'), uint64(r.Last), 10)
		}
	}
	e.b = append(e.b, '"')
}
