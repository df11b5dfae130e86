// Package check finds the lines of a configuration that do not do what they
// say: lines that earlier lines hide, lines that could go, names that nothing
// defines, lists that nothing uses.
//
// It takes a parsed configuration and gives findings, each with the lines that
// are to blame. It reads no file, prints nothing and changes nothing.
//
// Every answer about packets is exact: a line is compared with the union of
// all lines before it and behind it, as sets. What cannot be decided within a
// budget of work is said to be undecided, never guessed.
//
//	config, notices, err := grammar.ParseFile(name, r)
//	for _, f := range check.File(config, notices, err) {
//		fmt.Printf("%s:%d: %s: %s\n", f.File, f.Line, f.Kind, f.Message)
//	}
//
// set.go, box.go, cover.go and list.go are geometry and know nothing of Cisco;
// region.go turns lines of access-lists into it.
package check
