package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"aclium/enforcer"
	"aclium/enforcer/client"
)

func newEnforcerCommand() *cobra.Command {
	var o enforcer.Options
	var remove bool
	c := &cobra.Command{
		Use:   "enforcer",
		Short: "Run the node agent",
		Long: `Run the node agent: it filters this node's pods with the policies that it is
given on its socket, and counts what every line decides.

It runs until SIGTERM or SIGINT. What it enforced stays enforced after that, in
the kernel; --remove takes it off.`,
		Example: `  aclium enforcer
  aclium enforcer --socket /run/lab.sock --state /var/lib/lab --pin /sys/fs/bpf/lab
  aclium enforcer --audit
  aclium enforcer --remove`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if remove {
				return removeEnforcer(c, o)
			}
			return runEnforcer(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Socket, "socket", client.DefaultSocket, "`PATH` of the unix socket to listen on")
	f.StringVar(&o.State, "state", enforcer.DefaultState, "`DIR` of what must survive a restart")
	f.StringVar(&o.Pin, "pin", enforcer.DefaultPin, "`PATH` on a bpf file system for programs and counters")
	f.StringVar(&o.Node, "name", "", "`NODE` name that counters carry (default the host's name)")
	f.Var((*addressList)(&o.NameServers), "name-server", "`ADDR` whose DNS answers fill fqdn groups, as pods reach it; repeatable (default those of /etc/resolv.conf)")
	f.BoolVar(&o.Clsact, "clsact", false, "attach through clsact even where the kernel has TCX")
	f.BoolVar(&o.Audit, "audit", false, "drop nothing: judge, count and log what would be dropped, and let it pass")
	f.BoolVar(&o.QuietLines, "quiet-lines", false, "keep the messages of lines with \"log\" out of the agent's own log")
	f.IntVar(&o.LineMetrics, "line-metrics", enforcer.DefaultLineMetrics, "`N` lines at most have metrics of their own; the others are added up by list")
	f.BoolVar(&remove, "remove", false, "take off everything that is enforced, and end")
	return c
}

func runEnforcer(c *cobra.Command, o enforcer.Options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the enforcer changes the kernel's filters: run it as root")
	}
	if o.Node == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("find this node's name: %w", err)
		}
		o.Node = name
	}
	o.Version = currentBuild().Version
	o.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return enforcer.Run(ctx, o)
}

func removeEnforcer(c *cobra.Command, o enforcer.Options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the enforcer changes the kernel's filters: run it as root")
	}
	if err := enforcer.Remove(o.Socket, o.Pin); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "aclium: nothing is enforced from %s any more; the configuration in %s is kept\n", o.Pin, o.State)
	return nil
}

// addressList is a flag that may be given many times.
type addressList []netip.Addr

func (l *addressList) String() string { return strings.Trim(fmt.Sprint([]netip.Addr(*l)), "[]") }

func (l *addressList) Type() string { return "address" }

func (l *addressList) Set(word string) error {
	a, err := netip.ParseAddr(word)
	if err != nil || a.Zone() != "" {
		return fmt.Errorf("want an address")
	}
	*l = append(*l, a.Unmap())
	return nil
}
