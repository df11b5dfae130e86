package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate/inventory"
	"aclium/translate/kube"
	"aclium/translate/policy"
	"aclium/translate/trace"
)

type traceOptions struct {
	acl, output, against string
	at                   string
	all                  bool
	source, destination  endFlag
	inventory            inventoryFlag
	dialect              dialectFlag
}

func newTraceCommand() *cobra.Command {
	var o traceOptions
	c := &cobra.Command{
		Use:   "trace FILE --acl NAME 'PACKET'",
		Short: "Walk a packet through an access-list",
		Long: `Trace tells what a list does with a packet: the verdict, the line that decides,
and why each line before it does not match. The list need not be bound. PACKET is

  ` + trace.Usage + `

with a last word "fragment" for a later fragment; a TCP packet without flags is
a SYN. Ports, ICMP types and protocols may be named. Who an address belongs to
comes from the inventory or from --source-label and the like, the moment for
time-ranges from --at. What cannot be decided from what is given is told and never guessed.

With --against, the same packet is judged by policy objects.

The exit status is 0 when there is a verdict, 1 when there is none or the
objects' verdict differs, and 2 when the packet or a file cannot be read.`,
		Example: `  aclium trace edge.cfg --acl 102 'tcp 10.0.0.9 40000 10.1.20.5 telnet'
  aclium trace edge.cfg --acl 102 'icmp 10.0.0.9 8 0 10.1.20.5' -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(args[0], args[1], c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.acl, "acl", "", "name or number of the list")
	f.StringVarP(&o.output, "output", "o", "text", "form of the verdict: text or json")
	f.StringVar(&o.against, "against", "", "file of policy objects that judge the packet, too")
	f.StringVar(&o.at, "at", "", "moment of the packet, for time-ranges: 2006-01-02 15:04 by the configuration's clock, or RFC 3339")
	f.BoolVar(&o.all, "all", false, "show every line of a long walk")
	_ = c.MarkFlagRequired("acl")
	_ = c.MarkFlagFilename("against", "yaml", "yml", "json")
	completeFormats(c)
	o.inventory.add(c)
	o.source.add(c, "source")
	o.destination.add(c, "destination")
	o.dialect.add(c)
	return c
}

// completeFormats completes -o.
func completeFormats(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// checkFormat refuses an unknown -o.
func checkFormat(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("unknown output format %q, want text or json", output)
	}
	return nil
}

// A traceRow is the JSON form of a trace.
type traceRow struct {
	Verdict  trace.Verdict `json:"verdict"`
	ACL      string        `json:"acl"`
	Seq      uint32        `json:"seq"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Text     string        `json:"text"`
	Implicit bool          `json:"implicit"`
	// Without is what is needed to decide the line.
	Without string       `json:"without,omitempty"`
	Note    string       `json:"note,omitempty"`
	Packet  packetRow    `json:"packet"`
	Walk    []stepRow    `json:"walk"`
	Against []againstRow `json:"against,omitempty"`
}

type stepRow struct {
	Seq     uint32 `json:"seq"`
	Line    int    `json:"line"`
	Text    string `json:"text"`
	Matches bool   `json:"matches"`
	Reason  string `json:"reason"`
}

// An againstRow is the verdict of policy objects in one direction.
type againstRow struct {
	Direction policy.Direction `json:"direction"`
	Verdict   policy.Action    `json:"verdict"`
	ACL       string           `json:"acl"`
	Seq       uint32           `json:"seq"`
}

func (o *traceOptions) run(file, text string, in io.Reader, out, errOut io.Writer) error {
	if err := checkFormat(o.output); err != nil {
		return err
	}
	config, _, err := o.dialect.read(file, in)
	if err != nil {
		return printMistakes(err, errOut)
	}
	inv, err := o.inventory.read(in)
	if err != nil {
		return err
	}
	with, err := compileOptions(config, inv, nil, nil)
	if err != nil {
		return printMistakes(err, errOut)
	}
	inv = with.Inventory
	p, err := o.packet(config.Dialect, text, inv, errOut)
	if err != nil {
		return err
	}
	if o.at != "" {
		if p.At, err = trace.ParseMoment(config, o.at); err != nil {
			return fmt.Errorf("--at %q: want a moment as 2006-01-02 15:04, or in the form of RFC 3339", o.at)
		}
	}
	r, err := trace.Walk(config, o.acl, statefulOf(config, o.acl), p)
	if err != nil {
		return printMistakes(err, errOut)
	}
	against, err := o.judge(&p.Packet)
	if err != nil {
		return err
	}
	if err := o.write(out, o.row(r, &p.Packet, against), r, inv, p); err != nil {
		return err
	}
	differs := len(against) > 0 && allows(against) != (r.Verdict == trace.Permit)
	if r.Verdict == trace.Undecided || differs {
		return errFindings
	}
	return nil
}

// packet reads the packet and who its ends are. A mistake is shown with a caret.
func (o *traceOptions) packet(d grammar.Dialect, text string, inv *inventory.Inventory, errOut io.Writer) (*trace.Packet, error) {
	p, err := trace.Parse(d, text)
	var mistake *grammar.Error
	if errors.As(err, &mistake) {
		fmt.Fprint(errOut, mistake.Render())
		return nil, errors.New("the packet cannot be read")
	}
	if p.SourceKnown, err = o.source.set(&p.Source, inv); err != nil {
		return nil, err
	}
	p.DestinationKnown, err = o.destination.set(&p.Destination, inv)
	return &p, err
}

// judge asks the policy objects, at both ends of the packet.
func (o *traceOptions) judge(p *policy.Packet) (rows []againstRow, err error) {
	if o.against == "" {
		return nil, nil
	}
	stack, err := decodeFile(o.against)
	if err != nil {
		return nil, err
	}
	for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
		action, id := stack.Judge(d, p)
		rows = append(rows, againstRow{d, action, id.ACL, id.Seq})
	}
	return rows, nil
}

