package shell

import (
	"context"
	"strings"
)

const more = " --More-- "

// rubout takes the pager's question off the screen, in the bytes that clients
// look for.
const rubout = "\b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\b"

// page prints text, a screen at a time when a person reads it.
func (s *Shell) page(ctx context.Context, text string) {
	size := s.pageSize()
	if size <= 0 {
		s.print(text)
		return
	}
	left := size
	for text != "" && ctx.Err() == nil {
		n := strings.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		s.print(text[:n])
		text = text[n:]
		if left--; left == 0 && text != "" {
			if left = s.askMore(ctx, size); left == 0 {
				return
			}
		}
	}
}

// askMore gives the number of lines to go on with.
func (s *Shell) askMore(ctx context.Context, size int) int {
	s.print(more)
	key, err := s.o.Console.Key(ctx)
	s.print(rubout)
	switch {
	case err != nil:
		return 0
	case key == ' ':
		return size
	case key == '\r' || key == '\n':
		return 1
	}
	return 0
}

// pageSize gives the lines of a page; 0 switches the pager off.
func (s *Shell) pageSize() int {
	if s.o.Console == nil || s.length == 0 {
		return 0
	}
	if s.length > 0 {
		return max(s.length-1, 1)
	}
	rows, _ := s.o.Console.Size()
	if rows <= 1 {
		rows = 24
	}
	return rows - 1
}
