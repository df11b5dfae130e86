package verify_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

// The benchmarks compare lists with the objects that they become, and report
// the lines of the list and the peers of the objects. Lists that the target
// refuses are compared with a copy that lacks one line in the middle.

const ground = `object-group network WEB
 workload namespace prod label app=web
interface workload WEB
 ip access-group BENCH out
ip access-list extended BENCH
`

func network(r *rand.Rand, least, most int) string {
	bits := least + r.IntN(most-least+1)
	wild := uint32(1)<<(32-bits) - 1
	return quad(10<<24|r.Uint32()&0xffffff&^wild) + " " + quad(wild)
}

func quad(v uint32) string { return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255) }

func oneOf(r *rand.Rand, s ...string) string { return s[r.IntN(len(s))] }

// overlapping has networks of all lengths on a few dozen ports and ranges.
func overlapping(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	for range n {
		protocol, port := oneOf(r, "tcp", "tcp", "udp", "ip"), ""
		if protocol != "ip" {
			first := 1000 * (1 + r.IntN(9))
			port = oneOf(r, "", " eq "+oneOf(r, "22", "25", "53", "80", "123", "443", "636", "3306"), fmt.Sprintf(" range %d %d", first, first+499))
		}
		fmt.Fprintf(&b, " %s %s %s any%s\n", oneOf(r, "permit", "deny"), protocol, network(r, 8, 32), port)
	}
	return b.String()
}

// scattered has networks of all lengths on random ports.
func scattered(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	for range n {
		protocol, port := oneOf(r, "tcp", "udp", "tcp", "ip"), ""
		if protocol != "ip" {
			port = oneOf(r, "", fmt.Sprintf(" eq %d", 1+r.IntN(1000)), fmt.Sprintf(" range %d %d", 1000+r.IntN(1000), 3000+r.IntN(30000)))
		}
		fmt.Fprintf(&b, " %s %s %s any%s\n", oneOf(r, "permit", "deny"), protocol, network(r, 12, 32), port)
	}
	return b.String()
}

// realistic has groups of hosts and small networks that may reach a service
// each, some networks denied, ping for all.
func realistic(r *rand.Rand, n int) string {
	var b strings.Builder
	groups := max(n/20, 1)
	for g := range groups {
		fmt.Fprintf(&b, "object-group network G%d\n", g)
		for range 2 + r.IntN(20) {
			fmt.Fprintf(&b, " host 10.%d.%d.%d\n", g%16, r.IntN(64), r.IntN(256))
		}
	}
	b.WriteString(ground)
	for i := range n - 2 {
		from := oneOf(r, fmt.Sprintf("object-group G%d", r.IntN(groups)), network(r, 24, 28), network(r, 24, 28))
		action := "permit"
		if i%10 == 0 {
			action, from = "deny", network(r, 20, 28)
		}
		fmt.Fprintf(&b, " %s tcp %s any eq %s\n", action, from, oneOf(r, "22", "80", "443", "443", "8080", "8443", "5432", "9090"))
	}
	b.WriteString(" permit icmp any any\n deny ip any any log\n")
	return b.String()
}

// hostsAndPorts has hosts that may do everything, ports that nobody else may
// speak to, and a permit of the rest.
func hostsAndPorts(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	for range n / 2 {
		fmt.Fprintf(&b, " permit ip host %s any\n", quad(10<<24|r.Uint32()&0xffffff))
	}
	for i := range n / 2 {
		fmt.Fprintf(&b, " deny tcp any any eq %d\n", 1+2*i)
	}
	b.WriteString(" permit ip any any\n")
	return b.String()
}

func BenchmarkCompare1000(b *testing.B)  { benchCompare(b, 1000) }
func BenchmarkCompare10000(b *testing.B) { benchCompare(b, 10000) }

func benchCompare(b *testing.B, n int) {
	for name, text := range map[string]func(*rand.Rand, int) string{
		"overlapping": overlapping, "scattered": scattered, "realistic": realistic, "hostsAndPorts": hostsAndPorts,
	} {
		b.Run(name, func(b *testing.B) {
			want := compiled(b, text(rand.New(rand.NewPCG(1, 2)), n))
			got, _ := translate.Order(want, translate.OrderOptions{Target: translate.NetworkPolicy})
			if len(got.Policies()) == 0 {
				short := want[0]
				short.Rules = append(append([]policy.Rule{}, short.Rules[:n/2]...), short.Rules[n/2+1:]...)
				got = policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{short}}}
			}
			b.ResetTimer()
			for range b.N {
				r, err := verify.Compare(policy.Stack{{Combine: policy.Series, Policies: want}}, got, nil, verify.Options{Blind: true, Families: policy.IPv4})
				var budget *verify.BudgetError
				if err != nil && !errors.As(err, &budget) {
					b.Fatal(err)
				}
				if len(r.Wider) > 0 && got[0].Combine == policy.Union {
					b.Fatalf("wider: %+v", r.Wider[0])
				}
				b.Log(err, len(r.Wider), len(r.Narrower))
			}
			b.ReportMetric(float64(peersOf(got)), "peers")
		})
	}
}

func peersOf(s policy.Stack) (n int) {
	for _, p := range s.Policies() {
		for i := range p.Rules {
			n += len(p.Rules[i].Match.Source.Addresses)
		}
	}
	return n
}

func compiled(t testing.TB, text string) []policy.Policy {
	t.Helper()
	c, _, err := grammar.ParseFile("bench.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	policies, _, err := translate.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return policies
}
