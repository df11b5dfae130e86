package grammar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line that is read, bytes. IOS itself stops at 254;
// generated files have longer ones.
const maxLine = 10000

// ParseFile reads a whole file. It keeps going after errors and returns all of
// them as an ErrorList; the Config holds the lines without errors. What can be
// no configuration at all, such as binary data, is one error.
//
// The dialect is the one that Detect gives.
func ParseFile(name string, r io.Reader) (*Config, []Notice, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return &Config{}, nil, readError(name, err)
	}
	return ParseDialect(name, bytes.NewReader(text), Detect(text))
}

// ParseDialect is ParseFile for a file whose dialect is known.
func ParseDialect(name string, r io.Reader, d Dialect) (*Config, []Notice, error) {
	c := &Config{Dialect: d}
	notices, err := c.Merge(name, r)
	return c, notices, err
}

// Merge reads a whole file in the configuration's own dialect into it, as
// "copy FILE running-config" does. It keeps going after errors and returns all of them as an ErrorList;
// the lines without errors are in the Config then, so that who wants all or
// nothing merges into a Clone.
func (c *Config) Merge(name string, r io.Reader) ([]Notice, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, readError(name, err)
	}
	if err := readable(name, text); err != nil {
		return nil, ErrorList{err}
	}
	f := &file{session: NewSession(c), name: name, skipped: map[string]int{}}
	f.session.file, f.session.room.quiet = true, true
	// The lines share the memory of one string.
	for line := range strings.Lines(string(bytes.TrimPrefix(text, []byte("\uFEFF")))) {
		f.number++
		f.line(line)
	}
	f.session.settle(nil)
	if f.banner != "" {
		f.fail(f.opened, "the banner does not end, want its delimiter "+f.banner, f.header)
	}
	f.checkNesting()
	f.keepUsed()
	f.keepMentions()
	c.settleASA()
	return f.notices, f.errors.Err()
}

