package grammar

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A normaliser gives lines that say the same in different spelling the same
// text. It is written from the reference and knows nothing of the package's
// own canonical form: names become the numbers of the tables, addresses become
// masked numbers, lists that have no order are sorted, and options stand in
// one order.
type normaliser struct {
	*languageTable
}

// below stands between a line and one that is indented under it.
const below = " > "

// lines gives every line of a configuration with the lines it is indented
// under, sorted.
func (n normaliser) lines(text string) []string {
	var out, above []string
	var indents []int
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n ")
		if s := strings.TrimSpace(line); s == "" || s[0] == '!' || s == "exit" {
			continue
		}
		for len(indents) > 0 && indents[len(indents)-1] >= indent(line) {
			above, indents = above[:len(above)-1], indents[:len(indents)-1]
		}
		head, own := n.line(strings.Join(above, "/"), strings.Fields(line))
		path := append(slices.Clone(above), own)
		if head != "" {
			out, path = append(out, head), []string{head, own}
		}
		out = append(out, strings.Join(path, below))
		above, indents = append(above, own), append(indents, indent(line))
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// line gives the normal form of a line, and the header of its list when the
// line names the list itself.
func (n normaliser) line(above string, w []string) (head, normal string) {
	switch {
	case w[0] == "access-list" && len(w) > 2 && n.dialect == IOS:
		head = "ip access-list " + kindOfNumber(w[1]) + " " + w[1]
		return head, n.entry(head, w[2:])
	case n.dialect == ASA && w[0] == "access-list" && len(w) > 2:
		return "", "access-list " + w[1] + " " + n.asaEntry(w[2:])
	case strings.Contains(above, "access-list "):
		return "", n.entry(above, w)
	case strings.HasPrefix(above, "object-group") || strings.HasPrefix(above, "object "):
		return "", n.member(above, w)
	}
	return "", respelt(above, w)
}

// respelt gives a line of words with the spelling that is printed.
func respelt(above string, w []string) string {
	switch text := strings.Join(w, " "); {
	case strings.HasPrefix(above, "time-range "):
		return strings.ToLower(text)
	case strings.HasPrefix(text, "line con "):
		return "line console " + strings.Join(w[2:], " ")
	default:
		return text
	}
}

func kindOfNumber(number string) string {
	if i, _ := strconv.Atoi(number); i < 100 || i >= 1300 && i < 2000 {
		return "standard"
	}
	return "extended"
}

// entry gives the normal form of a line of a list. Its sequence number stands
// in front with a "@", where the line has one.
func (n normaliser) entry(list string, w []string) string {
	seq := ""
	if w[0] == "sequence" && len(w) > 2 {
		seq, w = "@"+w[1]+" ", w[2:]
	} else if _, err := strconv.Atoi(w[0]); err == nil {
		seq, w = "@"+w[0]+" ", w[1:]
	}
	if at := slices.Index(w, "sequence"); at > 0 && strings.HasPrefix(list, "ipv6") && w[0] != "remark" {
		seq, w = "@"+w[at+1]+" ", slices.Delete(slices.Clone(w), at, at+2)
	}
	switch {
	case w[0] == "dynamic" && len(w) > 3:
		to := 2
		if w[2] == "timeout" {
			to = 4
		}
		return seq + strings.Join(w[:to], " ") + " " + n.ace(list, w[to:])
	case w[0] != "permit" && w[0] != "deny" || strings.Contains(list, "role-based"):
		return seq + strings.Join(w, " ")
	}
	return seq + n.ace(list, w)
}

// reader takes words off the front of a line.
type reader struct {
	normaliser
	words []string
	// v6 says that the list is one for IPv6.
	v6 bool
}

func (r *reader) peek() string {
	if len(r.words) == 0 {
		return ""
	}
	return r.words[0]
}

func (r *reader) take() string {
	w := r.peek()
	if w != "" {
		r.words = r.words[1:]
	}
	return w
}

// ace gives the normal form of "permit" or "deny" and what stands behind.
func (n normaliser) ace(list string, w []string) string {
	r := &reader{normaliser: n, words: w, v6: strings.Contains(list, "ipv6 access-list")}
	action := r.take()
	if strings.HasPrefix(list, "ip access-list standard") {
		from := r.standard()
		return strings.Join(append([]string{action, from}, r.options("")...), " ")
	}
	protocol := r.protocol()
	out := []string{action, protocol, r.address(), r.ports(protocol), r.address(), r.ports(protocol)}
	out = append(out, r.message(protocol)...)
	return strings.Join(append(out, r.options(protocol)...), " ")
}

// standard reads the address of a standard list, where a bare one is a host.
func (r *reader) standard() string {
	if len(r.words) == 1 || len(r.words) > 1 && strings.HasPrefix(r.words[1], "log") {
		if _, err := netip.ParseAddr(r.peek()); err == nil {
			return masked(r.take(), "0.0.0.0")
		}
	}
	return r.address()
}

// protocol reads the protocol as its number, or the group in its place.
func (r *reader) protocol() string {
	w := r.take()
	table := "protocol"
	switch {
	case w == "object-group" || w == "object":
		return w + " " + r.take()
	case r.v6 && w == "icmp":
		return "58"
	case w == "icmp6":
		return "58"
	case r.v6 && r.names["protocol6"] != nil:
		table = "protocol6"
	}
	return r.names[table].number(w)
}

// address reads one end.
func (r *reader) address() string {
	w := r.take()
	switch {
	case w == "any" && r.v6:
		return "::/0"
	case w == "any" && r.dialect != ASA, w == "any4":
		return masked("0.0.0.0", "255.255.255.255")
	case w == "any", w == "any6":
		return w
	case w == "host" && r.peek() == "dynamic":
		return "host " + r.take() + " " + r.take()
	case w == "host" && strings.Contains(r.peek(), ":"):
		return prefix(r.take() + "/128")
	case w == "host":
		if _, err := netip.ParseAddr(r.peek()); err != nil {
			return "host " + r.take()
		}
		return masked(r.take(), "0.0.0.0")
	case strings.Contains(w, "/"):
		return prefix(w)
	case strings.Contains(w, ":"):
		return masked6(w, r.take())
	}
	if _, err := netip.ParseAddr(w); err != nil && r.dialect == ASA && r.peek() == "255.255.255.255" {
		r.take()
		return "host " + w
	} else if err != nil {
		return w + " " + r.take() // a group or an interface, with its name
	}
	mask := r.take()
	if r.dialect == ASA {
		mask = inverted(mask)
	}
	return masked(w, mask)
}

// masked gives an address without the bits that do not matter.
func masked(address, wildcard string) string {
	a, err := netip.ParseAddr(address)
	w, werr := netip.ParseAddr(wildcard)
	if err != nil || werr != nil || !a.Is4() || !w.Is4() {
		return address + " " + wildcard
	}
	b, m := a.As4(), w.As4()
	for i := range b {
		b[i] &^= m[i]
	}
	return fmt.Sprintf("%v~%v", netip.AddrFrom4(b), w)
}

// masked6 gives an IPv6 address with a wildcard mask, as a prefix where the
// mask is one.
func masked6(address, wildcard string) string {
	a, err := netip.ParseAddr(address)
	w, werr := netip.ParseAddr(wildcard)
	if err != nil || werr != nil {
		return address + " " + wildcard
	}
	b, m, ones := a.As16(), w.As16(), 0
	for i := range b {
		b[i] &^= m[i]
		ones += bits.OnesCount8(m[i])
	}
	a = netip.AddrFrom16(b)
	if p := netip.PrefixFrom(a, 128-ones); wildcardOf6(p.Bits()) == m {
		return p.String()
	}
	return fmt.Sprintf("%v~%v", a, w)
}

func wildcardOf6(length int) (out [16]byte) {
	for i := length; i < 128; i++ {
		out[i/8] |= 0x80 >> (i % 8)
	}
	return out
}

func inverted(mask string) string {
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return mask
	}
	b := m.As4()
	for i := range b {
		b[i] = ^b[i]
	}
	return netip.AddrFrom4(b).String()
}

