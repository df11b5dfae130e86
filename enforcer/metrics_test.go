package enforcer

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"aclium/translate/policy"
)

// scrape gives what /metrics answers.
func scrape(t *testing.T, socket string) string {
	t.Helper()
	status, body := request(t, socket, "GET", "/metrics", "")
	if status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	return body
}

func TestMetricsAreWellFormed(t *testing.T) {
	socket, e, m := serveTest(t)
	e.metrics.build("1.2.3")
	m.counters = []policy.Counter{{RuleID: policy.RuleID{ACL: "102", Seq: 10}, Direction: policy.Ingress, Subject: "workload \"x\"\n", Packets: 5, Bytes: 300}}
	problems, err := promlint.New(strings.NewReader(scrape(t, socket))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "aclium_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// The documentation has a row for each metric and no other, so that a name
// cannot change unnoticed.
func TestMetricsAreDocumented(t *testing.T) {
	socket, e, m := serveTest(t)
	e.metrics.build("1.2.3")
	m.counters = []policy.Counter{{RuleID: policy.RuleID{ACL: "102", Seq: 10}, Direction: policy.Ingress, Subject: "workload x"}}
	body := scrape(t, socket)
	var want []string
	for _, help := range regexp.MustCompile(`(?m)^# HELP (aclium_\S+) (.*)\n# TYPE \S+ (\S+)$`).FindAllStringSubmatch(body, -1) {
		series := regexp.MustCompile(`(?m)^` + help[1] + `(?:_bucket)?\{([^}]*)\}`).FindStringSubmatch(body)
		labels := ""
		if series != nil {
			var names []string
			for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(series[1], -1) {
				names = append(names, l[1])
			}
			labels = strings.Join(names, ", ")
		}
		want = append(want, "| `"+help[1]+"` | "+help[3]+" | "+labels+" | "+help[2]+" |")
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile("(?m)^\\| `aclium_.*$").FindAllString(string(text), -1)
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("docs/operations.md lacks\n%s", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("docs/operations.md has, and /metrics has not:\n%s", row)
		}
	}
}

// Lines beyond the limit are added up by list: no packet is left out.
func TestLineSeriesAreBounded(t *testing.T) {
	socket, e, m := serveTest(t)
	e.metrics.lineLimit = 3
	for i := range 10 {
		m.counters = append(m.counters, policy.Counter{RuleID: policy.RuleID{ACL: "102", Seq: uint32(10 * i)}, Action: policy.Permit, Direction: policy.Ingress, Subject: "eth0", Packets: 1})
	}
	body := scrape(t, socket)
	for _, want := range []string{
		`aclium_line_packets_total{acl="102",action="permit",direction="ingress",seq="20",subject="eth0"} 1`,
		`aclium_line_packets_total{acl="102",action="permit",direction="ingress",seq="all",subject="eth0"} 7`,
		`aclium_lines_without_series 7`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if n := strings.Count(body, "aclium_line_packets_total{"); n != 4 {
		t.Errorf("%d series of lines, want 4", n)
	}
}
