// Package prompt is the terminal face of the shell: go-prompt over a console
// parser of its own.
//
// It takes a shell.Shell and the process's terminal and gives a person what
// IOS gives: "?" at once, Tab, Ctrl-Z, history, the pager, pasted lines run in
// order. It decides nothing; every line goes to the shell. One prompt can run
// in a process, because go-prompt keeps state for the whole process.
//
//	t, err := prompt.Open(os.Stdin, os.Stdout)   // an error when they are no terminal
//	s, err := shell.New(ctx, shell.Options{Out: t, Console: t})
//	err = t.Run(ctx, s)
//
// A byte takes one road:
//
//	tty -> reader (goroutine) -> keys: split, paste, type-ahead -> go-prompt -> executor -> shell
//	           |                           ^                                       |
//	           +- Ctrl-C cancels ----------+-- pager and questions read here ------+
//
// go-prompt 0.2.6 takes whatever one read gives for one key, restores the
// terminal wrongly and reads on while a command runs. The parser (keys.go)
// splits what was read, hands nothing out between Enter and the next Setup,
// and leaves the terminal to this package (terminal.go), which restores it
// once, whatever ends the process.
package prompt
