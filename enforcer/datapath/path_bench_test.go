package datapath

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// BenchmarkPath gives the fixed cost of a packet: what the whole program takes
// beyond an empty one, as the minimum of several runs, which take turns.
func BenchmarkPath(b *testing.B) {
	k := newKernel(b)
	empty := emptyProgram(b)
	list, w := enterprise(10)
	four, six := tcpPacket("10.0.0.1", "10.0.0.2"), tcpPacket("2001:db8::1", "2001:db8::2")
	udp := four
	udp.Protocol, udp.Flags = policy.UDP, 0
	pod := bpf.AcliumHookFlagsHOOK_POD
	k.place(four.Source.Addr, 300, loopback)
	hits := make([][]byte, 64)
	for i := range hits {
		p := w.hit(list)
		hits[i] = frame(&p, frameOptions{})
	}
	node := func() { k.bind(w.identities(), 0, []*policy.Policy{list}, nil) }
	for _, c := range []struct {
		name   string
		bind   func()
		frames [][]byte
	}{
		{"no-hook", func() {}, [][]byte{frame(&four, frameOptions{})}},
		{"node-hits", node, hits},
		{"node-hits-asked", func() { k.bind(w.identities(), bpf.AcliumHookFlagsHOOK_NO_CACHE, []*policy.Policy{list}, nil) }, hits},
		{"node-tcp", node, [][]byte{frame(&four, frameOptions{})}},
		{"node-udp", node, [][]byte{frame(&udp, frameOptions{})}},
		{"node-tcp6", node, [][]byte{frame(&six, frameOptions{})}},
		{"node-vlan", node, [][]byte{frame(&four, frameOptions{tags: []uint16{0x8100}})}},
		{"pod-egress", func() { k.bind(nil, pod, denyAll(), permitAll()) }, [][]byte{frame(&four, frameOptions{})}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.bind()
			least := map[*ebpf.Program]time.Duration{}
			for b.Loop() {
				for range 3 {
					for _, p := range []*ebpf.Program{empty, k.TcIngress} {
						d := k.cost(p, c.frames)
						if least[p] == 0 || d < least[p] {
							least[p] = d
						}
					}
				}
			}
			b.ReportMetric(float64(least[empty].Nanoseconds()), "ns/empty")
			b.ReportMetric(float64((least[k.TcIngress] - least[empty]).Nanoseconds()), "ns/net")
		})
	}
}

// cost gives the mean time of a packet.
func (k *kernel) cost(p *ebpf.Program, frames [][]byte) (mean time.Duration) {
	k.Helper()
	for _, f := range frames {
		_, d, err := p.Benchmark(f, max(20000/len(frames), 1000), func() {})
		k.must(err)
		mean += d
	}
	return mean / time.Duration(len(frames))
}

func emptyProgram(t testing.TB) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, permit), asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
