// Package apiserver starts a real API server for tests: kube-apiserver and the
// etcd behind it, built from their modules, without containers.
//
// The first build takes about five minutes and 2 GB of build cache; later ones
// take seconds. Both programs listen on loopback alone, keep their data in a
// folder of the test's, and die with the test's process. No controllers run:
// pods stay where they are put, deleted namespaces stay Terminating, services
// have no EndpointSlices, and service accounts no tokens.
//
//	config := apiserver.Start(t)
//	client, err := kubernetes.NewForConfig(config)
package apiserver
