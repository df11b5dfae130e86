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
