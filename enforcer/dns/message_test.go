package dns

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// head makes an IN header of a record.
func head(name string, ttl uint32) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}
}

func a(name string, ttl uint32, address string) dnsmessage.Resource {
	addr := netip.MustParseAddr(address)
	if addr.Is4() {
		return dnsmessage.Resource{Header: head(name, ttl), Body: &dnsmessage.AResource{A: addr.As4()}}
	}
	return dnsmessage.Resource{Header: head(name, ttl), Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}}
}

func cname(name string, ttl uint32, to string) dnsmessage.Resource {
	return dnsmessage.Resource{Header: head(name, ttl), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(to)}}
}

func response(kind dnsmessage.Type, name string, answers ...dnsmessage.Resource) *dnsmessage.Message {
	return &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 9, Response: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
		Answers:   answers,
	}
}

func pack(t testing.TB, m *dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(address string, seconds int) Record {
	return Record{netip.MustParseAddr(address), time.Duration(seconds) * time.Second}
}

func TestParseAnswer(t *testing.T) {
	const four, six = dnsmessage.TypeA, dnsmessage.TypeAAAA
	for name, c := range map[string]struct {
		message *dnsmessage.Message
		want    []Record
	}{
		"addresses":           {response(four, "w.example.", a("w.example.", 60, "192.0.2.1"), a("w.example.", 30, "192.0.2.2")), []Record{record("192.0.2.1", 60), record("192.0.2.2", 30)}},
		"IPv6":                {response(six, "w.example.", a("w.example.", 60, "2001:db8::1")), []Record{record("2001:db8::1", 60)}},
		"case":                {response(four, "W.Example.", a("w.eXample.", 60, "192.0.2.1")), []Record{record("192.0.2.1", 60)}},
		"smallest on the way": {response(four, "w.example.", cname("w.example.", 20, "x.example."), cname("x.example.", 10, "y.example."), a("y.example.", 60, "192.0.2.1")), []Record{record("192.0.2.1", 10)}},
		"any order":           {response(four, "w.example.", a("x.example.", 60, "192.0.2.1"), cname("w.example.", 20, "x.example.")), []Record{record("192.0.2.1", 20)}},
		"other names":         {response(four, "w.example.", a("v.example.", 60, "192.0.2.1"), a("w.example.", 60, "192.0.2.2")), []Record{record("192.0.2.2", 60)}},
		"other family":        {response(four, "w.example.", a("w.example.", 60, "2001:db8::1")), nil},
		"highest bit":         {response(four, "w.example.", a("w.example.", 1<<31, "192.0.2.1")), []Record{record("192.0.2.1", 0)}},
		"a week":              {response(four, "w.example.", a("w.example.", 1<<30, "192.0.2.1")), []Record{record("192.0.2.1", 7*24*3600)}},
		"twice":               {response(four, "w.example.", a("w.example.", 60, "192.0.2.1"), a("w.example.", 5, "192.0.2.1")), []Record{record("192.0.2.1", 5)}},
		"no host's address":   {response(four, "w.example.", a("w.example.", 60, "127.0.0.1"), a("w.example.", 60, "224.0.0.1"), a("w.example.", 60, "0.0.0.0"), a("w.example.", 60, "169.254.169.254")), nil},
		"mapped":              {response(six, "w.example.", a("w.example.", 60, "::ffff:192.0.2.1")), nil},
	} {
		got, err := ParseAnswer(pack(t, c.message))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got.Records, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" || got.Name != "w.example" || got.ID != 9 {
			t.Errorf("%s: %+v\n%s", name, got, d)
		}
	}
}

