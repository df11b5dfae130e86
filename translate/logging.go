package translate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Logging gives the device's settings for lines with "log":
//
//	ip access-list log-update threshold N
//	ip access-list logging interval MILLISECONDS
//	logging rate-limit [all] RATE [except LEVEL]
//
// A limit of the console alone limits nothing here, and neither does one that
// excepts the level of access-lists. There is one threshold for both families, the smaller where both are set.
func Logging(c *grammar.Config) policy.Logging {
	var l policy.Logging
	for _, s := range c.Other {
		words := strings.TrimPrefix(strings.TrimPrefix(s.Words, "ipv6 "), "ip ")
		var n uint32
		if _, err := fmt.Sscanf(words, "access-list log-update threshold %d", &n); err == nil && n > 0 {
			if l.Threshold == 0 || n < l.Threshold {
				l.Threshold = n
			}
		}
		if _, err := fmt.Sscanf(words, "access-list logging interval %d", &n); err == nil {
			l.Spacing = n
		}
		if rate, limited := strings.CutPrefix(words, "logging rate-limit "); limited {
			l.Rate = rateOf(strings.Fields(rate))
		}
	}
	return l
}

// aclSeverity is the level of messages about access-lists, informational. A
// limit excepts messages of a level and all that are more urgent, with lower
// numbers.
const aclSeverity = 6

// rateOf gives the limit for messages about access-lists, 0 when there is none.
func rateOf(words []string) uint32 {
	if words[0] == "console" {
		return 0
	}
	if words[0] == "all" {
		words = words[1:]
	}
	if len(words) == 3 && severityOf(words[2]) >= aclSeverity {
		return 0
	}
	n, err := strconv.ParseUint(words[0], 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// severityOf gives the number of a level by its name or number.
func severityOf(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		n = slices.Index([]string{"emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging"}, word)
	}
	return n
}
