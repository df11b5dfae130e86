package datapath

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
)

func TestOldKernelIsNamed(t *testing.T) {
	answer := func(err error) func() error { return func() error { return err } }
	lacks := answer(fmt.Errorf("load: %w", ebpf.ErrNotSupported))
	for _, c := range []struct {
		ring, loop func() error
		want       string
	}{
		{answer(nil), answer(nil), ""},
		{answer(nil), answer(errors.New("operation not permitted")), ""},
		{answer(nil), lacks, "this kernel (Linux 5.10.0) lacks bpf_loop: aclium needs Linux 6.1 or later with BPF and its JIT"},
		{lacks, lacks, "this kernel (Linux 5.10.0) lacks rings, bpf_loop: aclium needs Linux 6.1 or later with BPF and its JIT"},
	} {
		got := ""
		if err := checkKernel("5.10.0", []requirement{{"rings", c.ring}, {"bpf_loop", c.loop}}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestThisKernelHasWhatIsRequired(t *testing.T) {
	t.Parallel()
	newBench(t)
	if err := checkKernel(kernelRelease(), requirements); err != nil {
		t.Error(err)
	}
	if err := haveHelper(1 << 20)(); !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("a helper that no kernel has: %v", err)
	}
}