// readError names the file, unless the system's own error does.
func readError(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// readable refuses what is no text.
func readable(name string, text []byte) *Error {
	if len(bytes.TrimSpace(text)) == 0 {
		return &Error{Pos: Position{name, 1, 1}, Msg: "the file is empty, want a configuration", Whole: true}
	}
	for i, c := range text {
		if c >= ' ' || c == '\n' {
			continue
		}
		if c == 0 || c < ' ' && !strings.ContainsRune("\t\n\r\b\x03\x0c\x1a\x1b", rune(c)) {
			line := 1 + bytes.Count(text[:i], []byte("\n"))
			column := 1 + utf8.RuneCount(text[bytes.LastIndexByte(text[:i], '\n')+1:i])
			return &Error{Pos: Position{name, line, column}, Msg: fmt.Sprintf("unexpected byte %#02x, want text: this is a binary file", c), Whole: true}
		}
	}
	return nil
}

// file is a file being read.
type file struct {
	session *Session
	name    string
	number  int
	notices []Notice
	errors  ErrorList
	// mentions are words of skipped lines that may name a list.
	mentions []Reference
	// skipped is the index of the notice for a kind of skipped line.
	skipped map[string]int
	// inside says what becomes of the indented lines below a line that no
	// mode knows; zero when they belong to the mode.
	inside State
	// header is the last line at the margin.
	header string
	// cut is the mode that the last line at the margin has ended; 0 when a "!"
	// stood between, or when lines of other things stand in the mode too.
	cut Mode
	// apart says that the line before was a lone "!".
	apart bool
	// shown is the list and the number of the last line of "show access-list"
	// (ASA).
	shown string
	// pasted is the list that the output of "show access-lists" is in (IOS).
	pasted string
	// certificate says that the lines are those of a certificate.
	certificate bool
	// banner is the delimiter that ends a banner; empty outside of one. It
	// was opened there.
	banner string
	opened Position
}

// prompt is what stands before a line that was pasted from a terminal.
var prompt = regexp.MustCompile(`^([A-Za-z][\w.\-@/:]*(\(config[\w\-/]*\))?|\(config[\w\-/]*\))[#>]`)

// junk is what terminals and devices print between the lines.
var junk = regexp.MustCompile(`^(Building configuration\.\.\.|Current configuration ?:.*|Using \d+ out of \d+ bytes.*|Enter configuration commands, one per line.*|\[OK\])$`)

func (f *file) line(raw string) {
	raw = strings.TrimRight(raw, "\r\n \t\f\x1a")
	text, column := f.clean(raw)
	text = printable(text)
	text = f.session.Config.Dialect.configured(text)
	pos := Position{f.name, f.number, column}
	if f.session.Config.Dialect == ASA && f.banner == "" && len(text) <= maxLine {
		var ok bool
		if text, ok = f.asaShown(pos, text); !ok {
			return
		}
	}
	if f.session.Config.Dialect == IOS && f.banner == "" && len(text) <= maxLine {
		var ok bool
		if text, ok = f.iosShown(pos, text); !ok {
			return
		}
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case f.banner != "":
		f.endBanner(raw) // what looks like a prompt may hold the delimiter
	case len(text) > maxLine:
		f.fail(pos, fmt.Sprintf("the line has %d bytes, want %d at most", len(text), maxLine), raw[:maxLine/10])
	case trimmed == "":
	case trimmed[0] == '!':
		f.apart = f.apart || text == "!"
	case f.certificate && f.inCertificate(trimmed):
	case strings.IndexByte("BCUE[", trimmed[0]) >= 0 && junk.MatchString(trimmed) || f.session.Config.Dialect.isJunk(trimmed):
		f.skip(pos, "output of a device")
	case f.inside != 0 && isIndented(text):
		f.belowUnknown(pos, text, raw)
	case strings.HasPrefix(trimmed, "banner") && f.startsBanner(text):
		was := f.open()
		f.header, f.opened, f.inside = text, pos, 0
		f.session.enter(ModeGlobal)
		f.ended(was)
		f.skip(pos, "banner")
	default:
		f.inside = 0
		if !isIndented(text) {
			f.header = text
		}
		f.configure(pos, text, raw)
		f.apart = false
	}
}

func isIndented(text string) bool { return text[0] == ' ' || text[0] == '\t' }

// clean takes off what a pager or a prompt has left in front of a line, and
// gives the column at which the rest starts. Text that is not UTF-8 is
// repaired and reported.
func (f *file) clean(raw string) (text string, column int) {
	text, column = raw, 1
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		f.notices = append(f.notices, Notice{Pos: Position{f.name, f.number, 1}, State: Normalised, Msg: "bytes that are not UTF-8 are replaced", Text: text, Count: 1})
	}
	if at := asaPager(text); at != "" {
		column += utf8.RuneCountInString(at)
		text = text[len(at):]
	}
	if strings.Contains(text, "--More--") {
		rest := behindPager(text)
		column += utf8.RuneCountInString(text) - utf8.RuneCountInString(rest)
		text = rest
	}
	if strings.IndexByte(text, '#') < 0 && strings.IndexByte(text, '>') < 0 {
		return text, column
	}
	if at := prompt.FindString(text); at != "" {
		column += utf8.RuneCountInString(at)
		text = text[len(at):]
		if !strings.Contains(at, "(config") {
			text = "!" + text // an EXEC command
		}
	}
	return text, column
}

// printable puts blanks for what a terminal obeys and does not show, but for the
// delimiter of banners, so that no word holds any of it.
func printable(text string) string {
	control := func(r rune) bool { return r < ' ' && r != '\t' && r != '\x03' }
	if strings.IndexFunc(text, control) < 0 {
		return text
	}
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, text), " \t")
}

// behindPager gives what stands behind "--More--" when nothing else stands
// before it.
func behindPager(text string) string {
	at := strings.LastIndex(text, "--More--")
	if strings.Trim(text[:at], "< \b") != "" {
		return text
	}
	rest := text[at+len("--More--"):]
	if i := strings.LastIndexAny(rest, "\b\r"); i >= 0 {
		return rest[i+1:] // with the indent of the line
	}
	return strings.TrimLeft(rest, "> ")
}

// startsBanner begins to skip a banner, whose text may look like anything.
func (f *file) startsBanner(text string) bool {
	words := strings.Fields(text)
	if len(words) < 3 || words[0] != "banner" {
		return false
	}
	if f.session.Config.Dialect == ASA {
		return true // each line of the text is a line of its own, without delimiters
	}
	delimiter := words[2][:1]
	if strings.HasPrefix(words[2], "^C") {
		delimiter = "^C"
	}
	if !strings.Contains(strings.Join(words[2:], " ")[len(delimiter):], delimiter) {
		f.banner = delimiter
	}
	return true
}

func (f *file) endBanner(text string) {
	if strings.Contains(text, f.banner) {
		f.banner = ""
	}
}

