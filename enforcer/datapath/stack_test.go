package datapath

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
)

// Linux 6.1 rounds the stack of each function up to 32 bytes, later kernels to
// less (check_max_stack_depth): so it is the first to refuse a deep path.
func TestStackFitsOldKernels(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to ask the verifier")
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	spec, err := programSpec()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ebpf.NewCollectionWithOptions(loadable(spec), ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, p := range spec.Programs {
		depths := depthsOf(t, c.Programs[name].VerifierLog)
		f := subprogramsOf(p.Instructions, depths)
		if sum, path := f.deepest(p.Instructions[0].Symbol()); sum > 512 {
			t.Errorf("%s: %d bytes of stack, 512 is the limit: %s", name, sum, strings.Join(path, ", "))
		} else {
			t.Logf("%s: %d bytes: %s", name, sum, strings.Join(path, ", "))
		}
	}
}

// depthsOf reads the stack of each function from the verifier's statistics.
func depthsOf(t *testing.T, log string) (depths []int) {
	t.Helper()
	_, line, found := strings.Cut(log, "stack depth ")
	if !found {
		t.Fatalf("the verifier does not tell the stack: %s", log)
	}
	line, _, _ = strings.Cut(line, "\n")
	for _, word := range strings.Split(strings.Fields(line)[0], "+") {
		var n int
		if _, err := fmt.Sscan(word, &n); err != nil {
			t.Fatal(err)
		}
		depths = append(depths, n)
	}
	return depths
}

// subprograms are what a program consists of, by name.
type subprograms map[string]*subprogram

type subprogram struct {
	depth int
	calls []string // also those that helpers call back
}

func subprogramsOf(all asm.Instructions, depths []int) subprograms {
	out := subprograms{}
	var f *subprogram
	for i := range all {
		if s := all[i].Symbol(); s != "" {
			f = &subprogram{}
			if n := len(out); n < len(depths) {
				f.depth = depths[n]
			}
			out[s] = f
		}
		if all[i].IsFunctionReference() {
			f.calls = append(f.calls, all[i].Reference())
		}
	}
	return out
}

// deepest gives the path that takes most stack, counted as Linux 6.1 does.
func (f subprograms) deepest(name string) (sum int, path []string) {
	for _, callee := range f[name].calls {
		if n, p := f.deepest(callee); n > sum {
			sum, path = n, p
		}
	}
	own := max(f[name].depth+31, 32) / 32 * 32
	return own + sum, append([]string{fmt.Sprintf("%s %d (%d)", name, own, f[name].depth)}, path...)
}
