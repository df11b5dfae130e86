package translate

import (
	"fmt"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Logging gives the device's settings for lines with "log":
//
//	ip access-list log-update threshold N
//	ip access-list logging interval MILLISECONDS
//
// There is one threshold for both families, the smaller where both are set.
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
	}
	return l
}