func TestAnswersThatSayNothing(t *testing.T) {
	good := func() *dnsmessage.Message {
		return response(dnsmessage.TypeA, "w.example.", a("w.example.", 60, "192.0.2.1"))
	}
	for name, c := range map[string]struct {
		spoil func(*dnsmessage.Message)
		quiet bool // in order, but no matter
	}{
		"a query":        {func(m *dnsmessage.Message) { m.Response = false }, true},
		"a failure":      {func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError }, true},
		"cut":            {func(m *dnsmessage.Message) { m.Truncated = true }, true},
		"an update":      {func(m *dnsmessage.Message) { m.OpCode = 5 }, true},
		"no question":    {func(m *dnsmessage.Message) { m.Questions = nil }, false},
		"two questions":  {func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, false},
		"another type":   {func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX }, true},
		"another class":  {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, true},
		"a strange name": {func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("w x.example.") }, true},
		"a circle": {func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{cname("w.example.", 1, "x.example."), cname("x.example.", 1, "w.example.")}
		}, false},
		"two aliases": {func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{cname("w.example.", 1, "x.example."), cname("w.example.", 1, "y.example.")}
		}, false},
		"alias and address": {func(m *dnsmessage.Message) { m.Answers = append(m.Answers, cname("w.example.", 1, "x.example.")) }, false},
	} {
		m := good()
		c.spoil(m)
		_, err := ParseAnswer(pack(t, m))
		if err == nil || errors.Is(err, ErrNoMatter) != c.quiet {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := pack(t, good())
	for n := range whole {
		if got, err := ParseAnswer(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes: %+v", n, len(whole), got)
		}
	}
}

// Whatever comes in, what comes out is bounded and stands in the message as the
// library alone reads it.
func FuzzParseAnswer(f *testing.F) {
	f.Add(pack(f, response(dnsmessage.TypeA, "w.example.", cname("w.example.", 20, "x.example."), a("x.example.", 60, "192.0.2.1"))))
	f.Add(pack(f, response(dnsmessage.TypeAAAA, "w.example.", a("w.example.", 60, "2001:db8::1"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseAnswer(b)
		if err != nil {
			return
		}
		if len(got.Records) > maxRecords || got.Name == "" || len(got.Name) > 253 {
			t.Fatalf("%+v", got)
		}
		var m dnsmessage.Message
		held := map[netip.Addr]bool{}
		if m.Unpack(b) != nil {
			return // what follows the answers is not ours
		}
		for _, r := range m.Answers {
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				held[netip.AddrFrom4(body.A)] = true
			case *dnsmessage.AAAAResource:
				held[netip.AddrFrom16(body.AAAA)] = true
			}
		}
		for _, r := range got.Records {
			if !held[r.Addr] || r.TTL < 0 || r.TTL > maxTTL || r.Addr.Is4() == got.IPv6 {
				t.Errorf("%+v is not in the message", r)
			}
		}
	})
}

func TestAskedOnce(t *testing.T) {
	var asked Asked
	at := Place{7, netip.MustParseAddrPort("10.1.0.1:4000"), netip.MustParseAddr("10.1.0.53")}
	q := Question{ID: 1, Name: "w.example"}
	asked.Add(at, q, time.Second)
	elsewhere, other, six := at, q, q
	elsewhere.Ifindex++
	other.ID++
	six.IPv6 = true
	if asked.Take(elsewhere, q, time.Second) || asked.Take(at, other, time.Second) || asked.Take(at, six, time.Second) {
		t.Error("another question was answered")
	}
	if !asked.Take(at, q, 2*time.Second) || asked.Take(at, q, 2*time.Second) {
		t.Error("a question has one answer")
	}
	asked.Add(at, q, 3*time.Second)
	if asked.Take(at, q, 3*time.Second+patience+1) {
		t.Error("an answer came too late and counted")
	}
	asked.Add(at, q, 100*time.Second) // asked again: the first time is forgotten, not this one
	for i := range maxAsked - 1 {
		asked.Add(at, Question{ID: uint16(i), Name: "x.example"}, 100*time.Second)
	}
	if len(asked.order) > maxAsked || !asked.Take(at, q, 100*time.Second) {
		t.Errorf("%d questions are in mind", len(asked.order))
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c Cache
	first := netip.MustParseAddr("192.0.2.1")
	for i := range MaxNames {
		if !c.Add(first, string(rune('a'+i/26))+string(rune('a'+i%26)), 1) {
			t.Fatalf("name %d is refused", i)
		}
	}
	if c.Add(first, "more", 1) || !c.Add(first, "aa", 2) {
		t.Error("the bound of names does not hold, or a known name is refused")
	}
	if c.Add(first, "aa", 1); maxOf(&c, first) != 2 {
		t.Error("a shorter answer took a longer one away")
	}
	b := netip.MustParseAddr("2001:db8::").As16()
	for i := 1; i < MaxAddresses; i++ {
		b[14], b[15] = byte(i>>8), byte(i)
		if !c.Add(netip.AddrFrom16(b), "w", 1) {
			t.Fatalf("address %d is refused", i)
		}
	}
	if c.Add(netip.MustParseAddr("192.0.2.2"), "w", 1) {
		t.Error("the bound of addresses does not hold")
	}
	c.Remove(netip.AddrFrom16(b), "w")
	if !c.Add(netip.MustParseAddr("192.0.2.2"), "w", 1) {
		t.Error("room is not used again")
	}
}

func maxOf(c *Cache, addr netip.Addr) (latest uint64) {
	for _, expires := range c.Names(addr) {
		latest = max(latest, expires)
	}
	return latest
}
