package grammar

import "io"

// A Session edits a Config line by line, as a person at a prompt or a file
// does. It is not safe for concurrent use.
type Session struct {
	Config *Config
	// Mode is where the next line is read. Lines change it.
	Mode Mode
	// Ended is set by "end", and by "exit" in global configuration: the
	// session is back in EXEC mode. The caller clears it.
	Ended bool
}

// NewSession gives a session in global configuration that edits c in place.
func NewSession(c *Config) *Session { return &Session{Config: c, Mode: ModeGlobal} }

// Line applies one line, whose first rune stands at pos, and changes the mode
// as the line says. An error is a *LineError; nothing is changed then.
func (s *Session) Line(pos Position, text string) ([]Notice, error) { return nil, nil }

// CompletionKind is the kind of a Completion. The zero value is unset.
type CompletionKind uint8

// The kinds of completions: a word to type, a description of what to type such
// as A.B.C.D, a name that the configuration defines, and the end of the line.
const (
	Keyword CompletionKind = iota + 1
	Argument
	Defined
	Return
)

// A Completion is one thing that may come next on a line.
type Completion struct {
	Token, Help string
	Kind        CompletionKind
}

// Help says what may come next after text, the line up to the cursor: when it
// is empty or ends in a blank every next word, in IOS's order; else the words
// that its last word may become. An error is a *LineError.
func (s *Session) Help(text string) ([]Completion, error) { return nil, nil }

// ParseFile reads a whole file. It keeps going after errors and returns all of
// them as an ErrorList; the Config holds the lines without errors.
func ParseFile(name string, r io.Reader) (*Config, []Notice, error) { return &Config{}, nil, nil }
