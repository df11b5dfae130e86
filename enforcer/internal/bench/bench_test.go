package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestSmallListsHaveTheWalksVerdicts is the check of the long run on small
// lists and fewer packets. It runs the command, which needs a namespace for
// all of its threads.
func TestSmallListsHaveTheWalksVerdicts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	binary := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(binary, "-only", "check", "-most", "1000", "-packets", "5000").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		want    float64
		samples []float64
	}{{0, nil}, {3, []float64{3}}, {2.5, []float64{4, 1, 3, 2}}, {5, []float64{9, 5, 1}}} {
		if got := median(c.samples); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.samples, got, c.want)
		}
	}
}

// A value keeps the place that it first had, however often it comes.
func TestRowsKeepTheirOrder(t *testing.T) {
	var r results
	a, b := labels{Part: "cost", Metric: "a"}, labels{Part: "cost", Metric: "b"}
	for _, v := range []float64{7, 1, 4} {
		r.add(a, v)
		r.add(b, v*float64(time.Second/time.Millisecond))
	}
	rows := r.rows()
	if len(rows) != 2 || rows[0] != (row{a, 4, 1, 7, 3}) || rows[1].Metric != "b" {
		t.Errorf("got %+v", rows)
	}
}
