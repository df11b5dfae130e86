package grammar

import (
	"go/ast"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2/ebnf"
	"github.com/alecthomas/participle/v2/lexer"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tokens is a lexer over the tokens that a walk has found.
type tokens struct {
	all []lexer.Token
	end lexer.Token
}

// Next gives the next token, then EOF for ever.
func (t *tokens) Next() (lexer.Token, error) {
	if len(t.all) == 0 {
		return t.end, nil
	}
	first := t.all[0]
	t.all = t.all[1:]
	return first, nil
}

// oracle parses the words of a walk with participle's parser.
func oracle(t *testing.T, s *statement, w *walk) any {
	peeking, err := lexer.Upgrade(&tokens{w.tokens, w.end()})
	if err != nil {
		t.Fatal(err)
	}
	out := reflect.ValueOf(s.parser).MethodByName("ParseFromLexer").Call([]reflect.Value{reflect.ValueOf(peeking)})
	if err, _ := out[1].Interface().(error); err != nil {
		t.Errorf("%s: participle does not take what the walk takes: %v", w.words.text, err)
	}
	return out[0].Interface()
}

// decoderTest compares the decoder with participle and counts the statements.
type decoderTest struct {
	*testing.T
	seen map[*statement]int
	walk *walk
}

func (t decoderTest) line(l *language, m Mode, text string) {
	w := t.walk
	w.reset(l, m, Position{File: "f", Line: 7, Column: 3}, text)
	s, err := w.run()
	if err != nil || w.empty() || s.node == nil {
		return
	}
	t.seen[s]++
	same(t.T, text, oracle(t.T, s, w), w.decode(s))
}

func same(t *testing.T, text string, want, got any) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty(), gocmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("%s (-participle +decoder):\n%s", text, diff)
	}
}

// TestDecoderIsParticiple holds the decoder to participle's own parser, which
// reads the same struct tags: for every line of testdata in every mode that
// takes it, and for random lines of every mode. No statement is left out.
func TestDecoderIsParticiple(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for d := range dialectCount {
		test, l := decoderTest{t, map[*statement]int{}, &walk{}}, languageOf(d)
		for m := ModeGlobal; m < modeCount; m++ {
			if !l.has(m) {
				continue
			}
			for _, text := range samples(t) {
				for line := range strings.Lines(text) {
					test.line(l, m, strings.TrimRight(line, "\r\n"))
				}
			}
			for _, first := range l.plain[m] {
				test.random(r, l, m, first, "")
			}
			for _, first := range l.negated[m] {
				test.random(r, l, m, first, "no ")
			}
		}
		for _, s := range l.statements {
			if s.node != nil && test.seen[s] < 20 {
				t.Errorf("%s: %s was compared %d times", d, s.name, test.seen[s])
			}
		}
	}
}

// random compares random lines that start with a term.
func (t decoderTest) random(r *rand.Rand, l *language, m Mode, first *term, prefix string) {
	for range 100 {
		t.line(l, m, prefix+sentenceFrom(r, first))
	}
}

// sentenceFrom gives a random line of the term's statement.
func sentenceFrom(r *rand.Rand, at *term) string {
	var words []string
	for {
		word := at.keyword
		if at.class != nil {
			word = sampleOf(r, at.class)
		}
		words = append(words, word)
		if len(at.follow) == 0 || at.last && r.IntN(4) == 0 {
			return strings.Join(words, " ")
		}
		at = at.follow[r.IntN(len(at.follow))].term
	}
}

// The tags below hold what a grammar may say about captures.
type (
	innerNode struct {
		Key    lexer.Token   `parser:"'key' @Word"`
		Values []lexer.Token `parser:"@( Byte (',' Byte)* )?"`
	}
	outerNode struct {
		Flag   lexer.Token   `parser:"@('on' | 'off')?"`
		Words  []lexer.Token `parser:"( 'list' @( Address+ ) | 'pair' @( Address Wildcard ) )?"`
		Each   lexer.Token   `parser:"@Byte*"`
		One    innerNode     `parser:"'one' @@"`
		Maybe  *innerNode    `parser:"('maybe' @@)?"`
		Many   []*innerNode  `parser:"@@*"`
		Groups []*innerNode  `parser:"('group' @@ ('and' @@)*)*"`
		Again  innerNode     `parser:"('again' @@)*"`
		Turns  []lexer.Token `parser:"@( 'turn' Byte+ )*"`
		Last   lexer.Token   `parser:"( 'x' @Byte | 'x' 'last' @Byte )?"`
	}
)

