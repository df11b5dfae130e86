package grammar

import (
	"regexp"
	"strings"
)

// This file is about what NX-OS and IOS-XR print around configuration, and
// about the output of "show access-lists" in place of configuration.

// configured gives a line as it is configured: without the counter behind it,
// and with the header of a shown list as the line that starts the list.
func (d Dialect) configured(text string) string {
	switch d {
	case NXOS:
		return nxosConfigured(text)
	case IOSXR:
		return withoutCounter(text, ')', xrCounter)
	}
	return text
}

var (
	nxosHeader  = regexp.MustCompile(`(?i)^(?:(ip|ipv4|ipv6|mac) access list +|(ipv4|ipv6) acl +)(\S+)$`)
	nxosCounter = regexp.MustCompile(` *\[match=\d+\]$`)
	xrCounter   = regexp.MustCompile(` *\((hw )?\d+ (hw )?match(es)?\)$`)
)

func nxosConfigured(text string) string {
	if text != "" && strings.IndexByte("IiMm", text[0]) >= 0 {
		if m := nxosHeader.FindStringSubmatch(text); m != nil {
			return shownFamily[strings.ToLower(m[1]+m[2])] + " access-list " + m[3]
		}
	}
	return withoutCounter(text, ']', nxosCounter)
}

// shownFamily gives the word that starts a list for the one that is shown.
var shownFamily = map[string]string{"ip": "ip", "ipv4": "ip", "ipv6": "ipv6", "mac": "mac"}

// withoutCounter takes a counter off the end of a line that has one. The text of
// a remark is left alone.
func withoutCounter(text string, last byte, counter *regexp.Regexp) string {
	if text == "" || text[len(text)-1] != last {
		return text
	}
	words := strings.Fields(text)
	if words[0] == "remark" || len(words) > 1 && words[1] == "remark" {
		return text
	}
	return counter.ReplaceAllString(text, "")
}

var (
	nxosJunk = regexp.MustCompile(`^(configure session \S+|verify|commit|abort|copy running-config startup-config|\[#+\] +\d+%|Copy complete.*)$`)
	xrJunk   = regexp.MustCompile(`^(commit( .*)?|root|abort|clear|end-set|end-policy|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d(\.\d+)? .*)$`)
)

// isJunk reports whether a line is what a terminal or the device prints, or a
// command about the configuration.
func (d Dialect) isJunk(text string) bool {
	switch d {
	case NXOS:
		return strings.IndexByte("cvaC[", text[0]) >= 0 && nxosJunk.MatchString(text)
	case IOSXR:
		return strings.IndexByte("craeMTWFS", text[0]) >= 0 && xrJunk.MatchString(text)
	}
	return false
}

func isNumber(s string) bool {
	_, ok := number(s)
	return ok
}
