package datapath

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// oldestKernel is the first that every test has passed on.
const oldestKernel = "6.1"

// requirement is something that the programs cannot do without. Its probe says
// ebpf.ErrNotSupported where the kernel lacks it.
type requirement struct {
	name  string
	probe func() error
}

// requirements goes by what a kernel can do and not by its number, because
// distributions carry newer BPF back into older kernels.
var requirements = []requirement{
	{"BPF filters on devices", func() error { return features.HaveProgramType(ebpf.SchedCLS) }},
	{"the BPF JIT", haveJIT},
	{"BPF ring buffers", func() error { return features.HaveMapType(ebpf.RingBuf) }},
	{"bpf_ktime_get_coarse_ns", haveHelper(asm.FnKtimeGetCoarseNs)},
	{"bpf_for_each_map_elem", haveHelper(asm.FnForEachMapElem)},
	{"bpf_loop", haveHelper(asm.FnLoop)},
}

func haveHelper(f asm.BuiltinFunc) func() error {
	return func() error { return features.HaveProgramHelper(ebpf.SchedCLS, f) }
}

// haveJIT asks for what callbacks need. Only the first network namespace has
// the file; elsewhere the answer is yes, and loading tells.
func haveJIT() error {
	word, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	if err == nil && strings.TrimSpace(string(word)) == "0" {
		return ebpf.ErrNotSupported
	}
	return nil
}

// checkKernel names everything that the kernel lacks, in one error. A probe
// that fails in another way proves nothing: loading the programs will tell.
func checkKernel(release string, all []requirement) error {
	var missing []string
	for _, r := range all {
		if errors.Is(r.probe(), ebpf.ErrNotSupported) {
			missing = append(missing, r.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this kernel (Linux %s) lacks %s: aclium needs Linux %s or later with BPF and its JIT",
		release, strings.Join(missing, ", "), oldestKernel)
}

// kernelRelease is what "uname -r" prints.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "of unknown version"
	}
	return unix.ByteSliceToString(name.Release[:])
}
