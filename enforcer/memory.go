package enforcer

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"time"

	"aclium/translate/policy"
)

// Reading and compiling a large push takes several times the memory of what
// stays. The collector would keep that for the next one; it goes back to the
// system when pushes have rested for a while.
const (
	largePush = 2000 // rules
	restTime  = time.Second
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
	debug.FreeOSMemory()
}

// A sharer lets equal parts of rules stand once in the memory: thousands of
// lines have the same service. What is shared may not be changed.
type sharer struct {
	services map[string][]policy.Service
	text     map[string]string
	key      []byte
}

func newSharer() *sharer {
	return &sharer{services: map[string][]policy.Service{}, text: map[string]string{}}
}

func (s *sharer) share(r *policy.Rule) {
	r.ID.ACL, r.Source.File = s.shareText(r.ID.ACL), s.shareText(r.Source.File)
	if s.key = s.key[:0]; !s.describe(r.Match.Services) {
		return
	}
	if known, ok := s.services[string(s.key)]; ok {
		r.Match.Services = known
		return
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
