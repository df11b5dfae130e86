package translate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// The size of a bucket in bytes when the line does not give it, as IOS's: what
// the rate lets pass in a quarter of a second, and an Ethernet frame at least.
const (
	burstShare = 32
	leastBurst = 1500
	mostBurst  = 1_000_000_000
)

// isPolice reports whether a kept line of a class is its limit.
func isPolice(s *grammar.Statement) bool { return strings.HasPrefix(s.Words, "police ") }

func withoutPolice(kept []*grammar.Statement) []*grammar.Statement {
	return slices.DeleteFunc(slices.Clone(kept), isPolice)
}

// police gives the rule of a class that permits its limit. Every node that
// carries it out has a bucket of its own.
func (b *program) police(r *policy.Rule, p *grammar.ZonePair, c *grammar.PolicyClass) {
	for _, s := range c.Other {
		if !isPolice(s) {
			continue
		}
		rate, burst, ok := limitOf(s.Words)
		if r.Action != policy.Permit {
			b.note(r.ID, s.Pos, s.Text, policy.NoEffect, "the class drops, so that nothing is left to limit")
			continue
		}
		if !ok {
			b.refuse(r, s.Pos, s.Text, s.Words)
			continue
		}
		r.Police = &policy.Police{Name: fmt.Sprintf("zone-pair %s %s", p.Name, r.Text), Rate: rate, Burst: burst}
	}
}

// limitOf reads "police rate N [bps] [burst N [bytes]]": bits per second and
// bytes. Rates in cells or packets are none.
func limitOf(words string) (rate, burst uint64, ok bool) {
	var numbers []uint64
	for i, word := range strings.Fields(words) {
		switch n, err := strconv.ParseUint(word, 10, 64); {
		case err == nil:
			numbers = append(numbers, n)
		case i < 2 || word == "bps" || word == "burst" || word == "bytes":
		default:
			return 0, 0, false
		}
	}
	if len(numbers) == 1 {
		numbers = append(numbers, min(max(numbers[0]/burstShare, leastBurst), mostBurst))
	}
	if len(numbers) != 2 {
		return 0, 0, false
	}
	rate, burst = numbers[0], numbers[1]
	return rate, burst, rate >= 8 && rate <= 1_000_000_000_000 && burst > 0 && burst <= mostBurst
}
