package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"aclium/enforcer/datapath"
)

// bench is one run of the command.
type bench struct {
	results
	// sizes are the numbers of rules of the cost and check parts.
	sizes  []int
	rounds int
	// packets is how many packets of each list are checked.
	packets int
	started time.Time
	ticks   ticks // at the start
	only    string
	// document is the file whose tables are replaced; empty for none.
	document string
}

// wants reports whether a part is to be measured.
func (b *bench) wants(part string) bool {
	return b.only == "" || slices.Contains(strings.Split(b.only, ","), part)
}

// parts are what can be measured, in order. Those of one function share what
// they load.
var parts = []struct {
	names []string
	run   func(*bench) error
}{
	{[]string{"cost", "check"}, (*bench).costs},
	{[]string{"pods"}, (*bench).pods},
	{[]string{"change"}, (*bench).changes},
	{[]string{"agent"}, (*bench).agents},
	{[]string{"veth"}, (*bench).sideBySide},
}

func main() {
	b := &bench{sizes: []int{10, 100, 1000, 10000, 100000}, started: time.Now(), ticks: readTicks()}
	output := flag.String("o", "text", "`FORMAT` of the result on stdout: text or json")
	flag.StringVar(&b.only, "only", "", "measure these `PARTS` alone, separated by commas")
	most := flag.Int("most", 100000, "leave out lists of more than `N` rules")
	flag.IntVar(&b.rounds, "rounds", 7, "`N` rounds of every measurement")
	flag.IntVar(&b.packets, "packets", 1_000_000, "check `N` packets of every list")
	flag.StringVar(&b.document, "write", "", "replace the tables of `FILE`")
	flag.Parse()
	b.sizes = slices.DeleteFunc(b.sizes, func(n int) bool { return n > *most })
	if err := inNamespace(func() error { return b.run(*output) }); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// inNamespace starts this command again in a network namespace of its own,
// where f runs: all threads must be in it.
func inNamespace(f func() error) error {
	const mark = "ACLIUM_BENCH_NAMESPACE"
	if os.Getenv(mark) != "" {
		return f()
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root to make network namespaces and load programs")
	}
	// The child inherits the priority: others on the machine come second.
	runtime.LockOSThread()
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20); err != nil {
		fmt.Fprintf(os.Stderr, "bench: measuring at the usual priority: %v\n", err)
	}
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Env = append(os.Environ(), mark+"=1")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	// The child ends on an interrupt; this process takes off what it left.
	// Signals that are ignored would be ignored by the child as well.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM)
	err := child.Run()
	if child.Process != nil {
		err = errors.Join(err, sweep(pinsOf(child.Process.Pid)))
	}
	if err != nil {
		return fmt.Errorf("the run in its namespace: %w", err)
	}
	return nil
}

// pinsOf gives the directory under which a run pins everything.
func pinsOf(pid int) string { return fmt.Sprintf("/sys/fs/bpf/aclium-bench-%d", pid) }

// sweep takes off all datapaths that are pinned in a directory.
func sweep(pins string) error {
	left, err := os.ReadDir(pins)
	if err != nil {
		return nil // nothing is left
	}
	for _, d := range left {
		err = errors.Join(err, datapath.Remove(filepath.Join(pins, d.Name())))
	}
	return errors.Join(err, os.Remove(pins))
}

func (b *bench) run(output string) error {
	for _, p := range parts {
		if !slices.ContainsFunc(p.names, b.wants) {
			continue
		}
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(p.names, ", "), err)
		}
	}
	if b.document != "" {
		if err := b.writeInto(b.document); err != nil {
			return err
		}
	}
	if output == "json" {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return e.Encode(b.rows())
	}
	_, err := os.Stdout.WriteString(b.markdown())
	return err
}

// say tells the progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}
