package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// An Error is something wrong at one place of an inventory. Msg is in lower
// case and says what was wanted.
type Error struct {
	Source policy.Source
	Msg    string
}

// Error gives "file:line:column: message".
func (e *Error) Error() string { return e.Source.String() + ": " + e.Msg }

// An ErrorList is every error of an inventory, in the order of the places.
type ErrorList []*Error

// maxShown is how many errors are shown of a list.
const maxShown = 20

// Error gives one line for each error, and the number of those that are too
// many to be read.
func (l ErrorList) Error() string {
	var lines []string
	for _, e := range l[:min(len(l), maxShown)] {
		lines = append(lines, e.Error())
	}
	if len(l) > maxShown {
		lines = append(lines, fmt.Sprintf("and %d more", len(l)-maxShown))
	}
	return strings.Join(lines, "\n")
}

// Err gives the list as an error, sorted, or nil when it is empty.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	slices.SortStableFunc(l, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Source.File, b.Source.File), a.Source.Line-b.Source.Line, a.Source.Column-b.Source.Column)
	})
	return l
}

func (l *ErrorList) fail(at policy.Source, format string, args ...any) {
	*l = append(*l, &Error{at, fmt.Sprintf(format, args...)})
}
