package grammar

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

type (
	networkGroupLine struct {
		Name lexer.Token `parser:"'object-group' 'network' @Network"`
	}
	networkGroup6Line struct {
		Name lexer.Token `parser:"'object-group' 'v6-network' @Network6"`
	}
	serviceGroupLine struct {
		Name lexer.Token `parser:"'object-group' 'service' @Services"`
	}
	// networkMember is a line of a network group; an address has a netmask
	// here, where an ACE has a wildcard mask.
	networkMember struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' (Address | HostName) | 'range' Address Address | 'group-object' Network | Address (Netmask | Length) | AddressLength )"`
	}
	network6Member struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' (Address6 | HostName) | 'group-object' Network6 | Prefix6 )"`
	}
	// identityMember is a member by identity, of either family.
	identityMember struct {
		Words []lexer.Token `parser:"@( 'entity' ('world' | 'cluster' | 'host' | 'remote-node' | 'kube-apiserver') | 'fqdn' Pattern )"`
	}
	workloadMember struct {
		Word      lexer.Token  `parser:"@'workload'"`
		Namespace lexer.Token  `parser:"('namespace' @Namespace)?"`
		Labels    []*labelTerm `parser:"@@*"`
	}
	labelTerm struct {
		Term   lexer.Token `parser:"'label' @Label"`
		Op     lexer.Token `parser:"( @('in' | 'notin')"`
		Values lexer.Token `parser:"  @LabelValues )?"`
	}
	serviceMember struct {
		Group    lexer.Token   `parser:"  'group-object' @Services"`
		TCP      *tcpService   `parser:"| @@"`
		UDP      *udpService   `parser:"| @@"`
		Both     *bothService  `parser:"| @@"`
		ICMP     []lexer.Token `parser:"| @( 'icmp' ( ICMPName | ICMPNumber ICMPCode? )? )"`
		Protocol lexer.Token   `parser:"| @Protocol"`
	}
	tcpService struct {
		Protocol    lexer.Token `parser:"@'tcp'"`
		Source      *tcpSpec    `parser:"('source' @@)?"`
		Destination *tcpSpec    `parser:"@@?"`
	}
	udpService struct {
		Protocol    lexer.Token `parser:"@'udp'"`
		Source      *udpSpec    `parser:"('source' @@)?"`
		Destination *udpSpec    `parser:"@@?"`
	}
	bothService struct {
		Protocol    lexer.Token `parser:"@'tcp-udp'"`
		Source      *bothSpec   `parser:"('source' @@)?"`
		Destination *bothSpec   `parser:"@@?"`
	}
	tcpSpec struct {
		Words []lexer.Token `parser:"@( 'eq'? TCPPort | ('lt' | 'gt') TCPPort | 'range' TCPPort TCPPort )"`
	}
	udpSpec struct {
		Words []lexer.Token `parser:"@( 'eq'? UDPPort | ('lt' | 'gt') UDPPort | 'range' UDPPort UDPPort )"`
	}
	bothSpec struct {
		Words []lexer.Token `parser:"@( 'eq'? BothPort | ('lt' | 'gt') BothPort | 'range' BothPort BothPort )"`
	}
	descriptionLine struct {
		Text lexer.Token `parser:"'description' @Text"`
	}
	noDescription struct {
		Word lexer.Token `parser:"@'description'"`
	}
)

func (l *language) addObjectGroups() {
	add(l, both, (*line).networkGroup, ModeGlobal)
	add(l, both, (*line).networkGroup6, ModeGlobal)
	add(l, both, (*line).serviceGroup, ModeGlobal)
	add(l, both, (*line).networkMember, ModeNetworkGroup)
	add(l, both, (*line).network6Member, ModeNetworkGroup6)
	add(l, both, (*line).identityMember, ModeNetworkGroup, ModeNetworkGroup6)
	add(l, both, (*line).workloadMember, ModeNetworkGroup, ModeNetworkGroup6)
	add(l, both, (*line).serviceMember, ModeServiceGroup)
	described := []Mode{ModeNetworkGroup, ModeNetworkGroup6, ModeServiceGroup, ModeInterface, ModeZone, ModeZonePair, ModeClassMap, ModePolicyMap}
	add(l, both, (*line).setDescription, described...)
	add(l, negated, (*line).noDescription, described...)
}

