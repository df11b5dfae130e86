package datapath

import (
	"os"
	"testing"
	"time"
)

// Where the kernel has no barrier for all processes, as with nohz_full CPUs,
// the other way must work, and leave no file open.
func TestWaitWithoutTheBarrier(t *testing.T) {
	newKernel(t)
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := open()
	for name, wait := range map[string]func() error{"barrier": waitForPackets, "map": waitByMap} {
		start := time.Now()
		for range 10 {
			if err := wait(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		t.Logf("%s: %v each", name, time.Since(start)/10)
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, %d before", after, before)
	}
}
