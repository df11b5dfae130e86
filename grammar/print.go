package grammar

func (c *Config) text() string { return "" }

// String gives the line as running-config has it, without sequence number.
func (a *ACE) String() string { return "" }

// Show gives the line as "show access-lists" has it, without sequence number.
func (a *ACE) Show() string { return "" }

// Show gives the whole line of "show access-lists" without indent, with the
// sequence number and the count of matches where IOS has them; empty for a
// remark.
func (e *Entry) Show(matches uint64) string { return "" }

type entryKeys struct{}

func (c Compare) ranges(limit uint32) [][2]uint32 { return nil }
