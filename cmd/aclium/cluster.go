package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aclium/translate/inventory"
	"aclium/translate/kube"
)

// clusterFlags say which cluster a command looks at.
type clusterFlags struct {
	kubeconfig, context, namespace string
}

func (f *clusterFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "file that says how to reach the cluster (default: as kubectl)")
	c.Flags().StringVar(&f.context, "context", "", "context of the kubeconfig file (default: its current one)")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "", "look at this namespace alone (default: all)")
	_ = c.MarkFlagFilename("kubeconfig")
}

// given reports whether the command is to look at a cluster.
func (f *clusterFlags) given() bool { return *f != clusterFlags{} }

// snapshot reads the cluster. Work that takes long says so on errOut.
func (f *clusterFlags) snapshot(ctx context.Context, errOut io.Writer) (*inventory.Snapshot, error) {
	client, err := kube.Connect(f.kubeconfig, f.context)
	if err != nil {
		return nil, err
	}
	said := time.Now()
	return kube.Snapshot(ctx, client, kube.SnapshotOptions{Namespace: f.namespace, Progress: func(resource string, n int) {
		if time.Since(said) > 2*time.Second {
			said = time.Now()
			fmt.Fprintf(errOut, "aclium: %d %s so far\n", n, resource)
		}
	}})
}
