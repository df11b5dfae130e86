package grammar

import "github.com/alecthomas/participle/v2/lexer"

// The grammars of the lines of NX-OS access-lists.

type nxosSource struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'addrgroup' AddressGroup | AddressLength | Address Wildcard )"`
}

type nxosDestination nxosSource

type nxosSource6 struct {
	Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'addrgroup' AddressGroup6 | Prefix6 )"`
}

type nxosDestination6 nxosSource6

type nxosTCPCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') NXOSTCPPort | 'range' NXOSTCPPort NXOSTCPPort | 'portgroup' PortGroup )"`
}

type nxosUDPCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') NXOSUDPPort | 'range' NXOSUDPPort NXOSUDPPort | 'portgroup' PortGroup )"`
}

type nxosSCTPCompare struct {
	Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') SCTPPort | 'range' SCTPPort SCTPPort | 'portgroup' PortGroup )"`
}

// nxosTCPOption is an option that only TCP has.
type nxosTCPOption struct {
	Words []lexer.Token `parser:"@( 'established' | 'ack' | 'fin' | 'psh' | 'rst' | 'syn' | 'urg' | 'tcp-flags-mask' FlagMask | 'tcp-option-length' OptionLength | 'http-method' ('connect' | 'delete' | 'get' | 'head' | 'post' | 'put' | 'trace') )"`
}

// nxosOption is an option that every protocol has. Options stand in any order.
type nxosOption struct {
	Words []lexer.Token `parser:"@( 'dscp' DSCP | 'precedence' Precedence | 'ttl' Byte | 'packet-length' ( ('eq' | 'neq' | 'lt' | 'gt') FrameLength | 'range' FrameLength FrameLength ) | 'fragments' | 'log' | 'time-range' TimeRange | 'vlan' VLAN | 'nve' 'vni' VNI | 'set-erspan-dscp' ERSPAN | 'set-erspan-gre-proto' Port16 | 'capture' 'session' Port16 | 'load-share' | 'redirect' Port | 'udf' Word HexWord HexWord )"`
}

// nxosOption6 is an option of IPv6.
type nxosOption6 struct {
	Words []lexer.Token `parser:"@( 'flow-label' FlowLabel )"`
}

type nxosTCPOptions struct {
	TCP    *nxosTCPOption `parser:"  @@"`
	Option *nxosOption    `parser:"| @@"`
}

type nxosOptions6 struct {
	IPv6   *nxosOption6 `parser:"  @@"`
	Option *nxosOption  `parser:"| @@"`
}

type nxosTCPOptions6 struct {
	TCP    *nxosTCPOption `parser:"  @@"`
	IPv6   *nxosOption6   `parser:"| @@"`
	Option *nxosOption    `parser:"| @@"`
}

type nxosTCP struct {
	Protocol         lexer.Token       `parser:"@'tcp'"`
	Source           nxosSource        `parser:"@@"`
	SourcePorts      *nxosTCPCompare   `parser:"@@?"`
	Destination      nxosDestination   `parser:"@@"`
	DestinationPorts *nxosTCPCompare   `parser:"@@?"`
	Options          []*nxosTCPOptions `parser:"@@*"`
}

type nxosUDP struct {
	Protocol         lexer.Token     `parser:"@'udp'"`
	Source           nxosSource      `parser:"@@"`
	SourcePorts      *nxosUDPCompare `parser:"@@?"`
	Destination      nxosDestination `parser:"@@"`
	DestinationPorts *nxosUDPCompare `parser:"@@?"`
	Options          []*nxosOption   `parser:"@@*"`
}

