// Command etcd is the store of go.etcd.io/etcd, built from its module for the
// API server beside it.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
