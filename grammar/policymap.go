package grammar

import (
	"slices"

	"github.com/alecthomas/participle/v2/lexer"
)

type (
	policyMapLine struct {
		Name lexer.Token `parser:"'policy-map' 'type' 'inspect' @PolicyName"`
	}
	classLine struct {
		Name lexer.Token `parser:"'class' 'type' 'inspect' @ClassName"`
	}
	classDefault struct {
		Name lexer.Token `parser:"'class' @'class-default'"`
	}
	inspectLine struct {
		Word      lexer.Token `parser:"@'inspect'"`
		Parameter lexer.Token `parser:"@Word?"`
	}
	passOrDrop struct {
		Word lexer.Token `parser:"@('pass' | 'drop')"`
		Log  lexer.Token `parser:"@'log'?"`
	}
)

func (l *language) addPolicyMaps() {
	add(l, both, (*line).policyMapLine, ModeGlobal)
	add(l, both, (*line).classLine, ModePolicyMap, ModePolicyClass)
	add(l, both, (*line).classDefault, ModePolicyMap, ModePolicyClass)
	add(l, both, (*line).inspect, ModePolicyClass)
	add(l, both, (*line).passOrDrop, ModePolicyClass)
}

func (l *line) policyMapLine(n *policyMapLine) error {
	m := l.Config.PolicyMap(n.Name.Value)
	switch {
	case l.no && m == nil:
		l.notice(l.pos, NoEffect, "there is no policy-map "+n.Name.Value)
		return nil
	case l.no:
		l.Config.PolicyMaps = without(l.Config.PolicyMaps, m)
		return nil
	case m == nil:
		m = &PolicyMap{Name: n.Name.Value, Pos: at(n.Name)}
		l.Config.PolicyMaps = append(l.Config.PolicyMaps, m)
	}
	l.enter(ModePolicyMap)
	l.policyMap = m
	return nil
}

func (l *line) classLine(n *classLine) error {
	return l.policyClass(&PolicyClass{Class: name(n.Name), Pos: at(n.Name)})
}

func (l *line) classDefault(n *classDefault) error {
	return l.policyClass(&PolicyClass{Default: true, Pos: at(n.Name)})
}

func (l *line) policyClass(new *PolicyClass) error {
	classes := l.policyMap.Classes
	at := slices.IndexFunc(classes, func(c *PolicyClass) bool { return c.Default == new.Default && c.Class.Text == new.Class.Text })
	if l.no {
		return l.removeClass(at)
	}
	if at < 0 {
		at = len(classes)
		if at > 0 && classes[at-1].Default {
			at--
		}
		l.policyMap.Classes = slices.Insert(classes, at, new)
	}
	c := l.policyMap.Classes[at]
	l.enter(ModePolicyClass)
	l.class = c
	return nil
}

func (l *line) removeClass(at int) error {
	if at < 0 {
		l.notice(l.pos, NoEffect, "the policy-map has no such class")
		return nil
	}
	l.policyMap.Classes = slices.Delete(slices.Clone(l.policyMap.Classes), at, at+1)
	l.enter(ModePolicyMap)
	return nil
}

func (l *line) inspect(n *inspectLine) error {
	if l.class.Default && !l.no {
		return l.semantic(at(n.Word), "inspect is not allowed in class-default")
	}
	return l.act(Inspect, false, name(n.Parameter), at(n.Word))
}

func (l *line) passOrDrop(n *passOrDrop) error {
	action := Pass
	if n.Word.Value == "drop" {
		action = Drop
	}
	return l.act(action, n.Log.Value != "", Name{}, at(n.Word))
}

// act sets the action of the class or takes it away.
func (l *line) act(action PolicyAction, log bool, parameter Name, pos Position) error {
	c := l.class
	switch {
	case l.no && c.Action != action:
		l.notice(l.pos, NoEffect, "the class has another action")
		return nil
	case l.no:
		c.Action, c.Log, c.Parameter, c.ActionPos, c.Text = 0, false, Name{}, Position{}, ""
		return nil
	case c.Action != 0 && c.Action != action:
		l.notice(l.pos, Replaced, "takes the place of "+c.Action.String())
	}
	c.Action, c.Log, c.Parameter, c.ActionPos, c.Text = action, log, parameter, pos, l.text
	return nil
}
