// Command oldkernel runs the kernel tests of the enforcer under another Linux
// kernel than the machine's own: the oldest that aclium claims.
//
// It takes a kernel image and its modules (by default those of Debian's cloud
// kernel, which it downloads from where apt gets Debian), packs them with the
// test binaries into an initial RAM disk, boots that in QEMU and gives the
// tests' output and exit status. The guest has no disk and no network card; nothing of the host is
// mounted in it. Inside the guest the same binary is process 1.
//
//	go run ./enforcer/internal/oldkernel -run TestJudges ./enforcer/datapath
//
// It must not decide what is tested: the guest runs what it is given.
package main
