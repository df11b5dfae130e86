package enforcer

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"aclium/translate/policy"
)

// Reading and compiling a large push takes several times the memory of what
// stays. When pushes have rested for a while it is collected, so that no
// collection falls into the next one. What is more than keptAtRest goes back to
// the system; pages that stay spare the next push some milliseconds.
const (
	largePush  = 2000 // rules
	restTime   = time.Second
	keptAtRest = 96 << 20 // bytes
)

// giveBack returns memory once nothing was applied for restTime. Whoever calls
// it holds e.changing.
func (e *Enforcer) giveBack(policies []policy.Policy) {
	rules := 0
	for i := range policies {
		rules += len(policies[i].Rules)
	}
	switch {
	case e.resting != nil:
		e.resting.Reset(restTime)
	case rules > largePush:
		e.resting = time.AfterFunc(restTime, freeMemory)
	}
}

// freeMemory collects twice: pools such as encoding/json's keep what they hold,
// among it the text of the last answer, for one collection.
func freeMemory() {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapSys-m.HeapReleased > keptAtRest {
		debug.FreeOSMemory()
	}
}

// A sharer lets equal parts of rules stand once in the memory: thousands of
// lines have the same service. What rules have for themselves is copied to
// where it stands side by side, as what was decoded lies among garbage, in
// pages that nothing else uses. What is shared may not be changed.
type sharer struct {
	services  map[string][]policy.Service
	text      map[string]string
	key       []byte
	letters   *strings.Builder
	addresses []policy.AddrRange
}

// Chunks are small, as one line that stays keeps all of its chunk.
const (
	letterChunk  = 16 << 10
	addressChunk = 256
)

func newSharer() *sharer {
	return &sharer{services: map[string][]policy.Service{}, text: map[string]string{}, letters: new(strings.Builder)}
}

func (s *sharer) share(r *policy.Rule) {
	r.ID.ACL, r.Source.File = s.shareText(r.ID.ACL), s.shareText(r.Source.File)
	r.Text = s.copyText(r.Text)
	for _, p := range [...]*policy.Peers{&r.Match.Source, &r.Match.Destination} {
		p.Addresses = s.copyAddresses(p.Addresses)
	}
	if s.key = s.key[:0]; !s.describe(r.Match.Services) {
		return
	}
	if known, ok := s.services[string(s.key)]; ok {
		r.Match.Services = known
		return
	}
	r.Match.Services = slices.Clone(r.Match.Services)
	for i := range r.Match.Services {
		x := &r.Match.Services[i]
		x.SourcePorts, x.DestinationPorts, x.ICMP = slices.Clone(x.SourcePorts), slices.Clone(x.DestinationPorts), slices.Clone(x.ICMP)
	}
	s.services[string(s.key)] = r.Match.Services
}

func (s *sharer) shareText(text string) string {
	known, ok := s.text[text]
	if !ok {
		s.text[text] = text
		return text
	}
	return known
}

func (s *sharer) copyText(text string) string {
	if s.letters.Cap()-s.letters.Len() < len(text) {
		s.letters = new(strings.Builder)
		s.letters.Grow(max(letterChunk, len(text)))
	}
	at := s.letters.Len()
	s.letters.WriteString(text)
	return s.letters.String()[at:]
}

func (s *sharer) copyAddresses(list []policy.AddrRange) []policy.AddrRange {
	if len(list) == 0 || len(list) > addressChunk {
		return list
	}
	if cap(s.addresses)-len(s.addresses) < len(list) {
		s.addresses = make([]policy.AddrRange, 0, addressChunk)
	}
	at := len(s.addresses)
	s.addresses = append(s.addresses, list...)
	return slices.Clip(s.addresses[at:])
}

// describe appends the same key for equal services alone. The names of ports
// have none: only objects of a cluster hold them.
func (s *sharer) describe(services []policy.Service) bool {
	for i := range services {
		x := &services[i]
		if x.PortNames != nil {
			return false
		}
		for _, set := range [...]policy.ByteSet{x.Protocols, x.Flags} {
			for _, word := range set {
				s.key = binary.NativeEndian.AppendUint64(s.key, word)
			}
		}
		for _, ranges := range [...]policy.Ranges{x.SourcePorts, x.DestinationPorts, x.ICMP} {
			s.key = binary.NativeEndian.AppendUint32(s.key, uint32(len(ranges)))
			for _, r := range ranges {
				s.key = binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(s.key, r.First), r.Last)
			}
		}
	}
	return len(services) > 0
}
