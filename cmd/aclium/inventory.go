package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"aclium/translate/inventory"
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
	c.AddCommand(newInventoryCheckCommand(), newInventoryExportCommand())
	return c
}

type inventoryExportOptions struct {
	cluster clusterFlags
	output  string
}

func newInventoryExportCommand() *cobra.Command {
	var o inventoryExportOptions
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the inventory of a live cluster",
		Long: `Export reads pods, services, endpoints, namespaces and nodes of a cluster and
writes an inventory file to stdout: one workload for each owner of pods, with
the fewest stable labels that select exactly its pods, and their addresses of
today. What the file leaves out is said on stderr. Nothing is changed in the
cluster.

The exit status is 0, or 2 when the cluster cannot be read.`,
		Example: `  aclium inventory export > inventory.yaml
  aclium inventory export --context prod -n shop`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.cluster.add(c)
	c.Flags().StringVarP(&o.output, "output", "o", "yaml", "form of the inventory: yaml or json")
	return c
}

func (o *inventoryExportOptions) run(ctx context.Context, out, errOut io.Writer) error {
	if o.output != "yaml" && o.output != "json" {
		return fmt.Errorf("unknown output format %q, want yaml or json", o.output)
	}
	snapshot, err := o.cluster.snapshot(withContext(ctx), errOut)
	if err != nil {
		return err
	}
	return o.write(snapshot, out, errOut)
}

// withContext gives a context to a command that was started without one.
func withContext(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

func (o *inventoryExportOptions) write(s *inventory.Snapshot, out, errOut io.Writer) error {
	inv, notes, err := inventory.FromSnapshot(s)
	if err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintf(errOut, "aclium: %s\n", n)
	}
	var b bytes.Buffer
	if o.output == "yaml" {
		b.WriteString("# Written by aclium inventory export; resource versions:")
		for _, resource := range slices.Sorted(maps.Keys(s.Versions)) {
			fmt.Fprintf(&b, " %s %s", resource, s.Versions[resource])
		}
		b.WriteString("\n")
	}
	write := inventory.Write
	if o.output == "json" {
		write = inventory.WriteJSON
	}
	if err := write(&b, inv); err != nil {
		return err
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}