// prefix gives A/LEN as a masked address, and X/LEN without the bits behind.
func prefix(s string) string {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return s
	}
	p = p.Masked()
	if !p.Addr().Is4() {
		return p.String()
	}
	return masked(p.Addr().String(), wildcardOf(p.Bits()))
}

func wildcardOf(length int) string {
	v := uint32(uint64(0xffffffff) >> length)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
}

// portTable gives the table of a protocol's ports.
func (n normaliser) portTable(protocol string) *nameTable {
	return n.names[map[string]string{"6": "tcp", "17": "udp", "132": "sctp"}[protocol]]
}

// ports reads a condition on ports; "-" when there is none.
func (r *reader) ports(protocol string) string {
	switch r.peek() {
	case "eq", "neq", "lt", "gt", "range":
		return r.compare(r.portTable(protocol))
	case "portgroup", "port-group":
		return r.take() + " " + r.take()
	case "object-group":
		if r.dialect == ASA && len(r.words) > 1 && strings.HasPrefix(r.words[1], "PORT") {
			return r.take() + " " + r.take()
		}
	}
	return "-"
}

// compare reads an operator and its numbers, which have no order.
func (r *reader) compare(names *nameTable) string {
	op := r.take()
	if !slices.Contains([]string{"eq", "neq", "lt", "gt", "range"}, op) {
		r.words, op = append([]string{op}, r.words...), "eq"
	}
	most := map[string]int{"eq": 10, "neq": 10, "lt": 1, "gt": 1, "range": 2}[op]
	if r.dialect != IOS && most == 10 {
		most = 1
	}
	var values []int
	for len(values) < most && len(r.words) > 0 {
		v, err := strconv.Atoi(names.number(r.peek()))
		if err != nil {
			break
		}
		values = append(values, v)
		r.take()
	}
	sort.Ints(values)
	return fmt.Sprint(op, values)
}

