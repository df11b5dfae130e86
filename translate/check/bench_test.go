package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclium/grammar"
)

// shapes are configurations with a list of n lines.
var shapes = map[string]func(r *rand.Rand, n int) string{
	"random":      randomList,
	"realistic":   realisticList,
	"overlapping": overlappingList,
}

func prefix(r *rand.Rand, least, most int) string {
	bits := least + r.IntN(most-least+1)
	host := uint32(1)<<(32-bits) - 1
	a := (10<<24 | r.Uint32()&0xffffff) &^ host
	return fmt.Sprintf("%d.%d.%d.%d %d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255, host>>24, host>>16&255, host>>8&255, host&255)
}

// randomList has lines of any protocol between random networks.
func randomList(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("ip access-list extended A\n")
	for i := range n {
		fmt.Fprintf(&b, " %d %s ", i+1, pick(r, "permit", "deny"))
		p := pick(r, "tcp", "udp", "tcp", "ip")
		fmt.Fprintf(&b, "%s %s %s", p, prefix(r, 12, 32), prefix(r, 12, 32))
		if p != "ip" {
			fmt.Fprintf(&b, "%s", pick(r, "", fmt.Sprintf(" eq %d", 1+r.IntN(1000)), fmt.Sprintf(" range %d %d", 1000+r.IntN(1000), 3000+r.IntN(30000))))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// realisticList has permits of a few ports from groups and networks to hosts,
// with the denies that people put between them, and a deny of the rest.
func realisticList(r *rand.Rand, n int) string {
	var b strings.Builder
	for g := range 200 {
		fmt.Fprintf(&b, "object-group network G%d\n", g)
		for range 5 + r.IntN(40) {
			fmt.Fprintf(&b, " host 10.%d.%d.%d\n", g%16, r.IntN(256), r.IntN(256))
		}
	}
	for g := range 50 {
		fmt.Fprintf(&b, "object-group service S%d\n tcp eq %d\n tcp eq 443\n udp eq %d\n tcp range %d %d\n", g, 80+g, 1000+g, 8000+g, 8100+g)
	}
	b.WriteString("ip access-list extended A\n")
	for i := range n - 2 {
		from := pick(r, fmt.Sprintf("object-group G%d", r.IntN(200)), prefix(r, 24, 28), "any")
		to := fmt.Sprintf("host 172.16.%d.%d", r.IntN(64), r.IntN(256))
		if r.IntN(4) == 0 {
			to = fmt.Sprintf("object-group G%d", r.IntN(200))
		}
		switch r.IntN(10) {
		case 0:
			fmt.Fprintf(&b, " %d deny ip %s %s\n", i+1, from, to)
		case 1, 2:
			fmt.Fprintf(&b, " %d permit object-group S%d %s %s\n", i+1, r.IntN(50), from, to)
		default:
			fmt.Fprintf(&b, " %d permit %s %s %s eq %d\n", i+1, pick(r, "tcp", "udp"), from, to, []int{22, 53, 80, 443, 8080, 3306, 123}[r.IntN(7)])
		}
	}
	fmt.Fprintf(&b, " %d permit icmp any any\n %d deny ip any any log\n", n-1, n)
	return b.String()
}

// overlappingList has lines that overlap nearly all others: wide networks and
// wide ranges of ports at both ends.
func overlappingList(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("ip access-list extended A\n")
	for i := range n {
		low, high := r.IntN(20000), 40000+r.IntN(25000)
		a, z := r.IntN(20000), 40000+r.IntN(25000)
		fmt.Fprintf(&b, " %d %s tcp %s range %d %d %s range %d %d\n", i+1, pick(r, "permit", "deny"), pick(r, "any", prefix(r, 8, 12)), low, high,
			pick(r, "any", prefix(r, 8, 12)), a, z)
	}
	return b.String()
}

// cpuTime gives the time that the process has spent on its processors, which
// other processes do not lengthen as they do the time on the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCheck10000 checks lists of 10,000 lines; the goal is 2 seconds.
func BenchmarkCheck10000(b *testing.B) {
	for _, shape := range []string{"random", "realistic", "overlapping"} {
		b.Run(shape, func(b *testing.B) {
			text := shapes[shape](rand.New(rand.NewPCG(1, 1)), 10000)
			start := cpuTime(b)
			for b.Loop() {
				c, notices, err := grammar.ParseFile("bench.cfg", strings.NewReader(text))
				if err != nil {
					b.Fatal(err)
				}
				findings := File(c, notices, nil)
				undecided := 0
				for _, f := range findings {
					if strings.Contains(f.Message, "budget") {
						undecided++
					}
				}
				b.ReportMetric(float64(len(findings)), "findings")
				b.ReportMetric(float64(undecided), "undecided")
			}
			b.ReportMetric((cpuTime(b)-start).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
