package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"aclium/translate/inventory"
)

// An inventoryFlag names the file that says whose address is which workload's;
// empty when there is none.
type inventoryFlag string

// add puts --inventory on a command.
func (f *inventoryFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(f), "inventory", "", "file of workloads and their addresses (YAML or CSV; - is standard input)")
	_ = c.MarkFlagFilename("inventory", "yaml", "yml", "csv", "json")
}

// read reads the inventory, or gives nil where none is named. The error holds
// everything that is wrong with it, each with its place.
func (f inventoryFlag) read(in io.Reader) (*inventory.Inventory, error) {
	switch f {
	case "":
		return nil, nil
	case "-":
		return inventory.Read("stdin", in)
	}
	file, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return inventory.Read(string(f), file)
}