// message reads an ICMP type and code or an IGMP type as numbers.
func (r *reader) message(protocol string) []string {
	table := map[string]string{"1": "icmp", "58": "icmp6", "2": "igmp"}[protocol]
	w := r.peek()
	number := r.names[table].number(w)
	if _, err := strconv.Atoi(strings.Split(number, "/")[0]); w == "" || table == "" || err != nil {
		return nil
	}
	r.take()
	if _, err := strconv.Atoi(r.peek()); err == nil && !strings.Contains(number, "/") && table != "igmp" {
		return []string{"type " + number + "/" + r.take()}
	}
	return []string{"type " + number}
}

// valued are the options with one value, and the table that has its names.
var valued = map[string]string{
	"dscp": "dscp", "precedence": "precedence", "tos": "tos", "option": "option", "time-range": "", "flow-label": "", "dest-option-type": "",
	"mobility-type": "", "routing-type": "", "vlan": "", "counter": "", "tcp-flags-mask": "", "tcp-option-length": "", "http-method": "",
	"reflect": "", "timeout": "", "interval": "", "track": "", "vrf": "",
}

var bareFlags = []string{"ack", "fin", "psh", "rst", "syn", "urg"}

// options reads what is left, each option as one text, sorted.
func (r *reader) options(string) (out []string) {
	var flags []string
	for len(r.words) > 0 {
		w := r.take()
		table, hasValue := valued[w]
		switch {
		case slices.Contains(bareFlags, w):
			flags = append(flags, w)
		case w == "match-any" || w == "match-all":
			out = append(out, w+" "+strings.Join(r.signed(), " "))
		case w == "dscp" && r.peek() == "eq": // the operator may be left out
			r.take()
			out = append(out, w+" "+r.names[table].number(r.take()))
		case w == "ttl" || w == "packet-length" || w == "dscp" && slices.Contains([]string{"eq", "neq", "lt", "gt", "range"}, r.peek()):
			out = append(out, w+" "+r.compare(r.names[table]))
		case (w == "log" || w == "log-input") && r.peek() != "" && !r.isOption(r.peek()):
			out = append(out, w+" "+r.take())
		case hasValue:
			out = append(out, w+" "+r.names[table].number(r.take()))
		default:
			out = append(out, w)
		}
	}
	if len(flags) > 0 {
		sort.Strings(flags)
		out = append(out, strings.Join(flags, " "))
	}
	sort.Strings(out)
	return out
}

