package grammar

// addIdentity adds where the legacy lists knew a workload: our own.
func (l *language) addIdentity() {
	l.keep(kept{
		production: "IdentityMap", modes: []Mode{ModeGlobal}, no: `"identity" "map" <address> <wildcard>`,
		grammar: `"identity" "map" <address> <wildcard> <network>`,
	})
}
