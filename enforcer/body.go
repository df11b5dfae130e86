package enforcer

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
)

// maxBody bounds a request in bytes: ten times a list of 100,000 lines.
const maxBody = 512 << 20

// badBody marks a request that cannot be read.
type badBody struct{ error }

func (b badBody) Unwrap() error { return b.error }

// The forms of bodies, for whoever has sent something else.
const (
	policiesForm  = `{"revision": NUMBER, "source": TEXT, "policies": [...]}`
	endpointsForm = `[{"namespace": TEXT, "name": TEXT, "labels": {...}, "addresses": [...], "interface": TEXT}, ...]`
	servicesForm  = `[{"namespace": TEXT, "name": TEXT, "addresses": [...], "ports": [...]}, ...]`
)

// readText gives a request's body.
func readText(w http.ResponseWriter, r *http.Request, form string) ([]byte, error) {
	text, err := readAll(http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, badBody{fmt.Errorf("the body is longer than %d MiB: %w", large.Limit>>20, err)}
	case err != nil:
		return nil, badBody{fmt.Errorf("read the body: %w", err)}
	case len(bytes.TrimSpace(text)) == 0:
		return nil, badBody{fmt.Errorf("the body is empty, want %s", form)}
	}
	return text, nil
}

// readBody reads a body of one JSON value.
func readBody(w http.ResponseWriter, r *http.Request, into any, form string) error {
	text, err := readText(w, r, form)
	if err != nil {
		return err
	}
	if err := decodeStrict(bytes.NewReader(text), into); err != nil {
		return badBody{explainBody(text, err, form)}
	}
	return nil
}

// explainBody says where a body goes wrong and what was wanted there, in words
// that know nothing of Go.
func explainBody(text []byte, err error, form string) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("the body is %s, want %s", article(kind.Value), form)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: %q is %s, want %s", placeIn(text, kind.Offset), kind.Field, article(kind.Value), wordFor(kind.Type))
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: the body is no JSON: %w", placeIn(text, syntax.Offset), syntax)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the body ends in the middle of a value, want %s", placeIn(text, int64(len(text))), form)
	}
	return fmt.Errorf("read the body: %s, want %s", strings.TrimPrefix(err.Error(), "json: "), form)
}

// placeIn gives the line and the column, in bytes, of an offset.
func placeIn(text []byte, offset int64) string {
	before := text[:min(max(offset, 0), int64(len(text)))]
	return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), len(before)-1-bytes.LastIndexByte(before, '\n'))
}

// article gives a kind of JSON value as a sentence does.
func article(kind string) string {
	switch first, _, _ := strings.Cut(kind, " "); first {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "a boolean"
	}
	return "a " + kind
}

// wordFor gives the JSON value that a Go type is read from.
func wordFor(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a string"
	}
	switch k := t.Kind(); {
	case k == reflect.Pointer:
		return wordFor(t.Elem())
	case k == reflect.Struct || k == reflect.Map:
		return "an object"
	case k == reflect.Slice || k == reflect.Array:
		return "an array"
	case k >= reflect.Int && k <= reflect.Int64:
		return "a whole number"
	case k >= reflect.Uint && k <= reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-t.Bits()))
	case k == reflect.Bool:
		return "true or false"
	}
	return "a " + t.Kind().String()
}
