package datapath

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// The kernel gives up on a program after a million instructions; what leaves
// no room for another kernel's way of counting is not loaded with confidence.
const mostVerified = 500_000

// Each program loads on this kernel, and with room to spare.
func TestProgramsLoad(t *testing.T) {
	spec, err := programSpec()
	if err != nil {
		t.Fatal(err)
	}
	maps := map[string]*ebpf.Map{}
	for name, m := range spec.Maps {
		if strings.HasPrefix(name, ".") {
			continue // constants, which are each program's own
		}
		m.Pinning = ebpf.PinNone
		if maps[name], err = ebpf.NewMap(m); err != nil {
			t.Fatalf("map %s: %v", name, err)
		}
		defer maps[name].Close()
	}
	for name := range spec.Programs {
		t.Run(name, func(t *testing.T) { loadAlone(t, spec.Copy(), name, maps) })
	}
}

func loadAlone(t *testing.T, spec *ebpf.CollectionSpec, name string, maps map[string]*ebpf.Map) {
	spec.Programs = map[string]*ebpf.ProgramSpec{name: spec.Programs[name]}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: maps})
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) {
		t.Fatalf("%-80v", refused) // the last 80 lines of the verifier's words
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := c.Programs[name].Info()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := info.VerifiedInstructions()
	if !ok {
		t.Fatal("the kernel does not say how much it verified")
	}
	t.Logf("%d instructions verified", n)
	if n > mostVerified {
		t.Errorf("the verifier walked %d instructions, want %d at most", n, mostVerified)
	}
}
