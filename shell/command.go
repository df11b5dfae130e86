package shell

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"aclium/grammar"
)

// A command is one word of the EXEC commands and what may follow it.
type command struct {
	// word is the keyword, or for an argument what "?" calls it.
	word, help string
	// accepts is nil for a keyword.
	accepts func(string) bool
	// rest says that the argument takes the rest of the line.
	rest bool
	// names lists what the configuration defines for an argument; may be nil.
	names func(*Shell) []grammar.Completion
	next  []command
	// run is nil when the line cannot end here.
	run func(*Shell, *call) error
	// privileged hides the command from user EXEC mode.
	privileged bool
}

// A call is one command being run.
type call struct {
	ctx context.Context
	// words are the keywords in full and the arguments as typed; args are the
	// arguments alone.
	words, args []string
	out         io.Writer
	// json asks for rows instead of text; a command that has them sets rows.
	json bool
	rows any
}

// has reports whether the keyword was given.
func (c *call) has(keyword string) bool { return slices.Contains(c.words, keyword) }

// arg gives the first argument, or "".
func (c *call) arg() string {
	if len(c.args) == 0 {
		return ""
	}
	return c.args[0]
}

func wordArgument(w string) bool { return w != "" }

func numberIn(low, high int) func(string) bool {
	return func(w string) bool {
		n, err := strconv.Atoi(w)
		return err == nil && n >= low && n <= high
	}
}

// visible gives the commands of a level that the session may use.
func (s *Shell) visible(all []command) []command {
	if s.privileged {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c command) bool { return c.privileged })
}

// match finds the command for a word: the exact keyword; else the only keyword
// with that prefix; else the argument that accepts it. A name that is there is
// no abbreviation, and where names may stand that nobody lists a keyword must
// be typed in full, or it would swallow one.
func (s *Shell) match(all []command, text string) (found *command, ambiguous bool) {
	lower := strings.ToLower(text)
	var prefixed []*command
	var argument *command
	for i := range all {
		c := &all[i]
		switch {
		case c.accepts != nil:
			if argument == nil && c.accepts(text) {
				argument = c
			}
		case c.word == lower:
			return c, false
		case strings.HasPrefix(c.word, lower):
			prefixed = append(prefixed, c)
		}
	}
	if argument != nil && (len(prefixed) != 1 || argument.names == nil || s.defined(argument, text)) || len(prefixed) == 0 {
		return argument, false
	}
	if len(prefixed) > 1 {
		return nil, true
	}
	return prefixed[0], false
}

// defined reports whether the word is one of the names, or begins one of
// several words.
func (s *Shell) defined(argument *command, text string) bool {
	for _, n := range argument.names(s) {
		if n.Token == text || argument.rest && hasPrefix(n, text) {
			return true
		}
	}
	return false
}

// parse finds the command of a line. Columns are those of the text plus shift.
func (s *Shell) parse(text string, shift int) (*command, *call, *grammar.LineError) {
	level, c := s.visible(s.commands), &call{}
	var last *command
	for offset := 0; ; {
		w := wordFrom(text, offset)
		if w.text == "" {
			break
		}
		found, ambiguous := s.match(level, w.text)
		if found == nil {
			return nil, nil, refuse(level, text, w, shift, ambiguous)
		}
		if found.rest {
			w.text, w.end = strings.TrimRight(text[w.start:], " \t\r"), len(text)
		}
		c.add(found, w.text)
		last, level, offset = found, s.visible(found.next), w.end
	}
	if last == nil || last.run == nil {
		return nil, nil, &grammar.LineError{Kind: grammar.Incomplete, Msg: "unexpected end of line", Line: text}
	}
	return last, c, nil
}

func (c *call) add(found *command, text string) {
	if found.accepts == nil {
		c.words = append(c.words, found.word)
		return
	}
	c.words = append(c.words, text)
	c.args = append(c.args, text)
}

