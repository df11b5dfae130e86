package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aclium/enforcer/client"
	"aclium/enforcer/lab"
	"aclium/translate/policy"
)

func newLabCommand() *cobra.Command {
	var o lab.Options
	c := &cobra.Command{
		Use:   "lab",
		Short: "Run pods as network namespaces, with a node agent and no cluster",
		Long: `A lab is a file that names pods with their labels, addresses and listeners.
Each pod becomes a network namespace that hangs on a node, which is one more
namespace where an enforcer runs:

  name: three-tier
  pods:
  - {name: frontend, namespace: shop, labels: {app: frontend}, addresses: [10.1.10.5]}
  - {name: backend, namespace: shop, labels: {app: backend}, addresses: [10.1.20.5], listen: [tcp/80]}
  outside:
  - {name: internet, addresses: [198.51.100.7]}
  services:
  - {name: web, namespace: shop, addresses: [10.96.0.10], selector: {app: backend},
     ports: [{port: tcp/8080, target: 80}]}

A service leads to the pods of its namespace that have the labels of its
selector, in turn; the node translates it with nft.

It needs root. The machine's own network is not touched. LAB is a lab's file or
its name.`,
		Example: `  aclium lab up three-tier.yaml
  aclium lab exec three-tier frontend -- nc -z 10.1.20.5 80
  aclium lab traffic three-tier traffic.txt
  aclium lab status three-tier
  aclium lab down three-tier`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&o.Dir, "dir", lab.DefaultDir, "directory that holds the labs")
	c.AddCommand(newLabUpCommand(&o), newLabDownCommand(&o), newLabExecCommand(&o), newLabStatusCommand(&o), newLabTrafficCommand(&o),
		newLabChildCommand(), newLabListenCommand())
	return c
}

func newLabUpCommand(o *lab.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "up FILE",
		Short: "Make the pods and start the enforcer",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := readLab(args[0])
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			l, err := lab.Up(ctx, spec, *o)
			if err != nil {
				return err
			}
			return printUp(ctx, c.OutOrStdout(), l, o)
		},
	}
}

func newLabDownCommand(o *lab.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "down LAB",
		Short: "Take the pods and the enforcer away",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := labName(args[0])
			if err != nil {
				return err
			}
			existed, err := lab.Down(name, *o)
			if err == nil && !existed {
				fmt.Fprintf(c.ErrOrStderr(), "aclium: lab %s was not up\n", name)
			}
			return err
		},
	}
}

func newLabExecCommand(o *lab.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "exec LAB POD -- COMMAND [ARGUMENT]...",
		Short: "Run a command in a pod's network, or in the node's (POD node)",
		Args:  cobra.MinimumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			if dash := c.ArgsLenAtDash(); dash >= 0 && dash != 2 {
				return errors.New("want LAB and POD before the --")
			}
			l, err := openLab(args[0], o)
			if err != nil {
				return err
			}
			pod, err := l.Pod(args[1])
			if err != nil {
				return err
			}
			return pod.Exec(args[2:])
		},
	}
}

func newLabStatusCommand(o *lab.Options) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status LAB",
		Short: "Show pods, devices, listeners and the enforcer; exit status 1 when one has died",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("unknown output %q, want text or json", output)
			}
			l, err := openLab(args[0], o)
			if err != nil {
				return err
			}
			s, err := l.Status(c.Context())
			if err != nil {
				return err
			}
			return printStatus(c.OutOrStdout(), s, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// The hidden commands are what a lab runs in its namespaces.
func newLabChildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "child -- COMMAND...", Hidden: true, Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return lab.Child(args) },
	}
}

func newLabListenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "listen -- NAME PROTOCOL...", Hidden: true, Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return lab.Listen(args[0], args[1:]) },
	}
}

func readLab(file string) (*lab.Spec, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the lab file: %w", err)
	}
	return lab.Parse(file, text)
}

