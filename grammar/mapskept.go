package grammar

// This file is about the statements around zones that are kept: parameter-maps,
// further matches and actions, and the application policies of the classic
// firewall.

func (l *language) addKeptMaps() {
	l.addParameterMaps()
	l.addKeptMatches()
	l.addKeptHTTP()
	l.keep(
		kept{production: "Protection", modes: []Mode{ModeZone}, grammar: `"protection" <parametermap>`, key: 1, no: `"protection"`},
		kept{production: "ZoneVPN", modes: []Mode{ModeZone}, grammar: `"vpn" <threshold>`, key: 1, no: `"vpn"`},
		kept{
			production: "Police", modes: []Mode{ModePolicyClass}, key: 1, no: `"police"`, quiet: true,
			grammar: `"police" "rate" PoliceRate ("bps" | "cps" | "pps")? ("burst" PoliceBurst ("bytes" | "packets")?)?`,
			parts:   "PoliceRate = <threshold> .\nPoliceBurst = <threshold> .\n",
		},
		kept{
			production: "ApplicationPolicy", modes: []Mode{ModePolicyClass}, key: 2,
			grammar: `"service-policy" ("im" | "imap" | "pop3" | "p2p" | "sip" | "smtp" | "sunrpc" | "urlfilter" | "avc") <policyname>`,
		},
	)
}

// addParameterMaps adds the maps that tune an inspection. They change limits and
// messages; which packets a class takes is not their matter.
func (l *language) addParameterMaps() {
	in := []Mode{ModeParameterMap}
	l.keep(
		kept{
			production: "ParameterMap", modes: []Mode{ModeGlobal}, enters: ModeParameterMap, defines: "parameter-map", harmless: true,
			grammar: `"parameter-map" "type" (("inspect" <parametermap>) | (("inspect-zone" | "urlfilter" | "urlf-glob" | "protocol-info" | "umbrella") <parametermap>) | "inspect-global" | "inspect-vrf" <parametermap>)`,
		},
		kept{production: "ParameterDescription", modes: in, key: 1, no: `"description"`, grammar: `"description" <text>`},
		kept{production: "ParameterAlert", modes: in, key: 1, no: `"alert"`, grammar: `"alert" ("on" | "off")`},
		kept{production: "ParameterAudit", modes: in, key: 1, no: `"audit-trail"`, grammar: `"audit-trail" ("on" | "off")`},
		kept{production: "ParameterDNS", modes: in, key: 1, no: `"dns-timeout"`, grammar: `"dns-timeout" <seconds>`},
		kept{production: "ParameterICMP", modes: in, key: 2, no: `"icmp" "idle-time"`, grammar: `"icmp" "idle-time" <seconds> ("ageout-time" <seconds>)?`},
		kept{
			production: "ParameterTCP", modes: in, key: 2, no: `"tcp" ("finwait-time" | "idle-time" | "synwait-time" | "window-enforcement" | "max-incomplete")`,
			grammar: `"tcp" ((("finwait-time" | "idle-time" | "synwait-time") <seconds> ("ageout-time" <seconds>)?) | ("window-enforcement" "loose") | ("max-incomplete" "host" <threshold> ("block-time" <minutes>)?))`,
		},
		kept{production: "ParameterUDP", modes: in, key: 2, no: `"udp" ("idle-time" | "half-open")`, grammar: `"udp" ((("idle-time") <seconds> ("ageout-time" <seconds>)?) | ("half-open" "idle-time" <threshold>))`},
		kept{production: "ParameterIncomplete", modes: in, key: 2, no: `"max-incomplete" ("high" | "low")`, grammar: `"max-incomplete" ("high" | "low") <threshold>`},
		kept{production: "ParameterMinute", modes: in, key: 2, no: `"one-minute" ("high" | "low")`, grammar: `"one-minute" ("high" | "low") <threshold>`},
		kept{production: "ParameterSessions", modes: in, key: 2, no: `"sessions"`, grammar: `"sessions" (("maximum" <threshold>) | ("rate" ("high" | "low") <threshold> "time" <seconds>))`},
		kept{production: "ParameterLog", modes: in, key: 2, no: `"log" ("dropped-packets" | "summary" | "flow-export")`, grammar: `"log" (("dropped-packets" ("enable" | "disable")?) | ("summary" ("flows" <threshold>)? ("time-interval" <seconds>)?) | ("flow-export" <text>))`},
		kept{production: "ParameterPattern", modes: in, grammar: `"pattern" <text>`},
		kept{production: "ParameterOther", modes: in, grammar: `("lisp" | "gtp-pass" | "threat-detection" | "exclusive-domain" | "allow-mode" | "server" | "cache" | "source-interface" | "multi-tenancy" | "per-box" | "vrf" | "zone-mismatch" | "utd-policy") <text>?`},
	)
}

// addKeptMatches adds the matches of an inspect class that packet filters
// cannot make.
func (l *language) addKeptMatches() {
	in := []Mode{ModeClassMap}
	l.keep(
		kept{production: "MatchNot", modes: in, grammar: `"match" "not" (("access-group" (<listnumber> | ("name" <anylist>))) | ("protocol" <word>) | ("class-map" <classname>))`},
		kept{production: "MatchGroupTag", modes: in, grammar: `"match" "security-group" ("source" | "destination") ("tag" <sgt> | "name" <word>)`},
		kept{production: "MatchUserGroup", modes: in, grammar: `"match" "user-group" <word>`},
		kept{production: "MatchSignature", modes: in, grammar: `"match" "protocol" <word> "signature"`},
		kept{
			production: "MatchHTTP", modes: in,
			grammar: `"match" "protocol" <word> (("url" | "host" | "mime" | "user-agent" | "referer" | "c-header-field" | "s-header-field") <text>)`,
		},
	)
}

// addKeptHTTP adds the matches of an HTTP class that nothing else can make.
func (l *language) addKeptHTTP() {
	in := []Mode{ModeHTTPClassMap}
	l.keep(
		kept{
			production: "HTTPRequest", modes: in, parts: httpParts, why: httpUnseen,
			grammar: `"match" "not"? "request" ((("uri" | "arg") HTTPLength) | ("arg" HTTPRegex) | ("header" HTTPSize) | ("body" HTTPBody) | ("port-misuse" ("any" | "im" | "p2p" | "tunneling")))`,
		},
		kept{
			production: "HTTPResponse", modes: in, parts: httpParts, why: httpUnseen,
			grammar: `"match" "not"? "response" (("body" ("java-applet" | HTTPBody)) | ("header" HTTPHeader) | ("status-line" HTTPRegex))`,
		},
		kept{
			production: "HTTPBoth", modes: in, parts: httpParts, why: httpUnseen,
			grammar: `"match" "not"? "req-resp" ("protocol-violation" | ("content-type" ("mismatch" | "unknown" | "violation")) | ("header" HTTPHeader) | ("body" HTTPBody))`,
		},
	)
}

const httpUnseen = "is kept; this part of HTTP is not looked into"

const httpParts = `HTTPLength = "length" "gt" <threshold> .
HTTPRegex = "regex" <regexmap> .
HTTPBody = ("length" ("gt" | "lt") <threshold>) | HTTPRegex .
HTTPLimit = ("length" | "count") "gt" <threshold> .
HTTPSize = HTTPLimit | (<word> HTTPLimit) .
HTTPHeader = HTTPLimit | HTTPRegex | (<word> (HTTPLimit | HTTPRegex)) .
`
