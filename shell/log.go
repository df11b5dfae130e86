package shell

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"aclium/translate/policy"
)

// logSize is how many bytes of log a session keeps.
const logSize = 64 << 10

// A logBuffer keeps the newest lines of the log. It is safe for concurrent use.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
	bytes int
	on    bool
}

func (b *logBuffer) add(line string) (monitored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	b.bytes += len(line) + 1
	for b.bytes > logSize {
		b.bytes -= len(b.lines[0]) + 1
		b.lines = b.lines[1:]
	}
	return b.on
}

func (b *logBuffer) all() (lines []string, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.lines...), logSize
}

func (b *logBuffer) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines, b.bytes = nil, 0
}

func (b *logBuffer) monitor(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = on
}

func (b *logBuffer) monitored() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on
}

// Watch keeps the log until ctx ends. It calls show with every line that the
// session has asked for with "terminal monitor".
func (s *Shell) Watch(ctx context.Context, show func(line string)) error {
	if s.o.Events == nil {
		return nil
	}
	return s.o.Events.Events(ctx, func(e policy.Event) {
		line := e.Time.UTC().Format("*Jan _2 15:04:05.000: ") + logText(e)
		if s.log.add(line) {
			show(line)
		}
	})
}

// logText gives an event in IOS's words.
func logText(e policy.Event) string {
	verb, list := "denied", e.ACL
	if e.Action == policy.Permit {
		verb = "permitted"
	}
	facility := "SEC-6-IPACCESSLOG"
	if e.Source.Addr().Is6() && !e.Source.Addr().Is4In6() {
		facility, list = "IPV6_ACL-6-ACCESSLOG", e.RuleID.String()
	}
	kind, protocol, ports := logKind(e.Protocol)
	from, to, detail := logEnd(e.Source, ports), logEnd(e.Destination, ports), ""
	if kind == "DP" {
		detail = fmt.Sprintf(" (%d/%d)", e.ICMPType, e.ICMPCode)
	}
	return fmt.Sprintf("%%%s%s: list %s %s %s %s -> %s%s, %s", facility, kind, list, verb, protocol, from, to, detail, packets(e.Packets))
}

// logKind gives the letters of the mnemonic, the protocol's word and whether
// ports are shown.
func logKind(protocol uint8) (kind, word string, ports bool) {
	switch protocol {
	case policy.TCP:
		return "P", "tcp", true
	case policy.UDP:
		return "P", "udp", true
	case policy.SCTP:
		return "P", "sctp", true
	case policy.ICMP:
		return "DP", "icmp", false
	case policy.ICMPv6:
		return "DP", "icmpv6", false
	case 2:
		return "RP", "igmp", false
	case 103:
		return "RP", "pim", false
	}
	return "NP", fmt.Sprint(protocol), false
}

// logEnd writes IPv6 addresses in capitals, as IOS does.
func logEnd(end netip.AddrPort, port bool) string {
	text := strings.ToUpper(end.Addr().Unmap().String())
	if port {
		return fmt.Sprintf("%s(%d)", text, end.Port())
	}
	return text
}

func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}