func refuse(level []command, text string, w word, shift int, ambiguous bool) *grammar.LineError {
	if ambiguous {
		return &grammar.LineError{Kind: grammar.Ambiguous, Column: w.column + shift, Word: w.column + shift,
			Msg: "ambiguous " + strconv.Quote(w.text), Line: text}
	}
	return &grammar.LineError{
		Kind:   grammar.Invalid,
		Column: w.column + shift + shared(level, w.text),
		Word:   w.column + shift,
		Msg:    "unexpected " + strconv.Quote(cut(w.text, 40)),
		Hint:   closest(level, w.text),
		Line:   text,
	}
}

// shared gives the number of leading characters that the word shares with a
// keyword: IOS puts its caret behind them.
func shared(level []command, text string) int {
	best, lower := 0, strings.ToLower(text)
	for _, c := range level {
		if c.accepts != nil {
			continue
		}
		n := 0
		for n < len(lower) && n < len(c.word) && lower[n] == c.word[n] {
			n++
		}
		best = max(best, n)
	}
	return utf8.RuneCountInString(text[:min(best, len(text))])
}

// closest suggests the keyword that is one slip away: a letter too much, too
// few, wrong, or two swapped.
func closest(level []command, text string) string {
	for _, c := range level {
		if c.accepts == nil && oneSlip(strings.ToLower(text), c.word) {
			return "did you mean " + c.word + "?"
		}
	}
	return ""
}

func oneSlip(a, b string) bool {
	if len(a) < 2 || a == b || len(a)-len(b) > 1 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	ra, rb := a[i:], b[i:]
	swapped := len(ra) >= 2 && len(rb) >= 2 && ra[0] == rb[1] && ra[1] == rb[0] && ra[2:] == rb[2:]
	return swapped ||
		len(ra) > 0 && ra[1:] == rb ||
		len(rb) > 0 && rb[1:] == ra ||
		len(ra) > 0 && len(rb) > 0 && ra[1:] == rb[1:]
}

// exec runs an EXEC line with its filters. shift is what stands before the
// text on the line as typed, in columns.
func (s *Shell) exec(ctx context.Context, text string, shift int) error {
	line, filters, err := splitFilters(text, shift)
	if err != nil {
		return err
	}
	found, c, bad := s.parse(line, shift)
	if bad != nil {
		bad.Line = text
		return bad
	}
	if len(filters) > 0 && !c.filterable() {
		return filterRefused(line, text, shift)
	}
	return s.call(ctx, found, c, filters)
}

// filterable reports whether IOS offers "|" behind the command.
func (c *call) filterable() bool { return c.words[0] == "show" || c.words[0] == "find" }

// filterRefused puts the caret under the bar.
func filterRefused(line, text string, shift int) error {
	column := utf8.RuneCountInString(line) + 2 + shift
	return &grammar.LineError{Kind: grammar.Invalid, Column: column, Word: column, Msg: `unexpected "|"`, Line: text}
}

// call runs a command. Its output is collected, filtered and paged; a command
// that asks or changes something prints at once and has no output to filter.
func (s *Shell) call(ctx context.Context, found *command, c *call, filters []filter) error {
	if s.checking && !changesMode(c.words[0]) {
		return nil
	}
	collected := &strings.Builder{}
	c.ctx, c.out = ctx, collected
	asked := len(filters) > 0 && filters[0].op == "json"
	c.json = asked || s.o.JSON && c.filterable()
	err := found.run(s, c)
	text, page := collected.String(), true
	if c.json && err == nil {
		if text, err = jsonText(c.rows, text); err == nil && asked {
			filters = filters[1:]
		}
	}
	for _, f := range filters {
		if f.op == "no-more" {
			page = false
			continue
		}
		text = f.apply(text)
	}
	if page {
		s.page(ctx, text)
	} else {
		s.print(text)
	}
	return err
}

// changesMode reports whether later lines are read in another mode after the
// command.
func changesMode(word string) bool {
	switch word {
	case "configure", "enable", "disable", "exit", "logout", "quit":
		return true
	}
	return false
}
