package acltest

import (
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"aclium/translate/policy"
)

//go:embed testdata/*.txtar
var testdata embed.FS

// A Sheet is one file of the table: a configuration that binds every one of
// its lists, and packets with the verdict and line that the language's
// description gives them.
type Sheet struct {
	Name string
	Text string
	Rows []Row
}

// A Row is one packet and what becomes of it. Seq 0 is the implicit last line,
// or one of the permits that stand before it in an IPv6 list.
type Row struct {
	ACL    string
	Permit bool
	Seq    uint32
	Packet policy.Packet
	// Line is the row as it was written, and At its place in its file.
	Line string
	At   string
}

// Table reads the table.
func Table() ([]Sheet, error) {
	names, err := fs.Glob(testdata, "testdata/*.txtar")
	if err != nil {
		return nil, fmt.Errorf("list the table: %w", err)
	}
	var sheets []Sheet
	for _, name := range names {
		data, err := testdata.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the table: %w", err)
		}
		s, err := parseSheet(name, txtar.Parse(data))
		if err != nil {
			return nil, err
		}
		sheets = append(sheets, s)
	}
	return sheets, nil
}

func parseSheet(name string, a *txtar.Archive) (Sheet, error) {
	s := Sheet{Name: name}
	for _, f := range a.Files {
		if f.Name == "in.cfg" {
			s.Text = string(f.Data)
			continue
		}
		for i, line := range strings.Split(string(f.Data), "\n") {
			if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
				continue
			}
			at := fmt.Sprintf("%s: %s:%d", name, f.Name, i+1)
			r, err := parseRow(line)
			if err != nil {
				return s, fmt.Errorf("%s: %q: %w", at, line, err)
			}
			r.Line, r.At = line, at
			s.Rows = append(s.Rows, r)
		}
	}
	return s, nil
}

// parseRow reads "ACL permit|deny SEQ PACKET".
func parseRow(line string) (r Row, err error) {
	words := strings.Fields(line)
	if len(words) < 5 || words[1] != "permit" && words[1] != "deny" {
		return r, fmt.Errorf("want ACL permit|deny SEQ PACKET")
	}
	r.ACL, r.Permit = words[0], words[1] == "permit"
	seq, err := strconv.ParseUint(words[2], 10, 32)
	if err != nil {
		return r, err
	}
	r.Seq = uint32(seq)
	r.Packet, err = parsePacket(words[3:])
	return r, err
}

// parsePacket reads one of
//
//	tcp|udp|sctp SRC SPORT DST DPORT [FLAG...]
//	icmp SRC TYPE CODE DST
//	later PROTOCOL SRC DST
//	PROTOCOL SRC DST
//
// where icmp is the one of the family, and later is a fragment without a
// transport header.
func parsePacket(words []string) (p policy.Packet, err error) {
	w := reader{words: words}
	switch kind := w.word(); kind {
	case "tcp", "udp", "sctp":
		p.Protocol = map[string]uint8{"tcp": policy.TCP, "udp": policy.UDP, "sctp": policy.SCTP}[kind]
		p.Source, p.SourcePort = w.end(), uint16(w.number(16))
		p.Destination, p.DestinationPort = w.end(), uint16(w.number(16))
		p.Flags = w.flags()
	case "icmp":
		p.Protocol, p.Source = policy.ICMP, w.end()
		p.ICMPType, p.ICMPCode = uint8(w.number(8)), uint8(w.number(8))
		p.Destination = w.end()
		if p.Source.Addr.Is6() {
			p.Protocol = policy.ICMPv6
		}
	case "later":
		p.Fragment, p.FragmentID = policy.Later, 1
		p.Protocol, p.Source, p.Destination = uint8(w.number(8)), w.end(), w.end()
	default:
		w.words = words
		p.Protocol, p.Source, p.Destination = uint8(w.number(8)), w.end(), w.end()
	}
	if w.err == nil && len(w.words) > 0 {
		w.err = fmt.Errorf("unexpected %q", w.words[0])
	}
	return p, w.err
}

// A reader takes words one by one and keeps the first error.
type reader struct {
	words []string
	err   error
}

func (w *reader) word() string {
	if len(w.words) == 0 {
		w.fail("unexpected end of the line")
		return ""
	}
	first := w.words[0]
	w.words = w.words[1:]
	return first
}

func (w *reader) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *reader) number(bits int) uint64 {
	text := w.word()
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		w.fail("%q is no number of %d bits", text, bits)
	}
	return n
}

// names are the members of the cast by the word that the table has for them.
var names = map[string]int{
	"frontend": 0, "backend": 1, "database": 2, "bare": 3,
	"dev-frontend": 4, "dev-backend": 5, "dev-database": 6, "dev-bare": 7,
	"node": 8, "other-node": 9, "apiserver": 10,
}

// end reads an address or a name of the cast; the name with a 6 behind it is
// its IPv6 address.
func (w *reader) end() policy.Endpoint {
	text := w.word()
	if n, ok := names[text]; ok {
		return Cast()[2*n]
	}
	if n, ok := names[strings.TrimSuffix(text, "6")]; ok {
		return Cast()[2*n+1]
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		w.fail("%q is no address and nobody's name", text)
	}
	return EndpointAt(a)
}

func (w *reader) flags() (out uint8) {
	bits := map[string]uint8{
		"fin": policy.FIN, "syn": policy.SYN, "rst": policy.RST, "psh": policy.PSH, "ack": policy.ACK, "urg": policy.URG,
	}
	for len(w.words) > 0 && bits[w.words[0]] != 0 {
		out |= bits[w.word()]
	}
	return out
}
