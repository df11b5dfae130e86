package main

import (
	"github.com/spf13/cobra"
)

func newInventoryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inventory",
		Short: "Say which pods stand for which addresses",
		Long: `An inventory says which pods of a cluster stand for the addresses of a legacy
network. Export writes one from a live cluster; check compares one with a
cluster and with configuration files.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newInventoryCheckCommand())
	return c
}
