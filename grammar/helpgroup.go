package grammar

// groupHelp holds the help of object-groups of other kinds and of the lists
// that use them.
var groupHelp = map[string]string{
	"v6-service": "IPv6 service group", "patterngroupline/fqdn": "FQDN group", "geo": "Geo group",
	"taggroupline/security": "Security group", "policyaddressesline/ip": "Group of IP addresses or ports", "policyportsline/ip": "Group of IP addresses or ports",
	"policyaddressesline/address": "Group of addresses", "policyportsline/port": "Group of ports",
	"services6": "Object group name", "anyservices": "Object group name", "patterngroup": "Object group name", "regiongroup": "Object group name",
	"taggroup": "Object group name", "policyaddresses": "Object group name", "policyports": "Object group name",
	"patternmember/pattern": "Pattern of DNS names", "regex": "Regular expression", "country": "Country by its three letters",
	"continent": "Continent", "tagmember/security-group": "Security group", "tag-id": hidden, "tagmember/name": "Name of the group",
	"tagmember/word": "Name of the group", "policyaddress/host": "A single host address", "host-info": hidden,
	"rolelist/role-based": "Role-based Access List", "rolelist6/role-based": "Role-based Access List",
	"domainlist/fqdn": "FQDN Access List", "domainlist6/fqdn": "FQDN Access List", "rolename": "Access-list name", "rolename6": "Access-list name",
	"domainname": "Access-list name", "domainname6": "Access-list name", "domainsequence": "Sequence Number", "src": "Source ports", "dst": "Destination ports",
	"domainend/dynamic": "Host by its DNS name", "domainend6/dynamic": "Host by its DNS name",
	"listsetting/match-local-traffic": "Filter the packets of the device itself", "listsetting6/match-local-traffic": "Filter the packets of the device itself",
	"localtraffic/match-local-traffic": "Filter the packets of the device itself", "localtraffic/helper": "Lists and helper addresses",
	"localtraffic6/match-local-traffic": "Filter the packets of the device itself", "persistent": "Keep sequence numbers over a reload",
	"reflexive-list":           "Reflexive access list",
	"reflexivetimeout/timeout": "Maximum time before an entry expires",
	"addrgroup":                hidden, "portgroup": hidden, "wildcard6": "Wildcard bits", "hostname": "Name of the host",
	"source6/address6": "Source IPv6 address", "destination6/address6": "Destination IPv6 address",
}
