package cilium

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/k8s"
	networkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/option"
	ciliumpolicy "github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/policy/utils"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/u8proto"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
	"aclium/translate/samples"
)

// entries gives an object's rules as the agent keeps them.
func entries(object map[string]any) (types.PolicyEntries, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	switch kind := object["kind"].(string); kind {
	case "NetworkPolicy":
		var o networkingv1.NetworkPolicy
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		return k8s.ParseNetworkPolicy(silent, clusterName, &o)
	case "ClusterNetworkPolicy":
		var o v1alpha2.ClusterNetworkPolicy
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		return k8s.ParseClusterNetworkPolicy(silent, clusterName, &o)
	default:
		rules, err := parse(kind, object)
		return utils.RulesToPolicyEntries(rules), err
	}
}

// An end is one end of a packet, as Cilium and as aclium know it.
type end struct {
	id *identity.Identity
	policy.Endpoint
}

// ends gives the pods of a small cluster, the subject's first, and addresses
// outside of it. Cilium gives every address that a rule could tell from others
// an identity of its own.
func ends(v6 bool) (out []end) {
	n := 0
	for _, namespace := range []string{"my-application", "dev"} {
		for _, app := range []string{"backend", "frontend", "database", ""} {
			n++
			l := map[string]string{policy.NamespaceKey: namespace}
			if app != "" {
				l["app"] = app
			}
			if n%3 == 0 {
				l["tier"] = "gold"
			}
			out = append(out, pod(n, v6, l))
		}
	}
	for i := range 20 {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		if v6 {
			addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", 0x100+i%5, i))
		}
		prefix := netip.PrefixFrom(addr, addr.BitLen())
		id := identity.NewIdentity(identity.IdentityScopeLocal+identity.NumericIdentity(1+i), labels.GetCIDRLabels(prefix))
		out = append(out, end{id, policy.Endpoint{Addr: addr}})
	}
	return out
}

func pod(n int, v6 bool, l map[string]string) end {
	addr := netip.AddrFrom4([4]byte{10, 1, 20, byte(n)})
	if v6 {
		addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:20::%x", n))
	}
	known := maps.Clone(l)
	known["io.cilium.k8s.policy.cluster"] = clusterName
	known["io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"] = l[policy.NamespaceKey]
	return end{
		identity.NewIdentity(identity.NumericIdentity(1000+n), labels.Map2Labels(known, labels.LabelSourceK8s)),
		policy.Endpoint{Addr: addr, Labels: l},
	}
}

// A cluster judges by Cilium's repository of rules.
type cluster struct {
	repository *ciliumpolicy.Repository
	identities identitymanager.IDManager
}

func newCluster(all []end, rules types.PolicyEntries) *cluster {
	ciliumpolicy.SetPolicyEnabled(option.DefaultEnforcement)
	known := identity.IdentityMap{}
	for _, e := range all {
		known[e.id.ID] = e.id.LabelArray
	}
	c := &cluster{identities: identitymanager.NewIDManager(silent)}
	c.repository = ciliumpolicy.NewPolicyRepository(silent, known, nil, nil, c.identities, testpolicy.NewPolicyMetricsNoop())
	c.repository.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	c.identities.Subscribe(testpolicy.SelectorCacheObserver{Cache: c.repository.GetSubjectSelectorCache()})
	c.repository.MustAddPolicyEntries(rules)
	return c
}

// allows gives Cilium's verdict at the end where the subject stands.
func (c *cluster) allows(t *testing.T, d policy.Direction, from, to *end, p *policy.Packet) bool {
	t.Helper()
	flow := types.Flow{From: from.id, To: to.id, Proto: u8proto.U8proto(p.Protocol), Dport: p.DestinationPort}
	if p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 {
		flow.Dport = uint16(p.ICMPType)
	}
	verdict, _, _, err := ciliumpolicy.LookupFlow(silent, c.repository, c.identities, flow)
	if err != nil {
		t.Fatal(err)
	}
	if d == policy.Egress {
		return verdict.Egress == types.DecisionAllowed
	}
	return verdict.Ingress == types.DecisionAllowed
}

// packets gives random packets between the subject and the others. The ports
// are near those that the lists name. Cilium's lookup wants no port 0, and so
// no echo reply.
func packet(r *rand.Rand, v6 bool, d policy.Direction, subject, other *end) policy.Packet {
	p := policy.Packet{Source: other.Endpoint, Destination: subject.Endpoint}
	if d == policy.Egress {
		p.Source, p.Destination = p.Destination, p.Source
	}
	p.Protocol = []uint8{policy.TCP, policy.TCP, policy.UDP, policy.SCTP, policy.ICMP}[r.IntN(5)]
	switch {
	case p.Protocol != policy.ICMP:
		p.SourcePort, p.DestinationPort = 40000, uint16(1+r.IntN(30)*r.IntN(2100))
		if p.Protocol == policy.TCP {
			p.Flags = policy.SYN
		}
	case v6:
		p.Protocol, p.ICMPType = policy.ICMPv6, []uint8{1, 2, 128, 129}[r.IntN(4)]
	default:
		p.ICMPType = []uint8{3, 8, 11}[r.IntN(3)]
	}
	return p
}

// TestVerdicts: Cilium's verdict on what was written is never wider than the
// lists, and is the one that the objects were written to give.
func TestVerdicts(t *testing.T) {
	const flows = 40
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.Cilium, translate.CiliumClusterwide, translate.ClusterNetworkPolicy} {
		t.Run(target.Name, func(t *testing.T) {
			some, err := samples.Random(target, 2, 200)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 5))
			allowed, all := 0, 0
			for i := range some {
				s := &some[i]
				v6 := strings.Contains(s.Config, "ipv6 access-list")
				d := s.Stack.Policies()[0].Direction
				everybody := ends(v6)
				subject := &everybody[0]
				c := newCluster(everybody, written(t, s))
				for range flows {
					other := &everybody[r.IntN(len(everybody))]
					p := packet(r, v6, d, subject, other)
					from, to := other, subject
					if d == policy.Egress {
						from, to = to, from
					}
					got := c.allows(t, d, from, to, &p)
					all++
					if got {
						allowed++
					}
					judge(t, s, d, &p, got)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d of %d flows allowed, of %d lists", allowed, all, len(some))
			if allowed*10 < all || allowed*10 > all*9 {
				t.Errorf("nearly all flows have one verdict")
			}
		})
	}
}

// written gives the rules of the sample's objects, read from their text.
func written(t *testing.T, s *samples.Sample) (out types.PolicyEntries) {
	t.Helper()
	text, err := kube.YAML(s.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objectsIn(t, text) {
		rules, err := entries(o)
		if err != nil {
			t.Fatalf("%v, of:\n%s", err, text)
		}
		out = slices.Concat(out, rules)
	}
	return out
}

func judge(t *testing.T, s *samples.Sample, d policy.Direction, p *policy.Packet, got bool) {
	t.Helper()
	list, line := s.Lists.Judge(d, p)
	meant, _ := s.Stack.Judge(d, p)
	if got && list != policy.Permit || got != (meant == policy.Permit) {
		text, _ := kube.YAML(s.Objects)
		flow, _ := json.Marshal(p)
		t.Errorf("the list says %v at %d, the objects mean %v, Cilium allows %v: %s\n%s\n%s", list, line.Seq, meant, got, flow, s.Config, text)
	}
}