func allows(rows []againstRow) bool {
	for _, r := range rows {
		if r.Verdict != policy.Permit {
			return false
		}
	}
	return true
}

// decodeFile reads policy objects; "-" is not for them.
func decodeFile(name string) (policy.Stack, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return kube.Decode(name, f)
}

func (o *traceOptions) row(r *trace.Result, p *policy.Packet, against []againstRow) *traceRow {
	row := &traceRow{Verdict: r.Verdict, ACL: o.acl, Implicit: r.Implicit, Note: r.Note, Packet: packetRowOf(p), Walk: []stepRow{}, Against: against}
	if s := r.Last(); s != nil {
		row.Seq, row.File, row.Line, row.Text, row.Without = s.ID.Seq, s.Source.File, s.Source.Line, s.Text, s.Without
	}
	for _, s := range r.Steps {
		row.Walk = append(row.Walk, stepRow{s.ID.Seq, s.Source.Line, s.Text, s.Mismatch == "" && s.Without == "", s.Mismatch})
	}
	return row
}

func (o *traceOptions) write(out io.Writer, row *traceRow, r *trace.Result, inv *inventory.Inventory, p *trace.Packet) error {
	var b bytes.Buffer
	if o.output == "json" {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(row); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(&b, "%s\n", describe(&p.Packet, inv))
		printWalk(&b, r, o.all)
		printVerdict(&b, row)
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write verdict: %w", err)
	}
	return nil
}

// shownSteps is how many lines of a long walk are shown at either end.
const shownSteps = 4

func printWalk(b *bytes.Buffer, r *trace.Result, all bool) {
	n := len(r.Steps)
	for i, s := range r.Steps {
		if !all && n > 2*shownSteps+1 && i >= shownSteps && i < n-shownSteps {
			if i == shownSteps {
				fmt.Fprintf(b, "  ... %d lines that do not match (--all shows them)\n", n-2*shownSteps)
			}
			continue
		}
		fmt.Fprintf(b, "  %d %s\n", s.ID.Seq, s.Text)
		switch {
		case s.Without != "":
			fmt.Fprintf(b, "      cannot be decided without %s\n", s.Without)
		case s.Mismatch != "":
			fmt.Fprintf(b, "      no: %s\n", s.Mismatch)
		default:
			fmt.Fprintf(b, "      yes\n")
		}
	}
}

func printVerdict(b *bytes.Buffer, row *traceRow) {
	switch {
	case row.Without != "":
		fmt.Fprintf(b, "%s: %s cannot be decided at line %d (%s:%d) without %s\n", row.Verdict, row.ACL, row.Seq, row.File, row.Line, row.Without)
	case !row.Implicit:
		fmt.Fprintf(b, "%s by %s line %d (%s:%d): %s\n", row.Verdict, row.ACL, row.Seq, row.File, row.Line, row.Text)
	case row.Note != "":
		fmt.Fprintf(b, "%s by %s: %s\n", row.Verdict, row.ACL, row.Note)
	default:
		fmt.Fprintf(b, "%s by %s: no line matches, and the end of the list denies\n", row.Verdict, row.ACL)
	}
	for _, a := range row.Against {
		fmt.Fprintf(b, "objects, %s: %s", a.Direction, a.Verdict)
		switch {
		case a.ACL == "":
			b.WriteString(": nothing filters there\n")
		case a.Seq == 0:
			fmt.Fprintf(b, " by %s: no rule permits it\n", a.ACL)
		default:
			fmt.Fprintf(b, " by %s line %d\n", a.ACL, a.Seq)
		}
	}
}
