# make all     build bin/aclium
# make test    every test; as root also those that need the kernel
# make demo    a lab, the three-tier example, real traffic, checked counters
# make check   generated files are fresh, the code is clean
# make bench   measures the datapath beside other filters; as root
# make fuzz-packets   ten million frames: the kernel agrees with the reference
# make conformance   other people's code judges ours; docs/testing.md says how
# make test-oldkernel  the datapath's tests under Linux 6.1, the oldest claimed;
#                      test-oldkernel-agent the agent's
#
# A fresh Debian or Ubuntu with Go is enough. The BPF objects are committed, so
# only "generate" and "check" need clang.

GO = go
GOFMT = $(shell $(GO) env GOROOT)/bin/gofmt
CLANG = clang-19
SOURCES = cmd enforcer grammar shell translate
# What regenerating the BPF objects takes.
CLANG_PACKAGES = $(CLANG) llvm-19 libbpf-dev linux-libc-dev
# Empty for root.
SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo env "PATH=$$PATH")

.PHONY: all generate test test-root test-oldkernel test-oldkernel-agent fmt check demo bench bench-go peers fuzz-packets clang qemu bpffs conformance

all:
	$(GO) build -o bin/ ./cmd/aclium

generate: clang
	$(GO) generate ./...

test: bpffs
	$(GO) test -count=1 -timeout 30m ./...
	@[ "$$(id -u)" = 0 ] || echo "SKIPPED: the tests that need the kernel. Run them with: make test-root"

# The kernel's tests alone, through sudo where that is needed.
test-root: bpffs
	$(SUDO) $(GO) test -count=1 -timeout 30m ./enforcer/... ./cmd/...

demo: all
	$(SUDO) bin/aclium demo examples/02-three-tier

# What the datapath costs, beside other filters, as root (docs/performance.md).
# BENCH="-only cost -o json" and the like measure less or print more.
bench: bpffs peers
	$(GO) build -o bin/ ./cmd/aclium ./enforcer/internal/bench
	$(SUDO) bin/bench -write docs/performance.md $(BENCH)

# The filters that bench measures beside ours.
peers:
	@{ command -v nft && command -v iptables-legacy; } >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends nftables iptables; }

# Go's own benchmarks of all packages.
bench-go:
	$(GO) test -run '^$$' -bench . -benchmem ./...

fmt:
	$(GOFMT) -l -w $(SOURCES)

check:
	@files=$$($(GOFMT) -l $(SOURCES)); [ -z "$$files" ] || { echo "not formatted: $$files"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -run 'TestImports|TestPackages' ./cmd/aclium
	$(MAKE) generate
	git diff --exit-code -- '*_bpfel.*' '*_bpfeb.*' docs/language.md

# Each judge is a module of its own, so that its versions never meet ours; what
# ours asks for in addition goes into its go.mod by itself (-mod=mod).
CONFORMANCE = cyclonus cilium apiserver
conformance: $(CONFORMANCE:%=conformance-%)

conformance-%:
	cd translate/kube/conformance/$* && $(GO) vet -mod=mod . && $(GO) test -mod=mod -p 2 -count=1 -timeout 30m -v ./...

# Emulated, so that it needs neither root nor virtualisation; docs/testing.md
# says how long it takes. The guest's kernel is Debian 12's; OLDKERNEL names
# another one or fewer tests. Debian 11's must be refused in one line.
OLDKERNEL =
test-oldkernel: qemu
	$(GO) run ./enforcer/internal/oldkernel -release bullseye -timeout 10m -run TestTooOldKernelIsRefused ./enforcer/datapath
	$(GO) run ./enforcer/internal/oldkernel -timeout 3h $(OLDKERNEL) ./enforcer/datapath

# Names, SIGKILL and pods that come back.
OFAGENT = '^(TestNames|TestEndedConnections|TestOnlyTrustedAnswers|TestPodsThatAreNoServers|TestKilledAgent|TestPodThatComesBack)'
test-oldkernel-agent: qemu
	$(GO) run ./enforcer/internal/oldkernel -timeout 1h -run $(OFAGENT) $(OLDKERNEL) ./enforcer ./cmd/aclium

# Installs what is missing where that is possible.
clang:
	@{ command -v $(CLANG) && command -v llvm-strip-19; } >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends $(CLANG_PACKAGES); }

qemu:
	@command -v qemu-system-x86_64 >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends qemu-system-x86; }

# Pinned maps need a bpf file system, which few containers have mounted.
bpffs:
	@[ "$$(id -u)" != 0 ] || grep -q ' /sys/fs/bpf bpf ' /proc/mounts || mount -t bpf bpf /sys/fs/bpf

# Ten million frames, whole and broken, through the programs and the reference;
# docs/testing.md says what is compared. It needs root; progress is on stderr.
fuzz-packets:
	$(SUDO) $(GO) test -count=1 -timeout 3h -v -run '^TestFuzzedFrames$$' ./enforcer/datapath -frames 10000000
