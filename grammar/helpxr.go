package grammar

// xrHelp holds the help of the words that only IOS-XR has.
var xrHelp = map[string]string{
	"ipv4": "IPv4", "anyfilter": "Access list name", "xrnumber": "Sequence number",
	"xrlist/access-list": "IPv4 access lists", "xrlist6/access-list": "IPv6 access lists", "ethernet-services": "Ethernet services",
	"net-group": "Source or destination group of addresses", "port-group": "Group of ports", "xrprotocol": "An IP protocol number",
	"xrtcpport": "Port number", "xrudpport": "Port number", "packetlength": "Packet length in bytes",
	"packet-length": "Check the length of the packet", "fragment-type": "Check the kind of fragment", "dont-fragment": "Don't fragment bit is set",
	"is-fragment": "Any fragment", "first-fragment": "First fragment", "last-fragment": "Last fragment", "counter": "Name of a counter",
	"capture": "Capture the packet", "icmp-off": "Send no ICMP message", "bps": "Bits per second", "kbps": "Kilobits per second",
	"mbps": "Megabits per second", "gbps": "Gigabits per second", "set": "Set a field", "traffic-class": "Traffic class", "qos-group": "QoS group",
	"nexthop1": "Forward to this next hop", "nexthop2": "Forward to this next hop", "nexthop3": "Forward to this next hop",
	"track": "Object to track", "xrdo/default": "When there is no route", "port": "group of ports", "icmpv6": "Internet Control Message Protocol",
	"ingress": "Inbound packets", "egress": "Outbound packets", "hardware-count": "Count in hardware", "interface-statistics": "Count per interface",
	"compress": "Compress the list", "level": "Compression level", "resequence": "Renumber a list", "xrsource/interface": "Address of an interface",
	"xrsource6/interface": "Address of an interface", "xrdestination/interface": "Address of an interface",
	"xrdestination6/interface": "Address of an interface", "verify": "Verify", "addresslength": "Prefix",
	"authen": "Authentication header", "destopts": "Destination options header", "hop-by-hop": "Hop-by-hop header", "icmp-on": "Send ICMP messages",
	"xrprotocol6": "An IP protocol number", "xricmp6name": "ICMP message type", "xrigmptype": "IGMP type", "copy": "Copy a list", "preconfigure": "An interface that is not there yet", "l2transport": "Bridge frames",
}
