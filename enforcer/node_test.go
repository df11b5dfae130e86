package enforcer

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/testns"
)

// The standard library reads the same lists, without looking at whether they
// changed meanwhile: here they are those of a network of the test's own.
func TestReadNodeAgreesWithTheLibrary(t *testing.T) {
	node := testns.New(t)
	node.Pod("veth0", "10.1.0.5", "2001:db8::5")
	want := libraryFacts(t)
	got, err := readNode()
	if err != nil {
		t.Fatal(err)
	}
	if !got.equal(want) || len(want.devices) != 2 || !want.addresses[netip.MustParseAddr("169.254.1.1")] {
		t.Errorf("got %v, want %v with two devices and the pod's gateway", got, want)
	}
}

func libraryFacts(t *testing.T) nodeFacts {
	t.Helper()
	facts := nodeFacts{devices: map[string]int{}, addresses: map[netip.Addr]bool{}}
	devices, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		facts.devices[d.Name] = d.Index
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		facts.addresses[netip.MustParsePrefix(a.String()).Addr().Unmap()] = true
	}
	return facts
}

func TestInterruptedListIsKnown(t *testing.T) {
	list := make([]syscall.NetlinkMessage, 3)
	if interrupted(list) {
		t.Error("a whole list is taken for interrupted")
	}
	list[1].Header.Flags = unix.NLM_F_MULTI | unix.NLM_F_DUMP_INTR
	if !interrupted(list) {
		t.Error("an interrupted list is taken for whole")
	}
}
