// Package inventory says who had which address where a list comes from: which
// pods of the cluster stand for the addresses of a legacy network, behind which
// of its interfaces they were, and which addresses are the cluster's own.
//
// It takes an inventory file or the parts that others know (a configuration's
// identity maps, a live cluster) and gives one consistent Inventory. It knows
// nothing of lists, of objects or of how an inventory is used.
//
//	inv, err := inventory.Read("inventory.yaml", file)
//	for _, w := range inv.Workloads {
//		fmt.Println(w.Name, w.Selector, w.Addresses)
//	}
package inventory
