package inventory

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Read reads an inventory file: CSV when the name ends in .csv or when the
// first line is a header of CSV, YAML otherwise. The error is an ErrorList with
// everything that is wrong, or says that r cannot be read.
func Read(name string, r io.Reader) (*Inventory, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read inventory %s: %w", name, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if isCSV(name, text) {
		return readCSV(name, text)
	}
	return readYAML(name, text)
}

// isCSV reports whether a file is CSV by its name, or by its first line where
// the name does not say.
func isCSV(name string, text []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return true
	case ".yaml", ".yml", ".json":
		return false
	}
	for line := range bytes.Lines(text) {
		line := strings.ToLower(strings.TrimSpace(string(line)))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(line, ",") {
			cells = append(cells, strings.Trim(c, "\" \t"))
		}
		return slices.Contains(cells, "address")
	}
	return false
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
