package shell

import "unicode/utf8"

// A word is one word of a line. Column is 1-based and counts runes; start and
// end are byte offsets.
type word struct {
	text       string
	column     int
	start, end int
}

// words splits a line at blanks.
func words(line string) []word {
	var all []word
	for offset := 0; ; {
		w := wordFrom(line, offset)
		if w.text == "" {
			return all
		}
		all = append(all, w)
		offset = w.end
	}
}

// cutWord gives the first word; its text is empty when there is none.
func cutWord(line string) word { return wordFrom(line, 0) }

func wordFrom(line string, offset int) word {
	for offset < len(line) && isBlank(line[offset]) {
		offset++
	}
	end := offset
	for end < len(line) && !isBlank(line[end]) {
		end++
	}
	return word{line[offset:end], utf8.RuneCountInString(line[:offset]) + 1, offset, end}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// endsInBlank reports whether the cursor behind the text touches no word.
func endsInBlank(text string) bool { return text == "" || isBlank(text[len(text)-1]) }
