package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"aclium/translate/inventory"
	"aclium/translate/policy"
	"aclium/translate/trace"
	"aclium/translate/verify"
)

// A differenceRow is a packet that two sides disagree about, in its JSON form.
// ACL, Seq, File and Line are those of the configuration's deciding line; Seq 0
// is the implicit last one, and an empty ACL says that nothing filters there.
type differenceRow struct {
	packetRow
	Direction policy.Direction `json:"direction"`
	ACL       string           `json:"acl"`
	Seq       uint32           `json:"seq"`
	File      string           `json:"file"`
	Line      int              `json:"line"`
	Text      string           `json:"text"`
	// SeenSource and SeenDestination are the addresses that objects see, where
	// a pod has another one than in the lists.
	SeenSource      string `json:"seenSource,omitempty"`
	SeenDestination string `json:"seenDestination,omitempty"`
	// Other is the deciding line of the other side.
	Other lineRow `json:"other"`
}

type lineRow struct {
	ACL  string `json:"acl"`
	Seq  uint32 `json:"seq"`
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

func lineRowOf(d *verify.Decision) lineRow {
	row := lineRow{ACL: d.ID.ACL, Seq: d.ID.Seq}
	if d.Rule != nil {
		row.File, row.Line, row.Text = d.Rule.Source.File, d.Rule.Source.Line, d.Rule.Text
	}
	return row
}

func differenceRows(all []verify.Difference) []differenceRow {
	rows := []differenceRow{}
	for i := range all {
		d := &all[i]
		want := lineRowOf(&d.Want)
		row := differenceRow{
			packetRow: packetRowOf(&d.Packet), Direction: d.Direction, ACL: want.ACL, Seq: want.Seq, File: want.File, Line: want.Line, Text: want.Text,
			Other: lineRowOf(&d.Got),
		}
		if d.Seen.Source.Addr != d.Packet.Source.Addr {
			row.SeenSource = d.Seen.Source.Addr.String()
		}
		if d.Seen.Destination.Addr != d.Packet.Destination.Addr {
			row.SeenDestination = d.Seen.Destination.Addr.String()
		}
		rows = append(rows, row)
	}
	return rows
}

// printDifferences writes packets under a heading, nothing when there are none.
// The first one is walked through the lists of want that look at it.
func printDifferences(b *bytes.Buffer, heading string, all []verify.Difference, want policy.Stack, names [2]string, inv *inventory.Inventory) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "%s\n", heading)
	for i := range all {
		d := &all[i]
		fmt.Fprintf(b, "  %s (%s)\n", describe(&d.Packet, inv), d.Direction)
		if d.Seen.Source.Addr != d.Packet.Source.Addr || d.Seen.Destination.Addr != d.Packet.Destination.Addr {
			fmt.Fprintf(b, "    %s see %s\n", names[1], trace.String(&d.Seen))
		}
		fmt.Fprintf(b, "    %s: %s\n", names[0], decisionText(&d.Want))
		fmt.Fprintf(b, "    %s: %s\n", names[1], decisionText(&d.Got))
		if i == 0 {
			printPolicyWalk(b, d, want)
		}
	}
}

// decisionText says what decided a packet.
func decisionText(d *verify.Decision) string {
	switch {
	case d.ID.ACL == "":
		return fmt.Sprintf("%s: nothing filters there", d.Action)
	case d.Rule == nil || d.ID.Seq == 0 && d.Rule.Text == "":
		return fmt.Sprintf("%s: no line of %s matches", d.Action, d.ID.ACL)
	case d.Rule.Source.Line == 0:
		return fmt.Sprintf("%s by %s line %d: %s", d.Action, d.ID.ACL, d.ID.Seq, d.Rule.Text)
	}
	return fmt.Sprintf("%s by %s line %d (%s): %s", d.Action, d.ID.ACL, d.ID.Seq, d.Rule.Source, d.Rule.Text)
}

// printPolicyWalk writes the lines of the first list that decides the packet.
func printPolicyWalk(b *bytes.Buffer, d *verify.Difference, want policy.Stack) {
	subject := &d.Packet.Destination
	if d.Direction == policy.Egress {
		subject = &d.Packet.Source
	}
	for _, p := range want.Policies() {
		selected := len(p.Subject.Selectors) == 0 || p.Subject.Selects(subject)
		if p.ACL != d.Want.ID.ACL || p.Direction != d.Direction || p.Family&d.Packet.Family() == 0 || !selected {
			continue
		}
		r := &trace.Result{}
		for i := range p.Rules {
			rule := &p.Rules[i]
			why := trace.Mismatch(rule, &d.Packet)
			r.Steps = append(r.Steps, trace.Step{ID: rule.ID, Source: rule.Source, Text: rule.Text, Mismatch: why})
			if why == "" && rule.Action != policy.Next {
				break
			}
		}
		var walk bytes.Buffer
		printWalk(&walk, r, false)
		for line := range bytes.Lines(walk.Bytes()) {
			b.WriteString("    ")
			b.Write(line)
		}
		return
	}
}

func printUnproved(b *bytes.Buffer, all []policy.Finding) {
	if len(all) > 0 {
		b.WriteString("not compared, because it is not understood:\n")
	}
	for _, f := range all {
		fmt.Fprintf(b, "  %s: %s: %s\n", f.Source, f.Text, f.Reason)
	}
}

// writeJSON writes a value on its own lines.
func writeJSON(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func writeAll(out io.Writer, b *bytes.Buffer) error {
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}
