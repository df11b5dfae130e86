package grammar

var asaModeLines = map[Mode]string{
	ModeGlobal: "name 10.0.0.6 NAME1; name 2001:db8::6 NAME2; names", ModeInterface: "interface eth0", ModeTimeRange: "time-range T", ModeNetworkObject: "object network O",
	ModeServiceObject: "object service S", ModeASANetworkGroup: "name 10.0.0.6 NAME1; object-group network G", ModeASAServiceGroup: "object-group service H",
	ModeTCPGroup: "object-group service T tcp", ModeUDPGroup: "object-group service U udp", ModeTCPUDPGroup: "object-group service B tcp-udp",
	ModeProtocolGroup: "object-group protocol P", ModeICMPGroup: "object-group icmp-type I", ModeUserGroup: "object-group user E",
	ModeSecurityGroup: "object-group security C", ModeNetworkServices: "object-group network-service N",
}
