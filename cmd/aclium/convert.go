package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

type convertOptions struct {
	target, report, output string
	clusterCIDRs           []string
	dialect                dialectFlag
	inventory              inventoryFlag
	transit                transitFlag
	allowWider             bool
	// found are the lists in transit that some file defines.
	found map[string]bool
	// from says what the files hold; skipOthers leaves out objects that are no
	// policies.
	from       string
	skipOthers bool
}

func newConvertCommand() *cobra.Command {
	var o convertOptions
	c := &cobra.Command{
		Use:   "convert FILE...",
		Short: "Turn Cisco configuration files into policy objects, and back",
		Long: `Convert writes policy objects as YAML to stdout and a report with one row for
each line of the files to stderr. What a target cannot say exactly is narrower
or refused, and never wider unless --allow-wider is given. FILE may be - for
standard input.

With an inventory the addresses of a legacy network become the pods that stand
for them, and the lists of its interfaces those of the workloads behind them.

Files of policy objects, of whatever kind, are read as well: -t ios writes them
as access-lists, and every other target as objects of its kind.

The exit status is 0 when every line is exact, 1 when lines are narrower,
refused or not understood, and 2 when nothing could be converted.`,
		Example: `  aclium convert edge.cfg > policy.yaml
  aclium convert -t cilium --cluster-cidr 10.1.0.0/16 edge.cfg | kubectl apply -f -
  aclium convert --inventory site.yaml --transit EDGE router.cfg > policy.yaml
  kubectl get networkpolicies -A -o yaml | aclium convert -t ios -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			return o.run(files, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.target, "target", "t", translate.NetworkPolicy.Name, "kind of objects, or canonical configuration (ios, or text for the file's own dialect): "+targetNames())
	f.StringVar(&o.report, "report", "text", "form of the report on stderr: text, json or none")
	f.StringVarP(&o.output, "output", "o", "yaml", "form of the objects on stdout: yaml or json")
	f.StringArrayVar(&o.clusterCIDRs, "cluster-cidr", nil, "address range of the cluster's pods; may be given more than once")
	f.BoolVar(&o.allowWider, "allow-wider", false, "let refused lines through without the source port or ICMP code that the target cannot name, and leave out denies that it cannot say")
	f.StringVar(&o.from, "from", fromAuto, "what the files hold: cisco, policy, or auto for what they look like")
	f.BoolVar(&o.skipOthers, "skip-others", false, "leave out objects that are no policies")
	o.dialect.add(c)
	o.inventory.add(c)
	o.transit.add(c)
	return c
}

// targetNames are what -t may name.
func targetNames() string {
	var names []string
	for _, t := range translate.Targets() {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ") + ", ios or text"
}

// A row is what became of one line, in the JSON form of the report.
type row struct {
	File    string       `json:"file"`
	Line    int          `json:"line"`
	Column  int          `json:"column"`
	ACL     string       `json:"acl"`
	Seq     uint32       `json:"seq"`
	Text    string       `json:"text"`
	State   policy.State `json:"state"`
	Reason  string       `json:"reason"`
	Target  string       `json:"target"`
	Objects []string     `json:"objects"`
	// Recommended is the target that carries what is lacking here; empty when
	// nothing is or none does.
	Recommended string `json:"recommended,omitempty"`
	// Alternative is what a refused list could say for the target to take it,
	// and to permit less than it does; empty when nothing near is known.
	Alternative string `json:"alternative,omitempty"`
}

func (o *convertOptions) run(files []string, in io.Reader, out, errOut io.Writer) error {
	target, ok := translate.TargetNamed(o.target)
	if !ok && !o.textTarget() {
		return fmt.Errorf("unknown target %q, want %s", o.target, targetNames())
	}
	cidrs, err := o.prefixes()
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"text", "json", "none"}, o.report) || !slices.Contains([]string{"yaml", "json"}, o.output) {
		return fmt.Errorf("--report is text, json or none, and --output is yaml or json")
	}
	objectFiles, in, err := o.areObjects(files, in)
	switch {
	case err != nil:
		return err
	case objectFiles:
		return o.fromObjects(files, in, out, errOut, translate.OrderOptions{Target: target, ClusterCIDRs: cidrs, AllowWider: o.allowWider})
	case o.textTarget():
		return o.canonical(files, in, out, errOut)
	}
	inv, err := o.inventory.read(in)
	if err != nil {
		return err
	}
	var objects []kube.Object
	var all reporter
	o.found = map[string]bool{}
	for _, name := range files {
		r, err := o.convertFile(name, in, translate.OrderOptions{Target: target, ClusterCIDRs: cidrs, Inventory: inv, AllowWider: o.allowWider}, errOut)
		if err != nil {
			return err
		}
		objects, all.rows, all.lists = append(objects, r.objects...), append(all.rows, r.rows...), append(all.lists, r.lists...)
	}
	if err := o.transit.missing(o.found); err != nil {
		return err
	}
	// The files are one cluster's: no two objects may have one priority.
	if err := kube.Prioritize(objects); err != nil {
		return err
	}
	text, err := o.render(objects)
	if err != nil {
		return err
	}
	if err := o.writeReport(errOut, &all, o.summary(objects)); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	return verdictOf(all.rows)
}

func (o *convertOptions) prefixes() (out []netip.Prefix, err error) {
	for _, text := range o.clusterCIDRs {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--cluster-cidr %q, want an address range such as 10.1.0.0/16", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// convertFile converts one file. Mistakes in it are printed with their place.
func (c *convertOptions) convertFile(name string, in io.Reader, o translate.OrderOptions, errOut io.Writer) (*reporter, error) {
	config, notices, err := c.dialect.read(name, in)
	stop := watch(errOut, "converting "+name)
	defer stop()
	var with translate.Options
	if err == nil {
		with, err = compileOptions(config, o.Inventory, c.transit, c.found)
		o.Inventory = with.Inventory
		with.HostPolicies = o.Target.Nodes && !o.Target.Verbatim
	}
	var policies []policy.Policy
	var findings []policy.Finding
	if err == nil {
		policies, findings, err = with.Compile(config)
	}
	if err != nil {
		stop()
		return nil, printMistakes(err, errOut)
	}
	if o.Withheld, err = with.Withheld(config); err != nil {
		return nil, err
	}
	ordered, more := translate.Order(policies, o)
	objects, err := kube.Encode(o.Target.Name, ordered)
	if err != nil {
		return nil, err
	}
	r := &reporter{target: o.Target.Name, objects: objects}
	r.notices(slices.DeleteFunc(notices, func(n grammar.Notice) bool { return mapsIdentity(config, n) }))
	r.findings(findings, func(policy.Finding) (translate.Target, bool) { return translate.Target{}, false })
	if c.report == "none" { // nobody reads advice
		r.findings(more, func(policy.Finding) (translate.Target, bool) { return translate.Target{}, false })
		return r, nil
	}
	advice := translate.Advise(policies, o, more)
	r.findings(more, advice.Carrier)
	r.exact(policies, ordered.Policies())
	r.left(policies, advice)
	r.sort()
	r.summarize(config, policies, advice)
	return r, nil
}

// printMistakes prints a list of mistakes and gives the error that sums it up.
func printMistakes(err error, errOut io.Writer) error {
	var list grammar.ErrorList
	if !errors.As(err, &list) {
		return err
	}
	if err := list.Render(errOut); err != nil {
		return err
	}
	return fmt.Errorf("%d %s, nothing is converted", len(list), plural(len(list), "mistake"))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func (o *convertOptions) render(objects []kube.Object) ([]byte, error) {
	if o.output == "yaml" {
		return kube.YAML(objects)
	}
	bodies := make([]any, len(objects))
	for i := range objects {
		bodies[i] = objects[i].Body
	}
	text, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": bodies}, "", "  ")
	return append(text, '\n'), err
}

// reporter makes the rows of one file.
type reporter struct {
	target  string
	objects []kube.Object
	rows    []row
	lists   []*listSummary
}

// notices reports what the language did not take as it stands. Lines that have
// nothing to do with access control are counted, once for each kind.
func (r *reporter) notices(all []grammar.Notice) {
	states := map[grammar.State]policy.State{grammar.Unsupported: policy.Refused}
	for _, n := range all {
		state, security := states[n.State]
		if !security {
			state = policy.NoEffect
		}
		reason := n.Msg
		if n.Count > 1 {
			reason += fmt.Sprintf(" (%d lines)", n.Count)
		}
		r.rows = append(r.rows, row{
			File: n.Pos.File, Line: n.Pos.Line, Column: n.Pos.Column, Text: n.Text, State: state, Reason: n.State.String() + ": " + reason, Target: r.target,
		})
	}
}

// findings reports what is to be known of lines and lists, with the target that
// carries what is lacking.
func (r *reporter) findings(all []policy.Finding, recommend func(policy.Finding) (translate.Target, bool)) {
	for _, f := range all {
		objects := f.Objects
		if f.State != policy.Refused {
			objects = r.carrying(f.ID.ACL)
		}
		other, _ := recommend(f)
		r.rows = append(r.rows, row{
			File: f.Source.File, Line: f.Source.Line, Column: f.Source.Column, ACL: f.ID.ACL, Seq: f.ID.Seq, Text: f.Text,
			State: f.State, Reason: f.Reason, Target: r.target, Recommended: other.Name, Objects: objects,
		})
	}
}

// exact adds the lines of which nothing was said.
func (r *reporter) exact(policies, ordered []policy.Policy) {
	said := map[policy.RuleID]bool{}
	for _, w := range r.rows {
		said[policy.RuleID{ACL: w.ACL, Seq: w.Seq}] = true
	}
	for i := range policies {
		if !converted(&policies[i], ordered) {
			continue
		}
		for k := range policies[i].Rules {
			rule := &policies[i].Rules[k]
			objects := r.carrying(policies[i].ACL)
			if said[rule.ID] || rule.Uncounted || len(objects) == 0 {
				continue
			}
			said[rule.ID] = true
			r.rows = append(r.rows, row{
				File: rule.Source.File, Line: rule.Source.Line, Column: rule.Source.Column, ACL: rule.ID.ACL, Seq: rule.ID.Seq, Text: rule.Text,
				State: policy.Exact, Target: r.target, Objects: objects,
			})
		}
	}
}

// left adds the lines of refused lists of which nothing was said.
func (r *reporter) left(policies []policy.Policy, advice *translate.Advice) {
	said, refused := map[policy.RuleID]bool{}, map[string]bool{}
	for _, w := range r.rows {
		said[policy.RuleID{ACL: w.ACL, Seq: w.Seq}] = true
		refused[w.ACL] = refused[w.ACL] || w.Seq == 0 && w.State == policy.Refused
	}
	for i := range policies {
		for k := range policies[i].Rules {
			rule := &policies[i].Rules[k]
			if said[rule.ID] || rule.Uncounted || !refused[policies[i].ACL] {
				continue
			}
			said[rule.ID] = true
			r.findings([]policy.Finding{{ID: rule.ID, Source: rule.Source, Text: rule.Text, State: policy.Refused, Reason: listRefused}}, advice.Carrier)
		}
	}
}

// converted reports whether a list came through in its direction.
func converted(p *policy.Policy, ordered []policy.Policy) bool {
	return slices.ContainsFunc(ordered, func(o policy.Policy) bool {
		return o.Direction == p.Direction && slices.Contains(strings.Split(o.ACL, ", "), p.ACL)
	})
}

// carrying gives the objects that come from a list.
func (r *reporter) carrying(acl string) (out []string) {
	for i := range r.objects {
		if slices.Contains(r.objects[i].Lists, acl) {
			out = append(out, r.objects[i].ID())
		}
	}
	return out
}

func (r *reporter) sort() {
	slices.SortStableFunc(r.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
}

func (o *convertOptions) writeReport(w io.Writer, r *reporter, summary string) error {
	var b bytes.Buffer
	rows := r.rows
	switch o.report {
	case "none":
		return nil
	case "json":
		for i := range rows {
			if rows[i].Objects == nil {
				rows[i].Objects = []string{}
			}
		}
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if rows == nil {
			rows = []row{}
		}
		if err := e.Encode(rows); err != nil {
			return err
		}
	default:
		textReport(&b, rows, summary)
		writeSummary(&b, o.target, r.lists)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// summary says what was written.
func (o *convertOptions) summary(objects []kube.Object) string {
	if o.textTarget() {
		return "configuration"
	}
	return fmt.Sprintf("%d %s", len(objects), plural(len(objects), "object"))
}

func textReport(b *bytes.Buffer, rows []row, summary string) {
	counts := map[policy.State]int{}
	for _, r := range rows {
		counts[r.State]++
		fmt.Fprintf(b, "%s: %s: %s", r.place(), r.State, r.subject())
		if r.Reason != "" {
			fmt.Fprintf(b, ": %s", r.Reason)
		}
		if r.Recommended != "" {
			fmt.Fprintf(b, " (-t %s carries it)", r.Recommended)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "%s:", summary)
	for s := policy.Exact; s <= policy.Faulty; s++ {
		if counts[s] > 0 {
			fmt.Fprintf(b, " %d %s", counts[s], s)
		}
	}
	b.WriteByte('\n')
}

// place gives file:line:column, the file alone for what concerns a whole list.
func (r *row) place() string {
	if r.Line == 0 {
		return r.File
	}
	return policy.Source{File: r.File, Line: r.Line, Column: r.Column}.String()
}

// subject gives the list, the sequence number and the text, as far as they are
// known.
func (r *row) subject() string {
	words := []string{}
	if r.ACL != "" {
		words = append(words, r.ACL)
	}
	if r.Seq != 0 {
		words = append(words, strconv.FormatUint(uint64(r.Seq), 10))
	}
	if r.Text != "" {
		words = append(words, r.Text)
	}
	return strings.Join(words, " ")
}

// verdictOf gives errFindings when some line did not come through exactly.
func verdictOf(rows []row) error {
	for _, r := range rows {
		if r.State == policy.Narrower || r.State == policy.Refused || r.State == policy.Wider {
			return errFindings
		}
	}
	return nil
}
