package grammar

import (
	"slices"
	"strings"
)

// This file is about access control outside of packet filters: the
// terminal lines, MAC lists and the old inspection. It is kept.

// addTerminals adds the lists that guard the device's own services.
func (l *language) addTerminals() {
	in := []Mode{ModeTerminal}
	const why = "is kept; the device's own terminals are not filtered"
	l.keep(
		kept{
			production: "Terminal", modes: []Mode{ModeGlobal}, enters: ModeTerminal, quiet: true,
			grammar: `"line" (("vty" | "console" | "aux" | "tty") <threshold> <threshold>?)`,
		},
		kept{
			production: "AccessClass", modes: in, why: why, no: `"access-class" <listname>? ("in" | "out")`,
			grammar: `"access-class" <listname> ("in" | "out") ("vrf-also" | ("vrfname" <word>))?`,
		},
		kept{
			production: "AccessClass6", modes: in, why: why, no: `"ipv6" "access-class" <ipv6name>? ("in" | "out")`,
			grammar: `"ipv6" "access-class" <ipv6name> ("in" | "out") ("vrf-also")?`,
		},
	)
}

// addLinkLists adds lists of MAC addresses.
func (l *language) addLinkLists() {
	const parts = `MAC = "any" | ("host" <mac>) | (<mac> <mac>) .
`
	l.keep(
		kept{
			production: "MACList", modes: []Mode{ModeGlobal}, enters: ModeMACList, defines: "mac list",
			grammar: `"mac" "access-list" "extended" <maclist>`, why: "is kept; frames are not filtered by their MAC addresses",
		},
		kept{
			production: "MACLine", modes: []Mode{ModeMACList}, parts: parts,
			grammar: `<sequence>? ("permit" | "deny") MAC MAC (<ethertype> <ethertype>?)? (("vlan" <threshold>) | ("cos" <precedence>) | ("time-range" <timerange>))*`,
		},
		kept{production: "MACRemark", modes: []Mode{ModeMACList}, grammar: `<sequence>? "remark" <text>`},
		kept{
			production: "MACGroup", modes: []Mode{ModeInterface}, no: `"mac" "access-group" <maclist>? ("in" | "out")`,
			grammar: `"mac" "access-group" <maclist> ("in" | "out")`, why: "is kept; frames are not filtered by their MAC addresses",
		},
	)
}

// addOldInspection adds CBAC, the firewall before zones, and what else stands
// on an interface.
func (l *language) addOldInspection() {
	on := []Mode{ModeInterface}
	const why = "is kept; replies pass by their connection on interface workload only"
	l.keep(
		kept{production: "InspectName", modes: []Mode{ModeGlobal}, grammar: `"ip" "inspect" ("name" <word> <text>)`, why: why},
		kept{
			production: "InspectGlobal", modes: []Mode{ModeGlobal}, harmless: true,
			grammar: `"ip" "inspect" (("alert-off" | "audit-trail" | "log" "drop-pkt") | (("tcp" | "udp" | "dns-timeout" | "max-incomplete" | "one-minute" | "hashtable-size" | "L2-transparent") <text>))`,
		},
		kept{production: "InspectOn", modes: on, grammar: `"ip" "inspect" <word> ("in" | "out")`, why: why},
		kept{production: "UnicastCheck", modes: on, no: `"ip" "verify" "unicast"`, grammar: `"ip" "verify" "unicast" <text>`},
		kept{
			production: "CommonGroup", modes: on, no: `"ip" "access-group" "common" <listname>? <listname>? "in"`,
			grammar: `"ip" "access-group" "common" <listname> <listname>? "in"`,
		},
		kept{
			production: "CommonFilter", modes: on, no: `"ipv6" "traffic-filter" "common" <ipv6name>? <ipv6name>? "in"`,
			grammar: `"ipv6" "traffic-filter" "common" <ipv6name> <ipv6name>? "in"`,
		},
	)
}

func isMAC(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) == 3 && !slices.ContainsFunc(parts, func(p string) bool { return !isHex(p, 4) })
}

func isEtherType(s string) bool { return strings.HasPrefix(lowerCase(s), "0x") && isHex(s[2:], 4) }

// isHex accepts 1 to most hexadecimal digits.
func isHex(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(lowerCase(s), "0123456789abcdef") == ""
}