func (l *line) networkGroup(n *networkGroupLine) error {
	return l.objectGroup(n.Name, NetworkGroup, ModeNetworkGroup)
}

func (l *line) networkGroup6(n *networkGroup6Line) error {
	return l.objectGroup(n.Name, NetworkGroup6, ModeNetworkGroup6)
}

func (l *line) serviceGroup(n *serviceGroupLine) error {
	return l.objectGroup(n.Name, ServiceGroup, ModeServiceGroup)
}

// maxGroupName is the length of an object-group's name in IOS.
const maxGroupName = 64

func (l *line) objectGroup(t lexer.Token, kind GroupKind, mode Mode) error {
	g := l.Config.ObjectGroup(t.Value)
	switch {
	case g != nil && g.Kind != kind:
		return l.semantic(at(t), fmt.Sprintf("An object-group with the name %s and another type already exists", t.Value))
	case l.no && g == nil:
		l.notice(l.pos, NoEffect, "there is no object-group "+t.Value)
		return nil
	case l.no:
		if err := l.mayRemove(g, "deleted"); err != nil {
			return err
		}
		l.Config.ObjectGroups = without(l.Config.ObjectGroups, g)
		return nil
	case g == nil && len(t.Value) > maxGroupName:
		return l.invalid(at(t), "a name has at most 64 characters")
	case g == nil && !l.file && l.Config.nests(t.Value, kind) != nil:
		return l.semantic(at(t), fmt.Sprintf("An object-group of another type holds %s already", t.Value))
	case g == nil:
		g = &ObjectGroup{Kind: kind, Dialect: l.Config.Dialect, Name: t.Value, Pos: at(t)}
		l.Config.ObjectGroups = append(l.Config.ObjectGroups, g)
	}
	l.enter(mode)
	l.group = g
	return nil
}

func (l *line) networkMember(n *networkMember) error {
	m := &Member{Pos: at(n.Words[0])}
	words := n.Words
	switch words[0].Value {
	case "any":
		m.Kind = AnyMember
	case "host":
		l.host(m, words[1])
	case "range":
		m.Kind = RangeMember
		m.First, m.Last = hostAddress(words[1]).Addr, hostAddress(words[2]).Addr
		l.ascend(m)
	case "group-object":
		return l.groupMember(words[1])
	default:
		l.subnet(m, words)
	}
	return l.member(m)
}

// host reads an address or a name, which IOS would resolve when it is typed.
func (l *line) host(m *Member, t lexer.Token) {
	if classOf(t).name == "HostName" {
		m.Kind, m.Word = NameMember, name(t)
		m.Word.Text = lowerCase(m.Word.Text)
		return
	}
	m.Kind, m.First = HostMember, hostAddress(t).Addr
}

func (l *line) ascend(m *Member) {
	if m.Last.Less(m.First) {
		m.First, m.Last = m.Last, m.First
		l.notice(m.Pos, Normalised, "the range is stored in ascending order")
	}
}

// subnet reads A NETMASK, A /LEN and A/LEN.
func (l *line) subnet(m *Member, words []lexer.Token) {
	text, length, ok := strings.Cut(words[0].Value, "/")
	if !ok && strings.HasPrefix(words[1].Value, "/") {
		length, ok = words[1].Value[1:], true
	}
	var wildcard netip.Addr
	if ok {
		n, _ := number(length)
		wildcard = wildcard4(int(n))
	} else {
		mask, _ := parseIPv4(words[1].Value)
		if looksLikeWildcard(mask) {
			l.notice(at(words[1]), Suspicious, words[1].Value+" looks like a wildcard mask; this is a netmask, whose one bits are compared")
		}
		wildcard = invert(mask)
	}
	a, _ := parseIPv4(text)
	l.masks(m, Address{Kind: MaskedAddress, Pos: m.Pos, Addr: a, Wildcard: wildcard})
}

// masks makes the member a subnet, or what the subnet is when its mask covers
// one address or all.
func (l *line) masks(m *Member, a Address) {
	a = l.normalise(a)
	switch a.Kind {
	case AnyAddress:
		m.Kind = AnyMember
	case HostAddress:
		m.Kind, m.First = HostMember, a.Addr
	default:
		m.Kind, m.First, m.Wildcard = SubnetMember, a.Addr, a.Wildcard
	}
}

