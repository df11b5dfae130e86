package main

import (
	"fmt"
	"os"
)

// ticks are the times that the processors of this machine wanted to run, and
// that of it which the host gave to others, since the machine's start, in the
// ticks of proc(5). A host that does not tell takes nothing.
type ticks struct{ wanted, stolen uint64 }

// readTicks gives zeros where there is no /proc/stat.
func readTicks() (t ticks) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t
	}
	return ticksOf(string(text))
}

// ticksOf reads the first line of /proc/stat.
func ticksOf(text string) (t ticks) {
	var user, nice, system, idle, iowait, irq, softirq, steal uint64
	if _, err := fmt.Sscanf(text, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return t
	}
	return ticks{user + nice + system + irq + softirq + steal, steal}
}

// since gives the share that the host has taken since then, per cent.
func (t ticks) since(then ticks) float64 {
	if t.wanted == then.wanted {
		return 0
	}
	return 100 * float64(t.stolen-then.stolen) / float64(t.wanted-then.wanted)
}
