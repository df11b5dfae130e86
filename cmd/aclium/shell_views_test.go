package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"
)

// agentThatSays answers GET requests by their path, as an agent does.
func agentThatSays(t *testing.T, answers map[string]string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, answers[r.URL.Path])
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return socket
}

// What an agent says of services, names, policers and reflexive entries comes
// through the shell as rows.
func TestNodeViewsAsJSON(t *testing.T) {
	socket := agentThatSays(t, map[string]string{
		"/healthz":      `{"node":"n1"}`,
		"/v1/policies":  `{"revision":1,"source":"ip access-list extended A\n permit tcp any any reflect R\n","policies":[]}`,
		"/v1/counters":  `[{"acl":"A","seq":10,"direction":"egress","subject":"eth0","packets":3}]`,
		"/v1/services":  `[{"name":"web","namespace":"shop","addresses":["10.96.0.10"],"ports":[{"name":"http","protocol":6,"port":80,"backends":["10.1.20.5:8080"]}]}]`,
		"/v1/names":     `[{"address":"192.0.2.9","names":[{"name":"www.example.com","expires":"2020-01-01T00:00:00Z"}]}]`,
		"/v1/policers":  `[{"name":"C","rate":8000,"burst":1500,"node":"n1","conformedPackets":3,"exceededPackets":2}]`,
		"/v1/reflexive": `[{"list":"R","source":"203.0.113.50:443","destination":"10.0.0.1:51022","protocol":6,"packets":4,"expires":"2020-01-01T00:00:00Z"}]`,
	})
	for line, want := range map[string]string{
		"show services":     `[{"service":"shop/web","port":"http","protocol":"tcp","address":"10.96.0.10:80","state":"OPERATIONAL","backends":["10.1.20.5:8080"]}]`,
		"show ip slb reals": `[{"service":"shop/web","port":"http","protocol":"tcp","address":"10.96.0.10:80","state":"OPERATIONAL","backends":["10.1.20.5:8080"]}]`,
		"show dns":          `[{"name":"www.example.com","address":"192.0.2.9","expires":"2020-01-01T00:00:00Z","ttl":0}]`,
		"show police":       `[{"name":"C","rate":8000,"burst":1500,"conformedPackets":3,"conformedBytes":0,"exceededPackets":2,"exceededBytes":0}]`,
		"show ip access-lists": `[{"acl":"A","kind":"extended","seq":10,"text":"permit tcp any any reflect R","packets":3},{"acl":"A","kind":"extended","seq":0,"text":"implicit deny","packets":0},
			{"acl":"R","kind":"reflexive","seq":0,"text":"permit tcp host 203.0.113.50 eq 443 host 10.0.0.1 eq 51022","packets":4,"timeLeft":0}]`,
	} {
		status, out, errOut := runWith(t, "shell", "--enforcer", socket, "-o", "json", "-c", line)
		var got, wanted any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(line, err)
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != statusClean || !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: status %d, %v, %s\ngot  %s\nwant %s", line, status, err, errOut, out, want)
		}
	}
	if status, _, errOut := runWith(t, "shell", "--enforcer", socket, "-o", "xml", "-c", "show clock"); status != statusTrouble || errOut == "" {
		t.Errorf("-o xml: status %d, %q", status, errOut)
	}
}