func (r *reader) signed() (out []string) {
	for strings.HasPrefix(r.peek(), "+") || strings.HasPrefix(r.peek(), "-") {
		out = append(out, r.take())
	}
	sort.Strings(out)
	return out
}

// bareOptions are the options without a value in valued.
var bareOptions = []string{
	"established", "fragments", "log", "log-input", "ttl", "match-any", "match-all", "routing", "inactive", "sequence", "auth", "dest-option", "hbh",
	"mobility", "undetermined-transport", "packet-length", "capture", "icmp-off", "set", "nexthop1", "default",
}

func (r *reader) isOption(w string) bool {
	_, ok := valued[w]
	return ok || slices.Contains(bareOptions, w) || slices.Contains(bareFlags, w)
}

// asaEntry gives the normal form of a line of an ASA list behind its name.
func (n normaliser) asaEntry(w []string) string {
	if w[0] == "line" && len(w) > 2 {
		w = w[2:] // the place in the list is not stored
	}
	switch w[0] {
	case "extended":
		return "extended " + n.asaACE(w[1:])
	case "standard":
		r := &reader{normaliser: n, words: w[1:]}
		action := r.take()
		return "standard " + action + " " + r.address()
	}
	return strings.Join(w, " ")
}

func (n normaliser) asaACE(w []string) string {
	r := &reader{normaliser: n, words: w}
	action, protocol := r.take(), r.protocol()
	ports := protocol
	if strings.Contains(protocol, "TU") {
		ports = "6" // a group of TCP and UDP
	}
	out := []string{action, protocol, r.who(), r.address(), r.ports(ports), r.who(), r.address(), r.ports(ports)}
	if protocol == "1" && r.peek() == "object-group" {
		out = append(out, r.take()+" "+r.take())
	}
	return strings.Join(append(append(out, r.message(protocol)...), r.logging()...), " ")
}

// who reads the users and security groups in front of an address.
func (r *reader) who() string {
	var out []string
	for {
		switch r.peek() {
		case "user", "user-group", "object-group-user", "object-group-security":
			out = append(out, r.take()+" "+r.take())
		case "security-group":
			out = append(out, r.take()+" "+r.take()+" "+r.take())
		default:
			return strings.Join(out, " ")
		}
	}
}

// logging reads the options of an ASA line.
func (r *reader) logging() (out []string) {
	levels := []string{"emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging"}
	for len(r.words) > 0 {
		w := r.take()
		switch {
		case w == "log":
			level, interval := "informational", "300"
			if slices.Contains(levels, r.peek()) || r.peek() == "disable" || r.peek() == "default" {
				level = r.take()
			} else if i, err := strconv.Atoi(r.peek()); err == nil && i < len(levels) {
				level = levels[i]
				r.take()
			}
			if r.peek() == "interval" {
				r.take()
				interval = r.take()
			}
			out = append(out, "log "+level+" "+interval)
		case w == "time-range":
			out = append(out, w+" "+r.take())
		default:
			out = append(out, w)
		}
	}
	sort.Strings(out)
	return out
}

