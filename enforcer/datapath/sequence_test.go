package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"aclium/enforcer/internal/chance"
	"aclium/translate/policy"
)

// A history is a node's interface whose lists, identities and addresses change
// with every push.
type history struct {
	*world
	*bench
	d     *Datapath
	lists []policy.Policy
	next  uint32 // identity
	named int    // lists
}

// TestStatesFollowEachOther pushes one state after the other over the same
// tables, counters and remembered verdicts. Behind each push every packet is
// judged as policy.Eval does by that state alone, however often it comes.
func TestStatesFollowEachOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			eachWay(t, func(t *testing.T, o Options) {
				permitted := 0
				h := &history{world: newWorld(seed), bench: newBench(t), next: 1000}
				h.d = h.open(o)
				defer h.d.Close()
				device := findIndex(t, h.bench.a.Device)
				for push := range 25 {
					h.change()
					h.apply(h.d, h.now())
					for range 60 {
						if h.agree(push, device) {
							permitted++
						}
					}
				}
				if permitted < 25*60/10 || permitted > 25*60*9/10 {
					t.Errorf("%d of %d packets were permitted, so the test sees too little", permitted, 25*60)
				}
			})
		})
	}
}

func findIndex(t *testing.T, name string) uint32 {
	t.Helper()
	found, err := findDevices(&State{Ports: []Port{{Interface: name}}})
	if err != nil {
		t.Fatal(err)
	}
	return found[name].index
}

// change lets some of everything become another; lists that stay are the very
// same slices, as the agent's are.
func (h *history) change() {
	for range h.IntN(3) {
		h.changeIdentity()
	}
	for range h.IntN(4) {
		a := h.addr(h.family(policy.Dual))
		if h.Owners[a] = pick(h.world, h.Identities).ID; h.one(3) {
			delete(h.Owners, a)
		}
	}
	if len(h.lists) == 0 || len(h.lists) < 3 && h.one(4) {
		h.named++
		h.lists = append(h.lists, policy.Policy{ACL: fmt.Sprint("L", h.named)})
	}
	h.lists = slices.Clone(h.lists)
	for i := range h.lists {
		l := &h.lists[i]
		switch {
		case len(l.Rules) > 0 && h.one(2): // stays
		case len(l.Rules) > 0 && h.one(2):
			l.Rules = slices.Clone(l.Rules)
			l.Rules[h.IntN(len(l.Rules))].Match.Source = policy.Peers{Selectors: []policy.Selector{h.selector()}}
		default:
			*l = *h.list(l.ACL, policy.Ingress, policy.Dual, h.IntN(2)*h.IntN(40)+h.IntN(4))
			h.enrich(l)
		}
	}
	if len(h.lists) > 1 && h.one(6) {
		h.lists = h.lists[1:]
	}
}

// enrich lets most lines match something, many by who the ends are, and most
// lists permit what they do not name.
func (h *history) enrich(l *policy.Policy) {
	for i := range l.Rules {
		m := &l.Rules[i].Match
		if len(m.Services) == 0 {
			m.Services = []policy.Service{policy.AnyService()}
		}
		if h.one(2) {
			m.Source, m.Destination = policy.Peers{Selectors: []policy.Selector{h.selector()}}, policy.Everybody()
		}
	}
	if !h.one(4) {
		last := simple(policy.Permit, policy.Everybody(), policy.Everybody())
		last.ID = policy.RuleID{ACL: l.ACL, Seq: 100_000}
		l.Rules = append(l.Rules, last)
	}
}

// changeIdentity gives an identity other labels, takes it away with its
// addresses, or adds one.
func (h *history) changeIdentity() {
	h.Identities = slices.Clone(h.Identities)
	at := 3 + h.IntN(len(h.Identities)-3)
	labels := map[string]string{policy.NamespaceKey: fmt.Sprint("ns", h.IntN(2)), "app": fmt.Sprint("a", h.IntN(3)), fmt.Sprint("k", h.IntN(4)): "v"}
	switch h.IntN(3) {
	case 0:
		h.Identities[at].Labels = labels
	case 1:
		if len(h.Identities) > 6 {
			gone := h.Identities[at].ID
			h.Identities = slices.Delete(h.Identities, at, at+1)
			for a, id := range h.Owners {
				if id == gone {
					delete(h.Owners, a)
				}
			}
		}
	case 2:
		h.next++
		h.Identities = append(h.Identities, chance.Identity{ID: h.next, Labels: labels})
	}
}

func (h *history) now() State {
	s := State{Ports: []Port{{Interface: h.bench.a.Device, Ingress: h.lists}}, Identities: h.identities(), Addresses: map[netip.Prefix]Address{}}
	for a, id := range h.Owners {
		s.Addresses[netip.PrefixFrom(a, a.BitLen())] = Address{Identity: id}
	}
	return s
}

// agree sends a packet three times.
func (h *history) agree(push int, device uint32) bool {
	p := h.packet(h.family(policy.Dual))
	data, want := frame(&p, h.dress(&p)), true
	for i := range h.lists {
		action, _ := h.lists[i].Eval(&p)
		want = want && action == policy.Permit
	}
	for range 3 {
		ret, err := h.d.maps.Programs["tc_ingress"].Run(&ebpf.RunOptions{Data: data, Context: skBuff{Ifindex: device}})
		if err != nil {
			h.t.Fatal(err)
		}
		if got := int(int32(ret)) == permit; got != want {
			h.t.Fatalf("push %d: got %v, want %v: %+v", push, got, want, p)
		}
	}
	return want
}
