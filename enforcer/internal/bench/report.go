package main

import (
	"fmt"
	"io"
)

// report writes the tables of docs/performance.md.
func (b *bench) report(w io.Writer) error {
	for _, r := range b.rows() {
		if _, err := fmt.Fprintf(w, "%-6s %-6s %6d %-7s %-20s %-12s %12.1f %s\n", r.Part, r.Shape, r.Rules, r.Traffic, r.Who, r.Metric, r.Median, r.Unit); err != nil {
			return err
		}
	}
	return nil
}
