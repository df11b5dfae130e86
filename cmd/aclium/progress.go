package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// patience is how long a command may be silent before it says that it works.
const patience = 2 * time.Second

// watch says on a terminal, once a second, what takes so long. The function
// that it gives ends that and wipes the line, and may be called again; anything that is not a terminal
// gets nothing.
func watch(w io.Writer, what string) (stop func()) {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	return tick(w, what, patience, time.Second)
}

// tick writes the line after a while and at every step from then on.
func tick(w io.Writer, what string, after, step time.Duration) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		next := time.NewTimer(after)
		defer next.Stop()
		for said := false; ; said = true {
			select {
			case <-end:
				if said {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			case <-next.C:
				fmt.Fprintf(w, "\r%s: %d s\x1b[K", what, int(time.Since(start).Seconds()))
				next.Reset(step)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(end)
		<-ended
	})
}
