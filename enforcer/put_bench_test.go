package enforcer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"aclium/enforcer/client"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// BenchmarkPut changes one line of the policies over HTTP, without a kernel: what
// a push costs before it reaches the datapath.
func BenchmarkPut(b *testing.B) {
	for _, lines := range []int{10000, 100000} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			e, _ := newTest(b, "eth0")
			list := *ruleset.New(ruleset.Own, lines, policy.IPv4, 1)
			list.Subject = policy.Subject{Name: "interface eth0", Interface: "eth0"}
			desired := client.Desired{Policies: []policy.Policy{list}}
			h := e.Handler()
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				desired.Revision = e.Desired().Revision
				list.Rules[lines/2].Text = fmt.Sprintf("permit tcp any any eq %d", i)
				body, err := desired.JSON()
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/v1/policies", bytes.NewReader(body)))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
				b.ReportMetric(float64(len(body))/1e6, "MB-body")
			}
			b.StopTimer()
			parts(b, e, desired)
		})
	}
}

// parts reports the shares of a push, each measured alone.
func parts(b *testing.B, e *Enforcer, d client.Desired) {
	body, _ := json.Marshal(d)
	measure := func(name string, f func() error) {
		best := time.Hour
		for range 3 {
			start := time.Now()
			if err := f(); err != nil {
				b.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		b.ReportMetric(best.Seconds()*1000, "ms-"+name)
	}
	measure("decode", func() error { return decodeStrict(bytes.NewReader(body), &client.Desired{}) })
	measure("validate", func() error { return validatePolicies(d.Policies) })
	measure("store", func() error {
		staged, err := e.store.stage(record{Desired: d})
		if err == nil {
			staged.discard()
		}
		return err
	})
}