// labName takes a lab's file, or its name where no such file is.
func labName(arg string) (string, error) {
	if _, err := os.Stat(arg); err != nil && !strings.ContainsAny(arg, "/.") {
		return arg, nil
	}
	spec, err := readLab(arg)
	if err != nil {
		return "", err
	}
	return spec.Name, nil
}

func openLab(arg string, o *lab.Options) (*lab.Lab, error) {
	name, err := labName(arg)
	if err != nil {
		return nil, err
	}
	return lab.Open(name, *o)
}

// printUp says what runs and how to talk to it.
func printUp(ctx context.Context, w io.Writer, l *lab.Lab, o *lab.Options) error {
	s, err := l.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Lab %s is up.\n\n", s.Name)
	if err := printHosts(w, s); err != nil {
		return err
	}
	pod := s.Hosts[0].Namespace + "/" + s.Hosts[0].Name
	command := "aclium lab"
	if o.Dir != lab.DefaultDir {
		command += " --dir " + o.Dir
	}
	_, err = fmt.Fprintf(w, `
Configure it     aclium shell --enforcer %s
From a pod       %s exec %s %s -- COMMAND
Enforcer's log   %s
Take it down     %s down %s
`, s.Socket, command, s.Name, pod, s.Agent.Log, command, s.Name)
	return err
}

func printStatus(w io.Writer, s *lab.Status, output string) error {
	if err := writeStatus(w, s, output); err != nil {
		return err
	}
	if !s.Sound() {
		return errFindings
	}
	return nil
}

func writeStatus(w io.Writer, s *lab.Status, output string) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	fmt.Fprintf(w, "Lab %s, enforcer %s\n\n", s.Name, agentWords(&s.Agent))
	return printHosts(w, s)
}

func agentWords(a *lab.Agent) string {
	switch {
	case a.PID == 0:
		return "does not run, its log is " + a.Log
	case a.Health == nil:
		return fmt.Sprintf("is process %d and does not answer: %s", a.PID, a.Error)
	case a.Health.Error != "":
		return fmt.Sprintf("is process %d and reports: %s", a.PID, a.Health.Error)
	case a.Health.Unfinished != "":
		return fmt.Sprintf("is process %d and reports: %s", a.PID, a.Health.Unfinished)
	}
	return fmt.Sprintf("is process %d: revision %d, %d pods, %d filtered devices",
		a.PID, a.Health.Revision, a.Health.Endpoints, a.Health.Ports)
}

func printHosts(w io.Writer, s *lab.Status) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "POD\tLABELS\tADDRESSES\tDEVICE\tLISTENS")
	for i := range s.Hosts {
		h := &s.Hosts[i]
		name, labels := h.Namespace+"/"+h.Name, labelWords(h.Labels)
		if h.Namespace == "" {
			name, labels = h.Name, "(outside)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, labels, joined(h.Addresses), h.Device, listenWords(h))
	}
	if err := t.Flush(); err != nil || len(s.Services) == 0 {
		return err
	}
	return printLabServices(w, s.Services)
}

func printLabServices(w io.Writer, services []client.Service) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVICE\tADDRESSES\tPORT\tBACKENDS")
	for _, s := range services {
		for _, p := range s.Ports {
			protocol := map[uint8]string{policy.TCP: "tcp", policy.UDP: "udp"}[p.Protocol]
			fmt.Fprintf(t, "%s/%s\t%s\t%s/%d\t%s\n", s.Namespace, s.Name, joined(s.Addresses), protocol, p.Port, joined(p.Backends))
		}
	}
	return t.Flush()
}

func labelWords(labels map[string]string) string {
	words := make([]string, 0, len(labels))
	for k, v := range labels {
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return orDash(strings.Join(words, ","))
}

func listenWords(h *lab.HostStatus) string {
	words := joined(h.Listen)
	if len(h.Listen) > 0 && h.PID == 0 {
		words += " (has died)"
	}
	return words
}

func joined[T fmt.Stringer](things []T) string {
	words := make([]string, len(things))
	for i, t := range things {
		words[i] = t.String()
	}
	return orDash(strings.Join(words, " "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
