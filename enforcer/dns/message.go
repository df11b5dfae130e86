package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A Question is what one message asks.
type Question struct {
	ID uint16
	// Name is in lower case, without the last dot.
	Name string
	// IPv6 tells AAAA from A.
	IPv6 bool
}

// An Answer is what a server says to a question.
type Answer struct {
	Question
	// Records are the addresses of the question's name, without repetition.
	Records []Record
}

// A Record is one address and how long it may be used: the smallest TTL on the
// way from the name to it, in whole seconds.
type Record struct {
	Addr netip.Addr
	TTL  time.Duration
}

// What an answer may hold at most. A name of a large service has some ten
// addresses behind two or three aliases.
const (
	maxRecords = 256
	maxAliases = 16
)

// maxTTL is the largest TTL that counts (RFC 8767 recommends a cap of seven
// days). A TTL with its highest bit set counts as 0 (RFC 2181, section 8).
const maxTTL = 7 * 24 * time.Hour

// ErrNoMatter marks messages that are in order and say nothing of addresses:
// other types and classes, failures, and answers that were cut.
var ErrNoMatter = errors.New("says nothing of addresses")

// ParseQuestion reads a query for the addresses of one name.
func ParseQuestion(b []byte) (Question, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return Question{}, fmt.Errorf("read the header: %w", err)
	}
	if h.Response || h.OpCode != 0 {
		return Question{}, fmt.Errorf("not a query: %w", ErrNoMatter)
	}
	return question(&p, h.ID)
}

// ParseAnswer reads a response with the addresses of one name. Aliases are
// followed from the question's name, whatever their order; records of other
// names are not looked at.
func ParseAnswer(b []byte) (Answer, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return Answer{}, fmt.Errorf("read the header: %w", err)
	}
	if !h.Response || h.OpCode != 0 || h.RCode != dnsmessage.RCodeSuccess || h.Truncated {
		return Answer{}, fmt.Errorf("no whole answer: %w", ErrNoMatter)
	}
	q, err := question(&p, h.ID)
	if err != nil {
		return Answer{}, err
	}
	s := section{aliases: map[string]alias{}, addresses: map[string][]Record{}}
	if err := s.read(&p, q.IPv6); err != nil {
		return Answer{}, err
	}
	records, err := s.follow(q.Name)
	return Answer{q, records}, err
}

func question(p *dnsmessage.Parser, id uint16) (Question, error) {
	q, err := p.Question()
	if err != nil {
		return Question{}, fmt.Errorf("read the question: %w", err)
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return Question{}, errors.New("more than one question")
	}
	if q.Class != dnsmessage.ClassINET || q.Type != dnsmessage.TypeA && q.Type != dnsmessage.TypeAAAA {
		return Question{}, fmt.Errorf("%v %v: %w", q.Class, q.Type, ErrNoMatter)
	}
	name, err := nameOf(q.Name)
	return Question{ID: id, Name: name, IPv6: q.Type == dnsmessage.TypeAAAA}, err
}

// nameOf gives a name as patterns are compared with it. What is no letter,
// digit, hyphen or underscore stands in no host's name.
func nameOf(n dnsmessage.Name) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(n.String(), "."))
	if name == "" || len(name) > 253 {
		return "", fmt.Errorf("a name of %d letters: %w", len(name), ErrNoMatter)
	}
	for i := range len(name) {
		c := name[i]
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", fmt.Errorf("a name with the byte %#x: %w", c, ErrNoMatter)
		}
	}
	return name, nil
}

// section holds an answer section by the owners of its records.
type section struct {
	aliases   map[string]alias
	addresses map[string][]Record
}

type alias struct {
	to  string
	ttl time.Duration
}

func (s *section) read(p *dnsmessage.Parser, ipv6 bool) error {
	for n := 0; ; n++ {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if n == maxRecords {
			return fmt.Errorf("more than %d answers", maxRecords)
		}
		if err := s.record(p, &h, ipv6); err != nil {
			return err
		}
	}
}

// record reads one record; those of other types and classes are passed over.
func (s *section) record(p *dnsmessage.Parser, h *dnsmessage.ResourceHeader, ipv6 bool) error {
	owner, err := nameOf(h.Name)
	switch {
	case err != nil || h.Class != dnsmessage.ClassINET:
		return p.SkipAnswer()
	case h.Type == dnsmessage.TypeCNAME:
		return s.alias(p, owner, ttlOf(h))
	case h.Type == dnsmessage.TypeA && !ipv6:
		r, err := p.AResource()
		if err != nil {
			return fmt.Errorf("read an address: %w", err)
		}
		s.address(owner, Record{netip.AddrFrom4(r.A), ttlOf(h)})
	case h.Type == dnsmessage.TypeAAAA && ipv6:
		r, err := p.AAAAResource()
		if err != nil {
			return fmt.Errorf("read an address: %w", err)
		}
		s.address(owner, Record{netip.AddrFrom16(r.AAAA), ttlOf(h)})
	default:
		return p.SkipAnswer()
	}
	return nil
}

func ttlOf(h *dnsmessage.ResourceHeader) time.Duration {
	if h.TTL > 1<<31-1 {
		return 0
	}
	return min(time.Duration(h.TTL)*time.Second, maxTTL)
}

// alias refuses a second one of the same name: which one counts would be a
// guess (RFC 2181, section 10.1).
func (s *section) alias(p *dnsmessage.Parser, owner string, ttl time.Duration) error {
	r, err := p.CNAMEResource()
	if err != nil {
		return fmt.Errorf("read an alias: %w", err)
	}
	to, err := nameOf(r.CNAME)
	if err != nil {
		return err
	}
	if _, twice := s.aliases[owner]; twice {
		return fmt.Errorf("two aliases of %s", owner)
	}
	s.aliases[owner] = alias{to, ttl}
	return nil
}

// address keeps an address of a host; no name stands for the node itself, for
// groups, or for an IPv4 address in IPv6's clothes.
func (s *section) address(owner string, r Record) {
	if a := r.Addr; a.Is4In6() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		return
	}
	for i, known := range s.addresses[owner] {
		if known.Addr == r.Addr {
			s.addresses[owner][i].TTL = min(known.TTL, r.TTL)
			return
		}
	}
	s.addresses[owner] = append(s.addresses[owner], r)
}

// follow walks the aliases from the name to its addresses.
func (s *section) follow(name string) ([]Record, error) {
	ttl := maxTTL
	for range maxAliases {
		next, aliased := s.aliases[name]
		if !aliased {
			records := s.addresses[name]
			for i := range records {
				records[i].TTL = min(records[i].TTL, ttl)
			}
			return records, nil
		}
		if len(s.addresses[name]) > 0 {
			return nil, fmt.Errorf("%s is an alias and has addresses", name)
		}
		name, ttl = next.to, min(ttl, next.ttl)
	}
	return nil, fmt.Errorf("more than %d aliases, or a circle", maxAliases)
}
