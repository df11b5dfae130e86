package main

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

type diffOptions struct {
	output    string
	inventory inventoryFlag
	ranges    rangesFlag
	family    familyFlag
	dialect   dialectFlag
	packets   int
}

func newDiffCommand() *cobra.Command {
	var o diffOptions
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what a change of configuration permits or denies newly",
		Long: `Diff compares two configurations by what they mean: each list of the same name,
bound or not, packet by packet over all packets, and what passes at the pods
and interfaces that lists are bound to. It shows packets that the change
permits or denies newly, one for each line that decides. Lines that are written
otherwise and mean the same are no difference.

The exit status is 0 when nothing changes, 1 when something does, and 2 when a
file cannot be read or the comparison is too large.`,
		Example: `  aclium diff running.cfg candidate.cfg
  aclium diff -o json running.cfg candidate.cfg`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(args[0], args[1], c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.output, "output", "o", "text", "form of the result: text or json")
	f.IntVar(&o.packets, "packets", 20, "most packets to show for each place, permitted and denied")
	completeFormats(c)
	o.inventory.add(c)
	o.ranges.add(c)
	o.family.add(c)
	o.dialect.add(c)
	return c
}

// A change is what becomes of the packets at one place.
type change struct {
	on     string
	result verify.Result
	old    policy.Stack
}

// A differ compares two sides.
type differ struct {
	old, new *side
	options  verify.Options
	inv      *inventory.Inventory
	changes  []change
	// words are what is to be known beside packets.
	words    []string
	unproved []policy.Finding
}

func (o *diffOptions) run(oldName, newName string, in io.Reader, out, errOut io.Writer) error {
	if err := checkFormat(o.output); err != nil {
		return err
	}
	families, err := o.family.family()
	if err != nil {
		return err
	}
	inv, err := o.inventory.read(in)
	if err != nil {
		return err
	}
	if inv, err = o.ranges.into(inv); err != nil {
		return err
	}
	d := &differ{inv: inv, options: verify.Options{Families: families, Witnesses: max(o.packets, 1)}}
	if d.old, err = readLists(oldName, in, o.dialect, inv, errOut); err != nil {
		return err
	}
	if d.new, err = readLists(newName, in, o.dialect, inv, errOut); err != nil {
		return err
	}
	d.inv = d.new.inventory
	if !reflect.DeepEqual(workloadsOf(d.old.inventory), workloadsOf(d.inv)) {
		d.words = append(d.words, "the identity maps differ: addresses are those of the new configuration's workloads")
	}
	if err := d.run(); err != nil {
		return err
	}
	if err := o.write(out, d); err != nil {
		return err
	}
	if len(d.changes)+len(d.words)+len(d.unproved) > 0 {
		return errFindings
	}
	return nil
}

// readLists reads a configuration of any dialect. Those that are not
// translated have lists and no policies.
func readLists(name string, in io.Reader, dialect dialectFlag, inv *inventory.Inventory, errOut io.Writer) (*side, error) {
	config, _, err := dialect.read(name, in)
	if err != nil {
		return nil, printMistakes(err, errOut)
	}
	with, err := compileOptions(config, inv, nil, nil)
	if err != nil {
		return nil, printMistakes(err, errOut)
	}
	s := &side{config: config, inventory: with.Inventory}
	if config.Dialect != grammar.IOS && config.Dialect != grammar.ASA {
		return s, nil
	}
	s.policies, _, err = with.Compile(config)
	if err != nil {
		return nil, printMistakes(err, errOut)
	}
	withheld, err := with.Withheld(config)
	if err != nil {
		return nil, err
	}
	for _, p := range withheld {
		s.unproved = append(s.unproved, policy.Finding{ID: policy.RuleID{ACL: p.ACL}, Source: policy.Source{File: name}, Text: "access-list " + p.ACL + " on " + p.Subject.Name, Reason: "the list is not understood as a whole"})
	}
	return s, nil
}

// workloadsOf gives who has which address, without the places that say so.
func workloadsOf(inv *inventory.Inventory) (out []inventory.Workload) {
	if inv == nil {
		return nil
	}
	for _, w := range inv.Workloads {
		w.Source = policy.Source{}
		out = append(out, w)
	}
	return out
}

func (d *differ) run() error {
	for _, a := range d.old.config.ACLs {
		if d.new.config.ACL(a.Name) == nil {
			d.words = append(d.words, fmt.Sprintf("access-list %s is only in the old configuration (%s)", a.Name, a.Pos))
			continue
		}
		if err := d.list(a.Name); err != nil {
			return err
		}
	}
	for _, a := range d.new.config.ACLs {
		if d.old.config.ACL(a.Name) == nil {
			d.words = append(d.words, fmt.Sprintf("access-list %s is only in the new configuration (%s)", a.Name, a.Pos))
		}
	}
	if err := d.interfaces(); err != nil {
		return err
	}
	d.unproved = slices.Concat(d.unproved, d.old.unproved, d.new.unproved)
	old, now := d.old.stack(), d.new.stack()
	r, err := verify.Compare(old, now, d.inv, d.options)
	if err != nil {
		return err
	}
	d.add("pods", r, old)
	return nil
}

