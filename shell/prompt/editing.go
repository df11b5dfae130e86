package prompt

import (
	"strings"

	goprompt "github.com/c-bata/go-prompt"
)

// bindings are the keys that IOS treats in its own way.
func (r *session) bindings() []goprompt.ASCIICodeBind {
	return []goprompt.ASCIICodeBind{
		{ASCIICode: keyHelp, Fn: r.help},
		{ASCIICode: keyTab, Fn: r.complete},
		{ASCIICode: keyOlder, Fn: func(b *goprompt.Buffer) { r.recall(b, 1) }},
		{ASCIICode: keyNewer, Fn: func(b *goprompt.Buffer) { r.recall(b, -1) }},
		{ASCIICode: keyYank, Fn: func(b *goprompt.Buffer) { b.InsertText(r.killed, false, true) }},
		{ASCIICode: keySwap, Fn: swap},
		{ASCIICode: keyWordBack, Fn: func(b *goprompt.Buffer) { b.CursorLeft(wordBack(before(b))) }},
		{ASCIICode: keyWordOn, Fn: func(b *goprompt.Buffer) { b.CursorRight(wordOn(after(b))) }},
		{ASCIICode: keyRedraw, Fn: func(b *goprompt.Buffer) { r.redraw(b, "\n") }},
		{ASCIICode: keyCutLeft, Fn: func(b *goprompt.Buffer) { r.killed = b.DeleteBeforeCursor(width(before(b))) }},
		{ASCIICode: keyCutRight, Fn: func(b *goprompt.Buffer) { r.killed = b.Delete(width(after(b))) }},
		{ASCIICode: keyCutWord, Fn: func(b *goprompt.Buffer) { r.killed = b.DeleteBeforeCursor(wordBack(before(b))) }},
		{ASCIICode: keyMessage, Fn: r.message},
	}
}

func before(b *goprompt.Buffer) string { return b.Document().TextBeforeCursor() }
func after(b *goprompt.Buffer) string  { return b.Document().TextAfterCursor() }

// redraw prints something below the line and the line again, with the cursor
// where go-prompt believes it to be.
func (r *session) redraw(b *goprompt.Buffer, what string) {
	line := r.shell.Prompt() + before(b)
	r.print("\x1b[J" + after(b) + what + line)
	if _, columns := r.Size(); width(line)%columns == 0 {
		r.print("\n")
	}
}

// help answers "?", which is echoed and does not enter the line.
func (r *session) help(b *goprompt.Buffer) {
	r.redraw(b, "?\n"+r.shell.Help(before(b)))
}

// complete answers Tab: the only word that fits is put in, several are shown,
// and none rings the bell.
func (r *session) complete(b *goprompt.Buffer) {
	insert, choices := r.shell.Complete(before(b))
	switch {
	case insert != "":
		r.redraw(b, "\n")
		b.InsertText(insert, false, true)
	case choices != "":
		r.redraw(b, "\n"+choices)
	default:
		r.print("\a")
	}
}

// recall shows an older or a newer line of the history.
func (r *session) recall(b *goprompt.Buffer, step int) {
	lines := r.shell.History()
	at := r.recalled + step
	if at < 0 || at > len(lines) {
		return
	}
	if r.recalled == 0 {
		r.typed = b.Text()
	}
	r.recalled = at
	text := r.typed
	if at > 0 {
		text = lines[len(lines)-at]
	}
	replace(b, text)
}

func replace(b *goprompt.Buffer, text string) {
	b.CursorRight(width(after(b)))
	b.DeleteBeforeCursor(width(b.Text()))
	b.InsertText(text, false, true)
}

// swap exchanges the two characters before the cursor.
func swap(b *goprompt.Buffer) {
	text := []rune(before(b))
	if n := len(text); n >= 2 {
		b.DeleteBeforeCursor(2)
		b.InsertText(string([]rune{text[n-1], text[n-2]}), false, true)
	}
}

// wordBack counts the characters back to the start of a word.
func wordBack(text string) int {
	trimmed := strings.TrimRight(text, " ")
	return width(text) - width(trimmed[:strings.LastIndexByte(trimmed, ' ')+1])
}

// wordOn counts the characters on to the end of a word.
func wordOn(text string) int {
	trimmed := strings.TrimLeft(text, " ")
	end := strings.IndexByte(trimmed, ' ')
	if end < 0 {
		end = len(trimmed)
	}
	return width(text) - width(trimmed[end:])
}

// message shows the log lines that have come, and the line again.
func (r *session) message(b *goprompt.Buffer) {
	line := r.shell.Prompt() + before(b)
	_, columns := r.Size()
	r.print(strings.Repeat("\x1b[A", width(line)/columns) + "\r\x1b[J")
	r.showMessages()
	r.redraw(b, "\r")
}
