package lab

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
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
	p.Source.Addr, p.Destination.Addr = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.1.2")
	return p
}

func packet6(p policy.Packet) policy.Packet {
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

func TestDecode(t *testing.T) {
	quoted := packet4(wantHello)
	for name, c := range map[string]struct {
		frame string
		want  policy.Packet
		bytes int
	}{
		"tcp":           {ipv4("06", "4000", tcpSyn), packet4(wantSyn), 40},
		"udp":           {ipv4("11", "0000", udpHello), packet4(wantHello), 33},
		"padded":        {ipv4("11", "0000", udpHello) + "000000000000000000", packet4(wantHello), 33},
		"options":       {ethernet4 + "46 00 0025 abcd 0000 40 11 0000" + from4 + to4 + "94040000" + udpHello, packet4(wantHello), 37},
		"vlan":          {strings.Replace(ipv4("11", "0000", udpHello), "0800", "8100 0064 0800", 1), packet4(wantHello), 33},
		"two vlans":     {strings.Replace(ipv4("11", "0000", udpHello), "0800", "88a8 0064 8100 00c8 0800", 1), packet4(wantHello), 33},
		"first":         {ipv4("11", "2000", udpHello), packet4(fragment(wantHello, policy.First, 0xabcd)), 33},
		"later":         {ipv4("11", "00b9", "0102"), packet4(policy.Packet{Protocol: 17, Fragment: policy.Later, FragmentID: 0xabcd}), 22},
		"later, more":   {ipv4("11", "20b9", ""), packet4(policy.Packet{Protocol: 17, Fragment: policy.Later, FragmentID: 0xabcd}), 20},
		"echo":          {ipv4("01", "0000", "08 00 0000 1234 0001"), packet4(policy.Packet{Protocol: 1, ICMPType: 8, ICMPID: 0x1234}), 28},
		"unreachable":   {ipv4("01", "0000", "03 03 0000 00000000"+ipv4("11", "0000", udpHello)[len(ethernet4):]), packet4(policy.Packet{Protocol: 1, ICMPType: 3, ICMPCode: 3, Inner: &quoted}), 61},
		"other":         {ipv4("2f", "0000", "00000800"), packet4(policy.Packet{Protocol: 47}), 24},
		"tcp6":          {ipv6("06", tcpSyn), packet6(wantSyn), 60},
		"hop by hop":    {ipv6("00", "11 00 050200000000"+udpHello), packet6(wantHello), 61},
		"long chain":    {ipv6("00", "2b 00 050200000000 3c 00 000000000000 11 01 0000000000000000000000000000"+udpHello), packet6(wantHello), 85},
		"ah":            {ipv6("33", "11 01 0000 00000001 00000001"+udpHello), packet6(wantHello), 65},
		"first6":        {ipv6("2c", "11 00 0001 00000007"+udpHello), packet6(fragment(wantHello, policy.First, 7)), 61},
		"later6":        {ipv6("2c", "3c 00 0008 00000007 0102"), packet6(policy.Packet{Protocol: 60, Fragment: policy.Later, FragmentID: 7}), 50},
		"atomic6":       {ipv6("2c", "11 00 0000 00000007"+udpHello), packet6(wantHello), 61},
		"echo6":         {ipv6("3a", "80 00 0000 1234 0001"), packet6(policy.Packet{Protocol: 58, ICMPType: 128, ICMPID: 0x1234}), 48},
		"solicitation":  {ipv6("3a", "87 00 0000 00000000"+to6), packet6(policy.Packet{Protocol: 58, ICMPType: 135}), 64},
		"cut quotation": {ipv4("01", "0000", "0b 00 0000 00000000 4500"), packet4(policy.Packet{Protocol: 1, ICMPType: 11}), 30},
		"short quotation": {ipv4("01", "0000", "0b 00 0000 00000000 45000028 00000000 0106 0000"+from4+to4+"9c40005000000001"),
			packet4(policy.Packet{Protocol: 1, ICMPType: 11, Inner: &policy.Packet{
				Source:      policy.Endpoint{Addr: netip.MustParseAddr("10.0.0.1")},
				Destination: policy.Endpoint{Addr: netip.MustParseAddr("10.0.1.2")},
				Protocol:    6, SourcePort: 40000, DestinationPort: 80}}), 56},
	} {
		got, err := decode(raw(t, c.frame))
		if d := cmp.Diff(c.want, got.packet, cmpopts.EquateComparable(netip.Addr{})); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
		if got.bytes != c.bytes {
			t.Errorf("%s: %d bytes, want %d", name, got.bytes, c.bytes)
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
			if f, err := decode(b[:n]); err == nil || errors.Is(err, errNotIP) {
				t.Errorf("%d of %d bytes: %+v, %v", n, len(b), f, err)
			}
		}
	}
}

func TestDecodeRefusesWhatIsNotIP(t *testing.T) {
	for name, c := range map[string]struct {
		frame string
		notIP bool
	}{
		"arp":             {"ffffffffffff 020000000002 0806 0001", true},
		"three vlans":     {ethernet4[:len(ethernet4)-4] + "8100 0001 8100 0001 8100 0001 0800", true},
		"version 5":       {ethernet4 + "55" + strings.Repeat("00", 40), false},
		"short header":    {ethernet4 + "44" + strings.Repeat("00", 40), false},
		"length too long": {ethernet4 + "45 00 ffff 0000 0000 40 11 0000" + from4 + to4 + udpHello, false},
		"no transport":    {ipv4("06", "0000", "9c400050"), false},
	} {
		_, err := decode(raw(t, c.frame))
		if err == nil || errors.Is(err, errNotIP) != c.notIP {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b)
		if err == nil && (got.bytes > len(b) || !got.packet.Source.Addr.IsValid()) {
			t.Errorf("%+v of %d bytes", got, len(b))
		}
	})
}

func TestSegmentsRepeatHeaders(t *testing.T) {
	f := frame{bytes: 20 + 32 + 3000, headers: 52}
	for size, want := range map[int][2]uint64{
		0:    {1, 3052},
		1448: {3, 3000 + 3*52},
		1500: {2, 3000 + 2*52},
		3000: {1, 3052},
	} {
		if packets, bytes := f.segments(size); packets != want[0] || bytes != want[1] {
			t.Errorf("size %d: %d packets, %d bytes, want %v", size, packets, bytes, want)
		}
	}
}
