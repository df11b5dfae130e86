package grammar

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

type (
	workloadInterface struct {
		Name lexer.Token `parser:"'interface' 'workload' @Network"`
	}
	interfaceLine struct {
		Name   lexer.Token `parser:"'interface' @Port"`
		Number lexer.Token `parser:"@PortNumber?"`
		Link   lexer.Token `parser:"@('point-to-point' | 'multipoint')?"`
	}
	accessGroup struct {
		List      lexer.Token `parser:"'ip' 'access-group' @ListName"`
		Direction lexer.Token `parser:"@('in' | 'out')"`
	}
	noAccessGroup struct {
		Direction lexer.Token `parser:"'ip' 'access-group' @('in' | 'out')"`
	}
	trafficFilter struct {
		List      lexer.Token `parser:"'ipv6' 'traffic-filter' @IPv6Name"`
		Direction lexer.Token `parser:"@('in' | 'out')"`
	}
	noTrafficFilter struct {
		Direction lexer.Token `parser:"'ipv6' 'traffic-filter' @('in' | 'out')"`
	}
	zoneMember struct {
		Zone lexer.Token `parser:"'zone-member' 'security' @(ZoneName | 'default')"`
	}
	noZoneMember struct {
		Word lexer.Token `parser:"@'zone-member' 'security'?"`
	}
	hostPermit struct {
		Word lexer.Token `parser:"'ip' @'host-permit'"`
	}
	verifySource struct {
		Word lexer.Token `parser:"'ip' 'verify' @'source'"`
	}
)

func (l *language) addInterfaces() {
	add(l, both, (*line).workloadInterface, ModeGlobal)
	add(l, both, (*line).plainInterface, ModeGlobal)
	add(l, both, (*line).accessGroup, ModeInterface)
	add(l, negated, (*line).noAccessGroup, ModeInterface)
	add(l, both, (*line).trafficFilter, ModeInterface)
	add(l, negated, (*line).noTrafficFilter, ModeInterface)
	add(l, both, (*line).zoneMember, ModeInterface)
	add(l, negated, (*line).noZoneMember, ModeInterface)
	add(l, both, (*line).hostPermit, ModeInterface)
	add(l, both, (*line).verifySource, ModeInterface)
}

func (l *line) workloadInterface(n *workloadInterface) error {
	return l.enterInterface(Interface{Name: n.Name.Value, Workload: true, Pos: at(n.Name)})
}

func (l *line) plainInterface(n *interfaceLine) error {
	return l.enterInterface(Interface{Name: interfaceName(n.Name.Value + n.Number.Value), Pos: at(n.Name)})
}

func (l *line) enterInterface(new Interface) error {
	i := l.Config.Interface(new.key())
	switch {
	case l.no && i == nil:
		l.notice(l.pos, NoEffect, "there is no interface "+new.key())
		return nil
	case l.no:
		l.Config.Interfaces = without(l.Config.Interfaces, i)
		return nil
	case i == nil:
		i = &new
		l.Config.Interfaces = append(l.Config.Interfaces, i)
	}
	l.enter(ModeInterface)
	l.iface = i
	return nil
}

// interfaceTypes are the types whose abbreviation IOS expands.
var interfaceTypes = []string{
	"AppGigabitEthernet", "BDI", "Bundle-Ether", "Dialer", "Embedded-Service-Engine", "Ethernet", "FastEthernet", "FiftyGigE",
	"FortyGigabitEthernet", "FourHundredGigE", "GigabitEthernet", "HundredGigE", "Loopback", "Management", "Multilink", "NVE",
	"Port-channel", "Serial", "TenGigabitEthernet", "Tunnel", "TwentyFiveGigE", "TwoGigabitEthernet", "TwoHundredGigE",
	"Virtual-Template", "Vlan",
}

// interfaceName expands an abbreviated type: Gi0/0 is GigabitEthernet0/0. The
// names that Linux gives are lower case without a slash and stay as they are:
// eth0 is not Ethernet0.
func interfaceName(s string) string {
	end := strings.IndexAny(s, "0123456789")
	if end < 2 || s == strings.ToLower(s) && !strings.Contains(s, "/") {
		return s
	}
	var found []string
	for _, t := range interfaceTypes {
		if len(t) >= end && strings.EqualFold(t[:end], s[:end]) {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return s
	}
	return found[0] + s[end:]
}

func direction(t lexer.Token) Direction {
	if t.Value == "out" {
		return Outbound
	}
	return Inbound
}

func (l *line) accessGroup(n *accessGroup) error {
	list := name(n.List)
	list.Text = listNumber(n.List)
	return l.bind(Binding{ACL: list, Direction: direction(n.Direction)})
}

func (l *line) noAccessGroup(n *noAccessGroup) error {
	return l.bind(Binding{Direction: direction(n.Direction)})
}

func (l *line) trafficFilter(n *trafficFilter) error {
	return l.bind(Binding{ACL: name(n.List), IPv6: true, Direction: direction(n.Direction)})
}

func (l *line) noTrafficFilter(n *noTrafficFilter) error {
	return l.bind(Binding{IPv6: true, Direction: direction(n.Direction)})
}

// bind replaces the list of the same family and direction, or takes it away.
func (l *line) bind(b Binding) error {
	b.Pos, b.Text = l.pos, l.text
	at, found := slices.BinarySearchFunc(l.iface.Bindings, b, func(x, y Binding) int { return x.order() - y.order() })
	if l.no {
		return l.unbind(b, at, found)
	}
	if !found {
		l.iface.Bindings = slices.Insert(l.iface.Bindings, at, b)
		return nil
	}
	if old := l.iface.Bindings[at].ACL.Text; old != b.ACL.Text {
		l.notice(l.pos, Replaced, "takes the place of access-list "+old)
	}
	l.iface.Bindings[at] = b
	return nil
}

func (l *line) unbind(b Binding, at int, found bool) error {
	if !found || b.ACL.Text != "" && l.iface.Bindings[at].ACL.Text != b.ACL.Text {
		l.notice(l.pos, NoEffect, "the interface has no such list")
		return nil
	}
	l.iface.Bindings = slices.Delete(l.iface.Bindings, at, at+1)
	return nil
}

func (b Binding) order() int {
	n := int(b.Direction)
	if b.IPv6 {
		n += 2
	}
	return n
}

func (l *line) zoneMember(n *zoneMember) error {
	if l.no && n.Zone.Value != l.iface.Zone.Text {
		l.notice(l.pos, NoEffect, "the interface is not in zone "+n.Zone.Value)
		return nil
	}
	if l.no {
		l.iface.Zone = Name{}
		return nil
	}
	if strings.EqualFold(n.Zone.Value, "self") {
		return l.invalid(at(n.Zone), "zone self has no members")
	}
	if old := l.iface.Zone.Text; old != "" && old != n.Zone.Value {
		l.notice(l.pos, Replaced, "leaves zone "+old)
	}
	l.iface.Zone = name(n.Zone)
	return nil
}

func (l *line) noZoneMember(*noZoneMember) error {
	l.iface.Zone = Name{}
	return nil
}

func (l *line) hostPermit(*hostPermit) error {
	l.iface.NoHostPermit = l.no && !l.reset
	return nil
}

func (l *line) verifySource(*verifySource) error {
	l.iface.NoVerifySource = l.no && !l.reset
	return nil
}
