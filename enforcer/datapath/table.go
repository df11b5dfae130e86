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

// classSizes holds the sizes of map values of each class, bytes.
var classSizes = func() (sizes [bpf.AcliumTableClassTABLE_CLASSES]int) {
	for class := range sizes {
		sizes[class] = classifier.SizeOf(bpf.AcliumTableClass(class))
	}
	return sizes
}()