// configure applies a line. What no mode knows is told apart by its words.
func (f *file) configure(pos Position, text, raw string) {
	was := f.open()
	notices, err := f.session.Line(pos, text)
	f.session.Ended = false
	if err == nil {
		f.ended(was)
		f.notices = append(f.notices, notices...)
		return
	}
	words := f.canonical(text)
	kind := f.classify(words, text)
	if typed := typedWords(text); kind == Skipped && !slices.Equal(typed, words) {
		kind = f.classify(typed, text) // the mode took a word for another one
	}
	switch {
	case kind != Skipped:
	case f.session.knows(text):
		kind = 0
	case startsAny(typedWords(text), filterWords):
		kind = Unsupported
	}
	if kind == Skipped && f.orphaned(text) {
		f.orphan(pos, text, raw)
		return
	}
	switch kind {
	case Unsupported:
		if f.keep(pos, text) {
			return
		}
	case Skipped:
		f.certificate = certificate.MatchString(strings.TrimSpace(text))
		f.mention(pos, text)
		f.skip(pos, kindOfLine(text))
	default:
		f.refuse(pos, raw, f.explain(pos, text, err.(*LineError)))
	}
	f.leave(kind, words, text, was)
}

// explain gives the error of a line with its message. Most lines that no mode
// takes are not wrong, so that a walk leaves the message out at first.
func (f *file) explain(pos Position, text string, err *LineError) *LineError {
	if err.Msg != "" {
		return err
	}
	f.session.room.quiet = false
	_, _, loud := f.session.walk(pos, text)
	f.session.room.quiet = true
	return loud.(*LineError)
}

// refused is what stands below a line that starts a block and is wrong.
const refused State = 255

// leave ends the mode when the line that it does not know starts something
// else: what follows must not land in the list or group before. The lines
// below an unknown one at the margin belong to it.
func (f *file) leave(kind State, words []string, text string, was Mode) {
	switch {
	case kind == 0 && (!startsAny(words, f.vocabulary().blocks) || isIndented(text) && startsAny(words, f.vocabulary().nested)):
		return
	case kind == 0:
		kind = refused
	case isIndented(text) || f.session.Mode == ModeInterface && startsAny(words, f.vocabulary().interfaces):
		return
	}
	f.session.enter(ModeGlobal)
	if !isIndented(text) {
		f.inside = kind
		f.ended(was)
	}
}

// minGuess is the length from which a misspelt word is taken for another.
const minGuess = 5

// canonical gives the words of a line that is wrong, in lower case and without
// "no", as far as they are understood: abbreviations are expanded, and a
// misspelt word is what it was meant to be, so that a mistake in a security
// statement is not taken for something else.
func (f *file) canonical(text string) []string {
	w, g := newWalk(f.session.language(), f.session.Mode, Position{}, text), newWalk(f.session.language(), ModeGlobal, Position{}, text)
	w.quiet, g.quiet = true, true
	_, err := w.run()
	_, _ = g.run()
	// An abbreviation at the margin is one of global configuration.
	margin := !isIndented(text) && !w.typedInFull() && len(g.tokens) > 0
	if margin || w.mayLeave(g) && (g.typedInFull() || !isIndented(text)) && (err == nil || g.depth > w.depth) {
		w = g
	}
	words := strings.Fields(lowerCase(text))
	for i, t := range w.tokens {
		words[w.depth-len(w.tokens)+i] = lowerCase(t.Value)
	}
	words = meant(words, w, f.vocabulary().ours)
	if g.depth >= w.depth {
		words = meant(words, g, f.vocabulary().ours)
	}
	return positive(words)
}

// typedWords gives the words in lower case and without "no".
func typedWords(text string) []string { return positive(strings.Fields(lowerCase(text))) }

func positive(words []string) []string {
	if words[0] == "no" || words[0] == "default" {
		return words[1:]
	}
	return words
}

// meant corrects the word at which a walk ended when that makes the line one
// of ours.
func meant(words []string, w *walk, ours []string) []string {
	if w.depth >= len(words) || len(words[w.depth]) < minGuess {
		return words
	}
	guess := slices.Clone(words)
	guess[w.depth] = w.state.closest(words[w.depth])
	if !startsAny(guess[max(0, w.depth-len(w.tokens)):], ours) {
		return words
	}
	return guess
}