// member gives the normal form of a line of a group or an object.
func (n normaliser) member(above string, w []string) string {
	seq := ""
	if _, err := strconv.Atoi(w[0]); err == nil && len(w) > 1 && n.dialect == NXOS {
		seq, w = "@"+w[0]+" ", w[1:]
	}
	r := &reader{normaliser: n, words: w, v6: strings.Contains(above, "v6") || strings.Contains(above, "ipv6")}
	switch {
	case slices.Contains([]string{"description", "group-object", "workload", "entity", "fqdn", "pattern", "security-group", "nat"}, w[0]):
		return strings.Join(w, " ")
	case w[0] == "network-object" || w[0] == "subnet" || w[0] == "host-info":
		return r.take() + " " + r.memberAddress()
	case w[0] == "range" && strings.ContainsAny(w[1], ".:"):
		ends := []netip.Addr{netip.MustParseAddr(w[1]), netip.MustParseAddr(w[2])}
		slices.SortFunc(ends, netip.Addr.Compare)
		return fmt.Sprint("range ", ends)
	case strings.ContainsAny(w[0], ".:/") || w[0] == "host" || w[0] == "any":
		return seq + r.memberAddress()
	case w[0] == "icmp-object":
		r.take()
		return strings.Join(r.message("1"), " ")
	case w[0] == "protocol-object":
		return w[0] + " " + n.names["protocol"].number(w[1])
	case w[0] == "port-object":
		return r.take() + " " + r.compare(n.names["tcp"])
	case slices.Contains([]string{"eq", "lt", "gt", "neq", "range"}, w[0]):
		return seq + r.compare(n.names["tcp"])
	case w[0] == "service" || w[0] == "service-object":
		return r.take() + " " + r.service()
	case strings.Contains(above, "service"):
		return r.service()
	}
	return strings.Join(w, " ")
}

// memberAddress reads the address of a member, which has a netmask in IOS and
// ASA.
func (r *reader) memberAddress() string {
	if len(r.words) == 2 && strings.HasPrefix(r.words[1], "/") {
		return prefix(r.take() + r.take())
	}
	if _, err := netip.ParseAddr(r.peek()); err == nil && len(r.words) > 1 && r.dialect == IOS {
		return masked(r.take(), inverted(r.take()))
	}
	return r.address()
}

// service reads a protocol with what is looked at in it.
func (r *reader) service() string {
	w := r.take()
	protocol := r.names["protocol"].number(w)
	if w == "tcp-udp" {
		protocol = "6"
	}
	out := []string{w}
	if w != "tcp-udp" {
		out[0] = protocol
	}
	if w == "object" {
		return w + " " + r.take()
	}
	for len(r.words) > 0 {
		switch {
		case r.peek() == "source" || r.peek() == "destination":
			out = append(out, r.take())
		case protocol == "1" || w == "icmp6":
			return strings.Join(append(out, r.message(map[bool]string{true: "58", false: "1"}[w == "icmp6"])...), " ")
		default:
			out = append(out, r.compare(r.portTable(protocol)))
		}
		if before := len(r.words); before > 0 && len(out) > 8 {
			return strings.Join(append(out, r.words...), " ")
		}
	}
	return strings.Join(out, " ")
}

// missing gives the lines of want that got lacks. A sequence number that want
// does not say may be anything.
func missing(want, got []string) (out []string) {
	has := map[string]bool{}
	for _, g := range got {
		has[g], has[unnumbered(g)] = true, true
	}
	for _, w := range want {
		if !has[w] {
			out = append(out, w)
		}
	}
	return out
}

// unnumbered takes the sequence number off the last line of a path.
func unnumbered(path string) string {
	at := strings.LastIndex(path, below)
	if at < 0 || !strings.HasPrefix(path[at+len(below):], "@") {
		return path
	}
	_, rest, _ := strings.Cut(path[at+len(below):], " ")
	return path[:at] + below + rest
}
