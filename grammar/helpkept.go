package grammar

// keptHelp holds the help of the words that only kept statements have.
var keptHelp = map[string]string{
	"identity": "Identities of workloads", "map": "Addresses that stand for a workload",

	"httpmatchline/*":  "HTTP request method",
	"parameterother/*": "Parameters for inspection",
	"month/*":          "Month of the year",

	"parameter-map": "parameter map", "parametermap": "Parameter-map name", "regexmap": "Regex parameter-map name",
	"regex": "Regular expression", "protection": "Zone protection", "vpn": "VPN number",
	"parametermap/inspect-global": "Parameters for all inspections", "parametermap/inspect-zone": "Parameters of a zone",
	"parametermap/inspect-vrf": "Parameters of a VRF", "parametermap/protocol-info": "Protocol information",
	"parametermap/urlfilter": "URL filter", "parametermap/urlf-glob": "URL patterns", "parametermap/umbrella": "Umbrella",
	"alert": "Turn on/off alert", "audit-trail": "Turn on/off audit trail", "on": "Turn on", "off": "Turn off",
	"dns-timeout": "Specify timeout for DNS", "idle-time": "Specify idle timeout", "ageout-time": "Specify ageout time",
	"finwait-time": "Specify timeout for TCP connections after a FIN", "synwait-time": "Specify timeout for TCP connections after a SYN",
	"window-enforcement": "Window checks", "loose": "Loose window checks", "max-incomplete": "Specify maximum number of incomplete connections",
	"block-time": "Minutes of blocking", "half-open": "Half-open connections", "high": "Specify high-watermark for clamping",
	"low": "Specify low-watermark for clamping", "one-minute": "Specify one-minute-sample watermarks for clamping",
	"sessions": "Specify limits for sessions", "maximum": "Maximum number", "rate": "Rate", "flows": "Number of flows",
	"dropped-packets": "Log dropped packets", "summary": "Log summaries", "flow-export": "Export flow records",
	"time-interval": "Interval of summaries", "enable": "Turn on", "disable": "Turn off",

	"police": "Police", "bps": "Bits per second", "cps": "Cells per second", "pps": "Packets per second", "burst": "Burst",
	"bytes": "Bytes", "packets": "Packets", "applicationpolicy/*": "Application policy of this protocol",
	"noapplicationpolicy/*": "Application policy of this protocol", "httpclassname": "HTTP class-map name", "httppolicyname": "HTTP policy-map name",
	"clock": "Configure time-of-day clock", "timezone": "Configure time zone", "summer-time": "Configure summer (daylight savings) time",
	"hours": "Hours offset from UTC", "minute": "Minutes offset from UTC", "clockzone/word": "name of time zone", "clocksummer/text": "name of time zone and its rule",
	"not": "Negate this match result", "security-group": "Security group", "tag": "Tag of the group", "sgt": "Security Group Tag",
	"source": "Source", "destination": "Destination", "user-group": "Group of users", "signature": "Match by signature",
	"matchhttp/*": "Part of the request", "matchgrouptag/name": "Name of the group", "name": "Name", "unknown": "Unknown security group",

	"http": "HTTP", "method": "Request method", "uri": "Uniform resource identifier", "arg": "Argument of the URI", "header": "Header field",
	"body": "Message body", "length": "Length", "count": "Number of fields", "port-misuse": "Other applications on this port",
	"httprequest/any": "Any application", "im": "Instant messenger", "p2p": "Peer to peer", "tunneling": "Tunnels",
	"request": "Match on requests", "response": "Match on responses", "req-resp": "Match on requests and responses",
	"java-applet": "Java applets", "status-line": "Status line", "protocol-violation": "Violation of the protocol",
	"content-type": "Content type", "mismatch": "Header and body differ", "violation": "Content type and file differ", "allow": "Allow",
	"reset": "Reset the connection",

	"cts": "Cisco Trusted Security commands", "role-based": "Role-based access control", "enforcement": "Enforce role-based access control",
	"vlan-list": "VLANs", "sgt-map": "IP to Security Group Tag", "vrf": "VRF", "permissions": "Role-based permissions",
	"permissionline/ipv6": "IPv6", "nopermission/ipv6": "IPv6", "defaultpermission/ipv6": "IPv6", "nodefaultpermission/ipv6": "IPv6",
	"from": "Source group", "rolelist": "Role-based access list name", "ipv4": "IPv4", "addresslength": "Prefix",

	"line": "Configure a terminal line", "vty": "Virtual terminal", "console": "Primary terminal line", "aux": "Auxiliary line",
	"tty": "Terminal controller", "access-class": "Filter connections based on an IP access list",
	"vrf-also": "Same access list is applied for all VRFs", "vrfname": "Name of the VRF",

	"mac": "Global MAC configuration subcommands", "maclist": "MAC access-list name", "maclist/extended": "Extended MAC access list",
	"mac/mac": "MAC address", "maclist/mac": "MAC access lists", "<mac>": "MAC address", "ethertype": "EtherType", "vlan": "VLAN number",
	"cos": "Class of service", "access-group": "Apply an access list", "common": "List that stands before the other",
	"unicast": "Unicast reverse path", "inspectglobal/*": "Old inspection", "inspectglobal/inspect": "Context-based access control",
}
