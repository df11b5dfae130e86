package grammar

// Mode is a configuration mode. The zero value is unset.
type Mode uint8

// The modes.
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
	modeCount
)

var prompts = [modeCount]string{
	ModeGlobal:        "(config)#",
	ModeStandardACL:   "(config-std-nacl)#",
	ModeExtendedACL:   "(config-ext-nacl)#",
	ModeIPv6ACL:       "(config-ipv6-acl)#",
	ModeNetworkGroup:  "(config-network-group)#",
	ModeNetworkGroup6: "(config-v6network-group)#",
	ModeServiceGroup:  "(config-service-group)#",
	ModeInterface:     "(config-if)#",
	ModeZone:          "(config-sec-zone)#",
	ModeZonePair:      "(config-sec-zone-pair)#",
	ModeClassMap:      "(config-cmap)#",
	ModePolicyMap:     "(config-pmap)#",
	ModePolicyClass:   "(config-pmap-c)#",
}

// Prompt gives what stands after the host name, such as "(config-ext-nacl)#".
func (m Mode) Prompt() string { return prompts[m] }

// parent gives the mode that "exit" leads to.
func (m Mode) parent() Mode {
	if m == ModePolicyClass {
		return ModePolicyMap
	}
	return ModeGlobal
}
