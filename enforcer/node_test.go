package enforcer

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The standard library reads the same lists, without looking at whether they
// changed meanwhile.
func TestReadNodeAgreesWithTheLibrary(t *testing.T) {
	for range 20 {
		before := libraryFacts(t)
		got, err := readNode()
		if err != nil {
			t.Fatal(err)
		}
		if got.equal(before) {
			return
		}
		if before.equal(libraryFacts(t)) {
			t.Fatalf("got %v, want %v", got, before)
		} // else the machine's devices have changed meanwhile
	}
	t.Skip("the devices of this machine change all the time")
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
