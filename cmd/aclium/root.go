package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses, those of diff(1).
const (
	statusClean    = 0
	statusFindings = 1
	statusTrouble  = 2
)

// errFindings ends a command whose findings are already printed: nothing more
// is said and the exit status is 1. Every other error is trouble.
var errFindings = errors.New("findings")

// run executes one command line and gives its exit status. args[0] is the
// name that the program was called by.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRootCommand(filepath.Base(args[0]))
	root.SetArgs(args[1:])
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	return statusOf(root.Execute(), errOut)
}

// statusOf gives the exit status of a command's error and says what is not
// said yet.
func statusOf(err error, errOut io.Writer) int {
	switch {
	case err == nil:
		return statusClean
	case errors.Is(err, errFindings):
		return statusFindings
	}
	fmt.Fprintf(errOut, "aclium: %v\n", err)
	return statusTrouble
}

func newRootCommand(name string) *cobra.Command {
	root := &cobra.Command{
		Use:   "aclium",
		Short: "Secure Kubernetes pods in the language of Cisco IOS",
		Example: `  aclium convert edge.cfg > policy.yaml
  aclium shell
  aclium enforcer`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: displayName(name)},
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newCheckCommand(),
		newConvertCommand(),
		newDemoCommand(),
		newDiffCommand(),
		newEnforcerCommand(),
		newInventoryCommand(),
		newLabCommand(),
		newShellCommand(),
		newTraceCommand(),
		newVerifyCommand(),
		newVersionCommand(),
	)
	return root
}

// displayName turns a kubectl plugin's file name into what its user types:
// kubectl-acl is called as "kubectl acl".
func displayName(name string) string {
	if plugin, ok := strings.CutPrefix(name, "kubectl-"); ok {
		return "kubectl " + strings.ReplaceAll(plugin, "_", "-")
	}
	return "aclium"
}
