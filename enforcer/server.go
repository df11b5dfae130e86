package enforcer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/translate/policy"
)

// Handler gives the agent's HTTP interface. Errors are JSON: {"error": "..."}.
func (e *Enforcer) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, methods := range map[string]methods{
		"/v1/policies":  {http.MethodGet: e.getPolicies, http.MethodPut: e.putPolicies},
		"/v1/endpoints": {http.MethodGet: e.getEndpoints, http.MethodPut: e.putEndpoints},
		"/v1/services":  {http.MethodGet: e.getServices, http.MethodPut: e.putServices},
		"/v1/counters":  {http.MethodGet: e.getCounters, http.MethodDelete: e.deleteCounters},
		"/v1/names":     {http.MethodGet: e.getNames},
		"/v1/drops":     {http.MethodGet: e.getDrops},
		"/v1/policers":  {http.MethodGet: e.getPolicers},
		"/v1/reflexive": {http.MethodGet: e.getReflected},
		"/v1/events":    {http.MethodGet: e.getEvents},
		"/v1/log":       {http.MethodGet: e.getLog},
		"/healthz":      {http.MethodGet: e.getHealth},
	} {
		mux.Handle(path, methods)
	}
	mux.Handle("GET /metrics", e.metrics.handler())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, http.StatusNotFound, fmt.Errorf("there is no %s here", r.URL.Path))
	})
	return mux
}

// methods serves one path.
type methods map[string]func(http.ResponseWriter, *http.Request) error

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, known := m[r.Method]
	if !known {
		allowed := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
		w.Header().Set("Allow", allowed)
		answerError(w, http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s, not %s", r.URL.Path, allowed, r.Method))
		return
	}
	if err := serve(w, r); err != nil {
		answerError(w, statusOf(err), err)
	}
}

func (e *Enforcer) getPolicies(w http.ResponseWriter, _ *http.Request) error {
	b, err := e.Desired().JSON()
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, b)
	return nil
}

// putPolicies wants every field to be there: a body that forgot its policies
// must not take all filters off.
func (e *Enforcer) putPolicies(w http.ResponseWriter, r *http.Request) error {
	text, err := readText(w, r, policiesForm)
	if err != nil {
		return err
	}
	body, policies, err := e.rules.decode(text)
	if err != nil {
		return badBody{explainBody(text, err, policiesForm)}
	}
	switch {
	case body.Revision == nil:
		return refuse("the body has no revision, want that of the policies in force (GET /v1/policies), as in %s", policiesForm)
	case body.Policies == nil:
		return refuse("the body has no policies, want an array, [] for none, as in %s", policiesForm)
	}
	revision, err := e.put(client.Desired{Revision: *body.Revision, Source: body.Source, Policies: *body.Policies, Logging: body.Logging}, policies)
	if err != nil && !isUnfinished(err) {
		return err
	}
	e.log.Info("policies replaced", "revision", revision, "policies", len(*body.Policies))
	return e.answerChange(w, map[string]any{"revision": revision}, err)
}

// readAll reads a body whose length is known, or -1. Growing with what comes
// in would copy it several times.
func readAll(r io.Reader, length int64) ([]byte, error) {
	const believed = 64 << 20 // bytes; a length is only a promise
	var b bytes.Buffer
	b.Grow(int(min(max(length, 0), believed)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func (e *Enforcer) getEndpoints(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, orEmpty(e.Endpoints()))
}

func (e *Enforcer) putEndpoints(w http.ResponseWriter, r *http.Request) error {
	var endpoints []client.Endpoint
	if err := readBody(w, r, &endpoints, endpointsForm); err != nil {
		return err
	}
	if endpoints == nil {
		return refuse("the body is null, want %s, [] for none", endpointsForm)
	}
	err := e.PutEndpoints(endpoints)
	if err != nil && !isUnfinished(err) {
		return err
	}
	e.log.Info("endpoints replaced", "endpoints", len(endpoints))
	return e.answerChange(w, nil, err)
}

func (e *Enforcer) getServices(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, orEmpty(e.Services()))
}

func (e *Enforcer) putServices(w http.ResponseWriter, r *http.Request) error {
	var services []client.Service
	if err := readBody(w, r, &services, servicesForm); err != nil {
		return err
	}
	if services == nil {
		return refuse("the body is null, want %s, [] for none", servicesForm)
	}
	err := e.PutServices(services)
	if err != nil && !isUnfinished(err) {
		return err
	}
	e.log.Info("services replaced", "services", len(services))
	return e.answerChange(w, nil, err)
}

func (e *Enforcer) getCounters(w http.ResponseWriter, _ *http.Request) error {
	counters, err := e.Counters()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, orEmpty(counters))
}

