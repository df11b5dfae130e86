package grammar

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

type (
	zoneLine struct {
		Name lexer.Token `parser:"'zone' 'security' @(ZoneName | 'default')"`
	}
	zonePairLine struct {
		Name        lexer.Token `parser:"'zone-pair' 'security' @ZonePairName"`
		Source      lexer.Token `parser:"'source' @('self' | 'default' | ZoneName)"`
		Destination lexer.Token `parser:"'destination' @('self' | 'default' | ZoneName)"`
	}
	noZonePair struct {
		Name lexer.Token `parser:"'zone-pair' 'security' @ZonePairName"`
	}
	servicePolicy struct {
		Policy lexer.Token `parser:"'service-policy' 'type' 'inspect' @PolicyName"`
	}
	noServicePolicy struct {
		Word lexer.Token `parser:"@'service-policy' ('type' 'inspect')?"`
	}
)

func (l *language) addZones() {
	add(l, both, (*line).zoneLine, ModeGlobal)
	add(l, both, (*line).zonePair, ModeGlobal)
	add(l, negated, (*line).noZonePair, ModeGlobal)
	add(l, both, (*line).servicePolicy, ModeZonePair)
	add(l, negated, (*line).noServicePolicy, ModeZonePair)
}

func (l *line) zoneLine(n *zoneLine) error {
	z := l.Config.Zone(n.Name.Value)
	switch {
	case strings.EqualFold(n.Name.Value, "self"):
		return l.semantic(at(n.Name), "Zone self is predefined")
	case l.no && z == nil:
		l.notice(l.pos, NoEffect, "there is no zone "+n.Name.Value)
		return nil
	case l.no:
		l.Config.Zones = without(l.Config.Zones, z)
		return nil
	case z == nil:
		z = &Zone{Name: n.Name.Value, Pos: at(n.Name)}
		l.Config.Zones = append(l.Config.Zones, z)
	}
	l.enter(ModeZone)
	l.zone = z
	return nil
}

func (l *line) zonePair(n *zonePairLine) error {
	if l.no {
		return l.removeZonePair(n.Name)
	}
	z := l.Config.ZonePair(n.Name.Value)
	if z == nil {
		z = &ZonePair{Name: n.Name.Value, Pos: at(n.Name), Source: name(n.Source), Destination: name(n.Destination)}
		l.Config.ZonePairs = append(l.Config.ZonePairs, z)
	} else if z.Source.Text != n.Source.Value || z.Destination.Text != n.Destination.Value {
		return l.semantic(at(n.Source), "Zone-pair "+z.Name+" already exists from "+z.Source.Text+" to "+z.Destination.Text)
	}
	l.enter(ModeZonePair)
	l.pair = z
	return nil
}

func (l *line) noZonePair(n *noZonePair) error { return l.removeZonePair(n.Name) }

func (l *line) removeZonePair(t lexer.Token) error {
	z := l.Config.ZonePair(t.Value)
	if z == nil {
		l.notice(l.pos, NoEffect, "there is no zone-pair "+t.Value)
		return nil
	}
	l.Config.ZonePairs = without(l.Config.ZonePairs, z)
	return nil
}

func (l *line) servicePolicy(n *servicePolicy) error {
	if l.no {
		return l.noPolicy(n.Policy.Value)
	}
	if old := l.pair.Policy.Text; old != "" && old != n.Policy.Value {
		l.notice(l.pos, Replaced, "takes the place of policy-map "+old)
	}
	l.pair.Policy = name(n.Policy)
	return nil
}

func (l *line) noServicePolicy(*noServicePolicy) error { return l.noPolicy("") }

func (l *line) noPolicy(policy string) error {
	if l.pair.Policy.Text == "" || policy != "" && l.pair.Policy.Text != policy {
		l.notice(l.pos, NoEffect, "the zone-pair has no such policy")
		return nil
	}
	l.pair.Policy = Name{}
	return nil
}
