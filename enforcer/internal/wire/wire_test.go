package wire

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aclium/translate/policy"
)

// raw gives the bytes of hexadecimal text with blanks and "| comments |".
func raw(t *testing.T, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for i, part := range strings.Split(text, "|") {
		if i%2 == 0 {
			digits.WriteString(strings.Join(strings.Fields(part), ""))
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	ethernet4 = "020000000001 020000000002 0800"
	ethernet6 = "020000000001 020000000002 86dd"
	from4     = "0a000001" // 10.0.0.1
	to4       = "0a000102" // 10.0.1.2
	from6     = "fd000000000000000000000000000001"
	to6       = "fd000000000000000000000000000102"
	tcpSyn    = "9c40 0050 00000001 00000000 50 02 ffff 0000 0000" // 40000 -> 80
	udpHello  = "9c40 0035 000d 0000 68656c6c6f"                   // 40000 -> 53
)

// ipv4 builds a header without options in front of a payload.
func ipv4(protocol, place, payload string) string {
	n := len(strings.ReplaceAll(payload, " ", "")) / 2
	total := hex.EncodeToString(binary.BigEndian.AppendUint16(nil, uint16(20+n)))
	return ethernet4 + "45 00" + total + "abcd" + place + "40" + protocol + "0000" + from4 + to4 + payload
}

func ipv6(next, payload string) string {
	n := len(strings.ReplaceAll(payload, " ", "")) / 2
	length := hex.EncodeToString(binary.BigEndian.AppendUint16(nil, uint16(n)))
	return ethernet6 + "60000000" + length + next + "3f" + from6 + to6 + payload
}

func packet4(p policy.Packet) policy.Packet {
	p.HopLimit = 0x40
	p.Source.Addr, p.Destination.Addr = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.1.2")
	return p
}

func packet6(p policy.Packet) policy.Packet {
	p.HopLimit = 0x3f
	p.Source.Addr, p.Destination.Addr = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::102")
	return p
}

var (
	wantSyn   = policy.Packet{Protocol: policy.TCP, SourcePort: 40000, DestinationPort: 80, Flags: policy.SYN}
	wantHello = policy.Packet{Protocol: policy.UDP, SourcePort: 40000, DestinationPort: 53}
)

func fragment(p policy.Packet, f policy.Fragment, id uint32) policy.Packet {
	p.Fragment, p.FragmentID = f, id
	return p
}

func with(p policy.Packet, change func(*policy.Packet)) policy.Packet {
	change(&p)
	return p
}

func TestDecode(t *testing.T) {
	quoted := packet4(wantHello)
	for name, c := range map[string]struct {
		frame string
		want  policy.Packet
		bytes int
	}{
		"tcp":               {ipv4("06", "4000", tcpSyn), packet4(wantSyn), 40},
		"udp":               {ipv4("11", "0000", udpHello), packet4(wantHello), 33},
		"padded":            {ipv4("11", "0000", udpHello) + "000000000000000000", packet4(wantHello), 33},
		"options":           {ethernet4 + "46 00 0025 abcd 0000 40 11 0000" + from4 + to4 + "94040000" + udpHello, packet4(wantHello), 37},
		"vlan":              {strings.Replace(ipv4("11", "0000", udpHello), "0800", "8100 0064 0800", 1), packet4(wantHello), 33},
		"two vlans":         {strings.Replace(ipv4("11", "0000", udpHello), "0800", "88a8 0064 8100 00c8 0800", 1), packet4(wantHello), 33},
		"first":             {ipv4("11", "2000", udpHello), packet4(fragment(wantHello, policy.First, 0xabcd)), 33},
		"later":             {ipv4("11", "00b9", "0102"), packet4(policy.Packet{Protocol: 17, Fragment: policy.Later, FragmentID: 0xabcd}), 22},
		"later, more":       {ipv4("11", "20b9", ""), packet4(policy.Packet{Protocol: 17, Fragment: policy.Later, FragmentID: 0xabcd}), 20},
		"echo":              {ipv4("01", "0000", "08 00 0000 1234 0001"), packet4(policy.Packet{Protocol: 1, ICMPType: 8, ICMPID: 0x1234}), 28},
		"unreachable":       {ipv4("01", "0000", "03 03 0000 00000000"+ipv4("11", "0000", udpHello)[len(ethernet4):]), packet4(policy.Packet{Protocol: 1, ICMPType: 3, ICMPCode: 3, Inner: &quoted}), 61},
		"other":             {ipv4("2f", "0000", "00000800"), packet4(policy.Packet{Protocol: 47}), 24},
		"tcp6":              {ipv6("06", tcpSyn), packet6(wantSyn), 60},
		"hop by hop":        {ipv6("00", "11 00 050200000000"+udpHello), packet6(wantHello), 61},
		"long chain":        {ipv6("00", "2b 00 050200000000 3c 00 000000000000 11 01 0000000000000000000000000000"+udpHello), packet6(wantHello), 85},
		"ah":                {ipv6("33", "11 01 0000 00000001 00000001"+udpHello), packet6(wantHello), 65},
		"first6":            {ipv6("2c", "11 00 0001 00000007"+udpHello), packet6(fragment(wantHello, policy.First, 7)), 61},
		"later6":            {ipv6("2c", "3c 00 0008 00000007 0102"), packet6(policy.Packet{Protocol: 60, Fragment: policy.Later, FragmentID: 7}), 50},
		"first6 of options": {ipv6("2c", "3c 00 0001 00000007 11 00 050200000000"+udpHello), packet6(policy.Packet{Protocol: 17, SourcePort: 40000, DestinationPort: 53, Fragment: policy.First, FragmentID: 7, FragmentProtocol: 60}), 69},
		"tos":               {strings.Replace(ipv4("11", "0000", udpHello), "45 00", "45 b9", 1), with(packet4(wantHello), func(p *policy.Packet) { p.TrafficClass = 0xb9 }), 33},
		"traffic class":     {strings.Replace(ipv6("06", tcpSyn), "60000000", "6b900000", 1), with(packet6(wantSyn), func(p *policy.Packet) { p.TrafficClass = 0xb9 }), 60},
		"igmp":              {ipv4("02", "0000", "11 64 0000 e0000001"), packet4(policy.Packet{Protocol: 2, ICMPType: 0x11, ICMPCode: 0x64}), 28},
		"atomic6":           {ipv6("2c", "11 00 0000 00000007"+udpHello), packet6(wantHello), 61},
		"echo6":             {ipv6("3a", "80 00 0000 1234 0001"), packet6(policy.Packet{Protocol: 58, ICMPType: 128, ICMPID: 0x1234}), 48},
		"solicitation":      {ipv6("3a", "87 00 0000 00000000"+to6), packet6(policy.Packet{Protocol: 58, ICMPType: 135}), 64},
		"cut quotation":     {ipv4("01", "0000", "0b 00 0000 00000000 4500"), packet4(policy.Packet{Protocol: 1, ICMPType: 11}), 30},
		"short quotation": {ipv4("01", "0000", "0b 00 0000 00000000 45000028 00000000 0106 0000"+from4+to4+"9c40005000000001"),
			packet4(policy.Packet{Protocol: 1, ICMPType: 11, Inner: &policy.Packet{
				HopLimit:    1,
				Source:      policy.Endpoint{Addr: netip.MustParseAddr("10.0.0.1")},
				Destination: policy.Endpoint{Addr: netip.MustParseAddr("10.0.1.2")},
				Protocol:    6, SourcePort: 40000, DestinationPort: 80}}), 56},
	} {
		got := Decode(raw(t, c.frame), 1)
		if d := cmp.Diff(c.want, got.Packet, cmpopts.EquateComparable(netip.Addr{})); d != "" || got.Kind != IP {
			t.Errorf("%s: %s\n%s", name, got.Fault, d)
		}
		if got.Length != c.bytes {
			t.Errorf("%s: %d bytes, want %d", name, got.Length, c.bytes)
		}
	}
}

// Every frame that is cut off before its end is malformed, never another packet.
func TestDecodeRefusesWhatIsCut(t *testing.T) {
	for _, text := range []string{
		ipv4("06", "4000", tcpSyn), ipv4("11", "0000", udpHello), ipv4("01", "0000", "08 00 0000 1234 0001"),
		ipv6("06", tcpSyn), ipv6("00", "2b 00 050200000000 3c 00 000000000000 11 01 0000000000000000000000000000"+udpHello),
	} {
		b := raw(t, text)
		for n := range b {
			if f := Decode(b[:n], 1); f.Kind != Malformed || f.Fault == "" {
				t.Errorf("%d of %d bytes: %+v", n, len(b), f)
			}
		}
	}
}

func TestDecodeRefusesWhatIsNotIP(t *testing.T) {
	for name, c := range map[string]struct {
		frame string
		want  Kind
	}{
		"arp":             {"ffffffffffff 020000000002 0806 0001", ARP},
		"three vlans":     {ethernet4[:len(ethernet4)-4] + "8100 0001 8100 0001 8100 0001 0800", Malformed},
		"lldp":            {"ffffffffffff 020000000002 88cc 0001", NonIP},
		"802.3":           {"ffffffffffff 020000000002 0003 424203", NonIP},
		"802.3, empty":    {"ffffffffffff 020000000002 0000", Malformed},
		"mapped":          {strings.Replace(ipv6("06", tcpSyn), from6, "00000000000000000000ffff0a000001", 1), Malformed},
		"late hop by hop": {ipv6("3c", "00 00 000000000000 11 00 050200000000"+udpHello), Malformed},
		"fragment twice":  {ipv6("2c", "2c 00 0001 00000007 11 00 0001 00000008"+udpHello), Malformed},
		"atomic twice":    {ipv6("2c", "2c 00 0000 00000007 11 00 0001 00000008"+udpHello), Malformed},
		"over TCP ports":  {ipv4("06", "0001", tcpSyn), Malformed},
		"over TCP window": {ipv4("06", "0002", tcpSyn), Malformed},
		"over TCP6":       {ipv6("2c", "06 00 0011 00000007"+tcpSyn), Malformed},
		"tiny":            {ipv4("06", "2000", "9c40 0050 00000001 00000000 50 02"), Malformed},
		"TCP of 16 bytes": {ipv4("06", "0000", strings.Replace(tcpSyn, "50 02", "40 02", 1)), Malformed},
		"TCP of 24 bytes": {ipv4("06", "0000", strings.Replace(tcpSyn, "50 02", "60 02", 1)), Malformed},
		"version 5":       {ethernet4 + "55" + strings.Repeat("00", 40), Malformed},
		"short header":    {ethernet4 + "44" + strings.Repeat("00", 40), Malformed},
		"length too long": {ethernet4 + "45 00 ffff 0000 0000 40 11 0000" + from4 + to4 + udpHello, Malformed},
		"no transport":    {ipv4("06", "0000", "9c400050"), Malformed},
	} {
		if got := Decode(raw(t, c.frame), 1); got.Kind != c.want {
			t.Errorf("%s: kind %d, want %d", name, got.Kind, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Decode(b, 1)
		if got.Kind == IP && (got.Length > len(b) || got.Headers > got.Length || !got.Packet.Source.Addr.IsValid()) {
			t.Errorf("%+v of %d bytes", got, len(b))
		}
	})
}
