package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// An Attempt is one line of a traffic file: who tries to reach whom, how, and
// what must come of it.
//
//	frontend tcp/80 10.1.20.5 answered
//	frontend ping 10.1.20.5 silent 3
type Attempt struct {
	From string
	// How is "ping", "tcp/N" or "udp/N".
	How  string
	To   netip.Addr
	Want Outcome
	// Times is how often it is tried, 1 where the line does not say.
	Times int
}

// String gives "frontend tcp/80 10.1.20.5".
func (a *Attempt) String() string { return fmt.Sprintf("%s %s %s", a.From, a.How, a.To) }

// maxTimes bounds how often one attempt is repeated.
const maxTimes = 10_000

// ParseAttempts reads a traffic file for a lab: one attempt per line, empty
// lines and what follows a # aside. The error joins one line per mistake, each
// with file:line.
func ParseAttempts(file string, text []byte, s *Spec) ([]Attempt, error) {
	var attempts []Attempt
	var errs []error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		a, err := parseAttempt(words, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, n, err))
		}
		attempts = append(attempts, a)
	}
	if len(attempts) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: no traffic, want lines of POD HOW ADDRESS OUTCOME", file))
	}
	return attempts, errors.Join(errs...)
}

func parseAttempt(words []string, s *Spec) (a Attempt, err error) {
	a.Times = 1
	if len(words) < 4 || len(words) > 5 {
		return a, errors.New("want POD HOW ADDRESS OUTCOME [TIMES]")
	}
	if len(words) == 5 {
		if _, err := fmt.Sscanf(words[4], "%d", &a.Times); err != nil || a.Times < 1 || a.Times > maxTimes {
			return a, fmt.Errorf("%q is no number of times, want 1 to %d", words[4], maxTimes)
		}
	}
	a.From, a.How = words[0], words[1]
	if a.From == nodeName {
		return a, errors.New("traffic of the node itself passes no tap: name a pod, or a host of the outside")
	}
	if _, err := s.find(a.From); err != nil {
		return a, err
	}
	var p Port
	if a.How != "ping" && p.UnmarshalText([]byte(a.How)) != nil {
		return a, fmt.Errorf("%q is no way to reach somebody, want ping, tcp/N or udp/N", a.How)
	}
	if a.To, err = netip.ParseAddr(words[2]); err != nil {
		return a, fmt.Errorf("%q is no address", words[2])
	}
	for o := Silent; o <= Unreachable; o++ {
		if o.String() == words[3] {
			a.Want = o
			return a, nil
		}
	}
	return a, fmt.Errorf("%q is no outcome, want answered, silent, refused or unreachable", words[3])
}

// Try makes an attempt once and says what came of it.
func (l *Lab) Try(a *Attempt, timeout time.Duration) (Outcome, error) {
	pod, err := l.Pod(a.From)
	if err != nil {
		return Silent, err
	}
	if a.How == "ping" {
		return pod.Ping(a.To, timeout)
	}
	var p Port
	if err := p.UnmarshalText([]byte(a.How)); err != nil {
		return Silent, err
	}
	if p.Protocol == "tcp" {
		return pod.Connect(netip.AddrPortFrom(a.To, p.Number), timeout)
	}
	return pod.SendUDP(netip.AddrPortFrom(a.To, p.Number), timeout)
}
