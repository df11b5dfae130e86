package enforcer

import (
	"fmt"
	"slices"

	"aclium/enforcer/client"
)

// lookAhead notes whose programs see packets before ours. Who cannot tell keeps
// what was seen last.
func (e *Enforcer) lookAhead() {
	found, err := e.datapath.Ahead()
	if err != nil {
		e.log.Error("the programs of others cannot be looked at", "error", err)
		return
	}
	next := make([]client.Earlier, 0, len(found))
	for _, f := range found {
		next = append(next, client.Earlier(f))
	}
	var before []client.Earlier
	if old := e.ahead.Swap(&next); old != nil {
		before = *old
	}
	for _, p := range next {
		if !slices.Contains(before, p) {
			e.log.Warn("packets may pass unseen: another program stands before ours", "interface", p.Interface,
				"direction", p.Direction, "kind", p.Kind, "name", p.Name, "id", p.ID)
		}
	}
}

// earlier gives what lookAhead has seen last.
func (e *Enforcer) earlier() []client.Earlier {
	if seen := e.ahead.Load(); seen != nil {
		return *seen
	}
	return nil
}

// aheadStatus says in few words that somebody stands before ours.
func aheadStatus(all []client.Earlier) string {
	if len(all) == 0 {
		return ""
	}
	text := ", packets may pass unseen: " + all[0].String()
	if n := len(all) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
