package shell

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"aclium/grammar"
)

// Help gives what IOS prints for a "?" behind text, the line up to the cursor:
// the keywords that its last word may become, or behind a blank whatever may
// come next.
func (s *Shell) Help(text string) string {
	all, err := s.completions(text)
	var bad *grammar.LineError
	switch {
	case errors.As(err, &bad) && bad.Kind == grammar.Ambiguous:
		return fmt.Sprintf("%% Ambiguous command:  %q\n", strings.TrimSpace(text))
	case err != nil || len(all) == 0:
		return "% Unrecognized command\n"
	case endsInBlank(text):
		return argumentHelp(all) + "\n"
	}
	return wordHelp(all) + "\n"
}

// named leaves out the descriptions of arguments where there are words or
// names to choose from.
func named(all []grammar.Completion) []grammar.Completion {
	found := slices.DeleteFunc(slices.Clone(all), func(c grammar.Completion) bool { return c.Kind == grammar.Argument })
	if len(found) == 0 {
		return all
	}
	return found
}

// Complete gives what Tab does behind text: what to insert, or when several
// words fit, what to print. Both are empty when nothing fits.
func (s *Shell) Complete(text string) (insert, choices string) {
	all, err := s.completions(text)
	if err != nil {
		return "", ""
	}
	last := text[strings.LastIndexAny(text, " \t")+1:]
	all = slices.DeleteFunc(all, func(c grammar.Completion) bool {
		return c.Kind != grammar.Keyword && c.Kind != grammar.Defined || !hasPrefix(c, last)
	})
	switch {
	case last == "" || len(all) == 0:
		return "", ""
	case len(all) == 1:
		return all[0].Token[len(last):] + " ", ""
	}
	return "", wordHelp(all)
}

func hasPrefix(c grammar.Completion, text string) bool {
	if c.Kind == grammar.Keyword {
		text = strings.ToLower(text)
	}
	return strings.HasPrefix(c.Token, text)
}

// completions gives what may come next on a line in the session's mode.
func (s *Shell) completions(text string) ([]grammar.Completion, error) {
	if s.edit == nil {
		return s.execCompletions(text)
	}
	if first := cutWord(text); strings.EqualFold(first.text, "do") && first.end < len(text) {
		return s.execCompletions(text[first.end:])
	}
	all, err := s.edit.Help(text)
	for _, own := range configWords {
		if w := cutWord(text); w.end == len(text) && strings.HasPrefix(own.Token, strings.ToLower(w.text)) {
			all, err = append(all, own), nil
		}
	}
	return all, err
}

// configWords are the words of configuration mode that are the shell's own.
var configWords = []grammar.Completion{
	{Token: "abort", Help: "Drop what was typed since the last block was left", Kind: grammar.Keyword},
	{Token: "do", Help: "To run exec commands in config mode", Kind: grammar.Keyword},
}

func (s *Shell) execCompletions(text string) ([]grammar.Completion, error) {
	if at := strings.Index(text, bar); at >= 0 {
		return filterCompletions(text[at+len(bar):]), nil
	}
	head, last := text, ""
	if !endsInBlank(text) {
		at := strings.LastIndexAny(text, " \t") + 1
		head, last = text[:at], text[at:]
	}
	level, run := s.visible(s.commands), false
	for _, w := range words(head) {
		found, ambiguous := s.match(level, w.text)
		if found == nil {
			return nil, refuse(level, text, w, 0, ambiguous)
		}
		level, run = s.visible(found.next), found.run != nil
		if found.rest {
			level = nil
		}
	}
	return s.offers(level, last, run && last == "", strings.HasPrefix(strings.TrimSpace(head), "sh")), nil
}

// offers gives the words of a level that the last word may become.
func (s *Shell) offers(level []command, last string, end, filters bool) []grammar.Completion {
	var all []grammar.Completion
	for _, c := range level {
		if c.accepts != nil {
			if last == "" || c.names == nil {
				all = append(all, grammar.Completion{Token: c.word, Help: c.help, Kind: grammar.Argument})
			}
			if c.names != nil {
				all = append(all, c.names(s)...)
			}
			continue
		}
		all = append(all, grammar.Completion{Token: c.word, Help: c.help, Kind: grammar.Keyword})
	}
	all = slices.DeleteFunc(all, func(c grammar.Completion) bool {
		return last != "" && (c.Kind == grammar.Argument || !hasPrefix(c, last))
	})
	if end && filters {
		all = append(all, grammar.Completion{Token: "|", Help: "Output modifiers", Kind: grammar.Keyword})
	}
	if end {
		all = append(all, grammar.Completion{Token: "<cr>", Kind: grammar.Return})
	}
	return all
}

func filterCompletions(text string) []grammar.Completion {
	w := cutWord(text)
	if w.end < len(text) {
		if ops := matchingOps(w.text); len(ops) == 1 && ops[0].expression {
			return []grammar.Completion{{Token: "LINE", Help: "Regular Expression", Kind: grammar.Argument}}
		}
		return []grammar.Completion{{Token: "<cr>", Kind: grammar.Return}}
	}
	var all []grammar.Completion
	for _, op := range filterOps {
		if strings.HasPrefix(op.word, strings.ToLower(w.text)) {
			all = append(all, grammar.Completion{Token: op.word, Help: op.help, Kind: grammar.Keyword})
		}
	}
	return all
}

// screenWidth is what IOS's columns are made for.
const screenWidth = 80

// wordHelp prints keywords in columns two wider than the longest.
func wordHelp(all []grammar.Completion) string {
	all = sorted(named(all))
	width := longest(all) + 2
	columns := max(screenWidth/width, 1)
	var out strings.Builder
	for i, c := range all {
		if i+1 == len(all) || (i+1)%columns == 0 {
			out.WriteString(c.Token + "\n")
		} else {
			fmt.Fprintf(&out, "%-*s", width, c.Token)
		}
	}
	return out.String()
}

// argumentHelp prints one word a line with its help; <cr> comes last.
func argumentHelp(all []grammar.Completion) string {
	all = sorted(all)
	width := longest(all)
	var out strings.Builder
	for _, c := range all {
		out.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, c.Token, c.Help), " ") + "\n")
	}
	return out.String()
}

func sorted(all []grammar.Completion) []grammar.Completion {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b grammar.Completion) int {
		if (a.Kind == grammar.Return) != (b.Kind == grammar.Return) {
			return 1 - 2*boolInt(b.Kind == grammar.Return)
		}
		return strings.Compare(a.Token, b.Token)
	})
	return slices.CompactFunc(all, func(a, b grammar.Completion) bool { return a.Token == b.Token })
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func longest(all []grammar.Completion) int {
	width := 0
	for _, c := range all {
		width = max(width, utf8.RuneCountInString(c.Token))
	}
	return width
}