// vocabulary tells the lines apart that no mode takes. What is wrong in a
// statement that is ours is an error; other security configuration is kept; and
// everything else has nothing to do with it. The words are those that a line
// starts with, in lower case.
type vocabulary struct {
	ours, kept []string
	// blocks are the lines of ours that other lines stand below.
	blocks []string
	// nested are those of them that may stand below another one, indented.
	nested []string
	// interfaces start lines of an interface that have nothing to do with
	// access control; without indent they do not end its mode.
	interfaces []string
}

var vocabularies = [dialectCount]*vocabulary{
	IOS:   {ours: iosOurs, kept: iosKept, blocks: iosBlocks, interfaces: interfaceWords},
	ASA:   asaVocabulary,
	NXOS:  nxosVocabulary,
	IOSXR: xrVocabulary,
}

func (f *file) vocabulary() *vocabulary { return vocabularies[f.session.Config.Dialect] }

// filterWords start packet filters and their use in one dialect or another; in
// a file of a dialect that does not have them they are kept.
var filterWords = []string{
	"access-list", "ip access-list", "ipv4 access-list", "ipv6 access-list", "mac access-list", "ethernet-services access-list", "object-group",
	"object network", "object service", "ip access-group", "ipv4 access-group", "ipv6 access-group", "ipv6 traffic-filter", "ethernet-services access-group",
}

var iosOurs = []string{
	"access-list", "ip access-list standard", "ip access-list extended", "ip access-list resequence", "ip access-list role-based", "ip access-list fqdn", "ipv6 access-list",
	"object-group", "class-map type inspect match-any",
	"class-map type inspect match-all", "class-map type inspect http", "policy-map type inspect", "zone security", "zone-pair", "interface workload", "time-range", "periodic", "absolute",
	"ip access-group", "ipv6 traffic-filter", "zone-member", "ip host-permit", "ip verify source",
	"permit", "deny", "remark", "evaluate", "workload", "entity", "fqdn", "group-object", "match access-group",
	"class type inspect", "service-policy type inspect", "identity map",
}

var iosKept = []string{
	"ip access-list", "class-map", "policy-map",
	"parameter-map", "cts", "mac access-list", "mac access-group", "access-class", "ipv6 access-class", "ip inspect",
	"ip reflexive-list", "logging rate-limit", "clock timezone", "clock summer-time", "access-group", "zone", "ip urlfilter", "ip verify unicast", "arp access-list", "control-plane", "ip http access-class",
}

var iosBlocks = []string{
	"ip access-list", "ipv6 access-list", "object-group", "class-map", "policy-map", "zone", "zone-pair", "interface",
	"access-list", "hostname", "time-range",
}

var interfaceWords = []string{
	"ip address", "ip nat", "ip mtu", "ip tcp", "ip ospf", "ip pim", "ip unnumbered", "ip helper-address", "ip proxy-arp", "ip redirects",
	"ip unreachables", "ip virtual-reassembly", "ip flow", "ip policy", "ip route-cache", "ip directed-broadcast", "ipv6 address",
	"ipv6 enable", "ipv6 nd", "ipv6 ospf", "bandwidth", "cdp", "channel-group", "delay", "description", "duplex", "encapsulation",
	"keepalive", "lldp", "load-interval", "mac-address", "media-type", "mtu", "negotiation", "shutdown", "snmp", "spanning-tree",
	"speed", "standby", "switchport", "tunnel", "vrf",
}

func startsAny(words []string, starts []string) bool {
	return slices.ContainsFunc(starts, func(s string) bool { return startsWith(words, s) })
}

// classify gives Unsupported for security configuration that is kept, Skipped
// for configuration of other things, and 0 for what must be right.
func (f *file) classify(words []string, text string) State {
	if len(words) > 1 && isNumber(words[0]) {
		words = words[1:] // an entry of a list
	}
	switch {
	case startsWith(words, "policy-map type inspect") && len(words) > 4:
		return Unsupported // an application policy, such as "http NAME"
	case startsAny(words, f.vocabulary().ours):
		return 0
	case startsAny(words, f.vocabulary().kept):
		return Unsupported
	case isIndented(text) && f.session.Mode != ModeGlobal && !modes[f.session.Mode].loose:
		return 0 // a line of a list or a group
	}
	return Skipped
}

func startsWith(words []string, start string) bool {
	for _, w := range words {
		first, rest, more := strings.Cut(start, " ")
		if w != first {
			return false
		}
		if !more {
			return true
		}
		start = rest
	}
	return false
}

