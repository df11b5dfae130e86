package grammar

import "github.com/alecthomas/participle/v2/lexer"

// The grammars of the lines of IOS-XR access-lists.

type (
	xrSource struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address | 'net-group' AddressGroup | 'interface' Port | AddressLength | Address Wildcard )"`
	}
	xrDestination xrSource
	xrSource6     struct {
		Words []lexer.Token `parser:"@( 'any' | 'host' Address6 | 'net-group' AddressGroup6 | 'interface' Port | Prefix6 | Address6 Wildcard6 )"`
	}
	xrDestination6 xrSource6
	xrTCPPorts     struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') XRTCPPort | 'range' XRTCPPort XRTCPPort | 'port-group' PortGroup )"`
	}
	xrUDPPorts struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') XRUDPPort | 'range' XRUDPPort XRUDPPort | 'port-group' PortGroup )"`
	}
	xrSCTPPorts struct {
		Words []lexer.Token `parser:"@( ('eq' | 'neq' | 'lt' | 'gt') SCTPPort | 'range' SCTPPort SCTPPort | 'port-group' PortGroup )"`
	}
	// xrFlags is an option that only TCP has.
	xrFlags struct {
		Words []lexer.Token `parser:"@( 'established' | 'ack' | 'fin' | 'psh' | 'rst' | 'syn' | 'urg' | ('match-any' | 'match-all') ('+ack' | '-ack' | '+fin' | '-fin' | '+psh' | '-psh' | '+rst' | '-rst' | '+syn' | '-syn' | '+urg' | '-urg')+ )"`
	}
	// xrPlain are the options that the model has, xrLook are further
	// conditions, and xrDo says what becomes of the packet.
	xrPlain struct {
		Words []lexer.Token `parser:"@( 'log' | 'log-input' | 'fragments' | 'dscp' ( ('eq' | 'neq' | 'lt' | 'gt')? DSCP | 'range' DSCP DSCP ) | 'precedence' ( ('eq' | 'neq' | 'lt' | 'gt')? Precedence | 'range' Precedence Precedence ) | 'ttl' ( ('eq' | 'neq' | 'lt' | 'gt') Byte | 'range' Byte Byte ) )"`
	}
	xrLook struct {
		Words []lexer.Token `parser:"@( 'packet-length' ( ('eq' | 'neq' | 'lt' | 'gt') PacketLength | 'range' PacketLength PacketLength ) | 'fragment-type' ('dont-fragment' | 'is-fragment' | 'first-fragment' | 'last-fragment')+ )"`
	}
	xrDo struct {
		Words []lexer.Token `parser:"@( 'counter' Word | 'capture' | 'icmp-off' | 'icmp-on' | 'police' Threshold ('bps' | 'kbps' | 'mbps' | 'gbps' | 'pps')? | 'set' ( 'ttl' Byte | 'traffic-class' Byte | 'qos-group' Threshold ) | 'default'? ('nexthop1' | 'nexthop2' | 'nexthop3') ('track' Word)? ('vrf' Word)? ('ipv4' Address | 'ipv6' Address6)? )"`
	}
	// xrHeader are the conditions on the headers of IPv6.
	xrHeader struct {
		Words []lexer.Token `parser:"@( 'authen' | 'destopts' | 'hop-by-hop' | 'routing' )"`
	}
	xrOption struct {
		Plain *xrPlain `parser:"  @@"`
		Look  *xrLook  `parser:"| @@"`
		Do    *xrDo    `parser:"| @@"`
	}
	xrTCPOption struct {
		Flags *xrFlags `parser:"  @@"`
		Plain *xrPlain `parser:"| @@"`
		Look  *xrLook  `parser:"| @@"`
		Do    *xrDo    `parser:"| @@"`
	}
	xrOption6 struct {
		Header *xrHeader `parser:"  @@"`
		Plain  *xrPlain  `parser:"| @@"`
		Look   *xrLook   `parser:"| @@"`
		Do     *xrDo     `parser:"| @@"`
	}
	xrTCPOption6 struct {
		Flags  *xrFlags  `parser:"  @@"`
		Header *xrHeader `parser:"| @@"`
		Plain  *xrPlain  `parser:"| @@"`
		Look   *xrLook   `parser:"| @@"`
		Do     *xrDo     `parser:"| @@"`
	}
	xrTCP struct {
		Protocol         lexer.Token    `parser:"@'tcp'"`
		Source           xrSource       `parser:"@@"`
		SourcePorts      *xrTCPPorts    `parser:"@@?"`
		Destination      xrDestination  `parser:"@@"`
		DestinationPorts *xrTCPPorts    `parser:"@@?"`
		Options          []*xrTCPOption `parser:"@@*"`
	}
	xrUDP struct {
		Protocol         lexer.Token   `parser:"@'udp'"`
		Source           xrSource      `parser:"@@"`
		SourcePorts      *xrUDPPorts   `parser:"@@?"`
		Destination      xrDestination `parser:"@@"`
		DestinationPorts *xrUDPPorts   `parser:"@@?"`
		Options          []*xrOption   `parser:"@@*"`
	}
	xrSCTP struct {
		Protocol         lexer.Token   `parser:"@'sctp'"`
		Source           xrSource      `parser:"@@"`
		SourcePorts      *xrSCTPPorts  `parser:"@@?"`
		Destination      xrDestination `parser:"@@"`
		DestinationPorts *xrSCTPPorts  `parser:"@@?"`
		Options          []*xrOption   `parser:"@@*"`
	}
	xrICMP struct {
		Protocol    lexer.Token   `parser:"@'icmp'"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Message     []lexer.Token `parser:"@( ICMPName | ICMPNumber ICMPCode? )?"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrIGMP struct {
		Protocol    lexer.Token   `parser:"@'igmp'"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Type        []lexer.Token `parser:"@XRIGMPType?"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrAny struct {
		Protocol    lexer.Token   `parser:"@XRProtocol"`
		Source      xrSource      `parser:"@@"`
		Destination xrDestination `parser:"@@"`
		Options     []*xrOption   `parser:"@@*"`
	}
	xrLine struct {
		Sequence lexer.Token `parser:"@XRNumber?"`
		Action   lexer.Token `parser:"@('permit' | 'deny')"`
		TCP      *xrTCP      `parser:"( @@"`
		UDP      *xrUDP      `parser:"| @@"`
		SCTP     *xrSCTP     `parser:"| @@"`
		ICMP     *xrICMP     `parser:"| @@"`
		IGMP     *xrIGMP     `parser:"| @@"`
		Any      *xrAny      `parser:"| @@ )"`
	}
	xrTCP6 struct {
		Protocol         lexer.Token     `parser:"@'tcp'"`
		Source           xrSource6       `parser:"@@"`
		SourcePorts      *xrTCPPorts     `parser:"@@?"`
		Destination      xrDestination6  `parser:"@@"`
		DestinationPorts *xrTCPPorts     `parser:"@@?"`
		Options          []*xrTCPOption6 `parser:"@@*"`
	}
	xrUDP6 struct {
		Protocol         lexer.Token    `parser:"@'udp'"`
		Source           xrSource6      `parser:"@@"`
		SourcePorts      *xrUDPPorts    `parser:"@@?"`
		Destination      xrDestination6 `parser:"@@"`
		DestinationPorts *xrUDPPorts    `parser:"@@?"`
		Options          []*xrOption6   `parser:"@@*"`
	}
	xrSCTP6 struct {
		Protocol         lexer.Token    `parser:"@'sctp'"`
		Source           xrSource6      `parser:"@@"`
		SourcePorts      *xrSCTPPorts   `parser:"@@?"`
		Destination      xrDestination6 `parser:"@@"`
		DestinationPorts *xrSCTPPorts   `parser:"@@?"`
		Options          []*xrOption6   `parser:"@@*"`
	}
	xrICMP6 struct {
		Protocol    lexer.Token    `parser:"@('icmpv6' | 'icmp')"`
		Source      xrSource6      `parser:"@@"`
		Destination xrDestination6 `parser:"@@"`
		Message     []lexer.Token  `parser:"@( XRICMP6Name | ICMPNumber ICMPCode? )?"`
		Options     []*xrOption6   `parser:"@@*"`
	}
	xrAny6 struct {
		Protocol    lexer.Token    `parser:"@XRProtocol6"`
		Source      xrSource6      `parser:"@@"`
		Destination xrDestination6 `parser:"@@"`
		Options     []*xrOption6   `parser:"@@*"`
	}
	xrLine6 struct {
		Sequence lexer.Token `parser:"@XRNumber?"`
		Action   lexer.Token `parser:"@('permit' | 'deny')"`
		TCP      *xrTCP6     `parser:"( @@"`
		UDP      *xrUDP6     `parser:"| @@"`
		SCTP     *xrSCTP6    `parser:"| @@"`
		ICMP     *xrICMP6    `parser:"| @@"`
		Any      *xrAny6     `parser:"| @@ )"`
	}
)

func (l *line) xrLine(n *xrLine) error {
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
	case n.IGMP != nil:
		b := n.IGMP
		c.protocol, c.from, c.to, c.message, c.options = b.Protocol, b.Source.Words, b.Destination.Words, b.Type, optionWords(b.Options)
	default:
		b := n.Any
		c.protocol, c.from, c.to, c.options = b.Protocol, b.Source.Words, b.Destination.Words, optionWords(b.Options)
	}
	return l.placeACE(n.Sequence, Extended, c)
}

func (l *line) xrLine6(n *xrLine6) error {
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

func (n *xrTCPPorts) words() []lexer.Token  { return (*nxosTCPCompare)(n).words() }
func (n *xrUDPPorts) words() []lexer.Token  { return (*nxosTCPCompare)(n).words() }
func (n *xrSCTPPorts) words() []lexer.Token { return (*nxosTCPCompare)(n).words() }

func (n *xrOption) words() []lexer.Token {
	switch {
	case n.Plain != nil:
		return n.Plain.Words
	case n.Look != nil:
		return n.Look.Words
	}
	return n.Do.Words
}

func (n *xrTCPOption) words() []lexer.Token {
	if n.Flags != nil {
		return n.Flags.Words
	}
	return (&xrOption{n.Plain, n.Look, n.Do}).words()
}

func (n *xrOption6) words() []lexer.Token {
	if n.Header != nil {
		return n.Header.Words
	}
	return (&xrOption{n.Plain, n.Look, n.Do}).words()
}

func (n *xrTCPOption6) words() []lexer.Token {
	if n.Flags != nil {
		return n.Flags.Words
	}
	return (&xrOption6{n.Header, n.Plain, n.Look, n.Do}).words()
}
