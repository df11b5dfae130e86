// Package kube turns policies into the objects of a cluster, and such objects
// back into policies.
//
// Encoding turns policies whose rules need no order into the objects of a
// cluster: NetworkPolicy and CiliumNetworkPolicy.
//
// It takes what translate.Order gives: permits in any order, and native denies
// for Cilium. It gives objects with stable names, in a stable order, and what
// it had to refuse. It knows no Cisco words and no files.
//
//	objects, err := kube.Encode("networkpolicy", stack)
//	text, err := kube.YAML(objects)
//
// Decoding reads objects that anybody wrote, strictly: what has no exact
// meaning in the model is an error with its place, and never left out.
//
//	stack, err := kube.Decode("policies.yaml", file)
//
// An empty set of peers never becomes an empty list, which both kinds read as
// "everybody": such a rule is left out, and the object denies.
package kube