// kindOfLine names a line in the count of skipped ones.
func kindOfLine(text string) string {
	words := strings.Fields(text)
	if len(words) > 1 && (words[0] == "ip" || words[0] == "no" || words[0] == "ipv6") {
		return words[0] + " " + words[1]
	}
	return words[0]
}

func (f *file) skip(pos Position, kind string) {
	if i, seen := f.skipped[kind]; seen {
		f.notices[i].Count++
		return
	}
	f.skipped[kind] = len(f.notices)
	f.notices = append(f.notices, Notice{Pos: pos, State: Skipped, Msg: "has nothing to do with access control", Text: kind, Count: 1})
}

// keep stores a line that is not understood where it stands, and reports whether
// that is in the block of the mode.
func (f *file) keep(pos Position, text string) (inside bool) {
	f.notices = append(f.notices, Notice{Pos: pos, State: Unsupported, Msg: "is kept, and neither enforced nor translated", Text: strings.TrimSpace(text), Count: 1})
	s := unknown(pos, text)
	n := len(f.session.path)
	switch {
	case !modes[f.session.Mode].loose || !isIndented(text) && !f.owns(text):
	case f.session.Mode == ModeInterface:
		f.session.iface.Other = append(f.session.iface.Other, s)
		return true
	case n > 0:
		f.session.path[n-1].Below = append(f.session.path[n-1].Below, s)
		return true
	}
	f.session.enter(ModeGlobal)
	f.session.Config.addUnknown(s)
	return false
}

// owns reports whether the mode understands more of a wrong line than global
// configuration does: without indent it belongs to the block even so.
func (f *file) owns(text string) bool {
	w, g := newWalk(f.session.language(), f.session.Mode, Position{}, text), newWalk(f.session.language(), ModeGlobal, Position{}, text)
	w.quiet, g.quiet = true, true
	_, _ = w.run()
	_, _ = g.run()
	return w.depth > g.depth
}

// addUnknown puts a statement behind the others that are not understood, all of
// which stand in front: where no mode can take them for lines of its own.
func (c *Config) addUnknown(s *Statement) {
	c.Other = slices.Insert(c.Other, c.unknown(), s)
}

// unknown counts the statements that are not understood.
func (c *Config) unknown() (n int) {
	for n < len(c.Other) && !c.Other[n].Known {
		n++
	}
	return n
}

// unknown is a statement that is not understood.
func unknown(pos Position, text string) *Statement {
	text = strings.Trim(text, " \t\r\f")
	return &Statement{Pos: pos, Text: text, Words: text}
}

// belowUnknown takes an indented line below one that no mode knows.
func (f *file) belowUnknown(pos Position, text, raw string) {
	switch f.inside {
	case Unsupported:
		if f.cut != 0 && f.fits(f.cut, text) {
			f.orphan(pos, text, raw)
			return
		}
		c := f.session.Config
		last := c.Other[c.unknown()-1]
		last.Below = append(last.Below, unknown(pos, text))
	case Skipped:
		if f.orphaned(text) {
			f.orphan(pos, text, raw)
			return
		}
		words := f.canonical(text)
		if kind := f.classify(words, text); kind == Unsupported || kind == 0 && !startsAny(words, blockBody) {
			f.keepLoose(pos, text)
			return
		}
		f.certificate = certificate.MatchString(strings.TrimSpace(text))
		f.mention(pos, text)
		f.skip(pos, kindOfLine(text))
	}
}

// blockBody are words that other configuration uses as well.
var blockBody = []string{"permit", "deny", "remark", "description", "match", "set"}

// keepLoose keeps a security line of a block that is skipped otherwise, such
// as access-class below a line.
func (f *file) keepLoose(pos Position, text string) {
	f.notices = append(f.notices, Notice{Pos: pos, State: Unsupported, Msg: "is kept, and neither enforced nor translated", Text: strings.TrimSpace(text), Count: 1})
	c := f.session.Config
	s := unknown(pos, f.header)
	s.Below = []*Statement{unknown(pos, text)}
	c.addUnknown(s)
}

func (f *file) refuse(pos Position, raw string, err *LineError) {
	pos.Column += max(err.Word, 1) - 1
	msg := strings.ReplaceAll(err.Error(), "\n% ", "; ")
	f.fail(pos, msg, raw)
}

func (f *file) fail(pos Position, msg, raw string) {
	f.errors = append(f.errors, &Error{Pos: pos, Msg: msg, Text: raw})
}
