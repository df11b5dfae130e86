package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// The words of --from.
const (
	fromAuto   = "auto"
	fromCisco  = "cisco"
	fromPolicy = "policy"
)

// leadIn are the lines that may stand before the first object of a stream.
var leadIn = regexp.MustCompile(`^(?:\s+|#[^\n]*\n|---[^\n]*\n|%[^\n]*\n)+`)

// objectStart is how a document with an object begins, or goes on.
var objectStart = regexp.MustCompile(`(?m)\A[{\[]|^"?apiVersion"?[ \t]*:`)

// looksLikeObjects reports whether a text holds objects of a cluster.
func looksLikeObjects(text []byte) bool {
	return objectStart.Match(leadIn.ReplaceAll(text, nil))
}

// areObjects reports whether the files hold policy objects; all of them do or
// none. It gives standard input back where it had to look into it.
func (o *convertOptions) areObjects(files []string, in io.Reader) (bool, io.Reader, error) {
	if !slices.Contains([]string{fromAuto, fromCisco, fromPolicy}, o.from) {
		return false, in, fmt.Errorf("unknown --from %q, want auto, cisco or policy", o.from)
	}
	if o.from != fromAuto {
		return o.from == fromPolicy, in, nil
	}
	objects := 0
	for _, name := range files {
		var text []byte
		var err error
		if name == "-" {
			text, err = io.ReadAll(in)
			in = bytes.NewReader(text)
		} else {
			text, err = os.ReadFile(name)
		}
		if err != nil {
			return false, in, err
		}
		if looksLikeObjects(text) {
			objects++
		}
	}
	if objects > 0 && objects < len(files) {
		return false, in, fmt.Errorf("some of the files are configuration and some are policy objects: convert them apart")
	}
	return objects > 0, in, nil
}

// decodeObjects reads the policy objects of all files, which are one
// cluster's. Mistakes are printed with their place.
func (o *convertOptions) decodeObjects(files []string, in io.Reader, errOut io.Writer) (policy.Stack, error) {
	d := kube.Decoder{SkipForeign: o.skipOthers}
	bad := 0
	for _, name := range files {
		if err := readObjects(&d, name, in); err != nil {
			bad++
			fmt.Fprintln(errOut, err)
		}
	}
	if bad > 0 {
		return nil, fmt.Errorf("%d %s of policy objects cannot be read, nothing is converted", bad, plural(bad, "file"))
	}
	return d.Stack()
}

func readObjects(d *kube.Decoder, name string, in io.Reader) error {
	if name == "-" {
		return d.Read("stdin", in)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.Read(name, f)
}

// fromObjects converts policy objects: into configuration, or by way of
// configuration into objects of another kind.
func (o *convertOptions) fromObjects(files []string, in io.Reader, out, errOut io.Writer, order translate.OrderOptions) error {
	if o.textTarget() && o.output != "yaml" {
		return fmt.Errorf("-t %s writes configuration, and -o has no say in it", o.target)
	}
	if o.inventory != "" || len(o.transit) > 0 {
		return fmt.Errorf("--inventory and --transit are about configuration, and the files hold policy objects")
	}
	stack, err := o.decodeObjects(files, in, errOut)
	if err != nil {
		return err
	}
	config, findings, err := translate.Decompile(stack)
	if err != nil {
		return err
	}
	r := reporter{target: o.target}
	r.findings(findings, func(policy.Finding) (translate.Target, bool) { return translate.Target{}, false })
	var text bytes.Buffer
	if o.textTarget() {
		r.exactRules(stack, findings)
		err = config.Print(&text)
	} else {
		lists, said, bad := translate.Compile(config)
		if bad != nil {
			return printMistakes(bad, errOut)
		}
		order.Withheld = withheld(stack, findings)
		var objects []byte
		objects, err = o.objectsOf(&r, lists, said, order)
		text.Write(objects)
	}
	if err != nil {
		return err
	}
	r.sort()
	if err := o.writeReport(errOut, &r, o.summary(r.objects)); err != nil {
		return err
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return verdictOf(r.rows)
}

// objectsOf encodes lists and reports what became of them.
func (o *convertOptions) objectsOf(r *reporter, lists []policy.Policy, said []policy.Finding, order translate.OrderOptions) (text []byte, err error) {
	ordered, more := translate.Order(lists, order)
	if r.objects, err = kube.Encode(order.Target.Name, ordered); err != nil {
		return nil, err
	}
	if err := kube.Prioritize(r.objects); err != nil {
		return nil, err
	}
	r.findings(said, func(policy.Finding) (translate.Target, bool) { return translate.Target{}, false })
	more = slices.DeleteFunc(more, func(f policy.Finding) bool {
		// Objects track connections before and after.
		return f.State == policy.NoEffect && f.ID.Seq == 0
	})
	advice := translate.Advise(lists, order, more)
	r.findings(more, advice.Carrier)
	r.exact(lists, ordered.Policies())
	r.left(lists, advice)
	r.summarize(nil, lists, advice)
	return o.render(r.objects)
}

// withheld gives the policies that have no list, without their rules: no other
// list on their pods may be converted alone.
func withheld(s policy.Stack, findings []policy.Finding) (out []policy.Policy) {
	for _, p := range s.Policies() {
		if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.ID == policy.RuleID{ACL: p.ACL} && f.State == policy.Refused }) {
			p.Rules = nil
			out = append(out, p)
		}
	}
	return out
}

// exactRules adds the rules of objects of which nothing was said.
func (r *reporter) exactRules(s policy.Stack, findings []policy.Finding) {
	said := map[policy.Source]bool{}
	refused := map[string]bool{}
	for _, f := range findings {
		said[f.Source] = true
		if f.ID.Seq == 0 {
			refused[f.ID.ACL] = true
		}
	}
	for _, p := range s.Policies() {
		for i := range p.Rules {
			rule := &p.Rules[i]
			if said[rule.Source] || refused[p.ACL] || rule.Uncounted {
				continue
			}
			said[rule.Source] = rule.Source != policy.Source{}
			r.rows = append(r.rows, row{
				File: rule.Source.File, Line: rule.Source.Line, Column: rule.Source.Column, ACL: rule.ID.ACL, Seq: rule.ID.Seq, Text: rule.Text,
				State: policy.Exact, Target: r.target,
			})
		}
	}
}
