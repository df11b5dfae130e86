// Package shell is the IOS-like shell: lines in, IOS's answers out.
//
// It takes the lines that somebody typed, piped or put into a file, and three
// small interfaces that it declares itself: an Applier that puts a
// configuration in force, a CounterReader and an EventReader. It gives the
// modes, prompts, help, errors and shows of IOS. It decides nothing about
// packets and knows no kernel, no cluster and no terminal: the local terminal
// is package prompt, which drives the same engine as a script does.
//
//	s, err := shell.New(ctx, shell.Options{Out: os.Stdout, Applier: a, Counters: c})
//	for s.Run(ctx, line) == nil {         // prints; shell.ErrExit ends the session
//		fmt.Print(s.Prompt())         // R1(config-ext-nacl)#
//	}
//	s.Script(ctx, lines, os.Stderr)       // a file or a pipe: everything or nothing
//
// What is typed in configuration mode edits a candidate. Leaving a block (by
// exit, by a command of global configuration, by end) puts the candidate in
// force as a whole, so that no half-typed access-list ever judges a packet.
// When that fails the running configuration stays what is enforced, and the
// candidate stays what was typed.
package shell
