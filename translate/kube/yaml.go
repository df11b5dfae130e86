package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// marshal gives what sigs.k8s.io/yaml gives for an object, which has a general
// printer read what another one wrote. Large objects are thousands of prefixes,
// so lists and plain maps are written here, and the library is asked for what
// takes thought: how a string is quoted, in what order unusual keys stand.
func marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	w := &yamlWriter{scalars: map[string]string{}}
	object, ok := tree.(map[string]any)
	if !ok || !plainKeys(object) {
		return yaml.JSONToYAML(text)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if key != "spec" {
			w.library(map[string]any{key: object[key]}, 0)
			continue
		}
		w.entry(key, object[key], 0)
	}
	if w.odd {
		return yaml.JSONToYAML(text)
	}
	return w.out.Bytes(), nil
}

type yamlWriter struct {
	out     bytes.Buffer
	scalars map[string]string
	odd     bool // something is left to the library as a whole
}

var plainKey = regexp.MustCompile(`^[A-Za-z]+$`)

// quotedKeys are keys of letters that are no words in YAML.
var quotedKeys = []string{"y", "yes", "n", "no", "on", "off", "true", "false", "null"}

func plainKeys(m map[string]any) bool {
	for k := range m {
		if !plainKey.MatchString(k) || slices.Contains(quotedKeys, strings.ToLower(k)) {
			return false
		}
	}
	return true
}

// maxLine is less than the column at which the library folds lines, which
// depends on the indent.
const maxLine = 70

// library writes a value as the library does.
func (w *yamlWriter) library(v any, indent int) {
	text, err := yaml.Marshal(v)
	w.odd = w.odd || err != nil
	for line := range strings.Lines(string(text)) {
		w.odd = w.odd || indent > 0 && indent+len(line) > maxLine
		w.out.WriteString(strings.Repeat(" ", indent))
		w.out.WriteString(line)
	}
}

// entry writes "key: value" with the key at the indent.
func (w *yamlWriter) entry(key string, v any, indent int) {
	fmt.Fprintf(&w.out, "%*s%s:", indent, "", key)
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			w.out.WriteByte('\n')
			w.fields(v, indent+2)
			return
		}
		w.out.WriteString(" {}\n")
	case []any:
		if len(v) > 0 {
			w.out.WriteByte('\n')
			w.items(v, indent)
			return
		}
		w.out.WriteString(" []\n")
	default:
		w.out.WriteString(" " + w.scalar(v) + "\n")
	}
}

func (w *yamlWriter) fields(m map[string]any, indent int) {
	if !plainKeys(m) {
		w.library(m, indent)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.entry(key, m[key], indent)
	}
}

// items writes a list: the dash takes the place of the first two blanks.
func (w *yamlWriter) items(list []any, indent int) {
	for _, v := range list {
		start := w.out.Len() + indent
		switch v := v.(type) {
		case map[string]any:
			if len(v) > 0 {
				w.fields(v, indent+2)
				w.out.Bytes()[start] = '-'
				continue
			}
		case []any:
			if len(v) > 0 {
				w.items(v, indent+2)
				w.out.Bytes()[start] = '-'
				continue
			}
		}
		fmt.Fprintf(&w.out, "%*s- %s\n", indent, "", w.scalar(v))
	}
}

// scalar gives a string, number, boolean, null or an empty list or map.
func (w *yamlWriter) scalar(v any) string {
	text, isString := v.(string)
	if !isString {
		return strings.TrimSuffix(w.plain(v), "\n")
	}
	if isPrefix(text) {
		return text
	}
	known, ok := w.scalars[text]
	if !ok {
		known = strings.TrimSuffix(w.plain(text), "\n")
		w.scalars[text] = known
	}
	return known
}

func (w *yamlWriter) plain(v any) string {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	out, err := yaml.Marshal(v)
	w.odd = w.odd || err != nil || bytes.Count(out, []byte("\n")) != 1
	return string(out)
}

// isPrefix reports text such as "10.0.0.0/8", which is never quoted.
func isPrefix(text string) bool {
	dots, slashes := 0, 0
	for _, c := range []byte(text) {
		switch {
		case c == '.' && slashes == 0:
			dots++
		case c == '/':
			slashes++
		case c < '0' || c > '9':
			return false
		}
	}
	return dots == 3 && slashes == 1 && text[0] != '.' && text[0] != '/'
}
