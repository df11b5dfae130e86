package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aclium/enforcer/client"
	"aclium/enforcer/lab"
	"aclium/translate/policy"
)

const (
	// demoDir keeps the demo's lab apart from the user's own of the same name.
	demoDir = "/run/aclium/demo"
	// demoTimeout is how long an attempt waits before it is called silent.
	demoTimeout = 500 * time.Millisecond
)

func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "demo DIRECTORY",
		Short:  "Run an example with real traffic and check what was counted",
		Hidden: true,
		Long: `demo takes a directory with lab.yaml (the pods), in.cfg (the configuration) and
traffic.txt (who tries to reach whom, and what must come of it). It runs the
lab, configures it through the shell, sends the traffic, and compares each
line's counter with what the packets that were really sent must have counted.
The exit status is 1 when a number differs or an attempt ends otherwise.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return runDemo(ctx, args[0], c.OutOrStdout())
		},
	}
}

// A demo is one run.
type demo struct {
	out      io.Writer
	config   string // path of in.cfg
	spec     *lab.Spec
	attempts []lab.Attempt
	lab      *lab.Lab
	wrong    int // findings
}

func runDemo(ctx context.Context, dir string, out io.Writer) (err error) {
	d, err := readDemo(dir, out)
	if err != nil {
		return err
	}
	unlock, err := lockDemo(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	o := lab.Options{Dir: demoDir}
	// What a killed demo left is ours to take away.
	if _, err := lab.Down(d.spec.Name, o); err != nil {
		return err
	}
	if d.lab, err = lab.Up(ctx, d.spec, o); err != nil {
		return err
	}
	defer func() {
		_, down := lab.Down(d.spec.Name, o)
		err = errors.Join(err, down)
	}()
	if err := d.run(ctx); ctx.Err() != nil {
		return errors.New("the demo was interrupted")
	} else if err != nil {
		return err
	}
	return d.verdict()
}

func readDemo(dir string, out io.Writer) (*demo, error) {
	d := &demo{out: out, config: filepath.Join(dir, "in.cfg")}
	if _, err := os.Stat(d.config); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	var err error
	if d.spec, err = readLab(filepath.Join(dir, "lab.yaml")); err != nil {
		return nil, err
	}
	if len(d.spec.Services) > 0 {
		return nil, errors.New("the demo counts no packets of services: use aclium lab up, shell and lab traffic")
	}
	file := filepath.Join(dir, "traffic.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the traffic: %w", err)
	}
	d.attempts, err = lab.ParseAttempts(file, text, d.spec)
	return d, err
}

// lockDemo lets one demo run at a time; another one waits for it.
func lockDemo(ctx context.Context) (unlock func(), err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the demo needs root: it makes network namespaces and loads BPF programs")
	}
	dir := filepath.Dir(demoDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock the demo: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ctx.Done():
			f.Close()
			return nil, errors.New("another demo is running")
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func() { f.Close() }, nil
}

func (d *demo) run(ctx context.Context) error {
	d.title("The lab")
	status, err := d.lab.Status(ctx)
	if err != nil {
		return err
	}
	if err := printHosts(d.out, status); err != nil {
		return err
	}
	d.title("The configuration goes in through the shell")
	if err := d.aclium(ctx, d.out, "shell", "--enforcer", d.lab.Socket(), "-f", d.config); err != nil {
		return err
	}
	d.title("Traffic")
	sightings, err := d.send(ctx)
	if err != nil {
		return err
	}
	d.title("The counters it caused")
	var screen bytes.Buffer
	if err := d.aclium(ctx, io.MultiWriter(d.out, &screen), "shell", "--enforcer", d.lab.Socket(), "-c", "show access-lists"); err != nil {
		return err
	}
	d.title("Expected from the packets that were sent, and counted")
	if err := d.compare(ctx, sightings, screen.String()); err != nil {
		return err
	}
	d.title("The same as policy objects")
	return d.convert(ctx)
}

func (d *demo) title(text string) { fmt.Fprintf(d.out, "\n=== %s\n\n", text) }

// aclium runs this program, as a user would.
func (d *demo) aclium(ctx context.Context, out io.Writer, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprint(d.out, "$ aclium")
	for _, a := range args {
		if strings.Contains(a, " ") {
			a = strconv.Quote(a)
		}
		fmt.Fprint(d.out, " ", a)
	}
	fmt.Fprintln(d.out)
	c := exec.CommandContext(ctx, self, args...)
	c.Stdout, c.Stderr = out, d.out
	if err := c.Run(); err != nil {
		return fmt.Errorf("aclium %s: %w", args[0], err)
	}
	return nil
}

// convert accepts findings: what a target cannot say is reported, not wrong.
func (d *demo) convert(ctx context.Context) error {
	err := d.aclium(ctx, d.out, "convert", d.config)
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == statusFindings {
		return nil
	}
	return err
}

// attemptRow is one row of the table of attempts, which grows as they end.
const attemptRow = "%-24s  %-9s  %-24s  %-5v  %-11s  %s%s"

// send makes every attempt while the tap listens.
func (d *demo) send(ctx context.Context) ([]lab.Sighting, error) {
	tap, err := d.lab.Tap()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, attemptRow, "FROM", "HOW", "TO", "TIMES", "WANT", "GOT", "\n")
	for i := range d.attempts {
		if err := d.attempt(ctx, &d.attempts[i]); err != nil {
			return nil, errors.Join(err, closeTap(tap))
		}
	}
	// Longer than TCP waits before it sends anything again.
	if err := tap.Settle(1500*time.Millisecond, time.Minute); err != nil {
		return nil, errors.Join(err, closeTap(tap))
	}
	sightings, err := tap.Close()
	fmt.Fprintf(d.out, "\n%d packets seen before any filter.\n", packetsOf(sightings))
	return sightings, err
}

func closeTap(tap *lab.Tap) error {
	_, err := tap.Close()
	return err
}

func packetsOf(sightings []lab.Sighting) (n uint64) {
	for i := range sightings {
		if sightings[i].Packet != nil {
			n += sightings[i].Packets
		}
	}
	return n
}

func (d *demo) attempt(ctx context.Context, a *lab.Attempt) error {
	got := a.Want
	for range a.Times {
		if err := ctx.Err(); err != nil {
			return err
		}
		outcome, err := d.lab.Try(a, demoTimeout)
		if err != nil {
			return fmt.Errorf("%v: %w", a, err)
		}
		if outcome != a.Want {
			got = outcome
		}
	}
	fmt.Fprintf(d.out, attemptRow, a.From, a.How, a.To, a.Times, a.Want, got, d.mark(got == a.Want)+"\n")
	return nil
}

// mark counts and shows what is wrong.
func (d *demo) mark(right bool) string {
	if right {
		return ""
	}
	d.wrong++
	return "\t<-- WRONG"
}

// compare replays the packets against the policies that the agent has.
func (d *demo) compare(ctx context.Context, sightings []lab.Sighting, screen string) error {
	c, err := client.Dial(d.lab.Socket())
	if err != nil {
		return err
	}
	defer c.Close()
	desired, err := c.Desired(ctx)
	if err != nil {
		return err
	}
	counters, err := c.Counters(ctx)
	if err != nil {
		return err
	}
	rows := lab.Compare(lab.Replay(d.spec, desired.Policies, sightings), counters)
	d.checkScreen(rows, screen)
	return d.printRows(rows)
}

func (d *demo) printRows(rows []lab.Difference) error {
	t := tabwriter.NewWriter(d.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "LIST\tLINE\tSUBJECT\tDIRECTION\tEXPECTED\tCOUNTED\tBYTES EXPECTED\tCOUNTED")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d%s\n", r.ACL, lineWord(r.Seq), r.Subject, r.Direction,
			r.Expected.Packets, r.Counted.Packets, r.Expected.Bytes, r.Counted.Bytes, d.mark(r.Equal()))
	}
	return t.Flush()
}

func lineWord(seq uint32) string {
	if seq == 0 {
		return "implicit"
	}
	return strconv.Itoa(int(seq))
}

// checkScreen compares what the screen shows per line with what is expected,
// summed over subjects and directions.
func (d *demo) checkScreen(rows []lab.Difference, screen string) {
	want := map[policy.RuleID]uint64{}
	for i := range rows {
		if r := &rows[i]; r.Seq != 0 && r.Expected.Packets > 0 {
			want[r.RuleID] += r.Expected.Packets
		}
	}
	shown := readScreen(screen)
	for id, n := range shown {
		if n != want[id] {
			d.wrong++
			fmt.Fprintf(d.out, "The screen shows %d matches for %s, want %d.\n", n, id, want[id])
		}
		delete(want, id)
	}
	for id, n := range want {
		d.wrong++
		fmt.Fprintf(d.out, "The screen shows no matches for %s, want %d.\n", id, n)
	}
}

// What IOS shows: the sequence number leads in IPv4 lists and ends the line in
// IPv6 lists; a line without matches has no number.
var (
	screenList = regexp.MustCompile(`^(?:\S+ IP|IPv6) access list (\S+)`)
	screenIPv4 = regexp.MustCompile(`^ +(\d+) .*\((\d+) match(?:es)?\)$`)
	screenIPv6 = regexp.MustCompile(`^ +[a-z].*\((\d+) match(?:es)?\) sequence (\d+)$`)
)

// readScreen gives the matches of each line that has some.
func readScreen(screen string) map[policy.RuleID]uint64 {
	shown := map[policy.RuleID]uint64{}
	list := ""
	for line := range strings.Lines(screen) {
		line = strings.TrimRight(line, "\r\n")
		if m := screenList.FindStringSubmatch(line); m != nil {
			list = m[1]
		} else if m := screenIPv4.FindStringSubmatch(line); m != nil {
			shown[policy.RuleID{ACL: list, Seq: uint32(number(m[1]))}] += number(m[2])
		} else if m := screenIPv6.FindStringSubmatch(line); m != nil {
			shown[policy.RuleID{ACL: list, Seq: uint32(number(m[2]))}] += number(m[1])
		}
	}
	return shown
}

// number reads digits that a pattern has found.
func number(digits string) uint64 {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return math.MaxUint64 // differs from every count
	}
	return n
}

func (d *demo) verdict() error {
	if d.wrong > 0 {
		fmt.Fprintf(d.out, "\nWRONG results: %d\n", d.wrong)
		return errFindings
	}
	_, err := fmt.Fprintln(d.out, "\nEvery attempt ended as it must, and every counter is exact.")
	return err
}
