package main

import (
	"io"

	"github.com/spf13/cobra"
)

type inventoryCheckOptions struct {
	inventory inventoryFlag
}

func newInventoryCheckCommand() *cobra.Command {
	var o inventoryCheckOptions
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Find what is wrong with an inventory",
		Long: `Check reads an inventory file, YAML or CSV; - is standard input. The exit status
is 0 when there is nothing to say and 2 when the file cannot be understood.`,
		Example: `  aclium inventory check inventory.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.inventory = inventoryFlag(args[0])
			return o.run(c.InOrStdin())
		},
	}
}

func (o *inventoryCheckOptions) run(in io.Reader) error {
	_, err := o.inventory.read(in)
	return err
}
