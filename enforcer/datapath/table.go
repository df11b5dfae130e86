package datapath

import (
	"aclium/enforcer/bpf"
	"aclium/enforcer/classifier"
	"aclium/translate/policy"
)

// An Identity is what a packet's end may be.
type Identity = classifier.Identity

// A Table is a compiled list, ready to be written into a map of its class.
type Table = classifier.Table

// Compile gives the table that judges as p.Eval does (classifier.Compile).
// counters gives the counter id of a line of p, 0 for one that is not counted.
func Compile(p *policy.Policy, ids []Identity, counters func(line int) uint32) (*Table, error) {
	return classifier.Compile(p, ids, classifier.Numbers{Counter: counters})
}

// Check reports why the list cannot be compiled, for lists that stand nowhere
// yet.
func Check(p *policy.Policy, ids []Identity) error {
	_, err := classifier.Compile(p, ids, classifier.Numbers{
		Counter: func(int) uint32 { return 0 }, Window: func(*policy.Schedule) (uint8, error) { return 1, nil },
		Policer: func(*policy.Police) (uint16, error) { return 1, nil },
		List:    func(string) (uint8, error) { return 1, nil },
	})
	return err
}

// classSizes holds the sizes of map values of each class, bytes.
var classSizes = func() (sizes [bpf.AcliumTableClassTABLE_CLASSES]int) {
	for class := range sizes {
		sizes[class] = classifier.SizeOf(bpf.AcliumTableClass(class))
	}
	return sizes
}()
