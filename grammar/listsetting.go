package grammar

// addListSettings adds what holds for all lists of the device.
func (l *language) addListSettings() {
	in := []Mode{ModeGlobal}
	const why = "is kept; what the node itself sends is filtered as any other packet"
	l.keep(
		kept{
			production: "LogUpdate", modes: in, key: 4, quiet: true, harmless: true, no: `"ip" "access-list" "log-update" "threshold"`,
			grammar: `"ip" "access-list" "log-update" "threshold" <threshold>`,
		},
		kept{
			production: "LogUpdate6", modes: in, key: 4, quiet: true, harmless: true, no: `"ipv6" "access-list" "log-update" "threshold"`,
			grammar: `"ipv6" "access-list" "log-update" "threshold" <threshold>`,
		},
		kept{
			production: "LogInterval", modes: in, key: 4, quiet: true, harmless: true, no: `"ip" "access-list" "logging" "interval"`,
			grammar: `"ip" "access-list" "logging" "interval" <threshold>`,
		},
		kept{
			production: "LogRate", modes: in, key: 2, quiet: true, harmless: true, no: `"logging" "rate-limit"`,
			grammar: `"logging" "rate-limit" "console"? "all"? <lograte> ("except" Severity)?`, parts: severityPart,
		},
		kept{production: "ListSetting", modes: in, harmless: true, grammar: `"ip" "access-list" (("logging" "hash-generation") | "persistent")`},
		kept{production: "LocalTraffic", modes: in, key: 3, why: why, grammar: `"ip" "access-list" ("match-local-traffic" | ("helper" <text>))`},
		kept{production: "LocalTraffic6", modes: in, key: 3, why: why, grammar: `"ipv6" "access-list" "match-local-traffic"`},
		kept{production: "ReflexiveTimeout", modes: in, key: 2, quiet: true, no: `"ip" "reflexive-list" "timeout"`, grammar: `"ip" "reflexive-list" "timeout" <seconds>`},
	)
}

// severityPart has the levels of messages; access-lists log at 6, informational.
const severityPart = `Severity = <severity> | "emergencies" | "alerts" | "critical" | "errors" | "warnings" | "notifications" | "informational" | "debugging" .` + "\n"