type nxosICMP struct {
	Protocol    lexer.Token     `parser:"@'icmp'"`
	Source      nxosSource      `parser:"@@"`
	Destination nxosDestination `parser:"@@"`
	Message     []lexer.Token   `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
	Options     []*nxosOption   `parser:"@@*"`
}

type nxosIGMP struct {
	Protocol    lexer.Token     `parser:"@'igmp'"`
	Source      nxosSource      `parser:"@@"`
	Destination nxosDestination `parser:"@@"`
	Type        []lexer.Token   `parser:"@NXOSIGMPType?"`
	Options     []*nxosOption   `parser:"@@*"`
}

type nxosAny struct {
	Protocol    lexer.Token     `parser:"@NXOSProtocol"`
	Source      nxosSource      `parser:"@@"`
	Destination nxosDestination `parser:"@@"`
	Options     []*nxosOption   `parser:"@@*"`
}

type nxosACE struct {
	Sequence lexer.Token `parser:"@EntryNumber?"`
	Action   lexer.Token `parser:"@('permit' | 'deny')"`
	TCP      *nxosTCP    `parser:"( @@"`
	UDP      *nxosUDP    `parser:"| @@"`
	ICMP     *nxosICMP   `parser:"| @@"`
	IGMP     *nxosIGMP   `parser:"| @@"`
	Any      *nxosAny    `parser:"| @@ )"`
}

type nxosTCP6 struct {
	Protocol         lexer.Token        `parser:"@'tcp'"`
	Source           nxosSource6        `parser:"@@"`
	SourcePorts      *nxosTCPCompare    `parser:"@@?"`
	Destination      nxosDestination6   `parser:"@@"`
	DestinationPorts *nxosTCPCompare    `parser:"@@?"`
	Options          []*nxosTCPOptions6 `parser:"@@*"`
}

type nxosUDP6 struct {
	Protocol         lexer.Token      `parser:"@'udp'"`
	Source           nxosSource6      `parser:"@@"`
	SourcePorts      *nxosUDPCompare  `parser:"@@?"`
	Destination      nxosDestination6 `parser:"@@"`
	DestinationPorts *nxosUDPCompare  `parser:"@@?"`
	Options          []*nxosOptions6  `parser:"@@*"`
}

type nxosSCTP6 struct {
	Protocol         lexer.Token      `parser:"@'sctp'"`
	Source           nxosSource6      `parser:"@@"`
	SourcePorts      *nxosSCTPCompare `parser:"@@?"`
	Destination      nxosDestination6 `parser:"@@"`
	DestinationPorts *nxosSCTPCompare `parser:"@@?"`
	Options          []*nxosOptions6  `parser:"@@*"`
}

type nxosICMP6 struct {
	Protocol    lexer.Token      `parser:"@'icmp'"`
	Source      nxosSource6      `parser:"@@"`
	Destination nxosDestination6 `parser:"@@"`
	Message     []lexer.Token    `parser:"@( ICMP6Name | ICMPNumber ICMPCode? )?"`
	Options     []*nxosOptions6  `parser:"@@*"`
}

type nxosAny6 struct {
	Protocol    lexer.Token      `parser:"@NXOSProtocol6"`
	Source      nxosSource6      `parser:"@@"`
	Destination nxosDestination6 `parser:"@@"`
	Options     []*nxosOptions6  `parser:"@@*"`
}

type nxosACE6 struct {
	Sequence lexer.Token `parser:"@EntryNumber?"`
	Action   lexer.Token `parser:"@('permit' | 'deny')"`
	TCP      *nxosTCP6   `parser:"( @@"`
	UDP      *nxosUDP6   `parser:"| @@"`
	SCTP     *nxosSCTP6  `parser:"| @@"`
	ICMP     *nxosICMP6  `parser:"| @@"`
	Any      *nxosAny6   `parser:"| @@ )"`
}

func (l *line) nxosACE(n *nxosACE) error {
	c := clauses{action: n.Action}
	switch {
	case n.TCP != nil:
		b := n.TCP
		c.protocol, c.from, c.to = b.Protocol, b.Source.Words, b.Destination.Words
		c.fromPorts, c.toPorts, c.options = b.SourcePorts.words(), b.DestinationPorts.words(), optionWords(b.Options)
	case n.UDP != nil:
		b := n.UDP
		c.protocol, c.from, c.to = b.Protocol, b.Source.Words, b.Destination.Words
		c.fromPorts, c.toPorts, c.options = b.SourcePorts.words(), b.DestinationPorts.words(), optionWords(b.Options)
	case n.ICMP != nil:
		b := n.ICMP
		c.protocol, c.from, c.to, c.message, c.options = b.Protocol, b.Source.Words, b.Destination.Words, b.Message, optionWords(b.Options)
	case n.IGMP != nil:
		b := n.IGMP
		c.protocol, c.from, c.to, c.message, c.options = b.Protocol, b.Source.Words, b.Destination.Words, b.Type, optionWords(b.Options)
	default:
		b := n.Any
		c.protocol, c.from, c.to, c.options = b.Protocol, b.Source.Words, b.Destination.Words, optionWords(b.Options)
	}
	return l.placeACE(n.Sequence, Extended, c)
}

func (l *line) nxosACE6(n *nxosACE6) error {
	c := clauses{action: n.Action}
	switch {
	case n.TCP != nil:
		b := n.TCP
		c.protocol, c.from, c.to = b.Protocol, b.Source.Words, b.Destination.Words
		c.fromPorts, c.toPorts, c.options = b.SourcePorts.words(), b.DestinationPorts.words(), optionWords(b.Options)
	case n.UDP != nil:
		b := n.UDP
		c.protocol, c.from, c.to = b.Protocol, b.Source.Words, b.Destination.Words
		c.fromPorts, c.toPorts, c.options = b.SourcePorts.words(), b.DestinationPorts.words(), optionWords(b.Options)
	case n.SCTP != nil:
		b := n.SCTP
		c.protocol, c.from, c.to = b.Protocol, b.Source.Words, b.Destination.Words
		c.fromPorts, c.toPorts, c.options = b.SourcePorts.words(), b.DestinationPorts.words(), optionWords(b.Options)
	case n.ICMP != nil:
		b := n.ICMP
		c.protocol, c.from, c.to, c.message, c.options = b.Protocol, b.Source.Words, b.Destination.Words, b.Message, optionWords(b.Options)
	default:
		b := n.Any
		c.protocol, c.from, c.to, c.options = b.Protocol, b.Source.Words, b.Destination.Words, optionWords(b.Options)
	}
	return l.placeACE(n.Sequence, IPv6, c)
}

// placeACE puts an ACE into the list, or takes it away.
func (l *line) placeACE(sequence lexer.Token, kind ACLKind, c clauses) error {
	ace, err := l.assemble(kind, c)
	if err != nil {
		return err
	}
	return l.placeOrRemove(sequence, &Entry{ACE: ace})
}

// optionWords gives the words of each option.
func optionWords[T interface{ words() []lexer.Token }](options []T) (out [][]lexer.Token) {
	for _, o := range options {
		out = append(out, o.words())
	}
	return out
}

func (n *nxosTCPCompare) words() []lexer.Token {
	if n == nil {
		return nil
	}
	return n.Words
}

func (n *nxosUDPCompare) words() []lexer.Token  { return (*nxosTCPCompare)(n).words() }
func (n *nxosSCTPCompare) words() []lexer.Token { return (*nxosTCPCompare)(n).words() }

func (n *nxosOption) words() []lexer.Token { return n.Words }

func (n *nxosTCPOptions) words() []lexer.Token {
	if n.TCP != nil {
		return n.TCP.Words
	}
	return n.Option.Words
}

func (n *nxosOptions6) words() []lexer.Token {
	if n.IPv6 != nil {
		return n.IPv6.Words
	}
	return n.Option.Words
}

func (n *nxosTCPOptions6) words() []lexer.Token {
	if n.TCP != nil {
		return n.TCP.Words
	}
	return (&nxosOptions6{n.IPv6, n.Option}).words()
}