// answerChange answers to a change that is in force: with what it left undone,
// if there is something.
func (e *Enforcer) answerChange(w http.ResponseWriter, body map[string]any, left error) error {
	if left != nil {
		e.log.Error("the change is enforced, what follows it is not done", "error", left)
		if body == nil {
			body = map[string]any{}
		}
		body["unfinished"] = left.Error()
	}
	if body == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return answer(w, http.StatusOK, body)
}

// deleteCounters clears the counters of ?acl=NAME, or all of them. Any other
// query is refused, so that a misspelt one does not clear everything.
func (e *Enforcer) deleteCounters(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	acl := query.Get("acl")
	if (len(query) > 0 && acl == "") || len(query) > 1 || len(query["acl"]) > 1 {
		return refuse("counters are cleared by ?acl=NAME, or all of them without a query")
	}
	if err := e.datapath.Clear(acl); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (e *Enforcer) getDrops(w http.ResponseWriter, _ *http.Request) error {
	drops, err := e.datapath.Drops()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, orEmpty(drops))
}

func (e *Enforcer) getPolicers(w http.ResponseWriter, _ *http.Request) error {
	policers, err := e.datapath.Policers()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, orEmpty(policers))
}

func (e *Enforcer) getReflected(w http.ResponseWriter, _ *http.Request) error {
	entries, err := e.datapath.Reflected()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, orEmpty(entries))
}

func (e *Enforcer) getNames(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, e.names.list())
}

// getEvents sends one JSON object per line until the reader goes away, or one
// message in IOS's words for ?format=ios and Accept: text/plain.
func (e *Enforcer) getEvents(w http.ResponseWriter, r *http.Request) error {
	write, contentType, err := eventFormat(w, r)
	if err != nil {
		return err
	}
	events, end := e.events.subscribe()
	defer end()
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	for {
		if err := flush.Flush(); err != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case event := <-events:
			if write(event) != nil {
				return nil
			}
		}
	}
}

// getLog sends the newest events, oldest first.
func (e *Enforcer) getLog(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, orEmpty(e.events.newest()))
}

// eventFormat gives the writer that the reader asks for, and its content type.
func eventFormat(w io.Writer, r *http.Request) (write func(policy.Event) error, contentType string, err error) {
	format := r.URL.Query().Get("format")
	if format == "" && strings.HasPrefix(r.Header.Get("Accept"), "text/plain") {
		format = "ios"
	}
	switch format {
	case "ios":
		return func(e policy.Event) error {
			_, err := fmt.Fprintln(w, e.Syslog())
			return err
		}, "text/plain; charset=utf-8", nil
	case "", "json":
		out := json.NewEncoder(w)
		return func(e policy.Event) error { return out.Encode(e) }, "application/x-ndjson", nil
	}
	return nil, "", refuse("format %q: want json or ios", format)
}

func (e *Enforcer) getHealth(w http.ResponseWriter, _ *http.Request) error {
	h := e.Health()
	status := http.StatusOK
	if h.Error != "" || h.Unfinished != "" {
		status = http.StatusServiceUnavailable
	}
	return answer(w, status, h)
}

// decodeStrict reads exactly one JSON value that has no field unknown to us.
func decodeStrict(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, client.ErrConflict):
		return http.StatusConflict
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, new(badBody)):
		return http.StatusBadRequest
	case errors.As(err, new(refused)), errors.As(err, new(*datapath.Refused)):
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

func answer(w http.ResponseWriter, status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answerJSON(w, status, b)
	return nil
}

func answerJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

func answerError(w http.ResponseWriter, status int, err error) {
	_ = answer(w, status, map[string]string{"error": err.Error()})
}

// orEmpty keeps an empty array from becoming null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
