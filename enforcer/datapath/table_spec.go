package datapath

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// programSpec gives the programs with policy's idle times written into them,
// and the maps as large as this machine needs them.
func programSpec() (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadAclium()
	if err != nil {
		return nil, fmt.Errorf("read bpf object: %w", err)
	}
	for name, d := range map[string]time.Duration{
		"tcp_idle": policy.TCPIdle, "tcp_open": policy.TCPOpen, "tcp_fin": policy.TCPFin,
		"udp_idle": policy.UDPIdle, "icmp_len": policy.ICMPLen, "reflexive_fin": policy.ReflexiveFin,
	} {
		if err := spec.Variables[name].Set(uint64(d)); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	if err := spec.Variables["flow_seed"].Set(rand.Uint64()); err != nil {
		return nil, fmt.Errorf("set flow_seed: %w", err)
	}
	elements, err := chunkElements()
	if err != nil {
		return nil, err
	}
	spec.Maps["counter_map"].InnerMap.MaxEntries = elements
	return spec, nil
}
