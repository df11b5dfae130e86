package grammar

// This file edits and prints settings of one line that have a node.

// put stores a setting of one line in the place of the one with its key, which
// is old; nil when there is none.
func put[T any](l *line, all *[]*T, old, setting *T, text func(*T) string) {
	switch {
	case old == nil:
		*all = append(*all, setting)
	case text(old) == text(setting):
	default:
		l.notice(l.pos, Replaced, "takes the place of "+text(old))
		*old = *setting
	}
}

// take takes a setting of one line away; nil when there is none.
func take[T any](l *line, all *[]*T, old *T) {
	if old == nil {
		l.notice(l.pos, NoEffect, "there is nothing like that")
		return
	}
	*all = without(*all, old)
}

// untranslated reports a statement from which nothing is compiled.
func (l *line) untranslated() {
	l.notice(l.pos, Unsupported, "is kept, and neither enforced nor translated")
}

// settings prints settings of one line as one block.
func settings[T any](p *printer, all []*T, text func(*T) string) {
	if len(all) > 0 {
		p.separate()
	}
	for _, s := range all {
		p.text = append(append(p.text, text(s)...), '\n')
		p.flush(pageSize)
	}
}

func copied[T any](v *T) *T {
	c := *v
	return &c
}
