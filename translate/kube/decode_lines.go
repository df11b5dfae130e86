package kube

import (
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// identify names the rules: by the lines that the object's annotation gives
// for them, else by the object and their place in it. The annotation counts
// only when it has as many lines as there are rules.
func (o *object) identify(rules []policy.Rule) {
	noted := o.noted()
	for i := range rules {
		rules[i].ID = policy.RuleID{ACL: o.acl(), Seq: uint32(i + 1)}
		if len(noted) == len(rules) {
			rules[i].Text = noted[i]
			if id, ok := firstLine(noted[i]); ok {
				rules[i].ID = id
			}
		}
	}
}

// noted gives the texts of the rules as the object's annotation has them.
func (o *object) noted() (out []string) {
	text := o.annotations[linesAnnotation]
	if text == "" {
		return nil
	}
	for i, line := range strings.Split(text, "\n") {
		rest, ok := strings.CutPrefix(line, strconv.Itoa(i)+": ")
		if !ok {
			return nil
		}
		out = append(out, rest)
	}
	return out
}

// firstLine reads the first line of a text such as "102 10,20; EDGE 10".
func firstLine(text string) (policy.RuleID, bool) {
	first, _, _ := strings.Cut(text, "; ")
	at := strings.LastIndexByte(first, ' ')
	if at < 0 {
		return policy.RuleID{}, false
	}
	number, _, _ := strings.Cut(first[at+1:], ",")
	seq, err := strconv.ParseUint(number, 10, 32)
	return policy.RuleID{ACL: first[:at], Seq: uint32(seq)}, err == nil
}
