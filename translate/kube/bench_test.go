package kube_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/kube"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// The benchmarks convert text into YAML, all steps included. They report, per
// conversion, entries: every cidr, every except, every selector and every port
// of the NetworkPolicies that come out, counted in the YAML; 0 is a refusal.
// cpu-ms is the time of all processors, garbage collection included.

// ground is what every list of the benchmarks stands on.
const ground = `object-group network WEB
 workload namespace prod label app=web
interface workload WEB
 ip access-group BENCH out
ip access-list extended BENCH
`

// network gives a random network of 10.0.0.0/8 with least to most bits.
func network(r *rand.Rand, least, most int) string {
	return networkOf(10<<24|r.Uint32()&0xffffff, least+r.IntN(most-least+1))
}

func networkOf(a uint32, bits int) string {
	wild := uint32(1)<<(32-bits) - 1
	a &^= wild
	quad := func(v uint32) string { return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255) }
	return quad(a) + " " + quad(wild)
}

func pickOne(r *rand.Rand, s ...string) string { return s[r.IntN(len(s))] }

// overlapping has networks of all lengths on a few dozen ports and ranges.
func overlapping(denies int) func(*rand.Rand, int) string {
	return func(r *rand.Rand, n int) string {
		var b strings.Builder
		b.WriteString(ground)
		for range n {
			action := "permit"
			if r.IntN(100) < denies {
				action = "deny"
			}
			protocol := pickOne(r, "tcp", "tcp", "udp", "ip")
			port := ""
			if protocol != "ip" {
				first := 1000 * (1 + r.IntN(9))
				port = pickOne(r, "", fmt.Sprintf(" eq %s", pickOne(r, "22", "25", "53", "80", "123", "443", "636", "3306", "5432", "6379", "8080", "9090")), fmt.Sprintf(" range %d %d", first, first+499))
			}
			fmt.Fprintf(&b, " %s %s %s any%s\n", action, protocol, networkOf(r.Uint32(), 4+r.IntN(29)), port)
		}
		return b.String()
	}
}

// scattered has networks of all lengths on random ports, which nobody can say
// in few words.
func scattered(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	for range n {
		protocol, port := pickOne(r, "tcp", "udp", "tcp", "ip"), ""
		if protocol != "ip" {
			port = pickOne(r, "", fmt.Sprintf(" eq %d", 1+r.IntN(1000)), fmt.Sprintf(" range %d %d", 1000+r.IntN(1000), 3000+r.IntN(30000)))
		}
		fmt.Fprintf(&b, " %s %s %s any%s\n", pickOne(r, "permit", "deny"), protocol, network(r, 12, 32), port)
	}
	return b.String()
}

// hostsAndPorts has hosts that may do everything, ports that nobody else may
// speak to, and a permit of the rest.
func hostsAndPorts(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	hosts := n * 4 / 9
	for range hosts {
		fmt.Fprintf(&b, " permit ip host 10.%d.%d.%d any\n", r.IntN(256), r.IntN(256), r.IntN(256))
	}
	for i := range n - hosts {
		fmt.Fprintf(&b, " deny tcp any any eq %d\n", 1+2*i)
	}
	b.WriteString(" permit ip any any\n")
	return b.String()
}

// portsAndHosts has them the other way round.
func portsAndHosts(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString(ground)
	hosts := n * 4 / 9
	for i := range n - hosts {
		fmt.Fprintf(&b, " deny tcp any any eq %d\n", 1+2*i)
	}
	for range hosts {
		fmt.Fprintf(&b, " permit ip host 10.%d.%d.%d any\n", r.IntN(256), r.IntN(256), r.IntN(256))
	}
	return b.String()
}

// realistic has what firewalls have: groups of hosts and small networks that
// may reach a service each, some networks denied, ping for all.
func realistic(r *rand.Rand, n int) string {
	var b strings.Builder
	for g := range n / 20 {
		fmt.Fprintf(&b, "object-group network G%d\n", g)
		for range 2 + r.IntN(20) {
			fmt.Fprintf(&b, " host 10.%d.%d.%d\n", g%16, r.IntN(64), r.IntN(256))
		}
	}
	b.WriteString(ground)
	for i := range n - 2 {
		from := pickOne(r, fmt.Sprintf("object-group G%d", r.IntN(n/20)), network(r, 24, 28), network(r, 24, 28))
		action := "permit"
		if i%10 == 0 {
			action, from = "deny", network(r, 20, 28)
		}
		fmt.Fprintf(&b, " %s tcp %s any eq %s\n", action, from, pickOne(r, "22", "80", "443", "443", "8080", "8443", "5432", "9090"))
	}
	b.WriteString(" permit icmp any any\n deny ip any any log\n")
	return b.String()
}

func BenchmarkConvert1000(b *testing.B) {
	benchConvert(b, 1000)
}

func BenchmarkConvert10000(b *testing.B) {
	benchConvert(b, 10000)
}

func benchConvert(b *testing.B, n int) {
	for _, shape := range []struct {
		name string
		text func(*rand.Rand, int) string
	}{
		{"overlapping-50%-denies", overlapping(50)},
		{"overlapping-90%-denies", overlapping(90)},
		{"scattered", scattered},
		{"hosts-then-ports", hostsAndPorts},
		{"ports-then-hosts", portsAndHosts},
		{"realistic", realistic},
	} {
		b.Run(shape.name, func(b *testing.B) {
			text := shape.text(rand.New(rand.NewPCG(1, uint64(n))), n)
			var out []byte
			before := cpuTime(b)
			for b.Loop() {
				out = convertText(b, text)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(countEntries(b, out)), "entries/op")
			b.ReportMetric(float64(len(out)), "YAML-bytes/op")
		})
	}
}

// cpuTime gives what the process has used of all processors: on a machine that
// does other things too, time passes while nothing is done here.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// convertText converts the text of a configuration into NetworkPolicies.
func convertText(t testing.TB, text string) []byte {
	t.Helper()
	c, _, err := grammar.ParseFile("bench.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	policies, _, err := translate.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	ordered, findings := translate.Order(policies, translate.OrderOptions{Target: translate.NetworkPolicy})
	if refused := translate.Refused(findings); len(ordered.Policies()) == 0 && refused == nil {
		t.Fatal("no policy and no refusal")
	}
	objects, err := kube.Encode(translate.NetworkPolicy.Name, ordered)
	if err != nil {
		t.Fatal(err)
	}
	out, err := kube.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// countEntries counts what the objects of a stream list.
func countEntries(t testing.TB, text []byte) (n int) {
	t.Helper()
	for _, doc := range strings.Split(string(text), "\n---\n") {
		var o networkingv1.NetworkPolicy
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		for _, r := range o.Spec.Ingress {
			n += len(r.Ports) + len(r.From)
			for _, p := range r.From {
				if p.IPBlock != nil {
					n += len(p.IPBlock.Except)
				}
			}
		}
	}
	return n
}
