package grammar

import (
	"regexp"
	"strings"
)

// This file recognises what an ASA prints around its configuration.

var asaVocabulary = &vocabulary{
	ours: []string{
		"access-list", "access-group", "object network", "object service", "object-group", "name", "names", "nameif", "security-level",
		"network-object", "service-object", "port-object", "protocol-object", "icmp-object", "group-object", "time-range", "periodic", "absolute",
		"same-security-traffic", "clear configure", "permit", "deny", "remark",
	},
	kept: []string{
		"object", "ipv6 access-list", "class-map", "policy-map", "service-policy", "filter", "icmp permit", "icmp deny", "established",
		"conduit", "outbound", "shun", "arp-inspection", "mac-list", "vpn-filter", "ip verify", "cts", "user-identity", "url-block", "tcp-map",
		"access-class", "zone", "ip audit",
	},
	blocks: []string{
		"interface", "object", "object-group", "access-list", "access-group", "time-range", "name", "names", "hostname", "same-security-traffic",
		"class-map", "policy-map",
	},
	interfaces: append(interfaceWords[:len(interfaceWords):len(interfaceWords)],
		"vlan", "management-only", "bridge-group", "member-interface", "port-channel", "lacp", "flowcontrol", "pppoe", "dhcp", "ipv6", "no ip address", "authentication", "igmp", "pim", "rip", "ospf", "eigrp"),
}

var (
	// asaJunk is what an ASA prints between the lines.
	asaJunk = regexp.MustCompile(`^(:.*|ASA Version .*|PIX Version .*|Cryptochecksum:.*|Result of the command: .*|access-list cached ACL log flows: .*|alert-interval \d+|access-list [^ ]+; \d+ elements.*)$`)
	// asaOld is a version in which lists hold addresses as NAT makes them.
	asaOld = regexp.MustCompile(`^(PIX Version .*|ASA Version ([0-7]\.|8\.[0-2]\b).*)$`)
	// asaCounter is what "show access-list" adds to a line.
	asaCounter = regexp.MustCompile(`( \(hitcnt=\d+\))?( \(inactive\))?( 0x[0-9a-f]{1,8})[ ]*$`)
	asaLine    = regexp.MustCompile(`^\s*access-list (\S+) line (\d+) `)
	// morePrompt is the pager of an ASA.
	morePrompt = regexp.MustCompile(`^[\s\x08]*<--- More --->[\s\x08]*`)
)

// asaPager gives what the pager has left in front of a line.
func asaPager(text string) string {
	if !strings.Contains(text, "<--- More --->") {
		return ""
	}
	return morePrompt.FindString(text)
}

// mayBeJunk saves most lines the look at asaJunk.
func mayBeJunk(words string) bool {
	if !strings.HasPrefix(words, "access-list ") {
		return words != "" && strings.IndexByte(":APCRa", words[0]) >= 0
	}
	return strings.HasPrefix(words, "access-list cached ") || strings.Contains(words, " elements")
}

// asaShown takes off what "show access-list" adds to a line. It gives false
// for a line that is no configuration: a header, or the expansion of the line
// above, which has its number.
func (f *file) asaShown(pos Position, text string) (string, bool) {
	words := strings.TrimSpace(text)
	if mayBeJunk(words) && asaJunk.MatchString(words) {
		if asaOld.MatchString(words) {
			f.notices = append(f.notices, Notice{Pos: pos, State: Suspicious, Msg: "before version 8.3 lists hold the addresses that NAT makes, which are not those of the ends", Text: words, Count: 1})
		}
		f.skip(pos, "output of a device")
		return "", false
	}
	if !strings.Contains(text, " 0x") {
		return text, true
	}
	counter := asaCounter.FindStringIndex(text)
	m := asaLine.FindStringSubmatch(text)
	if counter == nil || m == nil {
		return text, true
	}
	shown := m[1] + " " + m[2]
	if isIndented(text) || f.shown == shown {
		f.skip(pos, "expanded lines of show access-list")
		return "", false
	}
	if list, _, _ := strings.Cut(f.shown, " "); list != m[1] {
		f.notices = append(f.notices, Notice{Pos: pos, State: Normalised, Msg: "the counters of show access-list are taken off", Text: words, Count: 1})
	}
	f.shown = shown
	return text[:counter[0]], true
}