func (l *line) network6Member(n *network6Member) error {
	m := &Member{Pos: at(n.Words[0])}
	switch n.Words[0].Value {
	case "any":
		m.Kind = AnyMember
	case "host":
		l.host(m, n.Words[1])
	case "group-object":
		return l.groupMember(n.Words[1])
	default:
		l.masks(m, l.prefix6(n.Words[0]))
	}
	return l.member(m)
}

func (l *line) groupMember(t lexer.Token) error {
	m := &Member{Kind: GroupMember, Pos: at(t), Group: name(t)}
	if err := l.mayNest(m); err != nil {
		return err
	}
	return l.member(m)
}

func (l *line) identityMember(n *identityMember) error {
	m := &Member{Kind: EntityMember, Pos: at(n.Words[0]), Word: name(n.Words[1])}
	if n.Words[0].Value == "fqdn" {
		m.Kind = FQDNMember
		m.Word.Text = strings.ToLower(m.Word.Text)
	}
	return l.member(m)
}

func (l *line) workloadMember(n *workloadMember) error {
	m := &Member{Kind: WorkloadMember, Pos: at(n.Word), Namespace: name(n.Namespace)}
	for _, t := range n.Labels {
		label, err := l.label(t)
		if err != nil {
			return err
		}
		m.Labels = append(m.Labels, label)
	}
	return l.member(m)
}

func (l *line) label(t *labelTerm) (Label, error) {
	label := labelOf(t.Term.Value)
	label.Pos = at(t.Term)
	if t.Op.Value == "" {
		return label, nil
	}
	if label.Op != Exists {
		return label, l.invalid(at(t.Op), t.Op.Value+" takes the key of a label")
	}
	label.Op, label.Values = In, labelValues(t.Values.Value)
	if t.Op.Value == "notin" {
		label.Op = NotIn
	}
	return label, nil
}

// labelOf reads K, !K, K=V and K!=V.
func labelOf(s string) Label {
	if key, value, ok := strings.Cut(s, "!="); ok {
		return Label{Key: key, Op: NotIn, Values: []string{value}}
	}
	if key, value, ok := strings.Cut(s, "="); ok {
		return Label{Key: key, Op: In, Values: []string{strings.TrimPrefix(value, "=")}}
	}
	if key, ok := strings.CutPrefix(s, "!"); ok {
		return Label{Key: key, Op: NotExists}
	}
	return Label{Key: s, Op: Exists}
}

// labelValues reads (A,B) and gives the values sorted, each once.
func labelValues(s string) []string {
	values := strings.Split(strings.Trim(s, "()"), ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func isLabel(s string) bool {
	label := labelOf(s)
	if len(label.Values) > 0 && !isLabelValue(label.Values[0]) {
		return false
	}
	prefix, key, ok := strings.Cut(label.Key, "/")
	if !ok {
		prefix, key = "label.prefix", label.Key
	}
	return isDNSName(prefix) && key != "" && isLabelValue(key)
}

// isLabelValue follows Kubernetes: empty, or up to 63 letters, digits and
// "-_." that start and end with a letter or a digit.
func isLabelValue(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		inside := i > 0 && i < len(s)-1 && strings.IndexByte("-_.", c) >= 0
		if !alphanumeric && !inside {
			return false
		}
	}
	return len(s) <= 63
}

func isLabelValues(s string) bool {
	if !strings.HasPrefix(s, "(") || !strings.HasSuffix(s, ")") {
		return false
	}
	for _, v := range labelValues(s) {
		if v == "" || !isLabelValue(v) {
			return false
		}
	}
	return true
}

// isDNSName follows RFC 1123 in lower case: labels of letters, digits and "-".
func isDNSName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !isDNSLabel(part) {
			return false
		}
	}
	return true
}

func isDNSLabel(s string) bool {
	return s != "" && isLabelValue(s) && s == strings.ToLower(s) && !strings.ContainsAny(s, "_.")
}

// isPattern accepts a DNS name whose parts may hold "*" in any place.
func isPattern(s string) bool {
	plain := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(s, ".")), "*", "a")
	plain = strings.ReplaceAll(plain, "_", "a")
	return isDNSName(plain)
}

