package grammar

// addASAKept adds what an ASA has beside lists and groups of addresses and
// services, and what is kept.
func (l *language) addASAKept() {
	in := []Mode{ModeGlobal}
	const frames = "is kept; frames are not filtered by their type"
	l.keep(
		kept{
			production: "EtherTypeLine", modes: in, why: frames,
			grammar: asaStart + `"ethertype" ("permit" | "deny") ("any" | "bpdu" | "eii-ipx" | "ipx" | "isis" | "mpls-multicast" | "mpls-unicast" | ("dsap" <word>) | <ethertype>)`,
		},
		kept{
			production: "WebTypeLine", modes: in, why: "is kept; the portal of the device has no part here",
			grammar: asaStart + `"webtype" ("permit" | "deny") (("url" | "tcp") <text>)`,
		},
		kept{
			production: "DenyFlow", modes: in, key: 2, harmless: true, no: `"access-list" ("alert-interval" | "deny-flow-max")`,
			grammar: `"access-list" ("alert-interval" | "deny-flow-max") <threshold>`,
		},
		kept{
			production: "SameSecurity", modes: in, grammar: `"same-security-traffic" "permit" ("inter-interface" | "intra-interface")`,
			why: "is kept; interfaces without a list are not filtered here",
		},
		kept{
			production: "ObjectNAT", modes: []Mode{ModeNetworkObject}, key: 1, no: `"nat"`, harmless: true, grammar: `"nat" <text>`,
			why: "is kept; lists hold the real addresses, before NAT",
		},
	)
	l.addASAIdentity()
}

// addASAIdentity adds groups of users, tags and services by name.
func (l *language) addASAIdentity() {
	in := []Mode{ModeGlobal}
	const why = "is kept; lines that use it are refused"
	for _, group := range []kept{
		{production: "UserGroup", grammar: `"object-group" "user" <usergroup>`, enters: ModeUserGroup, defines: "user group"},
		{production: "SecurityGroup", grammar: `"object-group" "security" <securitygroup>`, enters: ModeSecurityGroup, defines: "security group"},
		{production: "ServiceNames", grammar: `"object-group" "network-service" <networkservices>`, enters: ModeNetworkServices, defines: "network-service"},
		{production: "ServiceName", grammar: `"object" "network-service" <networkservices> "dynamic"?`, enters: ModeNetworkServices, defines: "network-service"},
	} {
		group.modes, group.why = in, why
		l.keep(group)
		l.keep(kept{production: group.production + "Description", modes: []Mode{group.enters}, key: 1, no: `"description"`, harmless: true, grammar: `"description" <text>`})
	}
	l.keep(
		kept{
			production: "UserMember", modes: []Mode{ModeUserGroup},
			grammar: `("user" <word>) | ("user-group" <word>) | ("group-object" <usergroup>)`,
		},
		kept{
			production: "TagMember", modes: []Mode{ModeSecurityGroup},
			grammar: `("security-group" (("name" <word>) | ("tag" <securitytag>))) | ("group-object" <securitygroup>)`,
		},
		kept{
			production: "ServiceNameMember", modes: []Mode{ModeNetworkServices},
			grammar: `("network-service-member" "object"? <networkservices>+) | ("group-object" <networkservices>) | (("domain" | "subnet" | "app-id") <text>)`,
		},
	)
}
