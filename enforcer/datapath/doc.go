// Package datapath puts policies into the kernel and brings their counters
// back: it is the only user of cilium/ebpf and of netlink's filters.
//
// It takes a State, which names devices, the lists that stand on them in
// series, and who the addresses are. It gives counters, drops and log events.
// It knows nothing of labels' meaning for ports, of HTTP and of IOS.
//
//	d, err := datapath.Open(datapath.Options{PinPath: "/sys/fs/bpf/aclium/node"})
//	err = d.Apply(state)        // whole and atomic, or nothing
//	counters, err := d.Counters()
//	err = d.Close()             // enforcement goes on
//
// How a push is atomic. hook_map holds two halves and the generation cell says
// which one is live. Apply fills the idle half and the table slots that the
// live half does not use, attaches what is missing, and flips the cell, which
// every program reads once per packet:
//
//	compile -> upload tables -> idle half -> attach -> FLIP -> addresses
//	                                                    |
//	    a failure before leaves the old state           +-> detach, free
//
// Identities of addresses are written after the flip: the tables in force then
// know the old numbers and the new ones.
//
// Judgements hold for an era: the generation and, on ports with timed lines, the
// running epoch of window_map. Stateless ports remember verdicts (bpf/flow.h),
// pods' ports their connections (bpf/conn.h); both are judged again in another
// era, so that nothing has to be emptied.
//
// Everything is pinned, so a kill at any point leaves the old or the new state.
package datapath
