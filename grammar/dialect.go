package grammar

import (
	"bytes"
	"regexp"
	"strings"
)

// A Dialect is the language of one family of devices. The zero value is IOS
// and IOS-XE, the native tongue of the shell.
type Dialect uint8

// The dialects. All but IOS are read from files only.
const (
	IOS Dialect = iota
	ASA
	NXOS
	IOSXR
	dialectCount
)

var dialectNames = [dialectCount]string{"ios", "asa", "nxos", "iosxr"}

// String gives the word of the --dialect flag: "ios", "asa", "nxos" or "iosxr".
func (d Dialect) String() string { return dialectNames[d] }

// Dialects lists the words that DialectOf takes.
func Dialects() []string { return dialectNames[:] }

// DialectOf gives the dialect of a word that String gives; ok is false when
// there is none.
func DialectOf(word string) (d Dialect, ok bool) {
	for d := range dialectCount {
		if strings.EqualFold(word, dialectNames[d]) {
			return d, true
		}
	}
	return IOS, false
}

// tells are lines that only one dialect has.
var tells = [dialectCount][]*regexp.Regexp{
	IOS: patterns(
		`access-list \d+ (permit|deny|remark|dynamic) `,
		`ip access-list (standard|extended|resequence|role-based|fqdn|log-update|logging) `,
		`object-group v6-(network|service) `, `zone-pair security `, `zone security `, `(class|policy)-map type inspect `,
		`interface workload `, `identity map `, `cts role-based `, `ip access-group \S+ (in|out)$`, `ipv6 access-class `, `sequence \d+ (permit|deny) `,
	),
	ASA: patterns(
		`ASA Version `, `access-list \S+ (line \d+ )?(extended|standard|ethertype|webtype) (permit|deny) `, `access-list \S*[A-Za-z]\S* (line \d+ )?remark `,
		`access-group \S+ (in|out) interface `, `access-group \S+ global$`, `object (network|service) `, `object-group service \S+ (tcp|udp|tcp-udp)$`,
		`object-group (protocol|icmp-type|user|network-service) `, `(network|port|service|protocol|icmp)-object `, `nameif `, `security-level `,
		`same-security-traffic `,
	),
	NXOS: patterns(
		`object-group (ip|ipv6) (address|port) `, `statistics per-entry$`, `ip access-list [^ ]+$`, `ip port access-group `, `feature [a-z]`,
		`vdc `, `boot nxos `, `resequence (ip|ipv6|mac) access-list `, `(\d+ )?(permit|deny) .*addrgroup `, `(\d+ )?(permit|deny) .*portgroup `,
		`(\d+ )?(permit|deny) (ip|icmp) .*\d\.\d+/\d+( |$)`, `(\d+ )?(permit|deny) .* ttl \d+( |$)`, `.* \[match=\d+\]$`,
		`(ip|ipv4|ipv6|mac) access list \S+$`, `ipv[46] acl \S+$`, `interface mgmt0`, `\d+ (permit|deny) (ipv6 |.*:)`, `!Command: show `, `NX-OS`, `fragments (permit|deny)-all$`,
	),
	IOSXR: patterns(
		`ipv4 access-list `, `ipv[46] access-group \S+ (ingress|egress)`, `object-group network ipv[46] `, `object-group port `,
		`(\d+ )?(permit|deny) .*(net-group|port-group) `, `(\d+ )?(permit|deny) ipv4 `, `!! IOS XR `, `resequence access-list `, `\d+ (permit|deny) (ipv6 |.*:)`,
	),
}

func patterns(texts ...string) (out []*regexp.Regexp) {
	for _, text := range texts {
		out = append(out, regexp.MustCompile(`(?i)^`+text))
	}
	return out
}

// typedList is how IOS starts a list, bareList how NX-OS and IOS-XR do. Where
// the first are more, the file is neither, however much else looks like them: a
// Catalyst has groups of the one and the words of the other.
var (
	typedList = regexp.MustCompile(`(?i)^ip access-list (standard|extended) `)
	bareList  = regexp.MustCompile(`(?i)^ipv?4? access-list \S+$`)
)

// enough is how many lines with the same first word are looked at to find the
// dialect: a million permits say no more than the first of them.
const enough = 250

// Detect gives the dialect of a file: the one that most of its lines speak for.
// Of the lines that start with the same word, beside a number, the first ones
// decide. A text that nothing speaks for is IOS.
func Detect(text []byte) Dialect {
	var score [dialectCount]int
	looked, typed, bare := map[string]int{}, 0, 0
	for line := range bytes.Lines(text) {
		line = bytes.TrimLeft(line, " \t")
		first := firstOf(line)
		if looked[string(first)] == enough {
			continue
		}
		looked[string(first)]++
		line = bytes.Join(bytes.Fields(line), []byte(" "))
		switch {
		case typedList.Match(line):
			typed++
		case bareList.Match(line):
			bare++
		}
		for d, all := range tells {
			for _, p := range all {
				if len(line) > 0 && p.Match(line) {
					score[d]++
					break
				}
			}
		}
	}
	best := IOS
	if typed > bare {
		score[NXOS], score[IOSXR] = 0, 0
	}
	for d := range dialectCount {
		if score[d] > score[best] {
			best = d
		}
	}
	return best
}

// firstOf gives the first word that is no number.
func firstOf(line []byte) []byte {
	line = bytes.TrimLeft(line, "0123456789 \t")
	if end := bytes.IndexAny(line, " \t\r\n"); end >= 0 {
		return line[:end]
	}
	return line
}
