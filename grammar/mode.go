package grammar

// Mode is a configuration mode. The zero value is unset.
type Mode uint8

// The modes. Those behind ModeTimeRange have lines that are kept as
// statements; see keep.go.
const (
	ModeGlobal Mode = iota + 1
	ModeStandardACL
	ModeExtendedACL
	ModeIPv6ACL
	ModeNetworkGroup
	ModeNetworkGroup6
	ModeServiceGroup
	ModeInterface
	ModeZone
	ModeZonePair
	ModeClassMap
	ModePolicyMap
	ModePolicyClass
	ModeTimeRange
	ModeParameterMap
	ModeRegexMap
	ModeHTTPClassMap
	ModeHTTPPolicyMap
	ModeHTTPPolicyClass
	ModeTerminal
	ModeMACList
	ModeServiceGroup6
	ModePatternGroup
	ModeRegionGroup
	ModeTagGroup
	ModePolicyAddresses
	ModePolicyPorts
	ModeXRList
	ModeXRList6
	ModeXREthernet
	ModeXRNetworks
	ModeXRNetworks6
	ModeXRPorts
	ModeRoleList
	ModeRoleList6
	ModeDomainList
	ModeDomainList6
	ModeNetworkObject
	ModeServiceObject
	ModeASANetworkGroup
	ModeASAServiceGroup
	ModeTCPGroup
	ModeUDPGroup
	ModeTCPUDPGroup
	ModeProtocolGroup
	ModeICMPGroup
	ModeUserGroup
	ModeSecurityGroup
	ModeNetworkServices
	modeCount
)

// modes holds what stands after the host name and the mode that "exit" leads
// to, which is global configuration unless it says otherwise.
var modes = [modeCount]struct {
	prompt string
	parent Mode
	// loose says that lines which have nothing to do with access control
	// stand in the mode too.
	loose bool
}{
	ModeGlobal:          {prompt: "(config)#"},
	ModeStandardACL:     {prompt: "(config-std-nacl)#"},
	ModeExtendedACL:     {prompt: "(config-ext-nacl)#"},
	ModeIPv6ACL:         {prompt: "(config-ipv6-acl)#"},
	ModeNetworkGroup:    {prompt: "(config-network-group)#"},
	ModeNetworkGroup6:   {prompt: "(config-v6network-group)#"},
	ModeServiceGroup:    {prompt: "(config-service-group)#"},
	ModeInterface:       {prompt: "(config-if)#", loose: true},
	ModeXRList:          {prompt: "(config-ipv4-acl)#"},
	ModeXRList6:         {prompt: "(config-ipv6-acl)#"},
	ModeXREthernet:      {prompt: "(config-es-acl)#"},
	ModeXRNetworks:      {prompt: "(config-object-group-ipv4)#"},
	ModeXRNetworks6:     {prompt: "(config-object-group-ipv6)#"},
	ModeXRPorts:         {prompt: "(config-object-group-port)#"},
	ModeZone:            {prompt: "(config-sec-zone)#"},
	ModeZonePair:        {prompt: "(config-sec-zone-pair)#"},
	ModeClassMap:        {prompt: "(config-cmap)#"},
	ModePolicyMap:       {prompt: "(config-pmap)#"},
	ModePolicyClass:     {prompt: "(config-pmap-c)#", parent: ModePolicyMap},
	ModeTimeRange:       {prompt: "(config-time-range)#"},
	ModeParameterMap:    {prompt: "(config-profile)#"},
	ModeRegexMap:        {prompt: "(config-profile)#"},
	ModeHTTPClassMap:    {prompt: "(config-cmap)#"},
	ModeHTTPPolicyMap:   {prompt: "(config-pmap)#"},
	ModeHTTPPolicyClass: {prompt: "(config-pmap-c)#", parent: ModeHTTPPolicyMap},
	ModeTerminal:        {prompt: "(config-line)#", loose: true},
	ModeMACList:         {prompt: "(config-ext-macl)#"},
	ModeServiceGroup6:   {prompt: "(config-v6service-group)#"},
	ModePatternGroup:    {prompt: "(config-fqdn-group)#"},
	ModeRegionGroup:     {prompt: "(config-geo-group)#"},
	ModeTagGroup:        {prompt: "(config-object-group)#"},
	ModePolicyAddresses: {prompt: "(config-ipaddr-ogroup)#"},
	ModePolicyPorts:     {prompt: "(config-port-ogroup)#"},
	ModeRoleList:        {prompt: "(config-rb-acl)#"},
	ModeRoleList6:       {prompt: "(config-ipv6rb-acl)#"},
	ModeDomainList:      {prompt: "(config-fqdn-acl)#"},
	ModeDomainList6:     {prompt: "(config-ipv6-fqdn-acl)#"},
	ModeNetworkObject:   {prompt: "(config-network-object)#"},
	ModeServiceObject:   {prompt: "(config-service-object)#"},
	ModeASANetworkGroup: {prompt: "(config-network-object-group)#"},
	ModeASAServiceGroup: {prompt: "(config-service-object-group)#"},
	ModeTCPGroup:        {prompt: "(config-service-object-group)#"},
	ModeUDPGroup:        {prompt: "(config-service-object-group)#"},
	ModeTCPUDPGroup:     {prompt: "(config-service-object-group)#"},
	ModeProtocolGroup:   {prompt: "(config-protocol-object-group)#"},
	ModeICMPGroup:       {prompt: "(config-icmp-object-group)#"},
	ModeUserGroup:       {prompt: "(config-user-object-group)#"},
	ModeSecurityGroup:   {prompt: "(config-security-object-group)#"},
	ModeNetworkServices: {prompt: "(config-ns-object-group)#"},
}

// Prompt gives what stands after the host name, such as "(config-ext-nacl)#".
func (m Mode) Prompt() string { return modes[m].prompt }

// parent gives the mode that "exit" leads to.
func (m Mode) parent() Mode {
	if p := modes[m].parent; p != 0 {
		return p
	}
	return ModeGlobal
}

// depth is how many modes deep the mode is: 0 for global configuration.
func (m Mode) depth() (n int) {
	for ; m != ModeGlobal; m = m.parent() {
		n++
	}
	return n
}
