// Package grammar is the language: IOS configuration text in, a syntax tree
// out, and canonical text back.
//
// It takes files (ParseFile) and single lines typed at a prompt (Session); one
// engine serves both, a line at a time. It gives a Config, whose nodes keep
// the position and the text of the line they came from, or an ErrorList with
// every error of the file. Whatever is printed parses again to the same
// Config.
//
// It knows syntax only: no name is resolved, no group is expanded, nothing is
// said about what a policy means. It accepts a superset of the language and
// leaves meaning to translate.
//
//	c, notices, err := grammar.ParseFile("edge.cfg", file)
//	for _, entry := range c.ACL("101").Entries {
//		fmt.Println(entry.Pos, entry.ACE) // edge.cfg:3:1 permit tcp any host 10.0.0.10 eq www
//	}
//
// A line takes one road: its words are walked through the automaton of its
// statement (expect.go), which expands abbreviations and decides what kind of
// word each is; the statement's participle parser turns them into a node; the
// node is applied to the Config. Help, Tab completion and the caret of an
// error come from the same automaton, which is built from the EBNF that the
// participle parser prints, so that there is no second list of keywords.
package grammar
