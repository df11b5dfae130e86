package enforcer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPolicersAreServed(t *testing.T) {
	e, _ := newTest(t)
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/policers", nil))
	want := `{"name":"C","rate":8000,"burst":1500,"conformedPackets":3,"conformedBytes":0,"exceededPackets":2,"exceededBytes":0}`
	if w.Code != http.StatusOK || !strings.Contains(strings.Join(strings.Fields(w.Body.String()), ""), want) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestReflectedEntriesAreServed(t *testing.T) {
	e, _ := newTest(t)
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/reflexive", nil))
	want := `{"list":"MIRROR","source":"203.0.113.50:443","destination":"10.0.0.1:51022","protocol":6,"packets":4,`
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestPolicersHaveMetrics(t *testing.T) {
	socket, _, _ := serveTest(t)
	body := scrape(t, socket)
	for _, want := range []string{
		`aclium_policed_packets_total{class="C",result="conformed"} 3`,
		`aclium_policed_packets_total{class="C",result="exceeded"} 2`,
		`aclium_policed_bytes_total{class="C",result="exceeded"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}
