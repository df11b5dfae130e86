package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aclium/grammar"
)

const twoLists = `object-group network W
 workload namespace shop label app=w
ip access-list extended SP
 10 deny udp any eq 53 any
 20 permit ip any any
 30 permit icmp any any
ip access-list extended EGRESS
 permit tcp any any eq 443
ip access-list extended UNUSED
 permit ip any any
interface workload W
 ip access-group SP out
 ip access-group EGRESS in
`

func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The summary tells of every list, and where one is not exact of what is near
// and of the target to take.
func TestSummary(t *testing.T) {
	file := written(t, "in.cfg", twoLists)
	_, report, status := command("convert", "--cluster-cidr", "10.1.0.0/16", file)
	if status != statusFindings {
		t.Fatalf("status %d\n%s", status, report)
	}
	for _, want := range []string{
		`(?m)^list    on              lines  exact  narrower  refused  wider  no-effect  objects$`,
		`(?m)^SP      workload W out      3      -         -        3      -          -        -$`,
		`(?m)^EGRESS  workload W in       1      1         -        -      -          -        1$`,
		`(?m)^UNUSED  -                   1      -         -        -      -          1        -$`,
		`(?m)^SP is not exact:\n  refused, the list as a whole: line 10 cannot be left out`,
		`nearest safe alternative: with line 10 denying from every source port, -t networkpolicy takes the list`,
		`recommended: -t calico says all 3 lines exactly\n\z`,
	} {
		if !regexp.MustCompile(want).MatchString(report) {
			t.Errorf("no %s in\n%s", want, report)
		}
	}
}

// Programs get the same advice on the rows, and a row for every line of every
// list that stands somewhere, refused lists included.
func TestReportRowsOfRefusedList(t *testing.T) {
	_, report, _ := command("convert", "--report", "json", "--cluster-cidr", "10.1.0.0/16", written(t, "in.cfg", twoLists))
	var rows []row
	if err := json.Unmarshal([]byte(report), &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, w := range rows {
		if w.Seq != 0 {
			got[fmt.Sprint(w.ACL, " ", w.Seq, " ", w.State, " ", w.Recommended, " ", w.Alternative)] = true
		}
	}
	larger := "line 10 denying from every source port"
	for _, want := range []string{"SP 10 refused calico " + larger, "SP 20 refused calico " + larger, "SP 30 refused calico " + larger, "EGRESS 10 exact  "} {
		if !got[want] {
			t.Errorf("no row %q in %v", want, got)
		}
	}
}

// No line is lost: every line of a list that stands on pods has a row, for every
// target and every example.
func TestEveryLineHasARow(t *testing.T) {
	files, err := filepath.Glob("../../examples/[0-9]*/in.cfg")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := grammar.ParseFile(file, f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"networkpolicy", "cilium", "cluster-network-policy", "calico", "enforcer"} {
			_, report, _ := command("convert", "-t", target, "--report", "json", file)
			var rows []row
			if err := json.Unmarshal([]byte(report), &rows); err != nil {
				t.Fatalf("%s %s: %v\n%s", target, file, err, report)
			}
			checkRows(t, target, config, rows)
		}
	}
}

func checkRows(t *testing.T, target string, config *grammar.Config, rows []row) {
	t.Helper()
	places := map[string]bool{}
	for _, w := range rows {
		places[fmt.Sprint(w.ACL, " ", w.Seq)] = true
	}
	for _, i := range config.Interfaces {
		for _, b := range i.Bindings {
			a := config.ACL(b.ACL.Text)
			for _, e := range a.Entries {
				if e.ACE != nil && !places[fmt.Sprint(a.Name, " ", e.Seq)] {
					t.Errorf("-t %s: no row for %s", target, e.Pos)
				}
			}
		}
	}
}

// Progress is for terminals and for those who wait, and leaves nothing behind.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	watch(&b, "converting")()
	stop := tick(&b, "converting", time.Hour, time.Hour)
	stop()
	stop()
	if b.Len() > 0 {
		t.Errorf("%q before anybody waited", b.String())
	}
	var waited bytes.Buffer
	stop = tick(&waited, "converting", time.Millisecond, time.Hour)
	time.Sleep(50 * time.Millisecond)
	stop()
	if got := waited.String(); !strings.Contains(got, "converting: 0 s") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q, want the line and its end", got)
	}
}
