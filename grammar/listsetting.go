package grammar

// addListSettings adds what holds for all lists of the device.
func (l *language) addListSettings() {
	in := []Mode{ModeGlobal}
	const why = "is kept; what the node itself sends is filtered as any other packet"
	l.keep(
		kept{
			production: "ListSetting", modes: in, key: 3, harmless: true,
			grammar: `"ip" "access-list" (("log-update" "threshold" <threshold>) | ("logging" "interval" <threshold>) | ("logging" "hash-generation") | "persistent")`,
		},
		kept{production: "ListSetting6", modes: in, key: 3, harmless: true, grammar: `"ipv6" "access-list" "log-update" "threshold" <threshold>`},
		kept{production: "LocalTraffic", modes: in, key: 3, why: why, grammar: `"ip" "access-list" ("match-local-traffic" | ("helper" <text>))`},
		kept{production: "LocalTraffic6", modes: in, key: 3, why: why, grammar: `"ipv6" "access-list" "match-local-traffic"`},
		kept{production: "ReflexiveTimeout", modes: in, key: 2, quiet: true, no: `"ip" "reflexive-list" "timeout"`, grammar: `"ip" "reflexive-list" "timeout" <seconds>`},
	)
}
