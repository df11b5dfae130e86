package apiserver

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestStart: the server is the one that was asked for, and nothing of it is
// left behind.
func TestStart(t *testing.T) {
	t.Run("serve", func(t *testing.T) {
		client, err := kubernetes.NewForConfig(Start(t))
		if err != nil {
			t.Fatal(err)
		}
		version, err := client.Discovery().ServerVersion()
		if err != nil || version.GitVersion != "v1.36.3" {
			t.Errorf("version %v, %v", version, err)
		}
		if _, err := client.CoreV1().Namespaces().Get(context.Background(), "default", metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
		if n := children(t); n != 2 {
			t.Errorf("%d programs run, want the server and its store", n)
		}
	})
	if n := children(t); n != 0 {
		t.Errorf("%d programs are left", n)
	}
}

// children counts the servers that this process has started.
func children(t *testing.T) (n int) {
	t.Helper()
	out, err := exec.Command("ps", "-o", "comm=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.HasPrefix(name, "etcd") || strings.HasPrefix(name, "kube-apiserver") {
			n++
		}
	}
	return n
}
