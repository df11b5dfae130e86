package datapath

import (
	"math/rand/v2"
	"testing"

	"aclium/translate/policy"
)

// FuzzPacket gives the programs and the reference whatever bytes the fuzzer
// thinks of, on a node's interface and on a pod's port without connections.
// The bits of how say the direction, whether the node sent the frame, and how
// many segments it stands for.
func FuzzPacket(f *testing.F) {
	for _, data := range someFrames() {
		f.Add(data, byte(0))
		f.Add(data, byte(1))
	}
	s := &smith{Rand: rand.New(rand.NewPCG(5, 5))}
	for i := range 64 {
		p := tcpPacket("10.0.1.9", "10.0.1.5")
		if i%2 == 1 {
			p = tcpPacket("2001:db8::9", "2001:db8::5")
		}
		p.Protocol = []uint8{policy.TCP, policy.UDP, policy.ICMP, policy.ICMPv6, policy.SCTP, policy.IGMP, 47, 50}[i/2%8]
		p.ICMPType, p.Fragment = []uint8{8, 0, 135, 128}[i/16], policy.Fragment(i%3)
		f.Add(append([]byte(nil), s.frame(&p)...), byte(i))
	}
	var scenarios []*scenario
	for seed := range uint64(2) { // a pod's port and a node's interface
		s := newScenario(stage{kernel: newKernel(f), devices: []uint32{loopback}}, seed)
		s.change(0)
		scenarios = append(scenarios, s)
	}
	f.Fuzz(func(t *testing.T, data []byte, how byte) {
		if len(data) < 14 || len(data) > maxFrame {
			return // the kernel does not run such a frame
		}
		for _, s := range scenarios {
			s.kernel.TB = t
			s.forget()
			segments := 1
			if how&4 != 0 {
				segments = 2 + int(how>>4)
			}
			s.sites[0].offer(policy.Ingress+policy.Direction(how&1), data, segments, how&2 != 0, &fuzzTally{})
			if wrong := s.compare(); wrong != "" {
				t.Fatalf("%s\n%s", wrong, s.last())
			}
		}
	})
}
