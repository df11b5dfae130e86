package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"aclium/enforcer/lab"
)

// mostPatience bounds how long an attempt may wait.
const mostPatience = time.Minute

func newLabTrafficCommand(o *lab.Options) *cobra.Command {
	var output string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "traffic LAB FILE",
		Short: "Send the traffic of a file; exit status 1 when an attempt ends otherwise than it says",
		Long: `traffic makes the attempts of a file one after the other, each line one:

  POD HOW ADDRESS OUTCOME [TIMES]
  frontend tcp/80 10.96.0.10 answered 3

HOW is ping, tcp/PORT or udp/PORT. OUTCOME is answered, silent (nothing came back
in time, as when a filter drops), refused or unreachable.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("unknown output %q, want text or json", output)
			}
			if timeout <= 0 || timeout > mostPatience {
				return fmt.Errorf("a timeout of %v, want up to %v", timeout, mostPatience)
			}
			l, err := openLab(args[0], o)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(args[1])
			if err != nil {
				return fmt.Errorf("read the traffic: %w", err)
			}
			attempts, err := lab.ParseAttempts(args[1], text, l.Spec())
			if err != nil {
				return err
			}
			return sendTraffic(c, l, attempts, timeout, output)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", demoTimeout, "how long an attempt waits before it is called silent")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// A trafficRow is one attempt with how often each outcome came of it.
type trafficRow struct {
	From  string         `json:"from"`
	How   string         `json:"how"`
	To    string         `json:"to"`
	Want  string         `json:"want"`
	Times int            `json:"times"`
	Got   map[string]int `json:"got"`
}

func sendTraffic(c *cobra.Command, l *lab.Lab, attempts []lab.Attempt, timeout time.Duration, output string) error {
	rows, wrong := []trafficRow{}, false
	if output == "text" {
		fmt.Fprintf(c.OutOrStdout(), attemptRow, "FROM", "HOW", "TO", "TIMES", "WANT", "GOT", "\n")
	}
	for i := range attempts {
		a := &attempts[i]
		row := trafficRow{From: a.From, How: a.How, To: a.To.String(), Want: a.Want.String(), Times: a.Times, Got: map[string]int{}}
		for range a.Times {
			if err := c.Context().Err(); err != nil {
				return err
			}
			outcome, err := l.Try(a, timeout)
			if err != nil {
				return fmt.Errorf("%v: %w", a, err)
			}
			row.Got[outcome.String()]++
		}
		wrong = wrong || row.Got[row.Want] != a.Times
		if rows = append(rows, row); output == "text" {
			printTraffic(c.OutOrStdout(), &row)
		}
	}
	if output == "json" {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		if err := e.Encode(rows); err != nil {
			return err
		}
	}
	if wrong {
		return errFindings
	}
	return nil
}

// printTraffic marks what came otherwise, with how often.
func printTraffic(w io.Writer, r *trafficRow) {
	got, mark := r.Want, "\n"
	if r.Got[r.Want] != r.Times {
		got, mark = "", "<-- otherwise\n"
		for o := lab.Silent; o <= lab.Unreachable; o++ {
			if n := r.Got[o.String()]; n > 0 {
				got += fmt.Sprintf("%d %s ", n, o)
			}
		}
	}
	fmt.Fprintf(w, attemptRow, r.From, r.How, r.To, r.Times, r.Want, got, mark)
}
