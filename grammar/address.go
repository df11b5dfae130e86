package grammar

import (
	"math/bits"
	"net/netip"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// address gives the words of one end of an ACE their meaning.
func (l *line) address(words []lexer.Token, kind ACLKind) Address {
	pos := at(words[0])
	switch words[0].Value {
	case "host":
		return hostAddress(words[1])
	case "object-group":
		return Address{Kind: AddressGroup, Pos: pos, Group: name(words[1])}
	case "fqdn-group":
		return Address{Kind: FQDNGroup, Pos: pos, Group: name(words[1])}
	case "geo-group":
		return Address{Kind: GeoGroup, Pos: pos, Group: name(words[1])}
	case "addrgroup":
		return Address{Kind: PolicyGroup, Pos: pos, Group: name(words[1])}
	case "any":
		if kind.IsIPv6() {
			return Address{Kind: AnyAddress, Pos: pos, Addr: zero6, Wildcard: ones6}
		}
		return Address{Kind: AnyAddress, Pos: pos, Addr: zero4, Wildcard: ones4}
	}
	if len(words) == 1 {
		return l.prefix6(words[0])
	}
	return l.masked(words[0], words[1])
}

func hostAddress(t lexer.Token) Address {
	if a, ok := parseIPv4(t.Value); ok {
		return Address{Kind: HostAddress, Pos: at(t), Addr: a, Wildcard: zero4}
	}
	a, _ := netip.ParseAddr(t.Value)
	return Address{Kind: HostAddress, Pos: at(t), Addr: a, Wildcard: zero6}
}

// masked gives address and wildcard as IOS stores them: without the address
// bits that the wildcard ignores, and as host or any where they say that.
func (l *line) masked(address, wildcard lexer.Token) Address {
	a, ok := parseIPv4(address.Value)
	if !ok {
		return l.masked6(address, wildcard)
	}
	w, _ := parseIPv4(wildcard.Value)
	if looksLikeNetmask(w) {
		l.notice(at(wildcard), Suspicious, wildcard.Value+" looks like a netmask; this is a wildcard mask, whose one bits are ignored")
	}
	out := Address{Kind: MaskedAddress, Pos: at(address), Addr: a, Wildcard: w}
	return l.normalise(out)
}

func (l *line) normalise(a Address) Address {
	if cleared := clear(a.Addr, a.Wildcard); cleared != a.Addr {
		l.notice(a.Pos, Normalised, a.Addr.String()+" is stored as "+cleared.String()+": the mask ignores the other bits")
		a.Addr = cleared
	}
	switch a.Wildcard {
	case zero4, zero6:
		a.Kind = HostAddress
	case ones4, ones6:
		a.Kind = AnyAddress
	}
	return a
}

// prefix6 gives X/LEN.
func (l *line) prefix6(t lexer.Token) Address {
	text, length, _ := strings.Cut(t.Value, "/")
	a, _ := netip.ParseAddr(text)
	n, _ := number(length)
	return l.normalise(Address{Kind: MaskedAddress, Pos: at(t), Addr: a, Wildcard: wildcard6(int(n))})
}

// masked6 gives X WILDCARD, whose one bits are ignored as in IPv4.
func (l *line) masked6(address, wildcard lexer.Token) Address {
	a, _ := netip.ParseAddr(address.Value)
	w, _ := netip.ParseAddr(wildcard.Value)
	if b := w.As16(); b[0]&0x80 != 0 && b[15]&1 == 0 {
		l.notice(at(wildcard), Suspicious, wildcard.Value+" looks like a netmask; this is a wildcard mask, whose one bits are ignored")
	}
	return l.normalise(Address{Kind: MaskedAddress, Pos: at(address), Addr: a, Wildcard: w})
}

func wildcard6(length int) netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = 0xff >> min(max(length-8*i, 0), 8)
	}
	return netip.AddrFrom16(b)
}

func wildcard4(length int) netip.Addr {
	return from32(uint32(0xffffffff) >> length)
}

func to32(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func from32(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// invert turns a netmask into a wildcard and back.
func invert(mask netip.Addr) netip.Addr { return from32(^to32(mask)) }

// clear gives the address without the bits that the wildcard ignores.
func clear(a, wildcard netip.Addr) netip.Addr {
	if a.Is4() {
		return from32(to32(a) &^ to32(wildcard))
	}
	b, w := a.As16(), wildcard.As16()
	for i := range b {
		b[i] &^= w[i]
	}
	return netip.AddrFrom16(b)
}

// looksLikeNetmask reports a mask of leading ones that is not all ones.
func looksLikeNetmask(a netip.Addr) bool {
	v := to32(a)
	return v != 0 && v != 0xffffffff && bits.LeadingZeros32(^v) == bits.OnesCount32(v)
}

// looksLikeWildcard reports a mask of trailing ones that is not all ones.
func looksLikeWildcard(a netip.Addr) bool {
	v := to32(a)
	return v != 0 && v != 0xffffffff && bits.TrailingZeros32(^v) == bits.OnesCount32(v)
}

// length4 gives the prefix length of a wildcard whose one bits stand at the end.
func length4(wildcard netip.Addr) (n int, ok bool) {
	v := to32(wildcard)
	return 32 - bits.OnesCount32(v), v&(v+1) == 0
}

// length6 gives the prefix length of an IPv6 wildcard.
func length6(wildcard netip.Addr) int {
	n := 0
	for _, b := range wildcard.As16() {
		n += 8 - bits.OnesCount8(b)
	}
	return n
}
