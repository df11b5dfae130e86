package datapath

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// judgedPairs is how many random pairs of list and packet all three judges
// decide.
const judgedPairs = 10_000

// TestThreeJudges holds the walk of the lines, policy.Eval and the kernel
// program against each other: random lists, written as text, and packets made
// for their lines. They must agree about the verdict and about the line.
func TestThreeJudges(t *testing.T) {
	t.Parallel()
	j := newJudges(t)
	g := acltest.NewGenerator(3)
	hidden, lines := 0, 0
	for j.ran < judgedPairs {
		list := g.List()
		c, policies := j.compile(list.Text)
		j.bindOne(&policies[0])
		walk := func(p *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, list.ACL, list.Stateful, p) }
		packets := g.Packets(c, list.ACL, walk, 20)
		for i := range packets {
			j.decide(&packets[i], walk, func() string { return list.Text })
		}
		h, n := acltest.Hidden(c, list.ACL, walk, packets)
		hidden, lines = hidden+len(h), lines+n
	}
	t.Logf("%d pairs, %d in the kernel, %d permitted; %d of %d lines decide a packet, the others are behind lines that cover them",
		j.judged, j.ran, j.permitted, lines-hidden, lines)
	if 10*j.permitted < 3*j.judged || 10*j.ran < 9*j.judged {
		t.Errorf("%d of %d packets permitted, %d in the kernel: want 30%% and 90%%", j.permitted, j.judged, j.ran)
	}
}

// TestThreeJudgesTable gives the packets that were judged by hand to all three.
func TestThreeJudgesTable(t *testing.T) {
	t.Parallel()
	j := newJudges(t)
	sheets, err := acltest.Table()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sheets {
		c, policies := j.compile(s.Text)
		for i := range policies {
			p := &policies[i]
			j.bindOne(p)
			walk := func(packet *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, p.ACL, p.Stateful, packet) }
			for _, r := range s.Rows {
				if r.ACL != p.ACL {
					continue
				}
				if permit, seq := walk(&r.Packet); permit != r.Permit || seq != r.Seq {
					t.Errorf("%s: %s: the lines say permit %v at %d", r.At, r.Line, permit, seq)
				}
				j.decide(&r.Packet, walk, func() string { return r.At + ": " + r.Line })
			}
		}
	}
	t.Logf("%d packets, %d in the kernel, %d permitted", j.judged, j.ran, j.permitted)
}

// judges is the kernel with one list on its device.
type judges struct {
	*kernel
	ids    []Identity
	policy *policy.Policy
	// counts are the packets of each of the list's counters.
	counts                 map[int]uint64
	judged, ran, permitted int
}

func newJudges(t *testing.T) *judges {
	j := &judges{kernel: newKernel(t)}
	cast := acltest.Cast()
	special := map[policy.Entity]uint32{policy.Host: 1, policy.RemoteNode: 6, policy.KubeAPIServer: 7}
	for i := 0; i < len(cast); i += 2 { // each has an IPv4 and an IPv6 address
		id := Identity{ID: uint32(300 + i), Labels: cast[i].Labels, Entity: cast[i].Entity}
		if id.Entity != 0 {
			id.ID = special[id.Entity]
		}
		j.ids = append(j.ids, id)
		j.place(cast[i].Addr, id.ID, 0)
		j.place(cast[i+1].Addr, id.ID, 0)
	}
	return j
}

func (j *judges) compile(text string) (*grammar.Config, []policy.Policy) {
	j.Helper()
	c, _, err := grammar.ParseFile("test.cfg", strings.NewReader(text))
	if err != nil {
		j.Fatalf("%v\n%s", err, text)
	}
	policies, findings, err := translate.Compile(c)
	if err != nil || translate.Refused(findings) != nil || len(policies) == 0 {
		j.Fatalf("%v, %v\n%s", err, findings, text)
	}
	return c, policies
}

// bindOne puts the list on the device, alone, with counters of its own.
func (j *judges) bindOne(p *policy.Policy) {
	j.Helper()
	j.policy = p
	j.lines = map[counterOf]uint32{}
	var flags bpf.AcliumHookFlags
	if p.Stateful {
		flags = bpf.AcliumHookFlagsHOOK_POD
	}
	if len(j.windows) > 0 {
		flags |= bpf.AcliumHookFlagsHOOK_TIMED
	}
	ingress, egress := []*policy.Policy{p}, []*policy.Policy(nil)
	if p.Direction == policy.Egress {
		ingress, egress = egress, ingress
		flags |= bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED * b2flag(p.Stateful)
	}
	j.bind(j.ids, flags, ingress, egress)
	j.counts = map[int]uint64{}
	j.counted()
}

func b2flag(b bool) bpf.AcliumHookFlags {
	if b {
		return 1
	}
	return 0
}

// counted gives the lines whose counters have moved since it was last called.
func (j *judges) counted() (moved []int) {
	j.Helper()
	for name, id := range j.lines {
		n, _ := j.count(j.CounterMap, id)
		if n != j.counts[name.line] {
			moved = append(moved, name.line)
		}
		j.counts[name.line] = n
	}
	return moved
}

// decide asks every judge about the packet, as the first of its connection.
func (j *judges) decide(p *policy.Packet, walk acltest.Judge, where func() string) {
	j.Helper()
	want, seq := walk(p)
	action, line := j.policy.Eval(p)
	j.judged++
	if want {
		j.permitted++
	}
	if (action == policy.Permit) != want || j.policy.ID(line).Seq != seq {
		j.Fatalf("%s\n%+v\nthe lines say permit %v at %d, Eval %v at %d", where(), *p, want, seq, action, j.policy.ID(line).Seq)
	}
	if j.policy.Stateful && bypassesLists(p) {
		return
	}
	j.ran++
	empty(j, j.ConnMap, new(bpf.AcliumConnKey), nil)
	verdict := map[bool]int{true: permit, false: drop}[want]
	if got := j.run(j.program(), frame(p, frameOptions{payload: 8}), skBuff{IngressIfindex: 7}); got != verdict {
		j.Fatalf("%s\n%+v\nthe lines say permit %v at %d, the kernel %d", where(), *p, want, seq, got)
	}
	expected := []int{line}
	if line != policy.Implicit && j.policy.Rules[line].Uncounted {
		expected = nil
	}
	if moved := j.counted(); !slices.Equal(moved, expected) {
		j.Fatalf("%s\n%+v\nthe lines say permit %v at %d, the kernel counted on %s", where(), *p, want, seq, j.sequences(moved))
	}
}

func (j *judges) sequences(lines []int) string {
	var out []uint32
	for _, l := range lines {
		out = append(out, j.policy.ID(l).Seq)
	}
	return fmt.Sprint(out)
}

// program gives the program of the hook that the list is on. What a pod sends
// is what its host device receives.
func (j *judges) program() *ebpf.Program {
	if j.policy.Stateful {
		return j.programOf(j.policy.Direction)
	}
	return j.programOf(j.policy.Direction.Opposite())
}

// bypassesLists says that a pod's port has a verdict on the packet before any
// list is asked: fragments follow their first one, and neighbour discovery
// passes.
func bypassesLists(p *policy.Packet) bool {
	return p.Fragment == policy.Later || p.Protocol == policy.ICMPv6 && (p.ICMPType == 135 || p.ICMPType == 136)
}