func (d *differ) add(on string, r verify.Result, old policy.Stack) {
	if !r.Equal {
		d.changes = append(d.changes, change{on, r, old})
	}
}

// list compares a list with its old self.
func (d *differ) list(name string) error {
	if sameLines(d.old.config.ACL(name), d.new.config.ACL(name)) && samePrint(d.old.config, d.new.config) {
		return nil
	}
	var both [2]policy.Policy
	complete := true
	for i, s := range []*side{d.old, d.new} {
		p, findings, ok, err := translate.List(s.config, name)
		if err != nil {
			return err
		}
		for _, f := range findings {
			if f.State == policy.Refused {
				d.unproved = append(d.unproved, f)
			}
		}
		both[i], complete = p, complete && ok
	}
	if !complete {
		return nil
	}
	return d.compareLists("access-list "+name, both[0], both[1])
}

// sameLines reports whether two lists are written alike.
func sameLines(a, b *grammar.ACL) bool {
	line := func(e *grammar.Entry) string {
		if e.ACE == nil {
			return ""
		}
		return e.ACE.String()
	}
	return slices.EqualFunc(a.Entries, b.Entries, func(x, y *grammar.Entry) bool { return line(x) == line(y) })
}

// samePrint reports whether two configurations are the same text, so that
// every name in them means the same.
func samePrint(a, b *grammar.Config) bool {
	var x, y bytes.Buffer
	return a.Print(&x) == nil && b.Print(&y) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func (d *differ) compareLists(on string, old, now policy.Policy) error {
	r, err := verify.CompareLists(&old, &now, d.inv, d.options)
	if err != nil {
		return err
	}
	d.add(on, r, policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{old}}})
	return nil
}

// A place is where a list stands on a node.
type place struct {
	name      string
	direction policy.Direction
	family    policy.Family
}

func (p place) String() string { return fmt.Sprintf("interface %s %s", p.name, p.direction) }

// interfaces compares the places on nodes where another list stands than
// before; a list of the same name is compared by its name.
func (d *differ) interfaces() error {
	old, now := d.old.places(), d.new.places()
	var all []place
	for _, s := range []*side{d.old, d.new} {
		for _, p := range s.policies {
			at := place{p.Subject.Interface, p.Direction, p.Family}
			if at.name != "" && !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	for _, at := range all {
		a, b := old[at], now[at]
		if a.ACL == b.ACL {
			continue
		}
		for _, p := range []*policy.Policy{&a, &b} {
			if p.ACL == "" {
				*p = policy.Policy{Direction: policy.Ingress}
			}
		}
		if err := d.compareLists(at.String(), a, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) places() map[place]policy.Policy {
	out := map[place]policy.Policy{}
	for _, p := range s.policies {
		if p.Subject.Interface != "" {
			out[place{p.Subject.Interface, p.Direction, p.Family}] = p
		}
	}
	return out
}

// A changeRow is a packet in the JSON form of a diff: ACL and Seq are those of
// the new deciding line.
type changeRow struct {
	differenceRow
	// On is the place: "access-list NAME", "interface NAME ingress" or "pods".
	On string `json:"on"`
}

func changeRows(on string, all []verify.Difference) (rows []changeRow) {
	turned := slices.Clone(all)
	for i := range turned {
		turned[i].Want, turned[i].Got = turned[i].Got, turned[i].Want
	}
	for _, r := range differenceRows(turned) {
		rows = append(rows, changeRow{r, on})
	}
	return rows
}

func (o *diffOptions) write(out io.Writer, d *differ) error {
	var b bytes.Buffer
	if o.output == "json" {
		permitted, denied, undecided := []changeRow{}, []changeRow{}, []changeRow{}
		for _, c := range d.changes {
			permitted = append(permitted, changeRows(c.on, c.result.Wider)...)
			denied = append(denied, changeRows(c.on, c.result.Narrower)...)
			undecided = append(undecided, changeRows(c.on, c.result.Undecided)...)
		}
		err := writeJSON(&b, map[string]any{
			"newlyPermitted": permitted, "newlyDenied": denied, "undecided": undecided,
			"notes": append([]string{}, d.words...), "unproved": unprovedRows(d.unproved),
		})
		if err != nil {
			return err
		}
		return writeAll(out, &b)
	}
	names := [2]string{"old", "new"}
	for _, w := range d.words {
		fmt.Fprintln(&b, w)
	}
	for _, c := range d.changes {
		printDifferences(&b, c.on+": newly permitted", c.result.Wider, c.old, names, d.inv)
		printDifferences(&b, c.on+": newly denied", c.result.Narrower, c.old, names, d.inv)
		printDifferences(&b, c.on+": regular expressions that may be the same", c.result.Undecided, c.old, names, d.inv)
		if c.result.More {
			fmt.Fprintf(&b, "%s: there are more lines that differ: --packets shows more\n", c.on)
		}
	}
	printUnproved(&b, d.unproved)
	return writeAll(out, &b)
}
