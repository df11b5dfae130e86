package grammar

import (
	"regexp"
	"strings"
)

// This file skips certificates, whose bytes stand in lines of hexadecimal words
// up to "quit", indented or not.

var (
	certificate = regexp.MustCompile(`^certificate( ca| self-signed| rollback)?( ca)? [0-9A-Fa-f]+$`)
	hexadecimal = regexp.MustCompile(`^[0-9A-Fa-f]{2,8}( +[0-9A-Fa-f]{2,8})*$`)
)

// inCertificate skips a line of a certificate. Any other line ends it.
func (f *file) inCertificate(trimmed string) bool {
	f.certificate = hexadecimal.MatchString(trimmed)
	if !f.certificate && !strings.EqualFold(trimmed, "quit") {
		return false
	}
	f.skip(Position{f.name, f.number, 1}, "certificate")
	return true
}
