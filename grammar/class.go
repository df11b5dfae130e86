package grammar

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// A class is a kind of argument: what a grammar writes as a token type.
type class struct {
	name string
	typ  lexer.TokenType
	// what names the argument in a message; rows are its lines in the help.
	what string
	rows []row
	// names are words that the class knows beside what accepts takes.
	names   []row
	accepts func(string) bool
	// free says that almost any word is accepted; rest that the class takes
	// the line to its end.
	free, rest bool
	// defined gives the names that exist already.
	defined func(*Config) []string
	// space is what the argument names, such as "time-range", where kept
	// statements refer to it. canonical gives the form that is printed; nil
	// when that is the one that was typed.
	space     string
	canonical func(string) string
}

// A row is a word with its help text.
type row struct{ word, help string }

// classes lists the kinds of arguments. Their names are token types in the
// grammars; the help of a row that has none comes from the help table.
var classes = slices.Concat(iosClasses, keptClasses, groupKindClasses, roleClasses, xrClasses, asaClasses, numberedClasses, nxosClasses)

var iosClasses = []*class{
	{name: "Sequence", what: "a sequence number", rows: rows("<1-2147483647>"), accepts: between(1, maxSeq)},
	{name: "DeviceName", what: "a host name", rows: rows("WORD"), accepts: isDeviceName},
	{name: "StdNumber", what: "a list number", rows: stdRows, accepts: isStdNumber},
	{name: "ExtNumber", what: "a list number", rows: extRows, accepts: isExtNumber},
	{name: "StdName", what: "a list", rows: listRows(stdRows), accepts: isListName(isStdNumber), free: true, defined: aclNames(Standard)},
	{name: "ExtName", what: "a list", rows: listRows(extRows), accepts: isListName(isExtNumber), free: true, defined: aclNames(Extended)},
	{name: "IPv6Name", what: "a list", rows: rows("WORD"), accepts: isName, free: true, space: "access-list", defined: aclNames(IPv6)},
	{name: "ListName", what: "a list", rows: listRows(stdRows, extRows), accepts: isListName(isListNumber), free: true, space: "access-list", defined: aclNames(Standard, Extended)},
	{name: "AnyList", what: "a list", rows: listRows(), accepts: isListName(isListNumber), free: true, defined: aclNames(Standard, Extended, IPv6)},
	{name: "Namespace", what: "a namespace", rows: rows("WORD"), accepts: isDNSLabel, free: true},
	{name: "ListNumber", what: "a list number", rows: append(stdRows[:len(stdRows):len(stdRows)], extRows...), accepts: isListNumber},
	{name: "Network", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(NetworkGroup)},
	{name: "Network6", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(NetworkGroup6, NetworkGroup)},
	{name: "Services", what: "an object-group", rows: rows("WORD"), accepts: isName, free: true, defined: groupNames(ServiceGroup)},
	{name: "ZoneName", what: "a zone", rows: rows("WORD"), accepts: isName, free: true, defined: zoneNames},
	{name: "ZonePairName", what: "a zone-pair", rows: rows("WORD"), accepts: isName, free: true, defined: zonePairNames},
	{name: "ClassName", what: "a class-map", rows: rows("WORD"), accepts: isName, free: true, defined: classNames},
	{name: "PolicyName", what: "a policy-map", rows: rows("WORD"), accepts: isName, free: true, defined: policyNames},
	{name: "HTTPClassName", what: "an HTTP class-map", rows: rows("WORD"), accepts: isName, free: true, defined: httpClassNames},
	{name: "HTTPPolicyName", what: "an HTTP policy-map", rows: rows("WORD"), accepts: isName, free: true, defined: httpPolicyNames},
	{name: "Word", what: "a name", rows: rows("WORD"), accepts: isName, free: true},
	{name: "Reflexive", what: "a name", rows: rows("WORD"), accepts: isName, free: true, defined: reflexiveNames},
	{name: "Cookie", what: "a log tag", rows: rows("WORD"), accepts: isName, free: true},
	{name: "Text", what: "text", rows: rows("LINE"), accepts: always, rest: true},
	{name: "Label", what: "a label condition", rows: rows("WORD"), accepts: isLabel, free: true},
	{name: "LabelValues", what: "(VALUE,...)", rows: rows("(VALUE,...)"), accepts: isLabelValues},
	{name: "Pattern", what: "a DNS name pattern", rows: rows("WORD"), accepts: isPattern, free: true},
	{name: "Port", what: "an interface", rows: rows("WORD"), accepts: isName},
	{name: "PortNumber", what: "an interface number", rows: rows("<0-4294967295>"), accepts: startsWithDigit},
	{name: "Address", what: "A.B.C.D", rows: rows("A.B.C.D"), accepts: isIPv4},
	{name: "Wildcard", what: "a wildcard mask", rows: rows("A.B.C.D"), accepts: isIPv4},
	{name: "Netmask", what: "a netmask", rows: rows("A.B.C.D"), accepts: isIPv4},
	{name: "Length", what: "/LENGTH", rows: rows("/nn"), accepts: isLength},
	{name: "AddressLength", what: "A.B.C.D/LENGTH", rows: rows("A.B.C.D/nn"), accepts: isPrefix4},
	{name: "Address6", what: "X:X:X:X::X", rows: rows("X:X:X:X::X"), accepts: isIPv6},
	{name: "Prefix6", what: "X:X:X:X::X/LENGTH", rows: rows("X:X:X:X::X/<0-128>"), accepts: isPrefix6},
	{name: "Wildcard6", what: "a wildcard mask", rows: rows("X:X:X:X::X"), accepts: isIPv6},
	{name: "Protocol", what: "a protocol", rows: rows("<0-255>"), names: protocols.rows(), accepts: between(0, 255)},
	{name: "Protocol6", what: "a protocol", rows: rows("<0-255>"), names: protocols6.rows(), accepts: between(0, 255)},
	{name: "TCPPort", what: "a TCP port", rows: rows("<0-65535>"), names: tcpPorts.rows(), accepts: between(0, 65535)},
	{name: "UDPPort", what: "a UDP port", rows: rows("<0-65535>"), names: udpPorts.rows(), accepts: between(0, 65535)},
	{name: "BothPort", what: "a TCP and UDP port", rows: rows("<0-65535>"), names: bothPorts.rows(), accepts: between(0, 65535)},
	{name: "SCTPPort", what: "an SCTP port", rows: rows("<0-65535>"), accepts: between(0, 65535)},
	{name: "ICMPName", what: "an ICMP type", names: icmpTypes.rows(), accepts: never},
	{name: "ICMP6Name", what: "an ICMPv6 type", names: icmp6Types.rows(), accepts: never},
	{name: "ICMPNumber", what: "an ICMP type", rows: rows("<0-255>"), accepts: between(0, 255)},
	{name: "ICMPCode", what: "an ICMP code", rows: rows("<0-255>"), accepts: between(0, 255)},
	{name: "IGMPType", what: "an IGMP type", rows: rows("<0-15>"), names: igmpTypes.rows(), accepts: between(0, 15)},
	{name: "DSCP", what: "a DSCP value", rows: rows("<0-63>"), names: dscps.rows(), accepts: between(0, 63)},
	{name: "Precedence", what: "a precedence", rows: rows("<0-7>"), names: precedences.rows(), accepts: between(0, 7)},
	{name: "TOS", what: "a type of service", rows: rows("<0-15>"), names: services.rows(), accepts: between(0, 15)},
	{name: "IPOption", what: "an IP option", rows: rows("<0-255>"), names: ipOptions.rows(), accepts: between(0, 255)},
	{name: "Byte", what: "0-255", rows: rows("<0-255>"), accepts: between(0, 255)},
	{name: "FlowLabel", what: "a flow label", rows: rows("<0-1048575>"), accepts: between(0, 1<<20-1)},
	{name: "Seconds", what: "a number of seconds", rows: rows("<1-2147483>"), accepts: between(1, 2147483)},
	{name: "Minutes", what: "a number of minutes", rows: rows("<1-9999>"), accepts: between(1, 9999)},
	{name: "Threshold", what: "a number", rows: rows("<0-2147483647>"), accepts: between(0, maxSeq)},
}