func (l *line) serviceMember(n *serviceMember) (err error) {
	s := &Service{IPv6: l.group.Kind == ServiceGroup6}
	m := &Member{Kind: ServiceMember, Pos: l.pos, Service: s}
	switch {
	case n.Group.Value != "":
		return l.groupMember(n.Group)
	case n.TCP != nil:
		s.Protocols = []Protocol{{Number: protoTCP, Pos: at(n.TCP.Protocol)}}
		err = l.specs(s, n.TCP.Source, n.TCP.Destination, tcpPorts)
	case n.UDP != nil:
		s.Protocols = []Protocol{{Number: protoUDP, Pos: at(n.UDP.Protocol)}}
		err = l.specs(s, (*tcpSpec)(n.UDP.Source), (*tcpSpec)(n.UDP.Destination), udpPorts)
	case n.Both != nil:
		pos := at(n.Both.Protocol)
		s.Protocols = []Protocol{{Number: protoTCP, Pos: pos}, {Number: protoUDP, Pos: pos}}
		err = l.specs(s, (*tcpSpec)(n.Both.Source), (*tcpSpec)(n.Both.Destination), bothPorts)
	case len(n.ICMP) > 0:
		s.Protocols = []Protocol{{Number: protoICMP, Pos: at(n.ICMP[0])}}
		s.ICMP = icmpMatch(n.ICMP[1:], icmpTypes)
	default:
		names := protocols
		if s.IPv6 {
			names = protocols6
		}
		s.Protocols = []Protocol{protocol(n.Protocol, names)}
	}
	if err != nil {
		return err
	}
	return l.member(m)
}

func (l *line) specs(s *Service, from, to *tcpSpec, names *table) (err error) {
	if s.Source, err = l.spec(from, names); err != nil {
		return err
	}
	s.Destination, err = l.spec(to, names)
	return err
}

// spec reads ports whose operator may be left out.
func (l *line) spec(n *tcpSpec, names *table) (Compare, error) {
	if n == nil {
		return Compare{}, nil
	}
	words := n.Words
	if words[0].Type != keywordType {
		eq := words[0]
		eq.Value = "eq"
		words = []lexer.Token{eq, words[0]}
	}
	return l.compare(words, names)
}

// member adds the member to the group or takes it out.
func (l *line) member(m *Member) error {
	m.Text, m.Dialect = l.text, l.Config.Dialect
	key, keys := m.String(), l.group.built()
	same, exists := keys[key]
	switch {
	case l.no && !exists:
		l.notice(l.pos, NoEffect, "the object-group has no such member")
	case l.no:
		if len(l.group.Members) == 1 {
			if err := l.mayRemove(l.group, "emptied"); err != nil {
				return err
			}
		}
		l.group.Members = without(l.group.Members, same)
		delete(keys, key)
	case exists:
		l.notice(l.pos, NoEffect, "the object-group has this member already")
	default:
		keys[key] = m
		l.group.Members = append(l.group.Members, m)
	}
	return nil
}

// built gives each member by what it says.
func (g *ObjectGroup) built() map[string]*Member {
	if g.keys == nil {
		g.keys = make(map[string]*Member, len(g.Members))
		for _, m := range g.Members {
			g.keys[m.String()] = m
		}
	}
	return g.keys
}

func (l *line) setDescription(n *descriptionLine) error {
	*l.description() = n.Text.Value
	if l.no {
		*l.description() = ""
	}
	return nil
}

func (l *line) noDescription(*noDescription) error {
	*l.description() = ""
	return nil
}

// description gives the description of what the mode is about.
func (l *line) description() *string {
	switch l.Mode {
	case ModeInterface:
		return &l.iface.Description
	case ModeZone:
		return &l.zone.Description
	case ModeZonePair:
		return &l.pair.Description
	case ModeClassMap:
		return &l.classMap.Description
	case ModePolicyMap:
		return &l.policyMap.Description
	case ModeRegexMap:
		return &l.regexMap.Description
	case ModeHTTPClassMap:
		return &l.httpClassMap.Description
	case ModeHTTPPolicyMap:
		return &l.httpPolicyMap.Description
	}
	return &l.group.Description
}