// TestDecoderKnowsTheNotation runs random lines of a grammar that uses the
// whole notation of captures.
func TestDecoderKnowsTheNotation(t *testing.T) {
	l := newLanguage(func(l *language) {
		add(l, plain, func(*line, *outerNode) error { return nil }, ModeGlobal)
	})
	test, r := decoderTest{t, map[*statement]int{}, &walk{}}, rand.New(rand.NewPCG(7, 8))
	for range 20 {
		for _, first := range l.plain[ModeGlobal] {
			test.random(r, l, ModeGlobal, first, "")
		}
	}
	if n := test.seen[l.statements[0]]; n < 1000 {
		t.Errorf("only %d lines were compared", n)
	}
}

// TestEBNFIsReadAsParticipleDoes compares the two readers of EBNF for every
// statement.
func TestEBNFIsReadAsParticipleDoes(t *testing.T) {
	texts := []string{`A = (B "x-y"* | <word>+)? "1" . B = "b" (("c" | "d") "e")+ .`}
	for d := range dialectCount {
		for _, s := range languageOf(d).statements {
			texts = append(texts, s.ebnf)
		}
	}
	for _, text := range texts {
		want, err := ebnf.ParseString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := readEBNF(text); !reflect.DeepEqual(want.Productions, got) {
			t.Errorf("%s (-participle +ours):\n%s", text, gocmp.Diff(want.Productions, got))
		}
	}
}

// TestDecoderRefuses holds grammars that participle takes and the decoder
// would get wrong: they must not start.
func TestDecoderRefuses(t *testing.T) {
	type empty struct {
		Word lexer.Token `parser:"@'a'?"`
	}
	for want, build := range map[string]func(*language){
		"a Token or a slice": func(l *language) {
			type bad struct {
				Word string `parser:"@'a'"`
			}
			add(l, plain, func(*line, *bad) error { return nil }, ModeGlobal)
		},
		"may be empty: true": func(l *language) {
			type bad struct {
				Word  lexer.Token `parser:"@'b'"`
				Inner *empty      `parser:"@@"`
			}
			add(l, plain, func(*line, *bad) error { return nil }, ModeGlobal)
		},
		"unknown notation [": func(l *language) {
			type bad struct {
				Word lexer.Token `parser:"[ @'a' ] 'b'"`
			}
			add(l, plain, func(*line, *bad) error { return nil }, ModeGlobal)
		},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			newLanguage(build)
		}()
	}
}

// TestNothingKeepsTheWords spoils the memory of the words behind every line,
// as the next line does: no statement may have kept them.
func TestNothingKeepsTheWords(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for d := range dialectCount {
		for m := range modeLines[d] {
			var lines []string
			for range 300 {
				lines = append(lines, sentence(r, languageOf(d), m))
			}
			kept := typedIn(t, d, modeLines[d][m]+"; ")
			spoilt := typedIn(t, d, modeLines[d][m]+"; ")
			for _, line := range lines {
				_, _ = kept.Line(Position{}, line)
				_, _ = spoilt.Line(Position{}, line)
				spoilt.room.own.spoil()
				spoilt.room.global.spoil()
			}
			if diff := gocmp.Diff(kept.Config, spoilt.Config, exportedOnly, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("%s%s (-kept +spoilt):\n%s", d, m.Prompt(), diff)
			}
		}
	}
}

// exportedOnly leaves caches out of a comparison.
var exportedOnly = gocmp.FilterPath(func(p gocmp.Path) bool {
	field, ok := p.Last().(gocmp.StructField)
	return ok && !ast.IsExported(field.Name())
}, gocmp.Ignore())

func (w *walk) spoil() {
	for i := range w.tokens[:cap(w.tokens)] {
		w.tokens[:cap(w.tokens)][i] = lexer.Token{Type: keywordType, Value: "spoilt"}
	}
	for _, p := range w.pools {
		for _, n := range p.nodes {
			n.Elem().SetZero()
		}
	}
}
