package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
)

// A transitFlag names lists that stand between everyone.
type transitFlag []string

func (f *transitFlag) add(c *cobra.Command) {
	c.Flags().StringArrayVar((*[]string)(f), "transit", nil, "access-list to take as a router's between everyone; may be given more than once")
}

// of gives the lists in transit that a configuration defines, and adds them to
// those that were found.
func (f transitFlag) of(c *grammar.Config, found map[string]bool) (out []string) {
	for _, name := range f {
		if slices.ContainsFunc(c.ACLs, func(a *grammar.ACL) bool { return a.Name == name }) {
			out = append(out, name)
			found[name] = true
		}
	}
	return out
}

// missing reports a list in transit that no file defines.
func (f transitFlag) missing(found map[string]bool) error {
	for _, name := range f {
		if !found[name] {
			return fmt.Errorf("--transit %s: no file defines such an access-list", name)
		}
	}
	return nil
}

// mapsIdentity reports whether a notice is about an identity map, which is
// translated.
func mapsIdentity(c *grammar.Config, n grammar.Notice) bool {
	return slices.ContainsFunc(c.IdentityMaps, func(m *grammar.IdentityMap) bool { return m.Pos == n.Pos })
}

// compileOptions gives what a configuration is compiled with.
func compileOptions(c *grammar.Config, inv *inventory.Inventory, transit transitFlag, found map[string]bool) (translate.Options, error) {
	own, err := translate.Identities(c, inv)
	return translate.Options{Inventory: own, Transit: transit.of(c, found)}, err
}