// maxSeq is the highest sequence number.
const maxSeq = 2147483647

// classByToken finds a class by the name that participle prints for it.
var classByToken = func() map[string]*class {
	out := map[string]*class{}
	for i, c := range classes {
		c.typ = classType(i)
		out[strings.ToLower(c.name)] = c
	}
	return out
}()

var (
	stdRows = []row{{"<1-99>", "IP standard access list"}, {"<1300-1999>", "IP standard access list (expanded range)"}}
	extRows = []row{{"<100-199>", "IP extended access list"}, {"<2000-2699>", "IP extended access list (expanded range)"}}
)

func rows(words ...string) (out []row) {
	for _, w := range words {
		out = append(out, row{word: w})
	}
	return out
}

func listRows(numbers ...[]row) (out []row) {
	for _, rows := range numbers {
		out = append(out, rows...)
	}
	return append(out, row{"WORD", "Access-list name"})
}

// number reads a decimal of at most 10 digits. IOS takes leading zeros.
func number(s string) (uint64, bool) {
	if s == "" || len(s) > 10 {
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

func between(from, to uint64) func(string) bool {
	return func(s string) bool {
		n, ok := number(s)
		return ok && from <= n && n <= to
	}
}

func isStdNumber(s string) bool {
	n, ok := number(s)
	return ok && (1 <= n && n <= 99 || 1300 <= n && n <= 1999)
}

func isExtNumber(s string) bool {
	n, ok := number(s)
	return ok && (100 <= n && n <= 199 || 2000 <= n && n <= 2699)
}

func isListNumber(s string) bool { return isStdNumber(s) || isExtNumber(s) }

// isListName accepts names that do not start with a digit, and numbers of the
// list's own type.
func isListName(isNumber func(string) bool) func(string) bool {
	return func(s string) bool {
		if startsWithDigit(s) {
			return isNumber(s)
		}
		return isName(s)
	}
}

func startsWithDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

// isName accepts what IOS accepts as a name, which is any word that it does
// not take for a comment or for a question.
func isName(s string) bool { return len(s) <= 253 && !strings.ContainsAny(s, "!?\"") }

// isDeviceName refuses what looks like an address: "host 10.0.0.1" where no
// member may stand is no abbreviation of "hostname".
func isDeviceName(s string) bool {
	return isName(s) && strings.Trim(s, "0123456789./") != "" && !strings.Contains(s, ":")
}

func always(string) bool { return true }

func never(string) bool { return false }

func isIPv4(s string) bool {
	_, ok := parseIPv4(s)
	return ok
}

// parseIPv4 reads a dotted quad, three digits for a byte at most; unlike
// netip it takes leading zeros, as IOS does.
func parseIPv4(s string) (netip.Addr, bool) {
	var b [4]byte
	at, n, digits := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9' && digits < 3:
			n, digits = 10*n+int(c-'0'), digits+1
		case c == '.' && digits > 0 && n <= 255 && at < 3:
			b[at] = byte(n)
			at, n, digits = at+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if at != 3 || digits == 0 || n > 255 {
		return netip.Addr{}, false
	}
	b[3] = byte(n)
	return netip.AddrFrom4(b), true
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

func isPrefix6(s string) bool {
	address, length, ok := strings.Cut(s, "/")
	return ok && isIPv6(address) && between(0, 128)(length)
}

func isPrefix4(s string) bool {
	address, length, ok := strings.Cut(s, "/")
	return ok && isIPv4(address) && between(0, 32)(length)
}

func isLength(s string) bool { return strings.HasPrefix(s, "/") && between(0, 32)(s[1:]) }

func aclNames(kinds ...ACLKind) func(*Config) []string {
	return func(c *Config) (out []string) {
		for _, a := range c.ACLs {
			for _, k := range kinds {
				if a.Kind == k {
					out = append(out, a.Name)
				}
			}
		}
		return out
	}
}

func groupNames(kinds ...GroupKind) func(*Config) []string {
	return func(c *Config) (out []string) {
		for _, g := range c.ObjectGroups {
			for _, k := range kinds {
				if g.Kind == k {
					out = append(out, g.Name)
				}
			}
		}
		return out
	}
}

func zoneNames(c *Config) (out []string) {
	for _, z := range c.Zones {
		out = append(out, z.Name)
	}
	return out
}

func zonePairNames(c *Config) (out []string) {
	for _, z := range c.ZonePairs {
		out = append(out, z.Name)
	}
	return out
}

func classNames(c *Config) (out []string) {
	for _, m := range c.ClassMaps {
		out = append(out, m.Name)
	}
	return out
}

func policyNames(c *Config) (out []string) {
	for _, m := range c.PolicyMaps {
		out = append(out, m.Name)
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }
