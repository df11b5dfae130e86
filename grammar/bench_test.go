package grammar

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// mixedFile has n entries of one extended list, no two the same, in the mix of
// an edge router: hosts, subnets, groups, ports by name and by number, options,
// remarks.
func mixedFile(n int) string {
	r := rand.New(rand.NewPCG(11, 12))
	var b strings.Builder
	b.WriteString("ip access-list extended MIXED\n")
	for i := range n {
		if i%50 == 0 {
			fmt.Fprintf(&b, " remark ticket %d\n", i)
		}
		b.WriteString(" " + mixedLine(r, i) + "\n")
	}
	return b.String()
}

func mixedLine(r *rand.Rand, i int) string {
	host := fmt.Sprintf("host 10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	other := pick("any", "192.168.0.0 0.0.255.255", "172.16.4.0 0.0.3.255", "host 203.0.113.10", "object-group BACKEND")
	switch i % 10 {
	case 0, 1, 2, 3:
		return fmt.Sprintf("%s tcp %s %s eq %s%s", pick("permit", "deny"), other, host, pick("443", "www", "22", "8080"), pick("", "", " log", " established"))
	case 4, 5:
		return fmt.Sprintf("permit tcp %s gt 1023 %s range %d %d", host, other, 1000+i%100, 2000+i%100)
	case 6, 7:
		return fmt.Sprintf("%s udp %s %s eq %s", pick("permit", "deny"), host, other, pick("domain", "ntp", "snmp", "161"))
	case 8:
		return fmt.Sprintf("permit icmp %s %s%s", host, other, pick("", " echo", " echo-reply log"))
	}
	return fmt.Sprintf("%s ip %s %s%s", pick("permit", "deny"), host, other, pick("", " log", " time-range WORK", " dscp ef", " fragments"))
}

// Lines of a second and time of a line show in which way the work grows; the
// promise is 100,000 lines/s on one core (GOMAXPROCS=1).
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkParse(b, mixedFile(n), n) })
	}
}

// BenchmarkParseBackwards types the entries by number from the last to the
// first, so that every one stands in front of the others.
func BenchmarkParseBackwards(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		text := strings.Split(strings.TrimSpace(bigFile(n)), "\n")
		for i := range text[1:] {
			text[i+1] = fmt.Sprintf(" %d%s", 10*(n-i), text[i+1])
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkParse(b, strings.Join(text, "\n"), n) })
	}
}

// BenchmarkParseStandard reads a standard list of subnets and of hosts, which
// are looked for among the subnets.
func BenchmarkParseStandard(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		var text strings.Builder
		text.WriteString("ip access-list standard S\n")
		for i := range n / 2 {
			fmt.Fprintf(&text, " permit 10.%d.%d.0 0.0.0.255\n permit 11.%d.%d.1\n", i>>8&255, i&255, i>>8&255, i&255)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkParse(b, text.String(), n) })
	}
}

func benchmarkParse(b *testing.B, text string, lines int) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseFile("bench", strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	perLine := b.Elapsed().Seconds() / float64(b.N) / float64(lines)
	b.ReportMetric(1/perLine, "lines/s")
	b.ReportMetric(perLine*1e9, "ns/line")
}

// BenchmarkParsedSize gives the memory that a parsed line keeps.
func BenchmarkParsedSize(b *testing.B) {
	const lines = 100_000
	text := mixedFile(lines)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		c, _, err := ParseFile("bench", strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(c)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/lines, "bytes/line")
}

func BenchmarkPrint(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, _, err := ParseFile("bench", strings.NewReader(mixedFile(n)))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := c.Print(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
